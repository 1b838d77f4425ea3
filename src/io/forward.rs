//! The stream traits for what stands in a stream's place (references, boxes, pins), and for memory.
//!
//! Memory is always ready: a `&[u8]`, a [`Cursor`] and a `Vec<u8>` are streams in tests and in whatever
//! parses what it already has.

use std::io::{self, BufRead, Cursor, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::traits::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};

/// `AsyncRead` by another's.
macro_rules! read_by {
    ($this:ident => $target:expr) => {
        #[inline]
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &mut [u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let $this = self;
            $target.poll_read(cx, buf)
        }

        #[inline]
        fn poll_read_vectored(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            bufs: &mut [std::io::IoSliceMut<'_>],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let $this = self;
            $target.poll_read_vectored(cx, bufs)
        }
    };
}

/// `AsyncWrite` by another's.
macro_rules! write_by {
    ($this:ident => $target:expr) => {
        #[inline]
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            buf: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let $this = self;
            $target.poll_write(cx, buf)
        }

        #[inline]
        fn poll_write_vectored(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            bufs: &[std::io::IoSlice<'_>],
        ) -> std::task::Poll<std::io::Result<usize>> {
            let $this = self;
            $target.poll_write_vectored(cx, bufs)
        }

        #[inline]
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            let $this = self;
            $target.poll_flush(cx)
        }

        #[inline]
        fn poll_close(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            let $this = self;
            $target.poll_close(cx)
        }
    };
}

/// `AsyncBufRead` by another's.
macro_rules! buf_read_by {
    ($this:ident => $target:expr) => {
        #[inline]
        fn poll_fill_buf(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<&[u8]>> {
            let $this = self;
            $target.poll_fill_buf(cx)
        }

        #[inline]
        fn consume(self: std::pin::Pin<&mut Self>, count: usize) {
            let $this = self;
            $target.consume(count);
        }
    };
}

/// `AsyncSeek` by another's.
macro_rules! seek_by {
    ($this:ident => $target:expr) => {
        #[inline]
        fn poll_seek(
            self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
            position: std::io::SeekFrom,
        ) -> std::task::Poll<std::io::Result<u64>> {
            let $this = self;
            $target.poll_seek(cx, position)
        }
    };
}

pub(crate) use {buf_read_by, read_by, write_by};

macro_rules! deref {
    ($($place:ty),*) => {$(
        impl<T: AsyncRead + Unpin + ?Sized> AsyncRead for $place {
            read_by!(this => Pin::new(&mut **this.get_mut()));
        }

        impl<T: AsyncWrite + Unpin + ?Sized> AsyncWrite for $place {
            write_by!(this => Pin::new(&mut **this.get_mut()));
        }

        impl<T: AsyncBufRead + Unpin + ?Sized> AsyncBufRead for $place {
            buf_read_by!(this => Pin::new(&mut **this.get_mut()));
        }

        impl<T: AsyncSeek + Unpin + ?Sized> AsyncSeek for $place {
            seek_by!(this => Pin::new(&mut **this.get_mut()));
        }
    )*};
}

deref!(&mut T, Box<T>);

impl<P: DerefMut<Target: AsyncRead>> AsyncRead for Pin<P> {
    read_by!(this => this.as_deref_mut());
}

impl<P: DerefMut<Target: AsyncWrite>> AsyncWrite for Pin<P> {
    write_by!(this => this.as_deref_mut());
}

impl<P: DerefMut<Target: AsyncBufRead>> AsyncBufRead for Pin<P> {
    buf_read_by!(this => this.as_deref_mut());
}

impl<P: DerefMut<Target: AsyncSeek>> AsyncSeek for Pin<P> {
    seek_by!(this => this.as_deref_mut());
}

/// What std reads from at once.
macro_rules! read_at_once {
    ($([$($generics:tt)*] $memory:ty),*) => {$(
        impl<$($generics)*> AsyncRead for $memory {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Read::read(self.get_mut(), buf))
            }

            #[inline]
            fn poll_read_vectored(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Read::read_vectored(self.get_mut(), bufs))
            }
        }

        impl<$($generics)*> AsyncBufRead for $memory {
            #[inline]
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
            ) -> Poll<io::Result<&[u8]>> {
                Poll::Ready(BufRead::fill_buf(self.get_mut()))
            }

            #[inline]
            fn consume(self: Pin<&mut Self>, count: usize) {
                BufRead::consume(self.get_mut(), count);
            }
        }
    )*};
}

read_at_once!([] &[u8], [T: AsRef<[u8]> + Unpin] Cursor<T>);

impl<T: AsRef<[u8]> + Unpin> AsyncSeek for Cursor<T> {
    #[inline]
    fn poll_seek(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        position: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        Poll::Ready(Seek::seek(self.get_mut(), position))
    }
}

/// What std writes to at once.
macro_rules! write_at_once {
    ($($memory:ty),*) => {$(
        impl AsyncWrite for $memory {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Write::write(self.get_mut(), buf))
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                _cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Poll::Ready(Write::write_vectored(self.get_mut(), bufs))
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            #[inline]
            fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    )*};
}

write_at_once!(
    Vec<u8>,
    &mut [u8],
    Cursor<&mut [u8]>,
    Cursor<Vec<u8>>,
    Cursor<&mut Vec<u8>>
);

//! futures-io over mainspring, and mainspring over futures-io. Made to be copied.
//!
//! *Model.* The two families of traits have one shape, so each adapter is a name for another:
//!
//! ```text
//!   a stream of mainspring's ──ToFutures(s)──►   futures_io::{AsyncRead, AsyncBufRead, AsyncWrite, AsyncSeek}
//!   a stream of others       ──FromFutures(s)──► mainspring::io::{the same}
//! ```
//!
//! *Cost.* None: the calls are forwarded, several buffers at once too, and the compiler sees through them.
//!
//! *What stays as it is.* Poll functions remember one task per direction, on both sides: whoever polled last is
//! woken. To read in one task while another writes, use `futures_util`'s or mainspring's `split`.
//! A stream of others spends nothing of the poll's budget, so a loop over one that is always ready should
//! `consume_budget` by itself.

use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use mainspring::io as ours;

/// A stream of mainspring's for what is built on futures-io.
#[derive(Debug)]
pub struct ToFutures<S>(pub S);

/// A stream of futures-io for what is built on mainspring.
#[derive(Debug)]
pub struct FromFutures<T>(pub T);

/// Both directions forward the same calls by the same names.
macro_rules! forward {
    ($adapter:ident: $from:path => $to:path, $($rest:tt)*) => {
        impl<S: $from + Unpin> $to for $adapter<S> {
            forward!{@methods $from, $($rest)*}
        }
    };
    (@methods $from:path, $(fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty;)*) => {$(
        fn $name(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            $($arg: $type,)*
        ) -> Poll<io::Result<$output>> {
            <S as $from>::$name(Pin::new(&mut self.0), cx, $($arg),*)
        }
    )*};
}

macro_rules! adapter {
    ($adapter:ident: $($from:ident)::+ => $($to:ident)::+) => {
        forward! {
            $adapter: $($from)::+::AsyncRead => $($to)::+::AsyncRead,
            fn poll_read(buf: &mut [u8]) -> usize;
            fn poll_read_vectored(bufs: &mut [IoSliceMut<'_>]) -> usize;
        }
        forward! {
            $adapter: $($from)::+::AsyncWrite => $($to)::+::AsyncWrite,
            fn poll_write(buf: &[u8]) -> usize;
            fn poll_write_vectored(bufs: &[IoSlice<'_>]) -> usize;
            fn poll_flush() -> ();
            fn poll_close() -> ();
        }
        forward! {
            $adapter: $($from)::+::AsyncSeek => $($to)::+::AsyncSeek,
            fn poll_seek(position: SeekFrom) -> u64;
        }
    };
}

adapter!(ToFutures: ours => futures_io);
adapter!(FromFutures: futures_io => ours);

// What these lend lives as long as the pin does, which no macro of this size can say.

impl<S: ours::AsyncBufRead + Unpin> futures_io::AsyncBufRead for ToFutures<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.0).consume(count);
    }
}

impl<T: futures_io::AsyncBufRead + Unpin> ours::AsyncBufRead for FromFutures<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.0).consume(count);
    }
}

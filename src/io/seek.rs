//! `AsyncSeekExt`: going to another place in a stream, as named futures.

use std::future::Future;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::caller::Caller;
use super::traits::AsyncSeek;

/// The methods of every [`AsyncSeek`].
pub trait AsyncSeekExt: AsyncSeek {
    /// Goes to a place in the stream and says which it is, counted in bytes from the start. It may lie behind
    /// the end.
    ///
    /// # Cancel safety
    /// Safe: the place is the old one or the new one. Only a [`SeekFrom::Current`] goes on from there if it
    /// is made again; [`AsyncSeekExt::stream_position`] says where that is.
    ///
    /// # Errors
    /// `InvalidInput` for a place before the start; those of the stream.
    ///
    /// ```
    /// use mainspring::io::{AsyncReadExt, AsyncSeekExt};
    /// use std::io::{Cursor, SeekFrom};
    /// # mainspring::run(async {
    /// let mut stream = Cursor::new(b"tick tock");
    /// assert_eq!(stream.seek(SeekFrom::End(-4)).await.unwrap(), 5);
    /// assert_eq!(stream.read_u8().await.unwrap(), b't');
    /// assert_eq!(stream.stream_position().await.unwrap(), 6);
    /// stream.rewind().await.unwrap();
    /// assert_eq!(stream.stream_position().await.unwrap(), 0);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn seek(&mut self, position: SeekFrom) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        Seek {
            stream: self,
            position,
            caller: Caller::here(),
        }
    }

    /// Goes to the start.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// Those of the stream.
    #[track_caller]
    fn rewind(&mut self) -> Rewind<'_, Self>
    where
        Self: Unpin,
    {
        Rewind {
            seek: self.seek(SeekFrom::Start(0)),
        }
    }

    /// Says where the stream stands, counted in bytes from the start.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// Those of the stream.
    #[track_caller]
    fn stream_position(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Current(0))
    }
}

impl<S: AsyncSeek + ?Sized> AsyncSeekExt for S {}

/// Goes to another place. Made by [`AsyncSeekExt::seek`] and [`AsyncSeekExt::stream_position`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Seek<'a, S: ?Sized> {
    stream: &'a mut S,
    position: SeekFrom,
    caller: Caller,
}

impl<S: AsyncSeek + Unpin + ?Sized> Future for Seek<'_, S> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        this.caller
            .within(|| Pin::new(&mut *this.stream).poll_seek(cx, this.position))
    }
}

/// Goes to the start. Made by [`AsyncSeekExt::rewind`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Rewind<'a, S: ?Sized> {
    seek: Seek<'a, S>,
}

impl<S: AsyncSeek + Unpin + ?Sized> Future for Rewind<'_, S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().seek)
            .poll(cx)
            .map_ok(|_position| ())
    }
}

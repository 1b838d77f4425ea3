//! `split`: the reading and the writing half of any stream, for two tasks.
//!
//! *Model.* The halves share the stream; whoever is polled borrows it for that long, and one thread
//! polls one of them at a time. Sockets have a better way: their methods take `&self`, and their own
//! `split` and `into_split` borrow nothing.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;

use super::forward::{read_by, write_by};
use super::traits::{AsyncRead, AsyncWrite};

/// Takes a stream apart: one half reads, the other writes. The stream lives as long as one of them.
///
/// Dropping the writing half says nothing to the peer, as it does for the stream itself:
/// [close](AsyncWrite::poll_close) it first.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt};
/// # mainspring::run(async {
/// let (near, mut far) = io::duplex(64);
/// let (mut reader, mut writer) = io::split(near);
/// let echo = mainspring::spawn(async move {
///     let mut buf = [0; 4];
///     let count = far.read(&mut buf).await.unwrap();
///     far.write(&buf[..count]).await.unwrap();
/// });
/// writer.write(b"tick").await.unwrap();
/// assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 4);
/// echo.await.unwrap();
/// let _near = reader.reunite(writer).unwrap();
/// # }).unwrap();
/// ```
pub fn split<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Rc::new(RefCell::new(stream));
    (ReadHalf(Rc::clone(&stream)), WriteHalf(stream))
}

/// The half that reads. Made by [`split`].
pub struct ReadHalf<S>(Rc<RefCell<S>>);

/// The half that writes. Made by [`split`].
pub struct WriteHalf<S>(Rc<RefCell<S>>);

impl<S> ReadHalf<S> {
    /// Whether the two are halves of one stream.
    #[must_use]
    pub fn is_half_of(&self, other: &WriteHalf<S>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// The whole stream.
    ///
    /// # Errors
    /// Both halves back, if they are not of one stream.
    pub fn reunite(
        self,
        other: WriteHalf<S>,
    ) -> Result<S, ReuniteError<ReadHalf<S>, WriteHalf<S>>> {
        if !self.is_half_of(&other) {
            return Err(ReuniteError(self, other));
        }
        drop(other);
        match Rc::try_unwrap(self.0) {
            Ok(stream) => Ok(stream.into_inner()),
            Err(_) => unreachable!("a stream has two halves, and both were here"),
        }
    }
}

/// Two halves that are not of one stream; both are in it.
pub struct ReuniteError<R, W>(pub R, pub W);

impl<R, W> fmt::Display for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are not of one stream")
    }
}

impl<R, W> fmt::Debug for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError(..)")
    }
}

impl<R, W> std::error::Error for ReuniteError<R, W> {}

/// The stream, while one of its halves is polled.
fn borrow<S>(stream: &RefCell<S>) -> RefMut<'_, S> {
    match stream.try_borrow_mut() {
        Ok(stream) => stream,
        Err(_) => panic!("a half of a split stream was polled by the stream itself"),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadHalf<S> {
    read_by!(this => Pin::new(&mut *borrow(&this.0)));
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteHalf<S> {
    write_by!(this => Pin::new(&mut *borrow(&this.0)));
}

impl<S> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

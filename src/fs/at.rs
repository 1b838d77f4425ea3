//! What is done at a place of a file, beside everything else: `read_at`, `write_at` and their siblings.
//!
//! *Model.* Where the file stands does not change, so any number of these may be under way at once. Each comes after the
//! writes that the file took before it.

use std::fmt;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mainspring_sys::file as sys;

use super::file::File;
use super::op::{Op, may_ask_here, send};
use super::shared::Standing;
use crate::task::budget::{poll_spend, spend_more};
use crate::task::join::AbortOnDrop;

/// The loop's thread copies so much from the page cache at once.
const HERE_MAX: usize = 64 * 1024;
/// Each so many bytes cost a unit of the poll's budget.
const UNIT: usize = 8 * 1024;
/// A job reads so much at once.
const READ_MAX: usize = 2 * 1024 * 1024;

impl File {
    /// Reads some bytes at a place, at least one unless `buf` is empty or the file ends there. Where the file stands does
    /// not change.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// That of an earlier write; what `pread` says.
    ///
    /// ```
    /// # use mainspring::fs::{self, File};
    /// # mainspring::run(async {
    /// let file = File::open("Cargo.toml").await?;
    /// let (mut one, mut other) = ([0; 4], [0; 4]);
    /// // Both are under way at once.
    /// let (first, second) = mainspring::join!(file.read_at(&mut one, 0), file.read_exact_at(&mut other, 4));
    /// assert!(first? > 0 && second.is_ok());
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn read_at<'a>(&'a self, buf: &'a mut [u8], offset: u64) -> ReadAt<'a> {
        ReadAt {
            file: self,
            buf,
            done: 0,
            offset,
            away: None,
            made_at: Location::caller(),
        }
    }

    /// Fills `buf` with the bytes at a place.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; as [`File::read_at`].
    #[track_caller]
    pub fn read_exact_at<'a>(&'a self, buf: &'a mut [u8], offset: u64) -> ReadExactAt<'a> {
        ReadExactAt(self.read_at(buf, offset))
    }

    /// As [`File::read_at`], into a buffer that goes to the thread and comes back: no byte is copied on the way. It comes back as
    /// long as what was read.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again, with another buffer.
    ///
    /// # Errors
    /// As [`File::read_at`]; the buffer is dropped then.
    #[track_caller]
    pub fn read_owned_at(&self, mut buf: Vec<u8>, offset: u64) -> Op<Vec<u8>> {
        self.op(move |file| {
            let count = sys::read_at(file, &mut buf, offset)?;
            buf.truncate(count);
            Ok(buf)
        })
    }

    /// Reads into several buffers, one after the other, with one call of the kernel where it has one. They come back whole, with the
    /// number of bytes that are new.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again, with other buffers.
    ///
    /// # Errors
    /// As [`File::read_at`]; the buffers are dropped then.
    #[track_caller]
    pub fn read_vectored_at(
        &self,
        mut bufs: Vec<Vec<u8>>,
        offset: u64,
    ) -> Op<(usize, Vec<Vec<u8>>)> {
        self.op(move |file| {
            let mut slices: Vec<IoSliceMut<'_>> =
                bufs.iter_mut().map(|buf| IoSliceMut::new(buf)).collect();
            let count = sys::read_vectored_at(file, &mut slices, offset)?;
            Ok((count, bufs))
        })
    }

    /// Writes some bytes at a place, and returns when they are in the kernel. Where the file stands does not change. The bytes
    /// are copied by this call. Of a file that was opened to append, Linux appends them.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the bytes may be there all the same.
    ///
    /// # Errors
    /// That of an earlier write; what `pwrite` says.
    #[track_caller]
    pub fn write_at(&self, buf: &[u8], offset: u64) -> Op<usize> {
        let bytes = buf.to_vec();
        self.op(move |file| sys::write_at(file, &bytes, offset))
    }

    /// As [`File::write_at`], all of the bytes.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the bytes, or some of them, may be there all the same.
    ///
    /// # Errors
    /// As [`File::write_at`]; some bytes may have been written.
    #[track_caller]
    pub fn write_all_at(&self, buf: &[u8], offset: u64) -> Op<()> {
        let bytes = buf.to_vec();
        self.op(move |file| sys::write_all_at(file, &bytes, offset).1)
    }

    /// As [`File::write_all_at`], from a buffer that goes to the thread and comes back: no byte is copied on the way.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the bytes, or some of them, may be there all the same.
    ///
    /// # Errors
    /// As [`File::write_all_at`]; the buffer is dropped then.
    #[track_caller]
    pub fn write_owned_at(&self, buf: Vec<u8>, offset: u64) -> Op<Vec<u8>> {
        self.op(move |file| sys::write_all_at(file, &buf, offset).1.map(|()| buf))
    }

    /// Writes several buffers, one after the other, with one call of the kernel where it has one. They come back, with the number
    /// of bytes that were written.
    ///
    /// # Cancel safety
    /// Safe: the call can be made again; the bytes, or some of them, may be there all the same.
    ///
    /// # Errors
    /// As [`File::write_at`]; the buffers are dropped then.
    #[track_caller]
    pub fn write_vectored_at(&self, bufs: Vec<Vec<u8>>, offset: u64) -> Op<(usize, Vec<Vec<u8>>)> {
        self.op(move |file| {
            let slices: Vec<IoSlice<'_>> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
            let count = sys::write_vectored_at(file, &slices, offset)?;
            Ok((count, bufs))
        })
    }
}

/// Reads some bytes at a place. Made by [`File::read_at`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadAt<'a> {
    file: &'a File,
    buf: &'a mut [u8],
    /// How much of the buffer is filled.
    done: usize,
    offset: u64,
    away: Option<AbortOnDrop<io::Result<Vec<u8>>>>,
    made_at: &'static Location<'static>,
}

impl ReadAt<'_> {
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let rest = &mut self.buf[self.done..];
        let offset = self.offset.saturating_add(self.done as u64);
        if rest.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let away = match &mut self.away {
            Some(away) => away,
            None => {
                let shared = self.file.shared();
                if may_ask_here() && matches!(shared.standing(), Standing::Empty) {
                    ready!(poll_spend(cx));
                    let most = rest.len().min(HERE_MAX);
                    if let Some(count) = sys::read_at_now(shared.file(), &mut rest[..most], offset)
                    {
                        self.done += count;
                        spend_more(count / UNIT);
                        return Poll::Ready(Ok(count));
                    }
                }
                let (shared, len) = (Arc::clone(shared), rest.len().min(READ_MAX));
                let job = send(
                    move || {
                        shared.drain()?;
                        let mut bytes = vec![0; len];
                        let count = sys::read_at(shared.file(), &mut bytes, offset)?;
                        bytes.truncate(count);
                        Ok(bytes)
                    },
                    self.made_at,
                );
                self.away.insert(job?.abort_on_drop())
            }
        };
        let bytes = ready!(Pin::new(away).poll(cx))?;
        self.away = None;
        let bytes = bytes?;
        rest[..bytes.len()].copy_from_slice(&bytes);
        self.done += bytes.len();
        Poll::Ready(Ok(bytes.len()))
    }
}

impl Future for ReadAt<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.get_mut().poll_more(cx)
    }
}

impl fmt::Debug for ReadAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAt")
            .field("offset", &self.offset)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

/// Fills a buffer with the bytes at a place. Made by [`File::read_exact_at`].
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct ReadExactAt<'a>(ReadAt<'a>);

impl Future for ReadExactAt<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = &mut self.get_mut().0;
        while read.done < read.buf.len() {
            if ready!(read.poll_more(cx))? == 0 {
                let text = format!(
                    "the file ends {} bytes before the buffer does",
                    read.buf.len() - read.done
                );
                return Poll::Ready(Err(io::Error::new(ErrorKind::UnexpectedEof, text)));
            }
        }
        Poll::Ready(Ok(()))
    }
}

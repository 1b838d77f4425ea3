//! `Buf`: bytes to be written, with the place up to which they are.
//!
//! *Role.* `write_all_buf` takes its bytes from one and moves the place on as they are written, so a caller
//! whose write was dropped calls again with the same value.
//!
//! *Why not the trait of the crate `bytes`.* The runtime has no such dependency; this is the part of it that
//! a writer needs, under the same names.

use std::collections::VecDeque;
use std::io::{Cursor, IoSlice};

/// Bytes that are taken from the front, a piece at a time.
///
/// It is implemented for `&[u8]`, for a [`Cursor`] over bytes, for a [`VecDeque`] of bytes, for slices of
/// [`IoSlice`], and for pairs: first the one, then the other.
///
/// ```
/// use mainspring::io::{AsyncWriteExt, Buf};
/// # mainspring::run(async {
/// let (head, body): (&[u8], &[u8]) = (b"length: 4\n", b"tick");
/// let mut frame = (head, body);
/// assert_eq!(frame.remaining(), 14);
/// let mut writer = Vec::new();
/// writer.write_all_buf(&mut frame).await.unwrap();
/// assert_eq!(writer, b"length: 4\ntick");
/// assert!(!frame.has_remaining());
/// # }).unwrap();
/// ```
pub trait Buf {
    /// The number of bytes that remain.
    fn remaining(&self) -> usize;

    /// The first of the bytes that remain; none only if none remain.
    fn chunk(&self) -> &[u8];

    /// Takes the first `count` of the bytes that remain, which may be more than [`Buf::chunk`] shows.
    ///
    /// # Panics
    /// If fewer remain.
    fn advance(&mut self, count: usize);

    /// Whether any bytes remain.
    fn has_remaining(&self) -> bool {
        !self.chunk().is_empty()
    }

    /// Puts the first pieces of what remains into `slices`, in order, as many as fit; says how many. By
    /// default one, the [`chunk`](Buf::chunk).
    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        fill(slices, [self.chunk()].into_iter())
    }
}

/// Puts those of `chunks` that are not empty into `slices`, as many as fit; says how many.
fn fill<'a>(slices: &mut [IoSlice<'a>], chunks: impl Iterator<Item = &'a [u8]>) -> usize {
    let chunks = chunks.filter(|chunk| !chunk.is_empty());
    let places = slices.iter_mut().zip(chunks);
    places
        .map(|(slice, chunk)| *slice = IoSlice::new(chunk))
        .count()
}

/// The number of bytes in `slices`, which may be the same memory many times: more than an integer holds.
pub(super) fn total(slices: &[IoSlice<'_>]) -> usize {
    let lengths = slices.iter().map(|slice| slice.len());
    lengths.fold(0, usize::saturating_add)
}

#[track_caller]
fn assert_remains(count: usize, remaining: usize) {
    assert!(
        count <= remaining,
        "a buffer cannot advance by {count} bytes, for {remaining} remain"
    );
}

impl Buf for &[u8] {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self
    }

    #[track_caller]
    fn advance(&mut self, count: usize) {
        assert_remains(count, self.len());
        *self = &self[count..];
    }
}

/// Behind its end, which its position may be, nothing remains.
impl<T: AsRef<[u8]>> Buf for Cursor<T> {
    fn remaining(&self) -> usize {
        self.chunk().len()
    }

    fn chunk(&self) -> &[u8] {
        let bytes = self.get_ref().as_ref();
        usize::try_from(self.position())
            .ok()
            .and_then(|position| bytes.get(position..))
            .unwrap_or_default()
    }

    #[track_caller]
    fn advance(&mut self, count: usize) {
        assert_remains(count, self.remaining());
        self.set_position(self.position() + count as u64);
    }
}

impl Buf for VecDeque<u8> {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        let (front, back) = self.as_slices();
        if front.is_empty() { back } else { front }
    }

    #[track_caller]
    fn advance(&mut self, count: usize) {
        assert_remains(count, self.len());
        self.drain(..count);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let (front, back) = self.as_slices();
        fill(slices, [front, back].into_iter())
    }
}

/// Those that are used up leave the front; the one in which the place falls begins there afterwards.
impl Buf for &mut [IoSlice<'_>] {
    fn remaining(&self) -> usize {
        total(self)
    }

    fn chunk(&self) -> &[u8] {
        let slice = self.iter().find(|slice| !slice.is_empty());
        slice.map_or(&[], |slice| slice)
    }

    fn advance(&mut self, count: usize) {
        IoSlice::advance_slices(self, count);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        fill(slices, self.iter().map(|slice| &**slice))
    }
}

/// First the one, then the other.
impl<A: Buf, B: Buf> Buf for (A, B) {
    fn remaining(&self) -> usize {
        self.0.remaining().saturating_add(self.1.remaining())
    }

    fn chunk(&self) -> &[u8] {
        if self.0.has_remaining() {
            self.0.chunk()
        } else {
            self.1.chunk()
        }
    }

    #[track_caller]
    fn advance(&mut self, count: usize) {
        let first = count.min(self.0.remaining());
        assert_remains(count - first, self.1.remaining());
        self.0.advance(first);
        self.1.advance(count - first);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let count = self.0.chunks_vectored(slices);
        // The first may have shown less than it holds, even where there was room.
        if total(&slices[..count]) < self.0.remaining() {
            return count;
        }
        count + self.1.chunks_vectored(&mut slices[count..])
    }
}

impl<B: Buf + ?Sized> Buf for &mut B {
    fn remaining(&self) -> usize {
        (**self).remaining()
    }

    fn chunk(&self) -> &[u8] {
        (**self).chunk()
    }

    fn advance(&mut self, count: usize) {
        (**self).advance(count);
    }

    fn has_remaining(&self) -> bool {
        (**self).has_remaining()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        (**self).chunks_vectored(slices)
    }
}

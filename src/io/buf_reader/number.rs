//! The numbers that `BufReader` reads: `read_u8` to `read_f64_le`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::super::incomplete::Incomplete;
use super::super::traits::AsyncRead;
use super::BufReader;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;

macro_rules! numbers {
    ($($number:ident: $be:ident $($le:ident)?,)*) => {
        /// Numbers. All are taken as [`BufReader::read_exact`] takes bytes: only when all of their bytes
        /// are there.
        impl<R: AsyncRead + Unpin> BufReader<R> {
            $(
                #[doc = concat!("Reads a `", stringify!($number), "`, its most significant byte first.")]
                /// See [`BufReadNumber`] for a drop.
                ///
                /// # Errors
                /// As [`BufReader::read_exact`].
                #[track_caller]
                pub fn $be(&mut self) -> BufReadNumber<'_, R, $number, { size_of::<$number>() }> {
                    BufReadNumber::new(self, $number::from_be_bytes, Caller::here())
                }

                $(
                    #[doc = concat!("Reads a `", stringify!($number), "`, its least significant byte first.")]
                    /// See [`BufReadNumber`] for a drop.
                    ///
                    /// # Errors
                    /// As [`BufReader::read_exact`].
                    #[track_caller]
                    pub fn $le(&mut self) -> BufReadNumber<'_, R, $number, { size_of::<$number>() }> {
                        BufReadNumber::new(self, $number::from_le_bytes, Caller::here())
                    }
                )?
            )*
        }
    };
}

numbers! {
    u8: read_u8,
    i8: read_i8,
    u16: read_u16 read_u16_le,
    i16: read_i16 read_i16_le,
    u32: read_u32 read_u32_le,
    i32: read_i32 read_i32_le,
    u64: read_u64 read_u64_le,
    i64: read_i64 read_i64_le,
    u128: read_u128 read_u128_le,
    i128: read_i128 read_i128_le,
    f32: read_f32 read_f32_le,
    f64: read_f64 read_f64_le,
}

/// Reads a number. Made by [`BufReader::read_u32`] and its siblings.
///
/// # Cancel safety
/// Safe: the bytes are taken in the poll that finds all of them.
///
/// ```
/// use mainspring::io::BufReader;
/// # mainspring::run(async {
/// let mut reader = BufReader::new(&[0, 1, 1, 0][..]);
/// assert_eq!(reader.read_u16().await.unwrap(), 1);
/// assert_eq!(reader.read_u16_le().await.unwrap(), 1);
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct BufReadNumber<'a, R, N, const LEN: usize> {
    reader: &'a mut BufReader<R>,
    decode: fn([u8; LEN]) -> N,
    caller: Caller,
}

impl<'a, R, N, const LEN: usize> BufReadNumber<'a, R, N, LEN> {
    fn new(reader: &'a mut BufReader<R>, decode: fn([u8; LEN]) -> N, caller: Caller) -> Self {
        BufReadNumber {
            reader,
            decode,
            caller,
        }
    }
}

impl<R: AsyncRead + Unpin, N, const LEN: usize> Future for BufReadNumber<'_, R, N, LEN> {
    type Output = io::Result<N>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<N>> {
        let this = self.get_mut();
        ready!(poll_spend(cx));
        let reader = &mut *this.reader;
        let partial = ready!(this.caller.within(|| reader.poll_available(cx, LEN)))?;
        let Some(bytes) = reader.buffer().first_chunk() else {
            return Poll::Ready(Err(Incomplete::read(partial, LEN)));
        };
        let number = (this.decode)(*bytes);
        reader.advance(LEN);
        Poll::Ready(Ok(number))
    }
}

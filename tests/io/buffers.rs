//! The contract of `Buf`, for everything that implements it.

use std::collections::VecDeque;
use std::io::{Cursor, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mainspring::io::Buf;

/// A buffer of several pieces that shows one at a time, as one from elsewhere may.
struct Pieces(VecDeque<&'static [u8]>);

impl Buf for Pieces {
    fn remaining(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().copied().unwrap_or_default()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let piece = self.0.front_mut().expect("fewer remain");
            let step = count.min(piece.len());
            *piece = &piece[step..];
            count -= step;
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
    }
}

fn joined(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices
        .iter()
        .flat_map(|slice| slice.iter().copied())
        .collect()
}

/// Holds a buffer of `expected` to the contract, taking `step` bytes at a time.
fn check<B: Buf>(mut buf: B, expected: &[u8], step: usize) {
    let mut rest = expected;
    loop {
        assert_eq!(buf.remaining(), rest.len());
        assert_eq!(buf.has_remaining(), !rest.is_empty());
        assert!(rest.starts_with(buf.chunk()));
        assert_eq!(buf.chunk().is_empty(), rest.is_empty());
        for room in 0..4 {
            let mut slices = vec![IoSlice::new(&[]); room];
            let count = buf.chunks_vectored(&mut slices);
            let shown = joined(&slices[..count]);
            assert!(rest.starts_with(&shown));
            assert_eq!(shown.is_empty(), rest.is_empty() || room == 0);
        }
        if rest.is_empty() {
            break;
        }
        let count = step.min(rest.len());
        buf.advance(count);
        rest = &rest[count..];
    }
    buf.advance(0);
    let past = catch_unwind(AssertUnwindSafe(|| buf.advance(1)));
    assert!(past.is_err(), "beyond the end");
}

#[test]
fn every_buffer_shows_what_remains_in_order() {
    for step in 1..8 {
        check(&b"abcdef"[..], b"abcdef", step);
        check(&b""[..], b"", step);
        check(Cursor::new(b"abcdef"), b"abcdef", step);
        let mut beyond = Cursor::new(b"abc");
        beyond.set_position(u64::MAX);
        check(beyond, b"", step);
        let mut queue: VecDeque<u8> = b"def".iter().copied().collect();
        for byte in b"cba" {
            queue.push_front(*byte);
        }
        check(queue, b"abcdef", step);
        let mut slices = [b"", &b"ab"[..], b"", b"c", b"def", b""].map(IoSlice::new);
        check(&mut slices[..], b"abcdef", step);
        check((&b"ab"[..], (&b""[..], &b"cdef"[..])), b"abcdef", step);
        check(&mut (&b""[..], Cursor::new("abcdef")), b"abcdef", step);
        let pieces = || Pieces(VecDeque::from([&b"ab"[..], b"c"]));
        check((pieces(), &b"def"[..]), b"abcdef", step);
        check((&b"def"[..], pieces()), b"defabc", step);
    }
}

#[test]
fn several_pieces_are_shown_at_once() {
    let mut slices = [IoSlice::new(&[]); 8];
    let mut bufs = [b"a", &b""[..], b"b"].map(IoSlice::new);
    let pair = (&mut bufs[..], &b"c"[..]);
    assert_eq!(pair.chunks_vectored(&mut slices), 3);
    assert_eq!(joined(&slices[..3]), b"abc");
}

#[test]
#[should_panic(expected = "cannot advance by 4 bytes, for 3 remain")]
fn to_advance_beyond_the_end_says_how_far_it_would_go() {
    (&b"abc"[..]).advance(4);
}

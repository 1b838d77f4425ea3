//! What the tests of lines share: how a call is driven, inputs, and references written without haste.

use std::io;

use mainspring::io::LimitExceeded;
use proptest::prelude::*;

use super::slow::{Slow, Step};

/// How the calls of a test are driven, and of whom they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Each future is dropped after one poll, and the call made again.
    pub(crate) drops: bool,
    /// `BufReader`'s own method, not that of `AsyncBufReadExt`.
    pub(crate) is_own: bool,
}

pub(crate) fn ways() -> impl Strategy<Value = Way> {
    let flags = (any::<bool>(), any::<bool>());
    flags.prop_map(|(drops, is_own)| Way { drops, is_own })
}

/// What a call makes that is driven in this way.
macro_rules! drive {
    ($drops:expr, $call:expr) => {
        if $drops {
            loop {
                if let std::task::Poll::Ready(output) = $crate::slow::poll_once($call) {
                    break output;
                }
            }
        } else {
            $crate::slow::finish($call)
        }
    };
}

/// As [`drive`], and made again after each error of the system.
macro_rules! insist {
    ($drops:expr, $call:expr) => {
        loop {
            match drive!($drops, $call) {
                Err(error) if error.raw_os_error().is_some() => {}
                answer => break answer,
            }
        }
    };
}

/// Bytes in which lines, characters of several bytes and what is no text stand close together.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => Just(&b"a"[..]),
        3 => Just(&b"\n"[..]),
        2 => Just(&b"\r"[..]),
        2 => Just(&b"\r\n"[..]),
        2 => Just("é🕰".as_bytes()),
        1 => Just(&b"\xff"[..]),
        1 => Just(&b"\xe2\x82"[..]),
        1 => Just(&b"\0;"[..]),
    ];
    proptest::collection::vec(part, 0..50).prop_map(|parts| parts.concat())
}

/// As [`bytes`], and all of it is text.
pub(crate) fn text() -> impl Strategy<Value = String> {
    bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A byte that may be there.
pub(crate) fn delimiter() -> impl Strategy<Value = u8> {
    prop_oneof![Just(b'\n'), Just(b'a'), Just(0), Just(0xff), Just(b'z')]
}

/// Steps that move a little or wait.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Wait),
        Just(Step::Move(1)),
        (2..9usize).prop_map(Step::Move)
    ];
    proptest::collection::vec(step, 0..120)
}

/// As [`steps`], and some of them fail.
pub(crate) fn rough_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Wait),
        Just(Step::Fail(libc::ENOBUFS)),
        (1..5usize).prop_map(Step::Move)
    ];
    proptest::collection::vec(step, 0..120)
}

/// A reader with a buffer of `capacity` bytes over `data` that comes as the steps say.
pub(crate) fn reader(
    data: &[u8],
    steps: Vec<Step>,
    capacity: usize,
) -> mainspring::io::BufReader<Slow> {
    mainspring::io::BufReader::with_capacity(capacity, Slow::reader(data, steps))
}

/// The pieces of all the bytes, each with its delimiter if it has one.
pub(crate) fn pieces_by_hand(bytes: &[u8], delimiter: u8) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == delimiter).collect()
}

/// The limit and what was there, if that is the error.
#[track_caller]
pub(crate) fn exceeded<T: std::fmt::Debug>(answer: io::Result<T>) -> LimitExceeded {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    *error.get_ref().unwrap().downcast_ref().unwrap()
}

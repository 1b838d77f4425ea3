//! `lines` and `split`: the streams of pieces.

use std::io::BufRead as StdBufRead;
use std::pin::Pin;
use std::string::FromUtf8Error;
use std::task::{Context, Poll, Waker};

use mainspring::io::{AsyncBufReadExt, BufReader, Lines};
use mainspring::stream::Stream;
use proptest::prelude::*;

use super::drive::{bytes, delimiter, exceeded, pieces_by_hand, reader, rough_steps, steps};
use super::slow::{Slow, finish};

/// std's traits have methods of the same names.
fn lines<R: mainspring::io::AsyncBufRead>(reader: R) -> Lines<R> {
    AsyncBufReadExt::lines(reader)
}

/// What a line is to be: without its end, or its bytes if it is no text.
fn line_by_hand(piece: &[u8]) -> Result<String, Vec<u8>> {
    let line = match piece.strip_suffix(b"\n") {
        Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
        None => piece,
    };
    String::from_utf8(line.to_vec()).map_err(FromUtf8Error::into_bytes)
}

/// The next line, or the bytes of what is no text.
fn seen(answer: std::io::Result<Option<String>>) -> Option<Result<String, Vec<u8>>> {
    answer.map(|line| line.map(Ok)).unwrap_or_else(|error| {
        let error = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>();
        Some(Err(error.unwrap().as_bytes().to_vec()))
    })
}

proptest! {
    #[test]
    fn lines_are_what_std_finds_however_the_bytes_come(
        data in bytes(),
        steps in rough_steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
    ) {
        let mut ours = lines(reader(&data, steps, capacity));
        for theirs in StdBufRead::lines(&data[..]) {
            let line = seen(insist!(drops, ours.next_line())).unwrap();
            prop_assert_eq!(line.ok(), theirs.ok());
            prop_assert!(ours.partial().is_empty());
        }
        for _ in 0..2 {
            prop_assert_eq!(insist!(drops, ours.next_line()).unwrap(), None);
        }
    }

    #[test]
    fn pieces_are_what_std_finds_however_the_bytes_come(
        data in bytes(),
        delimiter in delimiter(),
        steps in rough_steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
    ) {
        let mut ours = AsyncBufReadExt::split(reader(&data, steps, capacity), delimiter);
        for theirs in StdBufRead::split(&data[..], delimiter) {
            let piece = insist!(drops, ours.next_piece()).unwrap();
            prop_assert_eq!(piece.unwrap(), theirs.unwrap());
        }
        for _ in 0..2 {
            prop_assert_eq!(insist!(drops, ours.next_piece()).unwrap(), None);
        }
    }

    /// A line that is too long is told once; then it is the end, until it is skipped or allowed.
    #[test]
    fn a_line_over_the_limit_is_told_once_and_is_skipped_or_read_as_a_whole(
        data in bytes(),
        limit in 0..12usize,
        steps in steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
        is_skipped in any::<bool>(),
    ) {
        let mut ours = lines(reader(&data, steps, capacity)).limit(limit);
        for piece in pieces_by_hand(&data, b'\n') {
            let length = piece.strip_suffix(b"\n").unwrap_or(piece).len();
            if length > limit {
                let error = exceeded(drive!(drops, ours.next_line()));
                prop_assert_eq!(error.limit, limit);
                prop_assert!(limit < error.available);
                prop_assert!(ours.partial().len() <= limit && piece.starts_with(ours.partial()));
                for _ in 0..2 {
                    prop_assert_eq!(drive!(drops, ours.next_line()).unwrap(), None);
                }
                if is_skipped {
                    drive!(drops, ours.skip_line()).unwrap();
                    continue;
                }
                ours.set_limit(length);
            }
            prop_assert_eq!(seen(drive!(drops, ours.next_line())), Some(line_by_hand(piece)));
            ours.set_limit(limit);
        }
        prop_assert_eq!(drive!(drops, ours.next_line()).unwrap(), None);
    }

    #[test]
    fn a_piece_over_the_limit_is_told_once_and_is_skipped_or_read_as_a_whole(
        data in bytes(),
        delimiter in delimiter(),
        limit in 0..12usize,
        steps in steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
    ) {
        let reader = reader(&data, steps, capacity);
        let mut ours = AsyncBufReadExt::split(reader, delimiter).limit(limit);
        for piece in pieces_by_hand(&data, delimiter) {
            let body = piece.strip_suffix(&[delimiter]).unwrap_or(piece);
            if body.len() > limit {
                prop_assert_eq!(exceeded(drive!(drops, ours.next_piece())).limit, limit);
                prop_assert_eq!(drive!(drops, ours.next_piece()).unwrap(), None);
                if body.len() % 2 == 0 {
                    drive!(drops, ours.skip_piece()).unwrap();
                    continue;
                }
                ours.set_limit(body.len());
            }
            let found = drive!(drops, ours.next_piece()).unwrap();
            prop_assert_eq!(found.as_deref(), Some(body));
            ours.set_limit(limit);
        }
        prop_assert_eq!(drive!(drops, ours.next_piece()).unwrap(), None);
    }

    /// Taken apart anywhere, they give each byte that was not yet given.
    #[test]
    fn what_was_taken_of_a_line_comes_with_the_reader(
        data in bytes(),
        steps in steps(),
        capacity in 0..20usize,
        polls in 0..60usize,
    ) {
        let mut ours = lines(reader(&data, steps, capacity));
        let mut left = pieces_by_hand(&data, b'\n').into_iter();
        for _ in 0..polls {
            if let Poll::Ready(line) = super::slow::poll_once(ours.next_line()) {
                prop_assert_eq!(seen(line), left.next().map(line_by_hand));
            }
        }
        let (reader, mut rest) = ours.into_parts();
        let (mut reader, unread) = reader.into_parts();
        rest.extend_from_slice(&unread);
        finish(mainspring::io::AsyncReadExt::read_to_end(&mut reader, &mut rest)).unwrap();
        prop_assert_eq!(rest, left.collect::<Vec<_>>().concat());
    }
}

#[test]
fn as_streams_they_end_after_a_line_over_the_limit_and_go_on_behind_it() {
    let mut cx = Context::from_waker(Waker::noop());
    let mut ours = lines(&b"one\nmuch too long\ntwo"[..]).limit(4);
    let mut next = |ours: &mut Lines<&[u8]>| match Pin::new(ours).poll_next(&mut cx) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("memory waits for nobody"),
    };
    assert_eq!(next(&mut ours).unwrap().unwrap(), "one");
    assert_eq!(exceeded(next(&mut ours).unwrap()).limit, 4);
    assert!(next(&mut ours).is_none() && next(&mut ours).is_none());
    finish(ours.skip_line()).unwrap();
    assert_eq!(next(&mut ours).unwrap().unwrap(), "two");
    assert!(next(&mut ours).is_none());

    let mut pieces = AsyncBufReadExt::split(&b"a;;b"[..], b';').unlimited();
    let mut found = Vec::new();
    while let Poll::Ready(Some(piece)) = Pin::new(&mut pieces).poll_next(&mut cx) {
        found.push(piece.unwrap());
    }
    assert_eq!(found, [&b"a"[..], b"", b"b"]);
}

/// A reader that had ended may have more later, as a file that grows.
#[test]
fn after_the_end_more_may_come() {
    let mut ours = lines(BufReader::new(std::io::Cursor::new(b"one\n".to_vec())));
    assert_eq!(finish(ours.next_line()).unwrap().as_deref(), Some("one"));
    assert_eq!(finish(ours.next_line()).unwrap(), None);
    let file = ours.get_mut().get_mut().get_mut();
    file.extend_from_slice(b"two\n");
    assert_eq!(finish(ours.next_line()).unwrap().as_deref(), Some("two"));
    assert_eq!(ours.get_ref().buffer(), b"");
}

#[test]
fn lines_lie_over_any_reader_that_shows_its_bytes() {
    let memory = Slow::reader(b"a\nb", []);
    let mut boxed: Box<dyn mainspring::io::AsyncBufRead + Unpin> = Box::new(BufReader::new(memory));
    let mut ours = lines(&mut boxed);
    assert_eq!(finish(ours.next_line()).unwrap().as_deref(), Some("a"));
    assert_eq!(finish(ours.next_line()).unwrap().as_deref(), Some("b"));
    assert_eq!(finish(ours.next_line()).unwrap(), None);
}

//! `read_until`, `read_line` and `skip_until`: BufReader's own, and those of every buffered reader.

use std::io::BufRead as StdBufRead;
use std::string::FromUtf8Error;

use mainspring::io::{AsyncBufReadExt, AsyncReadExt};
use proptest::prelude::*;

use super::drive::{
    bytes, delimiter, exceeded, pieces_by_hand, reader, rough_steps, steps, text, ways,
};
use super::slow::finish;

proptest! {
    #[test]
    fn read_until_gives_what_std_gives_however_the_bytes_come(
        data in bytes(),
        delimiter in delimiter(),
        steps in rough_steps(),
        capacity in 0..20usize,
        way in ways(),
    ) {
        let mut theirs = &data[..];
        let mut ours = reader(&data, steps, capacity);
        // Twice at the end: it stays the end.
        let mut ends = 0;
        while ends < 2 {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            let count = StdBufRead::read_until(&mut theirs, delimiter, &mut expected).unwrap();
            let answer = if way.is_own {
                insist!(way.drops, ours.read_until(delimiter, &mut bytes))
            } else {
                insist!(way.drops, AsyncBufReadExt::read_until(&mut ours, delimiter, &mut bytes))
            };
            let answer = answer.unwrap();
            prop_assert_eq!(&bytes, &expected);
            // The calls of the extension count what they took themselves.
            prop_assert!(answer == count || !way.is_own && answer < count);
            ends += usize::from(count == 0);
        }
    }

    #[test]
    fn exactly_the_limit_passes_and_one_more_fails_and_loses_nothing(
        data in bytes(),
        delimiter in delimiter(),
        steps in steps(),
        capacity in 0..20usize,
        way in ways(),
    ) {
        let mut ours = reader(&data, steps, capacity);
        for piece in pieces_by_hand(&data, delimiter) {
            let has_end = piece.last() == Some(&delimiter);
            let length = piece.len() - usize::from(has_end);
            let mut bytes = Vec::new();
            let mut read = |limit: usize| {
                let bytes = &mut bytes;
                if way.is_own {
                    let length = bytes.len();
                    let answer = drive!(way.drops, ours.read_until(delimiter, bytes).limit(limit));
                    assert!(answer.is_ok() || bytes.len() == length, "an error takes nothing");
                    answer
                } else {
                    let ours = &mut ours;
                    drive!(
                        way.drops,
                        AsyncBufReadExt::read_until(ours, delimiter, bytes).limit(limit)
                    )
                }
            };
            // Too little, twice, for an error changes nothing; much too little; and exactly enough.
            let too_little = [1, 1, 3].into_iter().filter_map(|less| length.checked_sub(less));
            for limit in too_little {
                let error = exceeded(read(limit));
                prop_assert_eq!(error.limit, limit);
                prop_assert!(error.available > limit);
            }
            read(length).unwrap();
            prop_assert_eq!(&bytes[..], piece);
        }
        let mut rest = Vec::new();
        prop_assert_eq!(finish(ours.read_to_end(&mut rest)).unwrap(), 0);
    }

    #[test]
    fn a_line_that_is_no_text_is_told_with_its_bytes_and_the_next_one_follows(
        data in bytes(),
        steps in steps(),
        capacity in 0..20usize,
        way in ways(),
    ) {
        // Of the two only BufReader's own may be dropped.
        let drops = way.drops && way.is_own;
        let mut ours = reader(&data, steps, capacity);
        let mut line = String::new();
        for piece in pieces_by_hand(&data, b'\n') {
            let before = line.len();
            let answer = if way.is_own {
                drive!(drops, ours.read_line(&mut line))
            } else {
                finish(AsyncBufReadExt::read_line(&mut ours, &mut line))
            };
            match String::from_utf8(piece.to_vec()) {
                Ok(text) => {
                    prop_assert_eq!(answer.unwrap(), text.len());
                    prop_assert_eq!(&line[before..], text);
                }
                Err(expected) => {
                    let error = answer.unwrap_err();
                    prop_assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
                    let error = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>();
                    prop_assert_eq!(error.unwrap().as_bytes(), piece);
                    prop_assert_eq!(error.unwrap(), &expected);
                    prop_assert_eq!(line.len(), before, "an error appends nothing");
                }
            }
        }
        prop_assert_eq!(drive!(drops, ours.read_line(&mut line)).unwrap(), 0);
    }

    #[test]
    fn read_line_keeps_its_limit_too(
        data in text(),
        steps in steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
    ) {
        let mut ours = reader(data.as_bytes(), steps, capacity);
        for piece in data.split_inclusive('\n') {
            let length = piece.strip_suffix('\n').unwrap_or(piece).len();
            let mut line = String::new();
            if length > 0 {
                let error = drive!(drops, ours.read_line(&mut line).limit(length - 1));
                prop_assert_eq!(exceeded(error).limit, length - 1);
                prop_assert!(line.is_empty());
            }
            let count = drive!(drops, ours.read_line(&mut line).limit(length)).unwrap();
            prop_assert_eq!((count, &line[..]), (piece.len(), piece));
        }
    }

    #[test]
    fn the_extension_s_read_line_counts_what_stands_in_the_line(
        length in 1..40usize,
        steps in steps(),
        capacity in 0..20usize,
    ) {
        // Only ASCII: a character that is cut is what this one loses, and says so.
        let data = [vec![b'a'; length], b"\nb".to_vec()].concat();
        let mut ours = reader(&data, steps, capacity);
        let mut line = "before\n".to_string();
        let error = finish(AsyncBufReadExt::read_line(&mut ours, &mut line).limit(length - 1));
        prop_assert_eq!(exceeded(error).limit, length - 1);
        // What was taken stands in the line, and counts: the same limit still does not do.
        let error = finish(AsyncBufReadExt::read_line(&mut ours, &mut line).limit(length - 1));
        prop_assert_eq!(exceeded(error).limit, length - 1);
        finish(AsyncBufReadExt::read_line(&mut ours, &mut line).limit(length)).unwrap();
        prop_assert_eq!(line.as_bytes(), [b"before\n", &data[..=length]].concat());
    }

    #[test]
    fn skip_until_skips_what_std_skips(
        data in bytes(),
        delimiter in delimiter(),
        steps in rough_steps(),
        capacity in 0..20usize,
        drops in any::<bool>(),
    ) {
        let mut ours = reader(&data, steps, capacity);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (index, piece) in pieces_by_hand(&data, delimiter).into_iter().enumerate() {
            if index % 2 == 0 {
                let skipped = insist!(drops, ours.skip_until(delimiter)).unwrap();
                prop_assert!(skipped <= piece.len());
            } else {
                insist!(drops, ours.read_until(delimiter, &mut bytes)).unwrap();
                expected.extend_from_slice(piece);
            }
        }
        prop_assert_eq!(bytes, expected);
        prop_assert_eq!(insist!(drops, ours.skip_until(delimiter)).unwrap(), 0);
    }

    #[test]
    fn skip_until_counts_what_it_skips(
        data in bytes(),
        steps in steps(),
        capacity in 0..20usize,
    ) {
        let (mut ours, mut theirs) = (reader(&data, steps, capacity), &data[..]);
        loop {
            let expected = StdBufRead::skip_until(&mut theirs, b'\n').unwrap();
            prop_assert_eq!(finish(ours.skip_until(b'\n')).unwrap(), expected);
            if expected == 0 {
                break;
            }
        }
    }

    #[test]
    fn all_calls_may_be_mixed_and_no_byte_is_lost_or_shown_twice(
        data in bytes(),
        steps in rough_steps(),
        capacity in 0..20usize,
        calls in proptest::collection::vec((0..6usize, delimiter(), 0..9usize), 0..40),
    ) {
        let mut ours = reader(&data, steps, capacity);
        let mut got = Vec::new();
        for (call, delimiter, size) in calls {
            let mut buf = vec![0; size];
            match call {
                0 => {
                    // A limit that may not do: the bytes stay.
                    let before = got.len();
                    let read = insist!(true, ours.read_until(delimiter, &mut got).limit(size));
                    prop_assert!(read.is_ok() || exceeded(read).limit == size);
                    // Whatever was searched before, it ends at its first delimiter.
                    let piece = pieces_by_hand(&got[before..], delimiter);
                    prop_assert!(piece.len() <= 1, "{piece:?}");
                }
                1 => {
                    let read = AsyncBufReadExt::read_until(&mut ours, delimiter, &mut buf);
                    let read = finish(read.limit(size));
                    prop_assert!(read.is_err() || read.unwrap() == buf.len() - size);
                    got.extend_from_slice(&buf[size..]);
                }
                2 => {
                    if insist!(true, ours.read_exact(&mut buf)).is_ok() {
                        got.extend_from_slice(&buf);
                    }
                }
                3 => {
                    let count = insist!(true, AsyncReadExt::read(&mut ours, &mut buf)).unwrap();
                    got.extend_from_slice(&buf[..count]);
                }
                4 => {
                    if let Ok(number) = insist!(true, ours.read_u32()) {
                        got.extend_from_slice(&number.to_be_bytes());
                    }
                }
                _ => {
                    let mut line = String::new();
                    match insist!(true, ours.read_line(&mut line)) {
                        Ok(_) => got.extend_from_slice(line.as_bytes()),
                        Err(error) => {
                            let error = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>();
                            got.extend_from_slice(error.unwrap().as_bytes());
                        }
                    }
                }
            }
        }
        while insist!(false, ours.read_to_end(&mut got)).is_err() {}
        prop_assert_eq!(got, data);
    }
}

/// What was searched for one delimiter says nothing of another.
#[test]
fn a_search_for_another_delimiter_begins_anew() {
    let mut ours = reader(b"ab;c\nd", Vec::new(), 4);
    let mut bytes = Vec::new();
    let error = finish(ours.read_until(b'\n', &mut bytes).limit(3));
    assert_eq!(exceeded(error).limit, 3);
    assert_eq!(finish(ours.read_until(b';', &mut bytes)).unwrap(), 3);
    assert_eq!(finish(ours.read_until(b'\n', &mut bytes)).unwrap(), 2);
    assert_eq!(finish(ours.read_until(b'b', &mut bytes)).unwrap(), 1);
    assert_eq!(bytes, b"ab;c\nd");
}

/// What fits into a `String` of a line that is not complete: all but the character that is cut.
#[test]
fn an_error_within_a_character_leaves_all_before_it_in_the_line() {
    let mut ours = reader("aé\n".as_bytes(), Vec::new(), 2);
    let mut line = String::new();
    let error = finish(AsyncBufReadExt::read_line(&mut ours, &mut line).limit(2));
    assert_eq!(exceeded(error).limit, 2);
    assert_eq!(line, "a");
    assert_eq!(ours.buffer(), b"\xa9\n");
}

//! Reading: the same bytes as std's methods give, however they come, and nothing lost at an error or a drop.

use std::io::{self, Cursor, IoSliceMut, Read as StdRead, SeekFrom};
use std::pin::Pin;
use std::string::FromUtf8Error;
use std::task::{Context, Poll, Waker};

use mainspring::io::{
    AsyncBufRead, AsyncRead, AsyncReadExt, AsyncSeekExt, Chain, Incomplete, ReadCursor, Take,
    empty, repeat,
};
use proptest::prelude::{any, proptest};

use super::slow::{Slow, Step, Untouched, finish, poll_once, steps};

const ECONNRESET: i32 = libc::ECONNRESET;

/// What a call of std's left behind: its answer, and the bytes.
type Left<T> = (Result<T, io::ErrorKind>, Vec<u8>);

/// std's traits have methods of the same names.
fn take<R: AsyncRead>(reader: R, limit: u64) -> Take<R> {
    reader.take(limit)
}

fn chain<A: AsyncRead, B: AsyncRead>(first: A, second: B) -> Chain<A, B> {
    first.chain(second)
}

fn kind_of<T>(result: io::Result<T>) -> Result<T, io::ErrorKind> {
    result.map_err(|error| error.kind())
}

proptest! {
    #[test]
    fn read_exact_gives_what_std_gives(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        len in 0..100usize,
        steps in steps(),
    ) {
        let mut ours = Slow::reader(&data, steps);
        let mut buf = vec![0; len];
        let answer = finish(ours.read_exact(&mut buf));
        let mut expected = vec![0; len];
        let std_answer = kind_of(StdRead::read_exact(&mut &data[..], &mut expected));
        match &answer {
            Ok(()) => assert_eq!(buf, expected),
            Err(error) => {
                let incomplete = Incomplete::of(error).unwrap();
                assert_eq!((incomplete.done(), incomplete.asked()), (data.len(), len));
                assert_eq!(buf[..data.len()], data);
            }
        }
        assert_eq!(kind_of(answer), std_answer);
        // What was not asked for is still there.
        let mut rest = Vec::new();
        finish(ours.read_to_end(&mut rest)).unwrap();
        assert_eq!(rest, data[len.min(data.len())..]);
    }

    #[test]
    fn read_exact_buf_dropped_at_every_wait_loses_nothing(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        len in 0..100usize,
        steps in steps(),
    ) {
        let mut reader = Slow::reader(&data, steps);
        let mut buf = vec![0; len];
        let mut cursor = ReadCursor::new(&mut buf);
        let answer = loop {
            match poll_once(reader.read_exact_buf(&mut cursor)) {
                Poll::Ready(answer) => break answer,
                Poll::Pending => assert!(data.starts_with(cursor.filled())),
            }
        };
        assert_eq!(answer.is_ok(), len <= data.len());
        assert_eq!(cursor.is_full(), len <= data.len());
        assert_eq!(cursor.into_filled(), &data[..len.min(data.len())]);
    }

    #[test]
    fn read_to_end_dropped_at_every_wait_loses_nothing(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        steps in steps(),
    ) {
        let mut reader = Slow::reader(&data, steps);
        let mut all = b"before".to_vec();
        while poll_once(reader.read_to_end(&mut all)).is_pending() {
            assert!(data.starts_with(&all[6..]));
        }
        assert_eq!(all[6..], data);
        assert_eq!(finish(Slow::reader(&data, []).read_to_end(&mut all)).unwrap(), data.len());
    }

    #[test]
    fn read_to_string_takes_utf8_cut_anywhere(text in any::<String>(), steps in steps()) {
        let mut ours = String::from("before");
        let count = finish(Slow::reader(text.as_bytes(), steps).read_to_string(&mut ours)).unwrap();
        assert_eq!(count, text.len());
        assert_eq!(ours[6..], text);
    }

    #[test]
    fn read_to_string_refuses_what_std_refuses(
        text in "[aä€😀]{0,6}",
        junk in proptest::collection::vec(any::<u8>(), 0..6),
        steps in steps(),
    ) {
        let data = [text.as_bytes(), &junk].concat();
        let (mut ours, mut expected) = (String::new(), String::new());
        let answer = finish(Slow::reader(&data, steps).read_to_string(&mut ours));
        let std_answer = StdRead::read_to_string(&mut &data[..], &mut expected);
        match (&answer, std_answer) {
            (Ok(count), Ok(_)) => assert_eq!((&ours, *count), (&expected, data.len())),
            (Err(error), Err(std_error)) => {
                assert_eq!(error.kind(), std_error.kind());
                // The text to the first wrong byte is there, and the bytes behind it are in the error.
                let right = std::str::from_utf8(&data).unwrap_err().valid_up_to();
                assert_eq!(ours.as_bytes(), &data[..right]);
                let source = error.get_ref().unwrap().downcast_ref::<FromUtf8Error>().unwrap();
                assert!(data[right..].starts_with(source.as_bytes()) && !source.as_bytes().is_empty());
            }
            (ours, expected) => panic!("{ours:?} is not {expected:?}"),
        }
    }

    #[test]
    fn take_and_chain_give_what_std_gives(
        first in proptest::collection::vec(any::<u8>(), 0..60),
        second in proptest::collection::vec(any::<u8>(), 0..60),
        limit in 0..130u64,
        first_steps in steps(),
        second_steps in steps(),
    ) {
        let mut expected = Vec::new();
        let mut whole = StdRead::take(StdRead::chain(&first[..], &second[..]), limit);
        StdRead::read_to_end(&mut whole, &mut expected).unwrap();
        let slow = chain(
            Slow::reader(&first, first_steps),
            Slow::reader(&second, second_steps),
        );
        let mut slow = take(slow, limit);
        let mut all = Vec::new();
        finish(slow.read_to_end(&mut all)).unwrap();
        assert_eq!(all, expected);
        assert_eq!(slow.limit(), limit - expected.len() as u64);
        assert_eq!(buffered(&first, &second, limit), expected);
    }

    #[test]
    fn numbers_are_read_as_std_makes_them(
        bytes in any::<[u8; 16]>(),
        steps in steps(),
    ) {
        let eight: [u8; 8] = *bytes.first_chunk().unwrap();
        let slow = || Slow::reader(&bytes, steps.clone());
        assert_eq!(finish(slow().read_i8()).unwrap(), bytes[0] as i8);
        assert_eq!(finish(slow().read_u128()).unwrap(), u128::from_be_bytes(bytes));
        assert_eq!(finish(slow().read_i128_le()).unwrap(), i128::from_le_bytes(bytes));
        assert_eq!(finish(slow().read_i64_le()).unwrap(), i64::from_le_bytes(eight));
        let float = finish(slow().read_f64()).unwrap();
        assert_eq!(float.to_bits(), u64::from_be_bytes(eight));
    }
}

/// The same through the buffered side: of two pieces of memory, of the first so many bytes.
fn buffered(first: &[u8], second: &[u8], limit: u64) -> Vec<u8> {
    let mut reader = take(chain(first, second), limit);
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    loop {
        let Poll::Ready(Ok(shown)) = Pin::new(&mut reader).poll_fill_buf(&mut cx) else {
            panic!("memory is ready");
        };
        if shown.is_empty() {
            return all;
        }
        // Three at a time, so that what was shown is shown again.
        let count = shown.len().min(3);
        all.extend_from_slice(&shown[..count]);
        Pin::new(&mut reader).consume(count);
    }
}

#[test]
fn read_to_end_passes_more_than_its_largest_step() {
    let data = super::rig::pattern(1 << 20);
    let mut all = Vec::with_capacity(data.len());
    let at = all.as_ptr();
    let steps = [Step::Wait, Step::Move(8192), Step::Wait];
    finish(Slow::reader(&data, steps).read_to_end(&mut all)).unwrap();
    assert!(all == data);
    assert_eq!(all.as_ptr(), at, "a vector with room enough is not moved");
}

#[test]
fn read_to_string_keeps_a_character_that_is_cut_by_a_full_step() {
    // Three bytes each: the steps of 8, 16, 32 and 64 KiB all end within one.
    let text = "€".repeat(100_000);
    let mut all = String::new();
    finish(Slow::reader(text.as_bytes(), []).read_to_string(&mut all)).unwrap();
    assert!(all == text);
}

#[test]
fn read_to_string_dropped_keeps_what_was_whole() {
    let mut reader = Slow::reader("a€".as_bytes(), [Step::Move(3), Step::Wait]);
    let mut text = String::new();
    assert!(poll_once(reader.read_to_string(&mut text)).is_pending());
    assert_eq!(
        text, "a",
        "two of the three bytes of the next are lost, as the page says"
    );
}

#[test]
fn an_end_says_after_how_many_bytes_it_came() {
    let mut buf = [0; 8];
    let error = finish(Slow::reader(b"abc", []).read_exact(&mut buf)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(error.to_string(), "the stream ended after 3 of 8 bytes");
    assert_eq!(&buf[..3], b"abc");

    let error = finish(empty().read_u32()).unwrap_err();
    let incomplete = Incomplete::of(&error).unwrap();
    assert_eq!(
        (incomplete.done(), incomplete.asked()),
        (0, 4),
        "between two numbers"
    );
    let error = finish(Slow::reader(b"abc", []).read_u32_le()).unwrap_err();
    assert_eq!(Incomplete::of(&error).unwrap().done(), 3, "within one");
    assert!(Incomplete::of(&io::Error::from_raw_os_error(ECONNRESET)).is_none());
}

#[test]
fn an_error_in_the_middle_keeps_its_errno_and_what_came() {
    let broken = || {
        Slow::reader(
            b"abcdef",
            [Step::Move(2), Step::Wait, Step::Fail(ECONNRESET)],
        )
    };
    let mut buf = [0; 6];
    let mut cursor = ReadCursor::new(&mut buf);
    let mut reader = broken();
    let error = finish(reader.read_exact_buf(&mut cursor)).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ECONNRESET));
    assert_eq!(cursor.filled(), b"ab");
    // It was a passing one, so the same call goes on.
    finish(reader.read_exact_buf(&mut cursor)).unwrap();
    assert_eq!(cursor.filled(), b"abcdef");

    let mut reader = broken();
    let mut all = Vec::new();
    let error = finish(reader.read_to_end(&mut all)).unwrap_err();
    assert_eq!(
        (error.raw_os_error(), &all[..]),
        (Some(ECONNRESET), &b"ab"[..])
    );
    finish(reader.read_to_end(&mut all)).unwrap();
    assert_eq!(all, b"abcdef");

    let mut text = String::new();
    let error = finish(broken().read_to_string(&mut text)).unwrap_err();
    assert_eq!(
        (error.raw_os_error(), text.as_str()),
        (Some(ECONNRESET), "ab")
    );
    let error = finish(broken().read_exact(&mut [0; 6])).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(ECONNRESET));
}

#[test]
fn hz_a31_a_reader_that_lies_about_its_count_is_believed_nowhere() {
    let liar = || Slow::reader(b"abcdef", [Step::Lie]);
    let is_told = |error: io::Error| {
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(
            error.to_string().contains("its implementation is wrong"),
            "{error}"
        );
    };
    let mut buf = [0; 4];
    is_told(finish(liar().read(&mut buf)).unwrap_err());
    is_told(finish(liar().read_exact(&mut buf)).unwrap_err());
    is_told(finish(liar().read_vectored(&mut [IoSliceMut::new(&mut buf)])).unwrap_err());
    let mut cursor = ReadCursor::new(&mut buf);
    is_told(finish(liar().read_exact_buf(&mut cursor)).unwrap_err());
    assert_eq!(cursor.position(), 0);
    let (mut all, mut text) = (Vec::new(), String::new());
    is_told(finish(liar().read_to_end(&mut all)).unwrap_err());
    is_told(finish(liar().read_to_string(&mut text)).unwrap_err());
    assert!(all.is_empty() && text.is_empty());
    is_told(finish(liar().read_u16()).unwrap_err());
    let mut take = take(liar(), 3);
    is_told(finish(take.read(&mut buf)).unwrap_err());
    assert_eq!(take.limit(), 3);
}

#[test]
fn hz_d09_reads_into_no_room_ask_nobody_and_end_nothing() {
    let none = &mut [][..];
    assert_eq!(finish(Untouched.read(none)).unwrap(), 0);
    assert_eq!(finish(Untouched.read_vectored(&mut [])).unwrap(), 0);
    let mut no_room = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
    assert_eq!(finish(Untouched.read_vectored(&mut no_room)).unwrap(), 0);
    finish(Untouched.read_exact(&mut [])).unwrap();
    finish(Untouched.read_exact_buf(&mut ReadCursor::new(&mut []))).unwrap();
    let mut all = Vec::new();
    assert_eq!(finish(take(Untouched, 0).read_to_end(&mut all)).unwrap(), 0);

    // In a chain, no room is not the end of the first.
    let mut chain = chain(&b"a"[..], &b"b"[..]);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut chain).poll_read(&mut cx, &mut []).is_ready());
    assert!(
        Pin::new(&mut chain)
            .poll_read_vectored(&mut cx, &mut [])
            .is_ready()
    );
    finish(chain.read_to_end(&mut all)).unwrap();
    assert_eq!(all, b"ab");
}

#[test]
fn a_vectored_read_fills_several_buffers_but_never_goes_beyond_a_limit() {
    for limit in 0..8 {
        let mut reader = take(&b"abcdef"[..], limit);
        let (mut head, mut tail) = ([0; 2], [0; 3]);
        let mut bufs = [
            IoSliceMut::new(&mut []),
            IoSliceMut::new(&mut head),
            IoSliceMut::new(&mut tail),
        ];
        let count = finish(reader.read_vectored(&mut bufs)).unwrap();
        let expected = if limit >= 5 { 5 } else { limit.min(2) as usize };
        assert_eq!(count, expected, "with a limit of {limit}");
        assert_eq!([&head[..], &tail[..]].concat()[..count], b"abcdef"[..count]);
        assert_eq!(reader.into_inner(), &b"abcdef"[count..]);
    }
}

#[test]
fn the_end_of_the_first_of_a_chain_is_seen_once() {
    let mut reader = chain(take(repeat(b'a'), 1), &b"bc"[..]);
    let mut buf = [0; 2];
    finish(reader.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"ab");
    // A terminal, too, can be read again behind an end.
    reader.get_mut().0.set_limit(1);
    let mut rest = Vec::new();
    finish(reader.read_to_end(&mut rest)).unwrap();
    assert_eq!(rest, b"c");
}

#[test]
fn a_limit_can_be_set_anew() {
    let mut reader = take(repeat(7), 2);
    let mut all = Vec::new();
    finish(reader.read_to_end(&mut all)).unwrap();
    reader.set_limit(3);
    finish(reader.read_to_end(&mut all)).unwrap();
    assert_eq!((all.len(), reader.limit()), (5, 0));
}

#[test]
#[should_panic(expected = "consumed of a reader that showed 2 at most")]
fn to_consume_beyond_a_limit_is_refused() {
    let mut reader = take(&b"abc"[..], 2);
    Pin::new(&mut reader).consume(3);
}

#[test]
fn a_cursor_counts_what_a_caller_fills_too() {
    let mut buf = [0; 3];
    let mut cursor = ReadCursor::new(&mut buf);
    cursor.remaining_mut()[0] = b'a';
    cursor.advance(1);
    finish((&b"bc"[..]).read_exact_buf(&mut cursor)).unwrap();
    assert_eq!(
        (cursor.filled(), cursor.remaining(), cursor.capacity()),
        (&b"abc"[..], 0, 3)
    );
    let past = std::panic::catch_unwind(move || ReadCursor::new(&mut [0; 2]).advance(3));
    assert!(past.is_err());
}

#[test]
fn a_seek_goes_where_std_goes() {
    let positions = [
        SeekFrom::End(-2),
        SeekFrom::Current(-1),
        SeekFrom::Start(9),
        SeekFrom::End(-9),
    ];
    let run = |position| -> Left<u64> {
        let mut ours = Cursor::new(b"abcdef");
        finish(ours.seek(SeekFrom::Start(3))).unwrap();
        let answer = kind_of(finish(ours.seek(position)));
        let place = finish(ours.stream_position()).unwrap();
        let mut rest = Vec::new();
        finish(AsyncReadExt::read_to_end(&mut ours, &mut rest)).unwrap();
        finish(ours.rewind()).unwrap();
        assert_eq!(ours.position(), 0);
        (answer.inspect(|answer| assert_eq!(*answer, place)), rest)
    };
    let std_run = |position| -> Left<u64> {
        let mut cursor = Cursor::new(b"abcdef");
        cursor.set_position(3);
        let answer = kind_of(io::Seek::seek(&mut cursor, position));
        let mut rest = Vec::new();
        StdRead::read_to_end(&mut cursor, &mut rest).unwrap();
        (answer, rest)
    };
    for position in positions {
        assert_eq!(run(position), std_run(position), "{position:?}");
    }
}

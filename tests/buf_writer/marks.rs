//! The marks: when a piece waits, when it is taken, and that it is taken as a whole.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{Cursor, ErrorKind, IoSlice, SeekFrom};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mainspring::io::{AsyncSeekExt, AsyncWriteExt, BufWriter, sink};
use proptest::prelude::*;

use super::gate::gate;
use super::rig::pattern;
use super::slow::{Slow, Step, finish, poll_once, steps};

/// A piece that fits is taken at once; the first that does not waits for the low mark, not for just enough
/// room, and those behind it wait with it.
#[test]
fn above_the_high_mark_everybody_waits_for_the_low_one() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(4, 10, gate);
    finish(writer.write_all(b"12345678")).unwrap();
    finish(writer.write_all(b"90")).unwrap();
    assert_eq!((writer.unsent(), keeper.inside().writes.len()), (10, 0));
    assert!(poll_once(writer.write_all(b"a")).is_pending());
    // Enough room for it, but above the low mark.
    keeper.allow(5);
    assert!(poll_once(writer.write_all(b"a")).is_pending());
    assert_eq!(writer.unsent(), 5);
    keeper.allow(1);
    finish(writer.write_all(b"a")).unwrap();
    assert_eq!(writer.unsent(), 5);
    // Down there pieces are taken without a word below again, up to the high mark.
    finish(writer.write_all(b"bcdef")).unwrap();
    assert_eq!(
        (writer.unsent(), &keeper.inside().writes[..]),
        (10, &[5, 1][..])
    );
    keeper.allow(usize::MAX);
    finish(writer.flush()).unwrap();
    assert_eq!(keeper.inside().taken, b"1234567890abcdef");
    assert_eq!(keeper.inside().flushes, 1);
}

#[test]
fn a_piece_as_long_as_the_high_mark_is_kept_above_what_the_low_one_allows() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(4, 10, gate);
    finish(writer.write_all(b"1234")).unwrap();
    finish(writer.write_all(&pattern(10))).unwrap();
    assert_eq!((writer.unsent(), keeper.inside().writes.len()), (14, 0));
    assert!(poll_once(writer.write_all(b"x")).is_pending());
    // Not lost: a drop would say so.
    assert_eq!(writer.into_parts().1.len(), 14);
}

/// It is kept for those behind it, even where the writer below would take it at once.
#[test]
fn a_small_piece_that_found_no_room_is_kept_once_there_is_room() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(4, 10, gate);
    finish(writer.write_all(&pattern(10))).unwrap();
    keeper.allow(usize::MAX);
    finish(writer.write_all(b"x")).unwrap();
    assert_eq!(keeper.inside().writes, [10]);
    assert_eq!(writer.into_parts().1, b"x");
}

/// Counts its wakes.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn who_waits_for_room_is_woken_by_it() {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(1, 4, gate);
    finish(writer.write_all(b"1234")).unwrap();
    for round in 1..=3 {
        let mut write = writer.write_all(b"5");
        let polled = Future::poll(
            std::pin::Pin::new(&mut write),
            &mut Context::from_waker(&waker),
        );
        assert!(polled.is_pending());
        keeper.allow(1);
        assert_eq!(bell.0.load(Ordering::Relaxed), round);
    }
    finish(writer.write_all(b"5")).unwrap();
    assert_eq!(keeper.inside().taken, b"123");
    assert_eq!(writer.into_parts().1, b"45");
}

/// A large piece is not kept before some of it has gone, and then only its rest.
#[test]
fn a_large_piece_waits_as_a_whole_and_then_goes_with_what_was_kept() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(2, 4, gate);
    finish(writer.write_all(b"ab")).unwrap();
    assert!(poll_once(writer.write_all(&pattern(100))).is_pending());
    keeper.allow(2);
    assert!(poll_once(writer.write_all(&pattern(100))).is_pending());
    assert_eq!(writer.unsent(), 0);
    keeper.allow(30);
    finish(writer.write_all(&pattern(100))).unwrap();
    assert_eq!(
        (writer.unsent(), &keeper.inside().writes[..]),
        (70, &[2, 30][..])
    );
    keeper.allow(1000);
    finish(writer.flush()).unwrap();
    assert_eq!(keeper.inside().taken, [&b"ab"[..], &pattern(100)].concat());
    // With all the room it is one write, and nothing is kept.
    finish(writer.write_all(b"c")).unwrap();
    finish(writer.write_all(&pattern(100))).unwrap();
    assert_eq!(
        (writer.unsent(), keeper.inside().writes.last()),
        (0, Some(&101))
    );
}

/// The memory of a burst is given back when the last of it has gone.
#[test]
fn hz_h11_the_memory_of_a_large_piece_is_not_kept() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(16, 64, gate);
    keeper.allow(1);
    finish(writer.write_all(&pattern(1 << 20))).unwrap();
    keeper.allow(usize::MAX);
    finish(writer.flush()).unwrap();
    finish(writer.write_all(b"x")).unwrap();
    let (_, kept) = writer.into_parts();
    assert!(kept.capacity() <= 128, "{}", kept.capacity());
}

/// How a piece is written.
#[derive(Clone, Copy, Debug)]
enum How {
    All,
    AllOfTrait,
    Vectored,
    Flush,
}

fn calls() -> impl Strategy<Value = Vec<(How, usize)>> {
    let how = prop_oneof![
        4 => Just(How::All),
        1 => Just(How::AllOfTrait),
        1 => Just(How::Vectored),
        1 => Just(How::Flush),
    ];
    proptest::collection::vec((how, 0..40usize), 0..30)
}

/// As [`steps`], and some of them fail.
fn rough_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Wait),
        1 => Just(Step::Fail(libc::ENOBUFS)),
        3 => (1..20usize).prop_map(Step::Move)
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn each_byte_is_written_once_and_in_order_and_no_more_is_kept_than_the_marks_say(
        calls in calls(),
        low in 0..10usize,
        above in 1..12usize,
        steps in steps(),
    ) {
        let high = low + above;
        let mut writer = BufWriter::with_marks(low, high, Slow::writer(steps));
        let (mut expected, mut longest) = (Vec::new(), 0);
        for (how, length) in calls {
            let piece = &pattern(expected.len() + length)[expected.len()..];
            match how {
                How::All => {
                    finish(writer.write_all(piece)).unwrap();
                    longest = longest.max(length);
                    expected.extend_from_slice(piece);
                }
                How::AllOfTrait => {
                    finish(AsyncWriteExt::write_all(&mut writer, piece)).unwrap();
                    expected.extend_from_slice(piece);
                }
                How::Vectored => {
                    let (head, tail) = piece.split_at(length / 3);
                    let bufs = [IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)];
                    let count = finish(writer.write_vectored(&bufs)).unwrap();
                    prop_assert!(count > 0 || length == 0);
                    expected.extend_from_slice(&piece[..count]);
                }
                How::Flush => {
                    finish(writer.flush()).unwrap();
                    prop_assert_eq!(writer.unsent(), 0);
                }
            }
            prop_assert!(writer.unsent() <= (low + high).max(longest));
            prop_assert_eq!(writer.get_ref().data.len() + writer.unsent(), expected.len());
        }
        finish(writer.flush()).unwrap();
        prop_assert_eq!(writer.into_inner().data, expected);
    }

    /// Dropped at each wait, made again after each error: nothing is lost, nothing comes twice.
    #[test]
    fn a_piece_is_taken_as_a_whole_or_not_at_all_whatever_happens_below(
        lengths in proptest::collection::vec(1..40usize, 1..20),
        low in 0..10usize,
        above in 1..12usize,
        steps in rough_steps(),
    ) {
        let mut writer = BufWriter::with_marks(low, low + above, Slow::writer(steps));
        let mut expected = Vec::new();
        for length in lengths {
            let piece = &pattern(expected.len() + length)[expected.len()..];
            loop {
                let polled = poll_once(writer.write_all(piece));
                let seen = writer.get_ref().data.len() + writer.unsent();
                if let Poll::Ready(Ok(())) = polled {
                    expected.extend_from_slice(piece);
                    prop_assert_eq!(seen, expected.len());
                    break;
                }
                prop_assert_eq!(seen, expected.len(), "a drop or an error takes nothing");
            }
        }
        while finish(writer.flush()).is_err() {}
        prop_assert_eq!(writer.into_inner().data, expected);
    }
}

#[test]
fn an_error_is_told_to_each_further_piece_until_it_has_passed() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(4, 10, gate);
    finish(writer.write_all(b"12")).unwrap();
    keeper.fail(Some(ErrorKind::ConnectionReset));
    // Nothing has been asked below yet.
    finish(writer.write_all(b"34")).unwrap();
    assert_eq!(
        finish(writer.flush()).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    for _ in 0..3 {
        // Small pieces that would have room are not kept any more.
        let error = finish(writer.write_all(b"x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = finish(AsyncWriteExt::write(&mut writer, b"x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = finish(writer.write_vectored(&[IoSlice::new(b"x")])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = finish(writer.flush()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(writer.unsent(), 4);
    }
    keeper.fail(None);
    keeper.allow(100);
    finish(writer.write_all(b"56")).unwrap();
    finish(writer.write_all(b"78")).unwrap();
    finish(writer.flush()).unwrap();
    assert_eq!(keeper.inside().taken, b"12345678");
}

#[test]
fn a_close_sends_what_is_kept_and_returns_its_error() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::new(gate);
    finish(writer.write_all(b"1234")).unwrap();
    assert!(poll_once(writer.close()).is_pending());
    keeper.fail(Some(ErrorKind::BrokenPipe));
    assert_eq!(
        finish(writer.close()).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!((writer.unsent(), keeper.inside().closes), (4, 0));
    keeper.fail(None);
    keeper.allow(4);
    finish(writer.close()).unwrap();
    assert_eq!(
        (&keeper.inside().taken[..], keeper.inside().closes),
        (&b"1234"[..], 1)
    );
    // It is closed, and says so however short the piece is.
    keeper.allow(100);
    let error = finish(writer.write_all(b"5")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    let error = finish(AsyncWriteExt::write(&mut writer, b"5")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert_eq!(keeper.inside().taken, b"1234");
}

#[test]
fn a_writer_that_takes_no_more_is_an_error_and_what_is_kept_stays() {
    let full = Slow::writer([]).with_room_for(3);
    let mut writer = BufWriter::with_marks(2, 4, full);
    finish(writer.write_all(b"1234")).unwrap();
    for _ in 0..2 {
        assert_eq!(
            finish(writer.flush()).unwrap_err().kind(),
            ErrorKind::WriteZero
        );
        let error = finish(writer.write_all(&pattern(9))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    }
    let (full, kept) = writer.into_parts();
    assert_eq!((&full.data[..], &kept[..]), (&b"123"[..], &b"4"[..]));
}

#[test]
fn hz_a31_a_writer_that_lies_below_a_buffer_is_not_believed() {
    let steps = [Step::Lie, Step::Move(9), Step::Move(9), Step::Lie];
    let mut writer = BufWriter::with_marks(2, 4, Slow::writer(steps));
    finish(writer.write_all(b"1234")).unwrap();
    let error = finish(writer.flush()).unwrap_err();
    assert!(
        error.to_string().contains("its implementation is wrong"),
        "{error}"
    );
    assert_eq!(writer.unsent(), 4);
    finish(writer.flush()).unwrap();
    let error = finish(writer.write_all(&pattern(9))).unwrap_err();
    assert_eq!((error.kind(), writer.unsent()), (ErrorKind::InvalidData, 0));
    assert_eq!(writer.into_inner().data, b"1234");
}

#[test]
fn a_seek_sends_first_what_belongs_to_the_place_before() {
    let mut writer = BufWriter::new(Cursor::new(Vec::new()));
    finish(writer.write_all(b"tick tock")).unwrap();
    assert_eq!(finish(writer.seek(SeekFrom::Start(5))).unwrap(), 5);
    assert_eq!(
        (writer.unsent(), &writer.get_ref().get_ref()[..]),
        (0, &b"tick tock"[..])
    );
    finish(writer.write_all(b"T")).unwrap();
    finish(writer.flush()).unwrap();
    assert_eq!(writer.into_inner().into_inner(), b"tick Tock");
}

#[test]
#[should_panic(expected = "the low mark, 4, must be below the high one, 4")]
fn marks_that_are_one_are_refused() {
    let _ = BufWriter::with_marks(4, 4, sink());
}

#[test]
fn nothing_is_written_without_a_word_below() {
    let (gate, keeper) = gate();
    let mut writer = BufWriter::with_marks(1, 4, gate);
    finish(writer.write_all(b"")).unwrap();
    assert_eq!(finish(AsyncWriteExt::write(&mut writer, b"")).unwrap(), 0);
    assert_eq!(finish(writer.write_vectored(&[])).unwrap(), 0);
    keeper.fail(Some(ErrorKind::ConnectionReset));
    finish(writer.write_all(&pattern(9))).unwrap_err();
    finish(writer.write_all(b"")).unwrap();
    assert_eq!(finish(writer.write_vectored(&[])).unwrap(), 0);
    // The piece was refused, so there is nothing to send.
    keeper.fail(None);
    finish(writer.flush()).unwrap();
    assert!(keeper.inside().taken.is_empty());
}

/// Asked directly: the methods answer for it.
#[test]
fn hz_d09_nothing_is_written_at_once_while_others_wait_for_room() {
    use mainspring::io::AsyncWrite as _;
    let (gate, _keeper) = gate();
    let mut writer = BufWriter::with_marks(1, 4, gate);
    finish(writer.write_all(b"1234")).unwrap();
    assert!(poll_once(writer.write_all(b"5")).is_pending());
    let empty = [IoSlice::new(b""), IoSlice::new(b"")];
    let vectored = poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &empty));
    assert!(matches!(poll_once(vectored), Poll::Ready(Ok(0))));
    let plain = poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, b""));
    assert!(matches!(poll_once(plain), Poll::Ready(Ok(0))));
    assert_eq!(writer.into_parts().1, b"1234");
}

#[test]
fn hz_b14_pieces_that_find_room_let_others_run() {
    mainspring::run(async {
        let has_run = Rc::new(Cell::new(false));
        let seen = Rc::clone(&has_run);
        let other = mainspring::spawn(async move { seen.set(true) });
        let mut writer = BufWriter::new(Vec::new());
        for _ in 0..1000 {
            writer.write_all(b"x").await.unwrap();
        }
        assert!(has_run.get());
        other.await.unwrap();
        writer.flush().await.unwrap();
    })
    .unwrap();
}

//! Writing: every byte once and in order, however little is taken at a time.

use std::collections::VecDeque;
use std::io::{self, Cursor, IoSlice};

use mainspring::io::{AsyncReadExt, AsyncWriteExt, Buf, Incomplete, repeat, sink};
use proptest::prelude::{any, proptest};

use super::slow::{Slow, Step, Untouched, finish, poll_once, steps};

const EPIPE: i32 = libc::EPIPE;

/// Writes `buf` to a slow writer, dropping the write at every wait.
fn write_with_drops<B: Buf + ?Sized>(buf: &mut B, steps: Vec<Step>) -> Vec<u8> {
    let mut writer = Slow::writer(steps);
    let all = buf.remaining();
    while poll_once(writer.write_all_buf(buf)).is_pending() {
        assert_eq!(writer.data.len() + buf.remaining(), all);
    }
    assert_eq!(buf.remaining(), 0);
    writer.data
}

proptest! {
    #[test]
    fn any_writer_gets_every_byte_once(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        cuts in proptest::collection::vec(0..100usize, 0..6),
        steps in steps(),
    ) {
        let mut writer = Slow::writer(steps.clone());
        finish(writer.write_all(&data)).unwrap();
        assert_eq!(writer.data, data);

        let mut slices = cut(&data, cuts);
        let mut writer = Slow::writer(steps.clone());
        finish(writer.write_all_vectored(&mut slices.clone())).unwrap();
        assert_eq!(writer.data, data);

        assert_eq!(write_with_drops(&mut &mut slices[..], steps), data);
    }

    #[test]
    fn write_all_buf_dropped_at_every_wait_loses_and_repeats_nothing(
        data in proptest::collection::vec(any::<u8>(), 0..100),
        middle in 0..100usize,
        steps in steps(),
    ) {
        let (head, tail) = data.split_at(middle.min(data.len()));
        assert_eq!(write_with_drops(&mut &data[..], steps.clone()), data);
        assert_eq!(write_with_drops(&mut Cursor::new(&data), steps.clone()), data);
        assert_eq!(write_with_drops(&mut (head, tail), steps.clone()), data);
        // A queue whose bytes go around its end.
        let mut queue = VecDeque::with_capacity(data.len());
        queue.extend(tail);
        for byte in head.iter().rev() {
            queue.push_front(*byte);
        }
        assert_eq!(write_with_drops(&mut queue, steps.clone()), data);
        assert_eq!(write_with_drops(&mut (&mut Cursor::new(head), tail), steps), data);
    }

    #[test]
    fn numbers_are_written_as_std_makes_them(
        number in any::<u128>(),
        float in any::<f32>(),
        steps in steps(),
    ) {
        let slow = || Slow::writer(steps.clone());
        let mut writer = slow();
        finish(writer.write_u128(number)).unwrap();
        finish(writer.write_i128_le(number as i128)).unwrap();
        finish(writer.write_f32(float)).unwrap();
        finish(writer.write_u8(number as u8)).unwrap();
        let expected: Vec<u8> = [
            &number.to_be_bytes()[..],
            &number.to_le_bytes()[..],
            &float.to_be_bytes()[..],
            &[number as u8][..],
        ]
        .concat();
        assert_eq!(writer.data, expected);
        let mut reader = &writer.data[..];
        assert_eq!(finish(reader.read_u128()).unwrap(), number);
        assert_eq!(finish(reader.read_i128_le()).unwrap(), number as i128);
    }
}

/// `data` in pieces, some of them empty.
fn cut(data: &[u8], cuts: Vec<usize>) -> Vec<IoSlice<'_>> {
    let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(data.len())).collect();
    ends.extend([0, data.len(), data.len()]);
    ends.sort_unstable();
    let mut start = 0;
    let pieces = ends.into_iter().map(|end| {
        let piece = IoSlice::new(&data[start..end]);
        start = end;
        piece
    });
    pieces.collect()
}

#[test]
fn a_writer_that_is_full_says_after_how_many_bytes() {
    let full = || Slow::writer([Step::Move(2), Step::Wait]).with_room_for(3);
    let check = |error: io::Error, done: usize| {
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        assert_eq!(
            error.to_string(),
            format!(
                "the writer takes no more after {done} of {} bytes",
                done + 1
            )
        );
        assert_eq!(Incomplete::of(&error).unwrap().done(), done);
    };
    check(finish(full().write_all(b"tick")).unwrap_err(), 3);
    check(finish(full().write_u32(0)).unwrap_err(), 3);
    let mut slices = [IoSlice::new(b"ti"), IoSlice::new(b""), IoSlice::new(b"ck")];
    check(
        finish(full().write_all_vectored(&mut slices)).unwrap_err(),
        3,
    );
    let mut rest: &[u8] = b"tick";
    let mut writer = full();
    check(finish(writer.write_all_buf(&mut rest)).unwrap_err(), 3);
    assert_eq!(rest, b"k");
    check(finish(writer.write_all_buf(&mut rest)).unwrap_err(), 0);
    assert_eq!(
        finish(writer.write(b"k")).unwrap(),
        0,
        "a single write says 0 itself"
    );
}

#[test]
fn an_error_in_the_middle_keeps_its_errno_and_what_is_not_written() {
    let mut writer = Slow::writer([Step::Move(2), Step::Wait, Step::Fail(EPIPE)]);
    let mut rest: &[u8] = b"tick";
    let error = finish(writer.write_all_buf(&mut rest)).unwrap_err();
    assert_eq!((error.raw_os_error(), rest), (Some(EPIPE), &b"ck"[..]));
    finish(writer.write_all_buf(&mut rest)).unwrap();
    assert_eq!(writer.data, b"tick");
    let mut writer = Slow::writer([Step::Wait, Step::Fail(EPIPE), Step::Fail(EPIPE)]);
    assert_eq!(
        finish(writer.flush()).unwrap_err().raw_os_error(),
        Some(EPIPE)
    );
    assert_eq!(
        finish(writer.close()).unwrap_err().raw_os_error(),
        Some(EPIPE)
    );
    finish(writer.close()).unwrap();
}

#[test]
fn hz_a31_a_writer_that_lies_about_its_count_is_believed_nowhere() {
    let liar = || Slow::writer([Step::Lie]);
    let is_told = |error: io::Error| assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let slices = [IoSlice::new(b""), IoSlice::new(b"tick")];
    is_told(finish(liar().write(b"tick")).unwrap_err());
    is_told(finish(liar().write_vectored(&slices)).unwrap_err());
    is_told(finish(liar().write_all(b"tick")).unwrap_err());
    is_told(finish(liar().write_all_vectored(&mut slices.clone())).unwrap_err());
    is_told(finish(liar().write_u16(7)).unwrap_err());
    let mut rest: &[u8] = b"tick";
    is_told(finish(liar().write_all_buf(&mut rest)).unwrap_err());
    assert_eq!(rest, b"tick");
}

#[test]
fn hz_d09_writes_of_nothing_ask_nobody() {
    let mut nothing = [IoSlice::new(b""), IoSlice::new(b"")];
    assert_eq!(finish(Untouched.write(b"")).unwrap(), 0);
    assert_eq!(finish(Untouched.write_vectored(&nothing)).unwrap(), 0);
    assert_eq!(finish(Untouched.write_vectored(&[])).unwrap(), 0);
    finish(Untouched.write_all(b"")).unwrap();
    finish(Untouched.write_all_vectored(&mut [])).unwrap();
    finish(Untouched.write_all_buf(&mut &mut nothing[..])).unwrap();
    finish(Untouched.write_all_vectored(&mut nothing)).unwrap();
    finish(Untouched.write_all_buf(&mut (&b""[..], VecDeque::new()))).unwrap();
}

#[test]
fn what_is_ready_for_ever_lets_the_others_run() {
    mainspring::run(async {
        let other = mainspring::spawn(async {});
        let mut buf = [0; 8];
        let mut rounds = 0;
        while !other.is_finished() {
            repeat(7).read_exact(&mut buf).await.unwrap();
            rounds += 1;
            assert!(rounds < 10_000, "the reader never yielded");
        }
        let other = mainspring::spawn(async {});
        let mut rounds = 0;
        while !other.is_finished() {
            sink().write_all(&buf).await.unwrap();
            let slices = [IoSlice::new(&buf), IoSlice::new(&buf)];
            assert_eq!(sink().write_vectored(&slices).await.unwrap(), 16);
            rounds += 1;
            assert!(rounds < 10_000, "the writer never yielded");
        }
    })
    .unwrap();
}

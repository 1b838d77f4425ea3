//! Codecs: what is encoded is decoded however the bytes are cut, limits hold, and no byte is lost.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "codec/rig.rs"]
mod torn;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use mainspring::codec::{
    BytesBuf, BytesCodec, Decoder, Encoder, Framed, FramedRead, FramedWrite, LengthDelimitedCodec,
    LengthError, LinesCodec, LinesError,
};
use mainspring::net::UnixStream;
use mainspring::stream::StreamExt;
use mainspring::{sim, spawn};
use proptest::prelude::*;
use rig::{On, both, pattern, small_buffers, tcp_pair};
use torn::{TornReader, TornWriter, cuts, drain, length_codec, lengths_by_hand, lines_by_hand};

on_both! {
    frames_cross_a_socket_both_ways_and_the_half_close_leaves_the_answer,
    hz_i06_a_send_that_is_dropped_at_any_wait_sends_nothing_or_all,
    two_that_send_more_than_the_sockets_hold_before_they_read_do_not_block_each_other,
    a_connection_that_ends_within_a_frame_says_so,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_decoded_however_they_are_cut(
        lines in prop::collection::vec("[a-zäß\r ]{0,12}[a-z]|", 0..9), sizes in cuts(),
    ) {
        let mut buf = BytesBuf::new();
        for line in &lines {
            LinesCodec::new().encode(line, &mut buf).unwrap();
        }
        let read = drain(FramedRead::new(TornReader::new(&buf, sizes), LinesCodec::new()));
        let read: Result<Vec<String>, _> = read.into_iter().collect();
        prop_assert_eq!(read.unwrap(), lines);
    }

    #[test]
    fn hz_i02_any_bytes_are_the_lines_that_a_reference_finds(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..80),
        max in 0usize..12, sizes in cuts(),
    ) {
        let lines = FramedRead::new(TornReader::new(&bytes, sizes), LinesCodec::with_max(max));
        let found: Vec<_> = drain(lines).into_iter().map(|line| match line {
            Ok(line) => Ok(line),
            Err(LinesError::NotText(error)) => Err(Some(error.into_bytes())),
            Err(LinesError::TooLong { .. }) => Err(None),
            Err(error) => panic!("{error}"),
        }).collect();
        prop_assert_eq!(found, lines_by_hand(&bytes, max));
    }

    #[test]
    fn frames_are_decoded_however_they_are_cut(
        codec in length_codec(), items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 0..6),
        sizes in cuts(),
    ) {
        let (mut codec, mut buf, mut sent) = (codec.0, BytesBuf::new(), Vec::new());
        for item in items {
            let before = buf.to_vec();
            match codec.encode(&item, &mut buf) {
                Ok(()) => sent.push(item),
                Err(_) => prop_assert_eq!(&buf[..], &before[..], "a refused item leaves bytes"),
            }
        }
        let read = drain(FramedRead::new(TornReader::new(&buf, sizes), codec));
        let read: Result<Vec<Vec<u8>>, _> = read.into_iter().collect();
        // Of an item that holds its own header, the length field was written over.
        let read = read.unwrap();
        prop_assert_eq!(read.len(), sent.len());
        let lengths = |items: &[Vec<u8>]| items.iter().map(Vec::len).collect::<Vec<_>>();
        prop_assert_eq!(lengths(&read), lengths(&sent));
        let mut again = BytesBuf::new();
        for item in &read {
            codec.encode(item, &mut again).unwrap();
        }
        prop_assert_eq!(again, buf);
    }

    #[test]
    fn any_bytes_are_the_frames_that_a_reference_finds(
        codec in length_codec(), bytes in prop::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..80), sizes in cuts(),
    ) {
        let (codec, config) = codec;
        let found: Vec<_> = drain(FramedRead::new(TornReader::new(&bytes, sizes), codec))
            .into_iter()
            .map(|frame| frame.map_err(|error| match error {
                LengthError::Io(error) => error.to_string(),
                error => error.to_string().split(' ').nth(2).unwrap().to_string(),
            }))
            .collect();
        prop_assert_eq!(found, lengths_by_hand(&bytes, &config));
    }

    #[test]
    fn a_buffer_is_a_queue_of_bytes(steps in prop::collection::vec((any::<bool>(), 0usize..40_000), 0..40)) {
        let (mut buf, mut queue) = (BytesBuf::new(), Vec::new());
        for (index, (is_in, count)) in steps.into_iter().enumerate() {
            if is_in {
                let bytes = vec![index as u8; count];
                buf.extend(&bytes);
                queue.extend_from_slice(&bytes);
            } else {
                let count = count.min(queue.len());
                let taken: Vec<u8> = queue.drain(..count).collect();
                prop_assert_eq!(buf.split_to(count), taken);
            }
            prop_assert!(buf[..] == queue[..]);
            prop_assert!(buf.capacity() <= 8 * buf.len().max(64 * 1024), "{} for {}", buf.capacity(), buf.len());
        }
    }
}

#[test]
fn a_buffer_gives_the_memory_of_a_giant_back() {
    let mut buf = BytesBuf::from(vec![1; 8 << 20]);
    buf.extend(b"next");
    buf.advance(8 << 20);
    assert_eq!(&buf[..], b"next");
    assert!(buf.capacity() <= 64 * 1024, "{}", buf.capacity());
    buf.extend(&vec![2; 1 << 20]);
    buf.advance(buf.len());
    assert_eq!(buf.capacity(), 0);
}

#[test]
#[should_panic(expected = "3 bytes cannot be taken out of 2")]
fn a_buffer_has_no_more_than_it_has() {
    BytesBuf::from(&b"ab"[..]).advance(3);
}

/// Feeds a decoder pieces by hand and gives the largest memory that its buffer had.
fn decode_all<D: Decoder>(
    codec: &mut D,
    pieces: impl Iterator<Item = Vec<u8>>,
    errors: &mut u32,
) -> usize {
    let (mut buf, mut most) = (BytesBuf::new(), 0);
    for piece in pieces {
        buf.extend(&piece);
        loop {
            match codec.decode(&mut buf) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => *errors += 1,
            }
        }
        most = most.max(buf.capacity());
    }
    most
}

#[test]
fn hz_i01_an_endless_line_is_one_error_and_no_memory() {
    let mut errors = 0;
    let endless = (0..4096).map(|_| vec![b'x'; 64 * 1024]);
    let most = decode_all(&mut LinesCodec::new(), endless, &mut errors);
    assert_eq!(errors, 1);
    assert!(most <= 512 * 1024, "{most}");
}

#[test]
fn a_header_that_promises_much_gets_no_memory() {
    let mut errors = 0;
    let promise = std::iter::once(b"\x00\x7f\xff\xffx".to_vec());
    let most = decode_all(&mut LengthDelimitedCodec::new(), promise, &mut errors);
    assert!(errors == 0 && most < 1024, "{errors} errors, {most} bytes");
    let mut buf = BytesBuf::from(&b"\xff\xff\xff\xff"[..]);
    let refused = LengthDelimitedCodec::new().decode(&mut buf);
    assert!(matches!(
        refused,
        Err(LengthError::TooLong { max: 8_388_608 })
    ));
}

#[test]
fn a_length_that_cannot_be_is_an_error_and_no_overflow() {
    let decode = |codec: &LengthDelimitedCodec, bytes: &[u8]| {
        { *codec }
            .decode(&mut BytesBuf::from(bytes))
            .map_err(|error| error.to_string())
    };
    let long = "a frame's body is longer than 18446744073709551615 bytes";
    let codec = LengthDelimitedCodec::new().width(8).max(usize::MAX);
    assert_eq!(decode(&codec, &[0xff; 8]).unwrap_err(), long);
    assert_eq!(
        decode(&codec.adjustment(i64::MAX), &[0xff; 8]).unwrap_err(),
        long
    );
    let short = "a frame is shorter than its header, or than what is skipped of it";
    assert_eq!(
        decode(&codec.adjustment(i64::MIN), &[0; 8]).unwrap_err(),
        short
    );
    assert_eq!(decode(&codec.skip(usize::MAX), &[0; 8]).unwrap_err(), short);
    let mut buf = BytesBuf::new();
    let mut narrow = LengthDelimitedCodec::new().width(1);
    assert!(matches!(
        narrow.encode([0; 256], &mut buf),
        Err(LengthError::NoField)
    ));
    assert!(matches!(
        narrow.adjustment(5).encode([0; 4], &mut buf),
        Err(LengthError::NoField)
    ));
    assert!(matches!(
        narrow.skip(usize::MAX).encode([0; 4], &mut buf),
        Err(LengthError::TooLong { .. })
    ));
    assert!(buf.is_empty());
}

#[test]
fn a_body_of_the_largest_size_passes_and_one_byte_more_does_not() {
    let mut codec = LengthDelimitedCodec::new().width(1).max(4);
    let mut buf = BytesBuf::new();
    codec.encode(b"tick", &mut buf).unwrap();
    let refused = codec.encode(b"ticks", &mut buf);
    assert!(matches!(refused, Err(LengthError::TooLong { max: 4 })));
    assert_eq!(codec.decode(&mut buf).unwrap().unwrap(), b"tick");
    let refused = codec.decode(&mut BytesBuf::from(&b"\x05"[..]));
    assert!(matches!(refused, Err(LengthError::TooLong { max: 4 })));
}

#[test]
fn a_text_of_two_lines_is_refused_and_nothing_of_it_goes_out() {
    sim::run(1, async {
        let mut lines = FramedWrite::new(Vec::new(), LinesCodec::new());
        lines.feed("one").await.unwrap();
        assert!(matches!(
            lines.feed("t\nwo").await,
            Err(LinesError::TwoLines)
        ));
        lines.send("two").await.unwrap();
        assert_eq!(lines.get_ref(), b"one\ntwo\n");
    });
}

/// Fails after it has appended.
struct Faulty;

impl Encoder<u8> for Faulty {
    type Error = io::Error;

    fn encode(&mut self, item: u8, dst: &mut BytesBuf) -> io::Result<()> {
        dst.extend(&[item; 4]);
        if item == b'!' {
            Err(io::ErrorKind::InvalidInput.into())
        } else {
            Ok(())
        }
    }
}

/// Refuses a `!` without taking it, and says that it could go on.
impl Decoder for Faulty {
    type Item = u8;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesBuf) -> io::Result<Option<u8>> {
        match src.first() {
            None => Ok(None),
            Some(b'!') => Err(io::ErrorKind::InvalidData.into()),
            Some(_) => Ok(Some(src.split_to(1)[0])),
        }
    }

    fn is_in_step(&self) -> bool {
        true
    }
}

#[test]
fn half_an_item_that_an_encoder_left_does_not_go_out() {
    sim::run(1, async {
        let mut framed = FramedWrite::new(Vec::new(), Faulty);
        framed.feed(b'a').await.unwrap();
        framed.feed(b'!').await.unwrap_err();
        framed.send(b'b').await.unwrap();
        assert_eq!(framed.get_ref(), b"aaaabbbb");
    });
}

#[test]
fn an_error_that_takes_nothing_does_not_come_twice() {
    let mut framed = FramedRead::new(&b"a!b"[..], Faulty);
    let found: Vec<_> = drain(framed.by_ref()).into_iter().map(Result::ok).collect();
    assert_eq!(found, [Some(b'a'), None]);
    assert_eq!(&framed.read_buffer()[..], b"!b");
}

#[test]
fn an_end_within_a_frame_names_what_remains_and_keeps_it() {
    let mut framed = FramedRead::new(
        &b"\0\0\0\x01a\0\0\0\x09tick"[..],
        LengthDelimitedCodec::new(),
    );
    let mut found = drain(framed.by_ref());
    let Some(Err(LengthError::Io(error))) = found.pop() else {
        panic!("no error of the stream")
    };
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(
        error.to_string(),
        "the stream ended within a frame, of which 8 bytes had come"
    );
    assert_eq!(found.pop().unwrap().unwrap(), b"a");
    assert_eq!(&framed.into_parts().read_buffer[..], b"\0\0\0\x09tick");
}

#[test]
fn an_error_of_the_reader_is_the_last_item_and_the_bytes_stay() {
    let reader = TornReader::new(b"one\ntwo", vec![7]).failing(io::ErrorKind::ConnectionReset);
    let mut framed = FramedRead::new(reader, LinesCodec::new());
    let found = drain(framed.by_ref());
    assert_eq!(found[0].as_deref().unwrap(), "one");
    assert!(
        matches!(&found[1], Err(LinesError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset)
    );
    assert_eq!(found.len(), 2);
    assert_eq!(&framed.into_parts().read_buffer[..], b"two");
}

#[test]
fn bytes_come_as_they_are_cut_and_the_end_stays_the_end() {
    let mut framed = FramedRead::new(TornReader::new(b"abcde", vec![2, 3]), BytesCodec);
    let pieces: Vec<_> = drain(framed.by_ref())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(pieces, [b"ab".to_vec(), b"cde".to_vec()]);
    assert!(drain(framed).is_empty());
}

/// Polls a future once.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_item_waits_at_the_high_mark_until_the_low_one() {
    let writer = TornWriter::new(vec![]);
    let mut framed = FramedWrite::new(writer, BytesCodec).water_marks(4, 8);
    for _ in 0..2 {
        assert!(
            poll_once(framed.send([b'a'; 4])).is_ready(),
            "below the mark nothing waits"
        );
    }
    assert!(poll_once(framed.send([b'b'; 4])).is_pending());
    framed.get_mut().accept(3);
    for _ in 0..2 {
        let sent = poll_once(framed.send([b'b'; 4]));
        assert!(sent.is_pending(), "5 are kept, and 4 is the mark");
    }
    framed.get_mut().accept(1);
    assert!(poll_once(framed.send([b'c'; 4])).is_ready());
    framed.get_mut().accept(99);
    assert!(poll_once(framed.flush()).is_ready());
    assert_eq!(framed.get_ref().taken, b"aaaaaaaacccc");
}

#[test]
fn after_close_an_item_is_refused_and_a_second_close_is_nothing() {
    let mut framed = FramedWrite::new(TornWriter::new(vec![2, 0, 9]), LinesCodec::new());
    assert!(poll_once(framed.feed("tick")).is_ready());
    assert!(poll_once(framed.close()).is_pending());
    assert!(poll_once(framed.close()).is_ready());
    assert!(poll_once(framed.close()).is_ready());
    assert_eq!(
        (framed.get_ref().taken.as_slice(), framed.get_ref().closes),
        (&b"tick\n"[..], 1)
    );
    let Poll::Ready(Err(LinesError::Io(error))) = poll_once(framed.send("tock")) else {
        panic!("an item is taken after close")
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_write_that_fails_while_an_item_is_awaited_is_told_by_the_next_send() {
    let io = torn::Both {
        reader: TornReader::new(b"answer\n", vec![0, 7]),
        writer: TornWriter::new(vec![0]).failing(io::ErrorKind::BrokenPipe),
    };
    let mut framed = Framed::new(io, LinesCodec::new());
    assert!(matches!(
        poll_once(framed.send("question")),
        Poll::Ready(Ok(()))
    ));
    let found: Vec<_> = drain(framed.by_ref())
        .into_iter()
        .map(Result::unwrap)
        .collect();
    assert_eq!(found, ["answer"]);
    let Poll::Ready(Err(LinesError::Io(error))) = poll_once(framed.send("more")) else {
        panic!("nobody is told")
    };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(&framed.into_parts().write_buffer[..], b"question\n");
}

#[test]
fn a_thousand_frames_of_one_read_let_another_task_run() {
    sim::run(1, async {
        let bytes = b"x\n".repeat(1000);
        let other = spawn(async {
            for turn in 0.. {
                mainspring::yield_now().await;
                if turn > 3 {
                    return;
                }
            }
        });
        let mut lines = FramedRead::new(&bytes[..], LinesCodec::new());
        for _ in 0..1000 {
            lines.next().await.unwrap().unwrap();
        }
        assert!(other.is_finished());
    });
}

fn frames_cross_a_socket_both_ways_and_the_half_close_leaves_the_answer(on: On) {
    on.run(async {
        let (client, server) = tcp_pair().await;
        let mut client = Framed::new(client, LengthDelimitedCodec::new());
        let mut server = Framed::new(server, LengthDelimitedCodec::new());
        let ask = async {
            for size in [0, 1, 100_000, 7] {
                client.send(pattern(size)).await.unwrap();
            }
            client.close().await.unwrap();
            client.collect::<Vec<_>>().await
        };
        let answer = async {
            let mut sizes = Vec::new();
            while let Some(frame) = server.next().await {
                let frame = frame.unwrap();
                assert_eq!(frame, pattern(frame.len()));
                sizes.push(frame.len());
            }
            // The client has closed its side, and still reads.
            for size in &sizes {
                server.send(size.to_string()).await.unwrap();
            }
            server.close().await.unwrap();
            sizes
        };
        let (answers, sizes) = both(ask, answer).await;
        assert_eq!(sizes, [0, 1, 100_000, 7]);
        let answers: Vec<Vec<u8>> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, [&b"0"[..], b"1", b"100000", b"7"]);
    });
}

fn hz_i06_a_send_that_is_dropped_at_any_wait_sends_nothing_or_all(on: On) {
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        small_buffers(&near, 4096);
        let mut near = FramedWrite::new(near, LengthDelimitedCodec::new()).water_marks(100, 1000);
        let reader =
            spawn(FramedRead::new(far, LengthDelimitedCodec::new()).try_collect::<_, _, Vec<_>>());
        let mut waits = 0;
        for number in 0..2000_u32 {
            let item = pattern(number as usize % 300);
            // Each future is polled once; one that waits is dropped, and the item sent by another.
            let sends = std::future::poll_fn(|cx| {
                let polled = pin!(near.send(&item)).poll(cx);
                waits += u32::from(polled.is_pending());
                polled
            });
            sends.await.unwrap();
        }
        std::future::poll_fn(|cx| pin!(near.close()).poll(cx))
            .await
            .unwrap();
        let items = reader.await.unwrap().unwrap();
        let sent: Vec<Vec<u8>> = (0..2000).map(|number| pattern(number % 300)).collect();
        assert!(
            items == sent && waits > 10,
            "{} items, {waits} waits",
            items.len()
        );
    });
}

fn two_that_send_more_than_the_sockets_hold_before_they_read_do_not_block_each_other(on: On) {
    const SIZE: usize = 4 << 20;
    async fn talk(stream: UnixStream) -> usize {
        let mut framed = Framed::new(stream, LengthDelimitedCodec::new());
        framed.send(pattern(SIZE)).await.unwrap();
        assert!(!framed.write_buffer().is_empty());
        let length = framed.next().await.unwrap().unwrap().len();
        // The other's may still wait for the rest of ours.
        framed.flush().await.unwrap();
        length
    }
    on.run(async {
        let (left, right) = UnixStream::pair().unwrap();
        assert_eq!(both(talk(left), talk(right)).await, (SIZE, SIZE));
    });
}

fn a_connection_that_ends_within_a_frame_says_so(on: On) {
    on.run(async {
        let (client, server) = tcp_pair().await;
        client.write_all(b"\0\0\0\x09tick").await.unwrap();
        drop(client);
        let mut server = Framed::new(server, LengthDelimitedCodec::new());
        let error = io::Error::from(server.next().await.unwrap().unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(server.next().await.is_none());
    });
}

//! Streams in memory, and what is built over any stream: duplex, join, split, copies.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self as std_io, ErrorKind, IoSlice, IoSliceMut};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mainspring::io::{
    self, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream,
};
use mainspring::sim::{Clock, ManualClock};
use mainspring::time::{sleep, timeout};
use mainspring::{Builder, spawn, yield_now};
use mainspring_sys::Instant;
use proptest::prelude::*;

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);

fn sim<F: Future>(future: F) -> F::Output {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    let runtime = Builder::new().clock(Clock::Manual(clock)).build().unwrap();
    runtime.block_on(future).unwrap()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

async fn write_all(writer: &mut (impl AsyncWrite + Unpin), mut bytes: &[u8]) -> std_io::Result<()> {
    while !bytes.is_empty() {
        let count = writer.write(bytes).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

async fn read_to_end(reader: &mut (impl AsyncRead + Unpin), step: usize) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; step]);
    loop {
        match reader.read(&mut buf).await.unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buf[..count]),
        }
    }
}

async fn close(writer: &mut (impl AsyncWrite + Unpin)) -> std_io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *writer).poll_close(cx)).await
}

#[test]
fn a_writer_waits_while_the_stream_in_memory_is_full() {
    sim(async {
        let (mut near, mut far) = io::duplex(4);
        assert_eq!(near.write(b"tick-tock").await.unwrap(), 4);
        let second = timeout(Duration::from_secs(1), near.write(b"x"));
        assert!(second.await.is_err(), "there is no room");
        let writer = spawn(async move { near.write(b"tock").await.unwrap() });
        yield_now().await;
        let mut buf = [0; 3];
        assert_eq!(far.read(&mut buf).await.unwrap(), 3);
        assert_eq!(timeout(NEVER, writer).await.unwrap().unwrap(), 3);
        assert_eq!(read_to_end(&mut far, 8).await, b"ktoc");
    });
}

#[test]
fn a_reader_in_memory_waits_and_gets_the_rest_before_the_end() {
    sim(async {
        let (mut near, mut far) = io::duplex(64);
        let reader = spawn(async move {
            let got = read_to_end(&mut far, 2).await;
            (got, far.write(b"x").await.unwrap_err().kind())
        });
        yield_now().await;
        near.write(b"tick").await.unwrap();
        yield_now().await;
        near.write(b"tock").await.unwrap();
        drop(near);
        let (got, after) = timeout(NEVER, reader).await.unwrap().unwrap();
        assert_eq!(got, b"ticktock");
        assert_eq!(after, ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_that_waits_learns_that_its_reader_went() {
    sim(async {
        let (mut near, far) = io::duplex(1);
        near.write(b"x").await.unwrap();
        let writer = spawn(async move { near.write(b"y").await.unwrap_err().kind() });
        yield_now().await;
        drop(far);
        let kind = timeout(NEVER, writer).await.unwrap().unwrap();
        assert_eq!(kind, ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_closed_stream_in_memory_takes_nothing_and_still_reads() {
    sim(async {
        let (mut near, mut far) = io::duplex(8);
        close(&mut near).await.unwrap();
        close(&mut near).await.unwrap();
        assert_eq!(
            near.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 0);
        far.write(b"late").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 4);
    });
}

#[test]
fn hz_d09_nothing_moves_into_or_out_of_empty_buffers_in_memory() {
    sim(async {
        let (mut near, mut far) = io::duplex(1);
        near.write(b"x").await.unwrap();
        assert_eq!(near.write(b"").await.unwrap(), 0, "also while it is full");
        assert_eq!(
            near.read(&mut []).await.unwrap(),
            0,
            "also while nothing is there"
        );
        let read = poll_fn(|cx| {
            let (mut none, mut one, mut more) = ([], [0; 1], [0; 4]);
            let mut bufs = [&mut none[..], &mut one, &mut more].map(IoSliceMut::new);
            Pin::new(&mut far).poll_read_vectored(cx, &mut bufs)
        });
        assert_eq!(read.await.unwrap(), 1);
        let write = poll_fn(|cx| {
            let bufs = [&b""[..], b"y", b"z"].map(IoSlice::new);
            Pin::new(&mut far).poll_write_vectored(cx, &bufs)
        });
        assert_eq!(write.await.unwrap(), 1, "as much as there is room");
    });
}

#[test]
#[should_panic(expected = "capacity 0")]
fn a_stream_in_memory_without_capacity_is_refused() {
    let _ = io::duplex(0);
}

/// Two tasks that always find each other ready: a timer beside them still fires.
#[test]
fn an_endless_stream_in_memory_lets_others_run() {
    sim(async {
        let (mut near, mut far) = io::duplex(64);
        let polls = Rc::new(Cell::new(0));
        let seen = Rc::clone(&polls);
        let endless = spawn(async move {
            loop {
                near.write(b"x").await.unwrap();
                far.read(&mut [0; 1]).await.unwrap();
                seen.set(seen.get() + 1);
            }
        });
        for _ in 0..3 {
            yield_now().await;
        }
        let turns = polls.get();
        assert!(turns > 0 && turns < 1000, "{turns} in three polls");
        endless.abort();
    });
}

#[test]
fn a_dropped_wait_in_memory_leaves_nothing_behind() {
    sim(async {
        let (mut near, mut far) = io::duplex(8);
        for _ in 0..3 {
            let mut buf = [0; 4];
            let read = timeout(Duration::from_nanos(1), far.read(&mut buf));
            assert!(read.await.is_err());
        }
        near.write(b"tick").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 4);
        // The other end goes while the wait of this one still stands.
        let mut reader = pin!(async { far.read(&mut [0; 4]).await });
        poll_fn(|cx| {
            assert!(reader.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(near);
        assert_eq!(reader.await.unwrap(), 0);
    });
}

#[test]
fn hz_i03_halves_of_any_stream_come_together_or_both_back() {
    sim(async {
        let (one, mut peer) = io::duplex(64);
        let (other, _other_peer) = io::duplex(64);
        let (one_reader, mut one_writer) = io::split(one);
        let (other_reader, other_writer) = io::split(other);
        assert!(!one_reader.is_half_of(&other_writer));
        let error = one_reader.reunite(other_writer).unwrap_err();
        assert_eq!(error.to_string(), "these halves are not of one stream");
        let io::ReuniteError(mut one_reader, other_writer) = error;
        assert!(other_reader.is_half_of(&other_writer));
        // Both halves in two tasks, waiting at once.
        let reader = spawn(async move {
            assert_eq!(one_reader.read(&mut [0; 4]).await.unwrap(), 4);
            one_reader
        });
        let writer = spawn(async move {
            write_all(&mut one_writer, &[7; 100]).await.unwrap();
            one_writer
        });
        yield_now().await;
        peer.write(b"tick").await.unwrap();
        let one_reader = timeout(NEVER, reader).await.unwrap().unwrap();
        let mut got = 0;
        while got < 100 {
            got += peer.read(&mut [0; 64]).await.unwrap();
        }
        let one_writer = timeout(NEVER, writer).await.unwrap().unwrap();
        let mut one = one_reader.reunite(one_writer).unwrap();
        one.write(b"whole").await.unwrap();
        assert_eq!(peer.read(&mut [0; 8]).await.unwrap(), 5);
        drop(io::split(one));
        assert_eq!(peer.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

/// Copies between sluggish ends; `step` is how much a reader takes at a time.
async fn relay(sent: Vec<u8>, capacity: usize, step: usize, is_buffered: bool) -> (u64, Vec<u8>) {
    let (mut source, mut inlet) = io::simplex(capacity);
    let (mut sink, mut outlet) = io::simplex(capacity);
    let writer = spawn(async move { write_all(&mut inlet, &sent).await });
    let reader = spawn(async move {
        let (mut all, mut buf) = (Vec::new(), vec![0; step]);
        loop {
            sleep(Duration::from_millis(1)).await;
            match sink.read(&mut buf).await.unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buf[..count]),
            }
        }
    });
    let moved = if is_buffered {
        let bytes = read_to_end(&mut source, 64).await;
        io::copy_buf(&mut &bytes[..], &mut outlet).await.unwrap()
    } else {
        io::copy(&mut source, &mut outlet).await.unwrap()
    };
    drop(outlet);
    writer.await.unwrap().unwrap();
    (moved, reader.await.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn hz_i05_a_copy_moves_every_byte_once_whatever_the_sizes(
        len in 0..40_000usize, capacity in 1..9000usize, step in 100..9000usize, is_buffered: bool,
    ) {
        let sent = pattern(len);
        let capacity = capacity.max(len / 64);
        let (moved, got) = sim(relay(sent.clone(), capacity, step, is_buffered));
        prop_assert_eq!(moved, len as u64);
        prop_assert!(got == sent);
    }
}

/// A stream that notes what it is asked, and gives what it is told to.
#[derive(Default)]
struct Told {
    reads: RefCell<Vec<Poll<std_io::Result<Vec<u8>>>>>,
    took: RefCell<Vec<u8>>,
    flushes: Cell<u32>,
    closes: Cell<u32>,
    write_error: Cell<Option<ErrorKind>>,
    is_full: bool,
}

impl AsyncRead for Told {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<std_io::Result<usize>> {
        let next = self.reads.borrow_mut().pop();
        next.unwrap_or(Poll::Ready(Ok(Vec::new()))).map_ok(|bytes| {
            buf[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        })
    }
}

impl AsyncWrite for Told {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std_io::Result<usize>> {
        if let Some(kind) = self.write_error.get() {
            return Poll::Ready(Err(kind.into()));
        }
        if self.is_full {
            return Poll::Ready(Ok(0));
        }
        self.took.borrow_mut().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std_io::Result<()>> {
        self.flushes.set(self.flushes.get() + 1);
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std_io::Result<()>> {
        self.closes.set(self.closes.get() + 1);
        Poll::Ready(Ok(()))
    }
}

#[test]
fn hz_i05_a_copy_flushes_when_its_reader_has_nothing() {
    sim(async {
        let mut reader = Told::default();
        *reader.reads.get_mut() = vec![Poll::Pending, Poll::Pending, Poll::Ready(Ok(vec![1; 8]))];
        let mut writer = Told::default();
        let mut copy = io::copy(&mut reader, &mut writer);
        let is_pending = poll_fn(|cx| {
            let first = Pin::new(&mut copy).poll(cx).is_pending();
            Poll::Ready(first && Pin::new(&mut copy).poll(cx).is_pending())
        });
        assert!(is_pending.await);
        assert_eq!(copy.moved(), 8);
        assert_eq!(copy.await.unwrap(), 8);
        assert_eq!(
            writer.flushes.get(),
            2,
            "once while it waited, once at the end"
        );
        assert_eq!(writer.closes.get(), 0);
    });
}

#[test]
fn hz_i05_a_copy_ends_with_the_error_of_either_side() {
    sim(async {
        let (mut reader, mut writer) = (Told::default(), Told::default());
        *reader.reads.get_mut() = vec![
            Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
            Poll::Ready(Ok(vec![1; 8])),
        ];
        let mut copy = io::copy(&mut reader, &mut writer);
        let error = (&mut copy).await.unwrap_err();
        assert_eq!(
            (error.kind(), copy.moved()),
            (ErrorKind::ConnectionReset, 8)
        );

        writer.write_error.set(Some(ErrorKind::StorageFull));
        let error = io::copy(&mut &b"tick"[..], &mut writer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let error = io::copy_buf(&mut &b"tick"[..], &mut writer)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);

        let mut full = Told {
            is_full: true,
            ..Told::default()
        };
        let error = io::copy(&mut &b"tick"[..], &mut full).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    });
}

#[test]
fn a_copy_from_a_buffer_that_is_dropped_has_lost_nothing() {
    sim(async {
        let sent = pattern(1000);
        let mut rest = &sent[..];
        let (mut sink, mut outlet) = io::simplex(7);
        let mut got = Vec::new();
        while !rest.is_empty() {
            let copy = timeout(
                Duration::from_nanos(1),
                io::copy_buf(&mut rest, &mut outlet),
            );
            let _cut_off = copy.await;
            let mut buf = [0; 5];
            let count = sink.read(&mut buf).await.unwrap();
            got.extend_from_slice(&buf[..count]);
        }
        drop(outlet);
        got.extend(read_to_end(&mut sink, 64).await);
        assert!(got == sent);
    });
}

#[test]
fn an_endless_copy_in_memory_lets_others_run() {
    struct Endless;
    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<std_io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
    }
    sim(async {
        let copy = spawn(async {
            let mut sink = Told::default();
            io::copy(&mut Endless, &mut sink).await
        });
        yield_now().await;
        yield_now().await;
        assert!(!copy.is_finished());
        copy.abort();
    });
}

fn bidirectional() -> (
    DuplexStream,
    DuplexStream,
    mainspring::JoinHandle<(u64, u64)>,
) {
    let (client, mut front) = io::duplex(16);
    let (mut back, server) = io::duplex(16);
    let copy = spawn(async move { io::copy_bidirectional(&mut front, &mut back).await.unwrap() });
    (client, server, copy)
}

#[test]
fn hz_i05_a_bidirectional_copy_passes_each_half_close_on() {
    sim(async {
        let (mut client, mut server, copy) = bidirectional();
        write_all(&mut client, b"request").await.unwrap();
        close(&mut client).await.unwrap();
        assert_eq!(
            read_to_end(&mut server, 64).await,
            b"request",
            "the end came through"
        );
        let answer = pattern(5000);
        let sender = spawn(async move {
            write_all(&mut server, &answer).await.unwrap();
            server
        });
        let mut got = Vec::new();
        let mut buf = [0; 9];
        while got.len() < 5000 {
            sleep(Duration::from_millis(1)).await;
            let count = client.read(&mut buf).await.unwrap();
            got.extend_from_slice(&buf[..count]);
        }
        assert!(got == pattern(5000), "the other way went on");
        assert!(!copy.is_finished());
        drop(sender.await.unwrap());
        assert_eq!(client.read(&mut buf).await.unwrap(), 0);
        assert_eq!(timeout(NEVER, copy).await.unwrap().unwrap(), (7, 5000));
    });
}

#[test]
fn hz_i05_a_bidirectional_copy_ends_with_an_error_of_either_side_and_keeps_its_counts() {
    sim(async {
        for is_a in [true, false] {
            let (mut broken, mut peer) = (Told::default(), io::duplex(16));
            *broken.reads.get_mut() = vec![
                Poll::Ready(Err(ErrorKind::ConnectionReset.into())),
                Poll::Ready(Ok(vec![1; 8])),
            ];
            let (error, moved) = if is_a {
                let mut copy = io::copy_bidirectional(&mut broken, &mut peer.0);
                ((&mut copy).await, copy.moved())
            } else {
                let mut copy = io::copy_bidirectional(&mut peer.0, &mut broken);
                ((&mut copy).await, copy.moved())
            };
            assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(moved, if is_a { (8, 0) } else { (0, 8) });
        }
    });
}

/// One way that never runs dry must not starve the other.
#[test]
fn the_two_ways_of_a_bidirectional_copy_take_turns() {
    struct Flood(Rc<Cell<u64>>);
    impl AsyncRead for Flood {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<std_io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }
    }
    impl AsyncWrite for Flood {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<std_io::Result<usize>> {
            self.0.set(self.0.get() + buf.len() as u64);
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std_io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std_io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
    sim(async {
        let counts = [(); 2].map(|()| Rc::new(Cell::new(0)));
        let (mut a, mut b) = (Flood(Rc::clone(&counts[0])), Flood(Rc::clone(&counts[1])));
        let copy = spawn(async move { io::copy_bidirectional(&mut a, &mut b).await });
        for _ in 0..6 {
            yield_now().await;
        }
        copy.abort();
        assert!(counts.iter().all(|count| count.get() > 0), "{counts:?}");
    });
}

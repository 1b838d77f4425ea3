//! Streams in two halves: in two tasks, dropped in either order, put together rightly and wrongly.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::rc::Rc;

use mainspring::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReuniteError};
use mainspring::net::{OwnedReadHalf, OwnedWriteHalf, StreamSocket, TcpStream, UnixStream};
use mainspring::spawn;
use mainspring::time::timeout;

use crate::rig::{On, both, pattern, std_tcp_pair, std_unix_pair, tcp_pair, turns};
use crate::{MIB, NEVER};

on_both! {
    hz_i03_halves_in_two_tasks_carry_both_ways_at_once,
    hz_i03_dropping_the_writing_half_ends_the_stream_for_the_peer,
    hz_i03_dropping_the_reading_half_leaves_the_writing_one,
    hz_i03_halves_reunite_and_strangers_come_back,
    hz_i03_halves_are_dropped_while_the_other_waits,
    borrowed_halves_say_nothing_when_they_go,
    halves_are_streams_by_the_traits,
}

async fn send<S: StreamSocket>(half: OwnedWriteHalf<S>, bytes: Rc<Vec<u8>>) -> OwnedWriteHalf<S> {
    half.write_all(&bytes).await.unwrap();
    half
}

async fn receive<S: StreamSocket>(
    half: OwnedReadHalf<S>,
    len: usize,
) -> (OwnedReadHalf<S>, Vec<u8>) {
    let (mut all, mut buf) = (Vec::new(), vec![0; 4096]);
    while all.len() < len {
        let count = half.read(&mut buf).await.unwrap();
        assert_ne!(count, 0, "the end, too early");
        all.extend_from_slice(&buf[..count]);
    }
    (half, all)
}

fn hz_i03_halves_in_two_tasks_carry_both_ways_at_once(on: On) {
    async fn exchange<S: StreamSocket + 'static>(
        near: (OwnedReadHalf<S>, OwnedWriteHalf<S>),
        far: (OwnedReadHalf<S>, OwnedWriteHalf<S>),
    ) {
        let bytes = Rc::new(pattern(MIB));
        let writers = [near.1, far.1].map(|half| spawn(send(half, Rc::clone(&bytes))));
        let readers = [near.0, far.0].map(|half| spawn(receive(half, MIB)));
        for (writer, reader) in writers.into_iter().zip(readers) {
            let write_half = writer.await.unwrap();
            let (read_half, got) = reader.await.unwrap();
            assert!(got == *bytes);
            assert!(read_half.is_half_of(&write_half));
            assert!(read_half.reunite(write_half).is_ok());
        }
    }
    on.run(async {
        let (near, far) = tcp_pair().await;
        exchange(near.into_split(), far.into_split()).await;
        let (near, far) = UnixStream::pair().unwrap();
        exchange(near.into_split(), far.into_split()).await;
    });
}

fn hz_i03_dropping_the_writing_half_ends_the_stream_for_the_peer(on: On) {
    on.run(async {
        let (near, mut far) = std_tcp_pair();
        let (read_half, write_half) = near.into_split();
        write_half.write_all(b"last").await.unwrap();
        drop(write_half);
        let mut got = Vec::new();
        far.read_to_end(&mut got).unwrap();
        assert_eq!(got, b"last");
        // The peer can still answer.
        far.write_all(b"bye").unwrap();
        assert_eq!(read_half.read(&mut [0; 8]).await.unwrap(), 3);
        // Forgotten, it says nothing, and the stream ends with its second half.
        let (near, far) = UnixStream::pair().unwrap();
        let (read_half, write_half) = near.into_split();
        write_half.forget();
        assert_eq!(
            far.try_read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop(read_half);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

fn hz_i03_dropping_the_reading_half_leaves_the_writing_one(on: On) {
    on.run(async {
        let (near, mut far) = std_unix_pair();
        let (read_half, write_half) = near.into_split();
        drop(read_half);
        far.write_all(b"nobody reads this").unwrap();
        write_half.write_all(b"still").await.unwrap();
        far.read_exact(&mut [0; 5]).unwrap();
        drop(write_half);
        // Closed with input that nobody read: a reset, or an end.
        match far.read(&mut [0; 8]) {
            Ok(count) => assert_eq!(count, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    });
}

fn hz_i03_halves_reunite_and_strangers_come_back(on: On) {
    on.run(async {
        let (one, other) = tcp_pair().await;
        let addr = one.local_addr().unwrap();
        let (one_reader, one_writer) = one.into_split();
        let (other_reader, other_writer) = other.into_split();
        let error = one_reader.reunite(other_writer).unwrap_err();
        let text = format!("{error}; {error:?}");
        assert_eq!(text, "these halves are not of one stream; ReuniteError(..)");
        let ReuniteError(one_reader, other_writer) = error;
        // Nothing was closed on the way.
        one_writer.write_all(b"tick").await.unwrap();
        assert_eq!(other_reader.read(&mut [0; 8]).await.unwrap(), 4);
        let one: TcpStream = one_reader.reunite(one_writer).unwrap();
        assert_eq!(one.local_addr().unwrap(), addr);
        let other = other_reader.reunite(other_writer).unwrap();
        other.write_all(b"tock").await.unwrap();
        assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 4);
        one.write_all(b"whole").await.unwrap();
        assert_eq!(other.read(&mut [0; 8]).await.unwrap(), 5);
    });
}

fn hz_i03_halves_are_dropped_while_the_other_waits(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        let (read_half, write_half) = near.into_split();
        let reader = spawn(async move { read_half.read(&mut [0; 8]).await });
        turns(2).await;
        drop(write_half);
        turns(2).await;
        assert!(
            !reader.is_finished(),
            "our reader waits for the peer's end, not for ours"
        );
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        far.shutdown(Shutdown::Write).unwrap();
        let read = timeout(NEVER, reader).await.expect("no reader hangs");
        assert_eq!(read.unwrap().unwrap(), 0);

        let (near, far) = UnixStream::pair().unwrap();
        let (read_half, write_half) = near.into_split();
        let writer = spawn(async move { write_half.write_all(&pattern(4 * MIB)).await });
        turns(2).await;
        drop(read_half);
        turns(2).await;
        assert!(!writer.is_finished());
        far.shutdown(Shutdown::Both).unwrap();
        let written = timeout(NEVER, writer).await.expect("no writer hangs");
        assert_eq!(written.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

fn borrowed_halves_say_nothing_when_they_go(on: On) {
    on.run(async {
        let (mut near, far) = tcp_pair().await;
        let (read_half, write_half) = near.split();
        let mut buf = [0; 8];
        let echo = async {
            let mut buf = [0; 8];
            let count = far.read(&mut buf).await.unwrap();
            far.write_all(&buf[..count]).await.unwrap();
        };
        let exchange = both(read_half.read(&mut buf), write_half.write_all(b"tick"));
        let ((read, written), ()) = both(exchange, echo).await;
        assert_eq!((read.unwrap(), written.unwrap()), (4, ()));
        assert_eq!(
            read_half.stream().peer_addr().unwrap(),
            far.local_addr().unwrap()
        );
        near.write_all(b"more").await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 4);
    });
}

fn halves_are_streams_by_the_traits(on: On) {
    async fn talk(mut from: impl AsyncWrite + Unpin, mut to: impl AsyncRead + Unpin) {
        assert_eq!(from.write(b"tick").await.unwrap(), 4);
        assert_eq!(to.read(&mut [0; 8]).await.unwrap(), 4);
    }
    on.run(async {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        talk(near.split().1, far.split().0).await;
        let ((near_reader, near_writer), (far_reader, far_writer)) =
            (near.into_split(), far.into_split());
        talk(near_writer, far_reader).await;
        talk(far_writer, near_reader).await;
    });
}

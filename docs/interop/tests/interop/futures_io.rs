//! futures-io and mainspring, either one over the other.

use std::io::{IoSlice, IoSliceMut, SeekFrom};
use std::pin::pin;

use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use futures_util::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, Cursor};
use mainspring::io::AsyncReadExt as Ours;
use mainspring::net::UnixStream;
use mainspring_interop::futures_io::{FromFutures, ToFutures};

use crate::rig::{BIG, Trickle, pattern, run, tcp_pair};

#[test]
fn what_futures_copies_over_our_sockets_arrives_whole() {
    run(async {
        let (near, far) = tcp_pair().await;
        let echo = mainspring::spawn(async move {
            let (reader, mut writer) = ToFutures(far).split();
            let count = futures_util::io::copy(reader, &mut writer).await?;
            writer.close().await?;
            std::io::Result::Ok(count)
        });
        let (mut reader, mut writer) = ToFutures(near).split();
        let sent = pattern(BIG);
        let mut received = Vec::new();
        let (written, read) = mainspring::join!(
            async {
                writer.write_all(&sent).await?;
                writer.close().await
            },
            reader.read_to_end(&mut received)
        );
        written.unwrap();
        read.unwrap();
        assert!(received == sent);
        assert_eq!(echo.await.unwrap().unwrap(), BIG as u64);
    });
}

#[test]
fn what_we_copy_over_their_streams_arrives_whole_however_little_moves() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let sent = pattern(100_000);
        let writing = mainspring::spawn({
            let sent = sent.clone();
            async move {
                // There and back again: ours, as theirs, as ours.
                let mut stream = FromFutures(ToFutures(Trickle::new(near, 7)));
                mainspring::io::AsyncWriteExt::write_all(&mut stream, &sent).await?;
                mainspring::io::AsyncWriteExt::close(&mut stream).await
            }
        });
        let mut reader = FromFutures(ToFutures(Trickle::new(far, 5)));
        let mut received = Vec::new();
        Ours::read_to_end(&mut reader, &mut received).await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(received == sent);
    });
}

#[test]
fn lines_of_either_come_through_the_other() {
    run(async {
        let theirs = futures_util::io::BufReader::new(ToFutures(&b"tick\ntock\n"[..]));
        let lines: Vec<_> = theirs.lines().map(Result::unwrap).collect().await;
        assert_eq!(lines, ["tick", "tock"]);

        // Their buffered reader is one of ours, and shows what it has.
        let theirs = futures_util::io::BufReader::new(Cursor::new(b"tick\ntock"));
        let mut lines = mainspring::io::AsyncBufReadExt::lines(FromFutures(theirs));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tick"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tock"));
        assert_eq!(lines.next_line().await.unwrap(), None);

        // And ours one of theirs.
        let ours = mainspring::io::BufReader::new(&b"tick tock"[..]);
        let mut word = Vec::new();
        let mut ours = ToFutures(ours);
        futures_util::io::AsyncBufReadExt::read_until(&mut ours, b' ', &mut word)
            .await
            .unwrap();
        assert_eq!(word, b"tick ");
    });
}

#[test]
fn a_seek_goes_through() {
    run(async {
        let mut stream = FromFutures(Cursor::new(b"tick-tock".to_vec()));
        let place = mainspring::io::AsyncSeekExt::seek(&mut stream, SeekFrom::Start(5));
        assert_eq!(place.await.unwrap(), 5);
        let mut rest = String::new();
        Ours::read_to_string(&mut stream, &mut rest).await.unwrap();
        assert_eq!(rest, "tock");
    });
}

#[test]
fn several_buffers_go_with_one_call() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = (ToFutures(near), FromFutures(ToFutures(far)));
        let parts = [&b"tick"[..], b"-", b"tock"].map(IoSlice::new);
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 9);
        let (mut head, mut tail) = ([0; 5], [0; 9]);
        let mut bufs = [IoSliceMut::new(&mut head), IoSliceMut::new(&mut tail)];
        let read = Ours::read_vectored(&mut far, &mut bufs);
        assert_eq!(read.await.unwrap(), 9);
        assert_eq!((&head, &tail[..4]), (b"tick-", &b"tock"[..]));
    });
}

#[test]
fn a_dropped_read_takes_nothing_and_the_next_is_woken() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut near = ToFutures(near);
        let mut buf = [0; 8];
        for _ in 0..3 {
            let read = pin!(near.read(&mut buf));
            assert!(poll_immediate(read).await.is_none());
        }
        let writing = mainspring::spawn(async move { far.write_all(b"tick").await });
        assert_eq!(near.read(&mut buf).await.unwrap(), 4);
        writing.await.unwrap().unwrap();
    });
}

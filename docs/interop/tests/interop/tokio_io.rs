//! tokio's traits and mainspring's, either one over the other, and no runtime of tokio's anywhere.

use std::io::IoSlice;
use std::pin::pin;

use futures_util::future::poll_immediate;
use mainspring::io::{AsyncReadExt as Ours, AsyncWriteExt as OursToo};
use mainspring::net::UnixStream;
use mainspring_interop::tokio_io::{FromTokio, ToTokio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::rig::{BIG, Trickle, pattern, run, tcp_pair};

#[test]
fn what_tokio_copies_over_our_sockets_arrives_whole() {
    run(async {
        let (near, far) = tcp_pair().await;
        let echo = mainspring::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(ToTokio::new(far));
            let count = tokio::io::copy(&mut reader, &mut writer).await?;
            writer.shutdown().await?;
            std::io::Result::Ok(count)
        });
        let (mut reader, mut writer) = tokio::io::split(ToTokio::new(near));
        let sent = pattern(BIG);
        let writing = mainspring::spawn({
            let sent = sent.clone();
            async move {
                writer.write_all(&sent).await?;
                writer.shutdown().await
            }
        });
        let mut received = Vec::new();
        reader.read_to_end(&mut received).await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(received == sent);
        assert_eq!(echo.await.unwrap().unwrap(), BIG as u64);
    });
}

#[test]
fn what_we_copy_over_their_streams_arrives_whole_however_little_moves() {
    run(async {
        let (near, far) = tokio::io::duplex(100);
        let sent = pattern(100_000);
        let writing = mainspring::spawn({
            let sent = sent.clone();
            async move {
                let mut stream = Trickle::new(FromTokio(near), 13);
                OursToo::write_all(&mut stream, &sent).await?;
                OursToo::close(&mut stream).await
            }
        });
        // There and back again: theirs, as ours, as theirs, as ours.
        let mut reader = FromTokio(ToTokio::new(Trickle::new(FromTokio(far), 11)));
        let mut received = Vec::new();
        Ours::read_to_end(&mut reader, &mut received).await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(received == sent);
    });
}

#[test]
fn a_read_into_memory_that_is_not_initialised_fills_what_came_and_no_more() {
    run(async {
        let mut reader = ToTokio::new(&b"tick-tock"[..]);
        let mut buf = Vec::with_capacity(5);
        assert_eq!(reader.read_buf(&mut buf).await.unwrap(), 5);
        assert_eq!(buf, b"tick-");
        buf.reserve(100);
        assert_eq!(reader.read_buf(&mut buf).await.unwrap(), 4);
        assert_eq!(buf, b"tick-tock");
    });
}

#[test]
fn lines_of_either_come_through_the_other() {
    run(async {
        let ours = mainspring::io::BufReader::new(&b"tick\ntock\n"[..]);
        let mut lines = ToTokio::new(ours).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tick"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tock"));
        assert_eq!(lines.next_line().await.unwrap(), None);

        let theirs = FromTokio(tokio::io::BufReader::new(&b"tick\ntock"[..]));
        let mut lines = mainspring::io::AsyncBufReadExt::lines(theirs);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tick"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("tock"));
        assert_eq!(lines.next_line().await.unwrap(), None);
    });
}

#[test]
fn several_buffers_go_with_one_call_where_the_stream_can() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        assert!(!ToTokio::gathered(&near).is_write_vectored());
        let mut near = ToTokio::new(near);
        assert!(near.is_write_vectored());
        let parts = [&b"tick"[..], b"-", b"tock"].map(IoSlice::new);
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 9);
        let mut buf = [0; 16];
        assert_eq!(far.read(&mut buf).await.unwrap(), 9);
        assert_eq!(&buf[..9], b"tick-tock");
    });
}

#[test]
fn a_dropped_read_takes_nothing_and_the_next_is_woken() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut near = ToTokio::new(near);
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

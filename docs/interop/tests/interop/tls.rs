//! TLS over our streams: bytes go both ways at once, in any pieces, and nobody's waker is lost.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::poll_immediate;
use mainspring::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, duplex, split,
};
use mainspring::net::UnixStream;
use mainspring_interop::certificate::Certificate;
use mainspring_interop::tls::{self, TlsStream};
use rustls::{ClientConfig, ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};

use crate::rig::{BIG, Trickle, pattern, run, tcp_pair};

/// What both sides need.
pub(crate) fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let certificate = Certificate::new().unwrap();
    (
        certificate.client().unwrap(),
        certificate.server(&[]).unwrap(),
    )
}

/// Both ends after the handshake.
pub(crate) async fn tls_pair<S, T>(
    near: S,
    far: T,
    (client, server): (Arc<ClientConfig>, Arc<ServerConfig>),
) -> (TlsStream<S>, TlsStream<T>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let name = "localhost".try_into().unwrap();
    let accepted = mainspring::spawn(tls::accept(far, server));
    let near = tls::connect(near, client, name).await.unwrap();
    (near, accepted.await.unwrap().unwrap())
}

/// Sends `bytes` both ways at once, each end with a task that reads and a task that writes.
async fn cross<S, T>(near: TlsStream<S>, far: TlsStream<T>, bytes: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    macro_rules! start {
        ($stream:ident) => {
            let (mut reader, mut writer) = split($stream);
            let bytes = bytes.to_vec();
            writers.push(mainspring::spawn(async move {
                writer.write_all(&bytes).await?;
                writer.close().await
            }));
            readers.push(mainspring::spawn(async move {
                let mut received = Vec::new();
                reader.read_to_end(&mut received).await?;
                io::Result::Ok(received)
            }));
        };
    }
    start!(near);
    start!(far);
    for reader in readers {
        assert!(reader.await.unwrap().unwrap() == bytes);
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
}

#[test]
fn p52_big_streams_cross_over_tcp() {
    run(async {
        let (near, far) = tcp_pair().await;
        let (near, far) = tls_pair(near, far, configs()).await;
        cross(near, far, &pattern(BIG)).await;
    });
}

// The pipe holds less than a record, so every record waits several times, and so does the handshake.
#[test]
fn p52_streams_cross_a_pipe_that_is_shorter_than_a_record() {
    run(async {
        let (near, far) = duplex(100);
        let (near, far) = tls_pair(near, far, configs()).await;
        cross(near, far, &pattern(300_000)).await;
    });
}

#[test]
fn p52_streams_cross_however_little_moves_at_a_time() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (near, far) = (Trickle::new(near, 1), Trickle::new(far, 7));
        let (near, far) = tls_pair(near, far, configs()).await;
        cross(near, far, &pattern(20_000)).await;
    });
}

fn only(version: &'static SupportedProtocolVersion) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let certificate = Certificate::new().unwrap();
    // The client says which version there is.
    let client = certificate.client_of(&[version]).unwrap();
    (client, certificate.server(&[]).unwrap())
}

#[test]
fn both_versions_work() {
    run(async {
        for (version, number) in [
            (&version::TLS12, ProtocolVersion::TLSv1_2),
            (&version::TLS13, ProtocolVersion::TLSv1_3),
        ] {
            let (near, far) = UnixStream::pair().unwrap();
            let (near, far) = tls_pair(near, far, only(version)).await;
            assert_eq!(near.session().protocol_version(), Some(number));
            cross(near, far, &pattern(100_000)).await;
        }
    });
}

// The writer's buffers are full and it waits; meanwhile the other half of the same stream reads.
#[test]
fn p52_a_reader_does_not_take_the_writer_s_wake_up_away() {
    run(async {
        let (near, far) = duplex(1000);
        let (near, mut far) = tls_pair(near, far, configs()).await;
        let (mut reader, mut writer) = split(near);
        let sent = pattern(400_000);
        let writing = mainspring::spawn({
            let sent = sent.clone();
            async move {
                writer.write_all(&sent).await?;
                writer.flush().await
            }
        });
        mainspring::yield_now().await;
        // It looks, finds nothing, and is gone: its waker must not be the one that the pipe knows.
        let mut buf = [0; 4];
        for _ in 0..3 {
            let read = pin!(reader.read(&mut buf));
            assert!(poll_immediate(read).await.is_none());
        }
        let mut received = vec![0; sent.len()];
        far.read_exact(&mut received).await.unwrap();
        writing.await.unwrap().unwrap();
        assert!(received == sent);
    });
}

#[test]
fn a_dropped_read_loses_nothing_also_within_a_record() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (mut near, mut far) = tls_pair(Trickle::new(near, 5), far, configs()).await;
        far.write_all(b"tick-tock").await.unwrap();
        far.flush().await.unwrap();
        let mut buf = [0; 16];
        // The record is longer than what one of these reads takes in.
        let mut dropped = 0;
        let count = loop {
            let read = pin!(near.read(&mut buf));
            if let Some(result) = poll_immediate(read).await {
                break result.unwrap();
            }
            dropped += 1;
            // What has come since is for the selector to find.
            mainspring::yield_now().await;
        };
        assert!(dropped >= 3, "{dropped}");
        assert_eq!(&buf[..count], b"tick-tock");
    });
}

#[test]
fn what_is_written_without_a_flush_goes_with_the_next_read() {
    run(async {
        let (near, far) = duplex(64);
        let (mut near, mut far) = tls_pair(near, far, configs()).await;
        // Accepted by the session, too long for the pipe, and nobody flushes.
        let question = pattern(5000);
        assert_eq!(near.write(&question).await.unwrap(), 5000);
        let answered = mainspring::spawn(async move {
            let mut question = vec![0; 5000];
            far.read_exact(&mut question).await?;
            far.write_all(b"tock").await?;
            far.flush().await?;
            io::Result::Ok((far, question))
        });
        let mut answer = [0; 4];
        near.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"tock");
        assert!(answered.await.unwrap().unwrap().1 == question);
    });
}

#[test]
fn p52_a_connection_becomes_tls_on_its_way() {
    run(async {
        let (near, far) = tcp_pair().await;
        let (client, server) = configs();
        let served = mainspring::spawn(async move {
            let mut reader = BufReader::new(far);
            let mut line = String::new();
            reader.read_line(&mut line).await?;
            assert_eq!(line, "STARTTLS\n");
            reader.get_mut().write_all(b"220 go ahead\n").await?;
            let stream = tls::end_plain_text(reader)?;
            let mut stream = tls::accept(stream, server).await?;
            let mut secret = String::new();
            stream.read_to_string(&mut secret).await?;
            io::Result::Ok(secret)
        });
        near.write_all(b"STARTTLS\n").await.unwrap();
        let mut reader = BufReader::new(near);
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        assert_eq!(line, "220 go ahead\n");
        let stream = tls::end_plain_text(reader).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut stream = tls::connect(stream, client, name).await.unwrap();
        stream.write_all(b"secret").await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(served.await.unwrap().unwrap(), "secret");
    });
}

#[test]
fn p52_plain_text_behind_the_command_is_refused() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        // What a man in the middle may add.
        near.write_all(b"STARTTLS\nMAIL FROM:<mallory>\n")
            .await
            .unwrap();
        let mut reader = BufReader::new(far);
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        let error = tls::end_plain_text(reader).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    });
}

//! How a TLS connection ends, and how it fails: `close_notify`, half-closes, cut connections, refused handshakes.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::rc::Rc;

use mainspring::io::{AsyncReadExt, AsyncWriteExt};
use mainspring::net::{TcpStream, UnixStream};
use mainspring_interop::certificate::Certificate;
use mainspring_interop::tls::{self, TlsStream};

use crate::rig::{BIG, pattern, run, tcp_pair};
use crate::tls::{configs, tls_pair};

async fn over_tcp() -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (near, far) = tcp_pair().await;
    tls_pair(near, far, configs()).await
}

#[test]
fn p52_an_end_without_close_notify_is_an_error_and_what_came_before_is_read() {
    run(async {
        let (mut near, mut far) = over_tcp().await;
        near.write_all(b"tick").await.unwrap();
        near.flush().await.unwrap();
        near.stream().shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        let error = far.read_to_end(&mut received).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(received, b"tick");
        // And it stays one.
        let error = far.read(&mut [0; 4]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn p52_close_notify_is_an_end_and_stays_one() {
    run(async {
        let (mut near, mut far) = over_tcp().await;
        near.write_all(b"tick").await.unwrap();
        near.close().await.unwrap();
        let mut received = Vec::new();
        far.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"tick");
        assert_eq!(far.read(&mut [0; 4]).await.unwrap(), 0);
        // Again it changes nothing.
        near.close().await.unwrap();
    });
}

#[test]
fn p52_after_our_close_the_peer_may_go_on() {
    run(async {
        let (mut near, mut far) = over_tcp().await;
        near.close().await.unwrap();
        let error = near.write(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let sent = pattern(BIG);
        let answering = mainspring::spawn({
            let sent = sent.clone();
            async move {
                assert_eq!(far.read(&mut [0; 4]).await?, 0);
                far.write_all(&sent).await?;
                far.close().await
            }
        });
        let mut received = Vec::new();
        near.read_to_end(&mut received).await.unwrap();
        assert!(received == sent);
        answering.await.unwrap().unwrap();
    });
}

#[test]
fn a_certificate_that_nobody_trusts_fails_on_both_sides() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (_, server) = configs();
        let (client, _) = configs();
        let accepted = mainspring::spawn(tls::accept(far, server));
        let name = "localhost".try_into().unwrap();
        let error = tls::connect(near, client, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        // The alert came: the server knows why.
        let error = accepted.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("alert"), "{error}");
    });
}

#[test]
fn another_name_than_the_certificate_s_fails() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (client, server) = configs();
        drop(mainspring::spawn(tls::accept(far, server)));
        let name = "elsewhere.invalid".try_into().unwrap();
        let error = tls::connect(near, client, name).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    });
}

#[test]
fn plain_text_to_a_tls_server_is_refused_with_an_alert() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let server = Certificate::new().unwrap().server(&[]).unwrap();
        let accepted = mainspring::spawn(tls::accept(far, server));
        near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let error = accepted.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let mut answer = Vec::new();
        let mut near = near;
        near.read_to_end(&mut answer).await.unwrap();
        // An alert record: content type 21, and two bytes of alert, the first of which says fatal.
        assert_eq!((answer[0], answer.len(), answer[5]), (21, 7, 2));
    });
}

#[test]
fn a_peer_that_goes_during_the_handshake_is_an_error() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (client, _) = configs();
        drop(far);
        let name = "localhost".try_into().unwrap();
        let error = tls::connect(near, client, name).await.unwrap_err();
        assert!(
            [ErrorKind::UnexpectedEof, ErrorKind::BrokenPipe].contains(&error.kind()),
            "{error}"
        );
    });
}

#[test]
fn a_handshake_that_is_dropped_closes_its_stream() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let (_, server) = configs();
        let accepting = mainspring::spawn(tls::accept(far, server));
        mainspring::yield_now().await;
        accepting.abort();
        let mut near = near;
        let mut received = Vec::new();
        near.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"");
    });
}

#[test]
fn bytes_that_were_changed_on_the_way_are_an_error() {
    run(async {
        let (near, relay_near) = UnixStream::pair().unwrap();
        let (far, relay_far) = UnixStream::pair().unwrap();
        let is_wrong = Rc::new(Cell::new(false));
        // There as it is, or with a bit turned; back as it is.
        let (from_near, mut to_near) = relay_near.into_split();
        let (mut from_far, to_far) = relay_far.into_split();
        let turn = Rc::clone(&is_wrong);
        drop(mainspring::spawn(async move {
            let mut buf = [0; 4096];
            loop {
                let count = from_near.read(&mut buf).await?;
                if count == 0 {
                    return io::Result::Ok(());
                }
                if turn.get() {
                    buf[count - 1] ^= 1;
                }
                to_far.write_all(&buf[..count]).await?;
            }
        }));
        drop(mainspring::spawn(async move {
            mainspring::io::copy(&mut from_far, &mut to_near).await
        }));
        let (mut near, mut far) = tls_pair(near, far, configs()).await;
        near.write_all(b"tick").await.unwrap();
        near.flush().await.unwrap();
        let mut buf = [0; 4];
        far.read_exact(&mut buf).await.unwrap();
        is_wrong.set(true);
        near.write_all(b"tock").await.unwrap();
        near.flush().await.unwrap();
        let error = far.read(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        // The alert goes back, and the sender learns of it where it reads.
        let error = near.read(&mut buf).await.unwrap_err();
        assert!(error.to_string().contains("alert"), "{error}");
    });
}

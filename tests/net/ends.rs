//! How connections end: half-closed, closed twice, reset, with something unread, while somebody waits.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{CloseEnd, TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::spawn;
use mainspring::time::{sleep, timeout};

use crate::rig::{
    On, both, listener, pattern, read_to_end, refused, reset_on_close, small_buffers, std_tcp_pair,
    std_unix_pair, tcp_pair, turns,
};
use crate::{MIB, NEVER};

on_both! {
    hz_d05_after_the_peer_s_end_a_mebibyte_is_still_written,
    hz_d05_a_stream_is_shut_down_twice_and_by_close_as_well,
    hz_d05_shutting_down_delivers_what_is_unsent,
    hz_d05_after_a_reset_closing_our_side_changes_nothing,
    hz_d06_a_graceful_close_lets_the_last_answer_arrive,
    hz_d06_a_graceful_close_has_a_limit_of_bytes_and_of_time,
    hz_d06_a_dropped_stream_with_unread_input_is_reset,
    hz_d07_a_vectored_write_to_a_closed_peer_is_an_error_and_no_signal,
    hz_d12_a_byte_out_of_band_disturbs_nobody,
    hz_d17_both_halves_in_two_tasks_learn_of_a_reset,
    hz_d18_readers_writers_and_polls_side_by_side_all_finish,
    hz_d19_a_listener_that_goes_ends_nobody_s_wait_silently,
}

fn hz_d05_after_the_peer_s_end_a_mebibyte_is_still_written(on: On) {
    on.run(async {
        let (near, mut far) = std_unix_pair();
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        near.write_all(&pattern(MIB)).await.unwrap();
        assert_eq!(
            near.read(&mut [0; 8]).await.unwrap(),
            0,
            "and the end stays"
        );
        drop(near);
        assert!(reader.join().unwrap() == pattern(MIB));
    });
}

fn hz_d05_a_stream_is_shut_down_twice_and_by_close_as_well(on: On) {
    use mainspring::io::AsyncWrite as _;
    on.run(async {
        let (near, far) = tcp_pair().await;
        near.shutdown(Shutdown::Write).unwrap();
        if let Err(error) = near.shutdown(Shutdown::Write) {
            // macOS and the BSDs.
            assert_eq!(error.kind(), ErrorKind::NotConnected);
        }
        let mut stream = &near;
        for _ in 0..2 {
            let close = std::future::poll_fn(|cx| std::pin::Pin::new(&mut stream).poll_close(cx));
            close.await.unwrap();
        }
        assert_eq!(
            near.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        far.write_all(b"still").await.unwrap();
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 5);
        let _ = near.shutdown(Shutdown::Both);
        drop(near);
    });
}

fn hz_d05_shutting_down_delivers_what_is_unsent(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        let mut sent = Vec::new();
        for byte in 0_u8..=255 {
            match near.try_write(&[byte; 16 << 10]) {
                Ok(count) => sent.extend(std::iter::repeat_n(byte, count)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        assert!(sent.len() > 64 << 10, "more than the peer takes at once");
        near.shutdown(Shutdown::Write).unwrap();
        drop(near);
        let got = read_to_end(&far, 4096).await;
        assert!(got == sent, "{} of {} bytes arrived", got.len(), sent.len());
    });
}

fn hz_d05_after_a_reset_closing_our_side_changes_nothing(on: On) {
    use mainspring::io::AsyncWrite as _;
    on.run(async {
        let (mut near, far) = tcp_pair().await;
        reset_on_close(&far);
        drop(far);
        let error = near.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(
            near.shutdown(Shutdown::Write).unwrap_err().kind(),
            ErrorKind::NotConnected
        );
        let close = std::future::poll_fn(|cx| std::pin::Pin::new(&mut near).poll_close(cx));
        close.await.expect("there is nothing left to close");
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(
            near.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        let (read_half, write_half) = near.into_split();
        drop(write_half);
        drop(read_half);
    });
}

const REFUSAL: &[u8] = b"413 Content Too Large";

/// A client that sends a body of `len` bytes before it reads the answer.
fn client_with_a_body(mut far: std::net::TcpStream, len: usize) -> std::io::Result<Vec<u8>> {
    far.write_all(&pattern(len))?;
    let mut answer = Vec::new();
    far.read_to_end(&mut answer)?;
    Ok(answer)
}

fn hz_d06_a_graceful_close_lets_the_last_answer_arrive(on: On) {
    on.run(async {
        let (near, far) = std_tcp_pair();
        let client = std::thread::spawn(move || client_with_a_body(far, 8 * MIB));
        near.read(&mut [0; 100]).await.unwrap();
        near.write_all(REFUSAL).await.unwrap();
        let end = near.close_gracefully(16 << 20, NEVER).await.unwrap();
        assert_eq!(end, CloseEnd::PeerClosed);
        assert_eq!(client.join().unwrap().unwrap(), REFUSAL);
    });
}

fn hz_d06_a_graceful_close_has_a_limit_of_bytes_and_of_time(on: On) {
    on.sim(async {
        let (near, mut far) = std_unix_pair();
        far.write_all(&[1; 1000]).unwrap();
        let end = near.close_gracefully(999, NEVER).await.unwrap();
        assert_eq!(end, CloseEnd::TooMuch);
        let (near, mut far) = std_unix_pair();
        far.write_all(&[1; 1000]).unwrap();
        let close = spawn(near.close_gracefully(1000, Duration::from_secs(5)));
        turns(2).await;
        sleep(Duration::from_secs(4)).await;
        assert!(!close.is_finished());
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0, "our side ended at once");
        sleep(Duration::from_secs(2)).await;
        assert!(close.is_finished());
        assert_eq!(close.await.unwrap().unwrap(), CloseEnd::TooLate);
        // A peer that always has something to say meets the limit, too.
        let (near, far) = UnixStream::pair().unwrap();
        let talker = spawn(async move { while far.write_all(&[0; 4096]).await.is_ok() {} });
        let ticker = spawn(async {
            for _ in 0..100 {
                sleep(Duration::from_millis(100)).await;
            }
        });
        let end = near
            .close_gracefully(1 << 20, Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(end, CloseEnd::TooMuch);
        talker.abort();
        ticker.abort();
    });
}

/// Why the graceful close exists: this is what a plain drop does.
fn hz_d06_a_dropped_stream_with_unread_input_is_reset(on: On) {
    on.run(async {
        let (near, mut far) = std_tcp_pair();
        far.write_all(b"unread").unwrap();
        near.readable().await.unwrap();
        near.write_all(REFUSAL).await.unwrap();
        drop(near);
        let read = far.read_to_end(&mut Vec::new());
        // Some systems deliver what stood in front of the reset; Linux does not.
        if cfg!(target_os = "linux") || read.is_err() {
            assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
}

fn hz_d07_a_vectored_write_to_a_closed_peer_is_an_error_and_no_signal(on: On) {
    // Rust's own main ignores SIGPIPE; that no signal is raised, sys/src/socket/tests.rs sees.
    on.run(async {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        let parts = [&b"x"[..], b"y"].map(std::io::IoSlice::new);
        let error = near.write_vectored(&parts).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(
            near.try_write_vectored(&parts).unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

fn hz_d12_a_byte_out_of_band_disturbs_nobody(on: On) {
    on.sim(async {
        let (near, far) = std_tcp_pair();
        let reader = spawn(async move {
            let mut all = Vec::new();
            let mut buf = [0; 64];
            loop {
                match near.read(&mut buf).await.unwrap() {
                    0 => return all,
                    count => all.extend_from_slice(&buf[..count]),
                }
            }
        });
        turns(2).await;
        let _guard = Plan::new().install();
        let send = |bytes: &[u8], flags| rustix::net::send(&far, bytes, flags).unwrap();
        send(b"normal ", rustix::net::SendFlags::empty());
        for _ in 0..3 {
            send(b"!", rustix::net::SendFlags::OOB);
            turns(3).await;
        }
        send(b"and after", rustix::net::SendFlags::empty());
        turns(20).await;
        assert!(
            count_of(Call::Recv) < 40,
            "{} reads: a spin",
            count_of(Call::Recv)
        );
        far.shutdown(Shutdown::Write).unwrap();
        let got = timeout(NEVER, reader)
            .await
            .expect("no reader hangs")
            .unwrap();
        assert_eq!(got, b"normal and after");
    });
}

fn hz_d17_both_halves_in_two_tasks_learn_of_a_reset(on: On) {
    on.run(async {
        let (near, far) = tcp_pair().await;
        small_buffers(&near, 16 << 10);
        reset_on_close(&far);
        let (read_half, write_half) = near.into_split();
        let reader = spawn(async move { read_half.read(&mut [0; 8]).await });
        let writer = spawn(async move { write_half.write_all(&pattern(4 * MIB)).await });
        turns(3).await;
        drop(far);
        let read = reader.await.unwrap();
        let written = writer.await.unwrap().unwrap_err();
        use ErrorKind::{BrokenPipe, ConnectionReset};
        // The cause is told once; the other learns the consequence.
        assert!(matches!(&read, Ok(0)) || read.unwrap_err().kind() == ConnectionReset);
        assert!(
            matches!(written.kind(), BrokenPipe | ConnectionReset),
            "{written}"
        );
    });
}

fn hz_d18_readers_writers_and_polls_side_by_side_all_finish(on: On) {
    on.sim(async {
        let (near, mut far) = std_unix_pair();
        let near = Rc::new(near);
        let mut waits = Vec::new();
        for _ in 0..3 {
            let stream = Rc::clone(&near);
            waits.push(spawn(
                async move { stream.read(&mut [0; 1]).await.unwrap() },
            ));
            let stream = Rc::clone(&near);
            waits.push(spawn(
                async move { stream.peek(&mut [0; 1]).await.unwrap() },
            ));
            let stream = Rc::clone(&near);
            waits.push(spawn(async move {
                stream.readable().await.map(|()| 1).unwrap()
            }));
        }
        let stream = Rc::clone(&near);
        waits.push(spawn(async move {
            let mut stream = &*stream;
            // Through the trait, beside the named futures.
            mainspring::io::AsyncReadExt::read(&mut stream, &mut [0; 1])
                .await
                .unwrap()
        }));
        turns(2).await;
        for _ in 0..4 {
            far.write_all(b"x").unwrap();
            turns(3).await;
        }
        far.write_all(b"xx").unwrap();
        for wait in waits {
            let count = timeout(NEVER, wait).await.expect("nobody hangs").unwrap();
            assert_eq!(count, 1);
        }
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 2);
    });
}

/// `accept` borrows its listener, so nobody can close it under the wait, except through the descriptor.
fn hz_d19_a_listener_that_goes_ends_nobody_s_wait_silently(on: On) {
    on.sim(async {
        // Shut down while an accept waits: the accept ends with an error, where the system allows it.
        let listening = Rc::new(listener());
        let waiting = Rc::clone(&listening);
        let accept = spawn(async move { waiting.accept().await.map(drop) });
        turns(2).await;
        let shut = rustix::net::shutdown(&*listening, rustix::net::Shutdown::Both);
        if shut.is_ok() {
            let ended = timeout(NEVER, accept)
                .await
                .expect("no accept hangs")
                .unwrap();
            assert_eq!(ended.unwrap_err().kind(), ErrorKind::InvalidInput);
            let again = timeout(NEVER, listening.accept())
                .await
                .expect("nor the next");
            assert!(again.is_err());
        }
        // Dropped with the task that waits: the port is free, and clients are refused.
        let listening = listener();
        let addr = listening.local_addr().unwrap();
        let accept = spawn(async move { listening.accept().await.map(drop) });
        turns(2).await;
        accept.abort();
        assert!(accept.await.is_err());
        let error = refused(async || TcpStream::connect(addr).await.map(drop)).await;
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let again = TcpListener::bind(addr).unwrap();
        // A socket that never listened.
        let deaf = rustix::net::socket(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::STREAM,
            None,
        );
        let deaf = TcpListener::from_std(deaf.unwrap().into()).unwrap();
        let error = timeout(NEVER, deaf.accept())
            .await
            .expect("it ends")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let (accepted, client) = both(again.accept(), TcpStream::connect(addr)).await;
        assert!(accepted.is_ok() && client.is_ok());
    });
}

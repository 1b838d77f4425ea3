//! hyper's HTTP/1.1 over mainspring: client and server, services that are not `Send`, upgrades, bodies that are
//! dropped.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use mainspring::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use mainspring::net::UnixStream;
use mainspring::sync::Event;
use mainspring_interop::hyper_rt::{FromHyper, OnThread, ToHyper};

use crate::rig::{BIG, Trickle, pattern, run, tcp_pair};

fn full(bytes: impl Into<Bytes>) -> Full<Bytes> {
    Full::new(bytes.into())
}

/// Serves one connection with what came; the body goes back as it comes.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let builder = server::Builder::new();
    builder
        .serve_connection(ToHyper::new(stream), service)
        .await
}

async fn post<S>(stream: S, body: Vec<u8>) -> Vec<u8>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut sender, connection) = client::handshake(ToHyper::new(stream)).await.unwrap();
    let connection = mainspring::spawn(connection);
    let request = Request::post("/").body(full(body)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let received = response.into_body().collect().await.unwrap().to_bytes();
    drop(sender);
    connection.await.unwrap().unwrap();
    received.to_vec()
}

#[test]
fn a_big_body_comes_back_whole_over_tcp() {
    run(async {
        let (near, far) = tcp_pair().await;
        let served = mainspring::spawn(echo(far));
        let sent = pattern(BIG);
        assert!(post(near, sent.clone()).await == sent);
        served.await.unwrap().unwrap();
    });
}

#[test]
fn a_body_comes_back_whole_however_little_moves_at_a_time() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let served = mainspring::spawn(echo(Trickle::new(far, 3)));
        let sent = pattern(50_000);
        assert!(post(Trickle::new(near, 17), sent.clone()).await == sent);
        served.await.unwrap().unwrap();
    });
}

#[test]
fn a_stream_that_writes_one_buffer_at_a_time_gets_one() {
    run(async {
        let (near, far) = UnixStream::pair().unwrap();
        let served = mainspring::spawn(async move {
            let service = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(full("tick")))
            });
            let stream = ToHyper::gathered(far);
            server::Builder::new()
                .serve_connection(stream, service)
                .await
        });
        near.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut buf = [0; 1024];
        // One read, for head and body were one write.
        let count = near.read(&mut buf).await.unwrap();
        assert!(buf[..count].ends_with(b"\r\n\r\ntick"));
        served.await.unwrap().unwrap();
    });
}

// A counter without a lock and a vector without an atomic, which all connections of the thread share.
#[test]
fn a_service_that_is_not_send_serves_many_connections() {
    run(async {
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        let mut clients = Vec::new();
        for _ in 0..8 {
            let (near, far) = tcp_pair().await;
            let seen = Rc::clone(&seen);
            drop(mainspring::spawn(async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let seen = Rc::clone(&seen);
                    async move {
                        mainspring::yield_now().await;
                        seen.borrow_mut().push(request.uri().to_string());
                        let count = seen.borrow().len();
                        Ok::<_, Infallible>(Response::new(full(count.to_string())))
                    }
                });
                let stream = ToHyper::new(far);
                server::Builder::new()
                    .serve_connection(stream, service)
                    .await
            }));
            clients.push(mainspring::spawn(async move {
                let stream = ToHyper::new(near);
                let (mut sender, connection) = client::handshake(stream).await.unwrap();
                drop(mainspring::spawn(connection));
                // One connection, many requests.
                for number in 0..10 {
                    let request = Request::get(format!("/{number}")).body(full("")).unwrap();
                    let response = sender.send_request(request).await.unwrap();
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    assert!(!body.is_empty());
                    sender.ready().await.unwrap();
                }
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(seen.borrow().len(), 80);
        assert_eq!(seen.borrow().iter().filter(|uri| *uri == "/9").count(), 8);
    });
}

/// Sets an event when it is dropped.
struct Dropped(Rc<Event>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[test]
fn a_client_that_goes_away_drops_the_service_s_future() {
    run(async {
        let (near, far) = tcp_pair().await;
        let (begun, dropped) = (Rc::new(Event::new()), Rc::new(Event::new()));
        let served = mainspring::spawn({
            let (begun, dropped) = (Rc::clone(&begun), Rc::clone(&dropped));
            async move {
                let service = service_fn(move |_: Request<Incoming>| {
                    let (begun, guard) = (Rc::clone(&begun), Dropped(Rc::clone(&dropped)));
                    async move {
                        begun.set();
                        let _guard = guard;
                        std::future::pending::<()>().await;
                        Ok::<_, Infallible>(Response::new(full("")))
                    }
                });
                let stream = ToHyper::new(far);
                server::Builder::new()
                    .serve_connection(stream, service)
                    .await
            }
        });
        near.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        begun.wait().await;
        assert!(!dropped.is_set());
        drop(near);
        dropped.wait().await;
        assert!(served.await.unwrap().is_err());
    });
}

#[test]
fn a_connection_that_is_dropped_half_way_ends_its_peer() {
    run(async {
        let (near, far) = tcp_pair().await;
        let served = mainspring::spawn(echo(far));
        near.write_all(b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\ntick")
            .await
            .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"tick") {
            let mut buf = [0; 256];
            let count = near.read(&mut buf).await.unwrap();
            assert_ne!(count, 0, "it answers first");
            head.extend_from_slice(&buf[..count]);
        }
        served.abort();
        let mut rest = Vec::new();
        let mut near = near;
        // The end, or a reset; nothing that could be taken for the rest of the body.
        let _ = near.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    });
}

#[test]
fn an_upgraded_connection_is_a_stream_of_ours() {
    run(async {
        let (near, far) = tcp_pair().await;
        let ended = Rc::new(Cell::new(false));
        let served = mainspring::spawn({
            let ended = Rc::clone(&ended);
            async move {
                let service = service_fn(move |mut request: Request<Incoming>| {
                    let ended = Rc::clone(&ended);
                    drop(mainspring::spawn(async move {
                        let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                        let mut stream = FromHyper(upgraded);
                        let mut buf = [0; 64];
                        loop {
                            let count = stream.read(&mut buf).await?;
                            if count == 0 {
                                break;
                            }
                            stream.write_all(&buf[..count]).await?;
                            stream.flush().await?;
                        }
                        stream.close().await?;
                        ended.set(true);
                        io::Result::Ok(())
                    }));
                    let response = Response::builder()
                        .status(StatusCode::SWITCHING_PROTOCOLS)
                        .header(header::UPGRADE, "echo")
                        .body(full(""));
                    async move { Ok::<_, Infallible>(response.unwrap()) }
                });
                let stream = ToHyper::new(OnThread::new(far));
                let connection = server::Builder::new().serve_connection(stream, service);
                connection.with_upgrades().await
            }
        });
        let stream = ToHyper::new(OnThread::new(near));
        let (mut sender, connection) = client::handshake(stream).await.unwrap();
        drop(mainspring::spawn(connection.with_upgrades()));
        let request = Request::get("/")
            .header(header::UPGRADE, "echo")
            .body(full(""))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let mut stream = FromHyper(hyper::upgrade::on(response).await.unwrap());
        stream.write_all(b"tick").await.unwrap();
        stream.flush().await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"tick");
        stream.close().await.unwrap();
        assert_eq!(stream.read(&mut answer).await.unwrap(), 0);
        served.await.unwrap().unwrap();
        assert!(ended.get());
    });
}

#[test]
fn a_stream_of_this_thread_panics_on_another() {
    run(async {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut stream = OnThread::new(near);
        let elsewhere = std::thread::spawn(move || {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let stream = std::pin::Pin::new(&mut stream);
            let _ = AsyncRead::poll_read(stream, &mut cx, &mut [0; 4]);
        });
        assert!(elsewhere.join().is_err());
    });
}

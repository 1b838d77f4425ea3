//! hyper's HTTP/2 over mainspring: its tasks run on the loop, and none of them is `Send`.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring_interop::certificate::Certificate;
use mainspring_interop::hyper_rt::{LoopExecutor, ToHyper};
use mainspring_interop::tls;

use crate::rig::{BIG, pattern, run, tcp_pair};

/// Serves one connection: bodies go back as they come, counted without a lock.
async fn echo<S>(stream: S, count: Rc<Cell<usize>>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let count = Rc::clone(&count);
        async move {
            mainspring::yield_now().await;
            count.set(count.get() + 1);
            Ok::<_, Infallible>(Response::new(request.into_body()))
        }
    });
    let builder = server::Builder::new(LoopExecutor);
    builder
        .serve_connection(ToHyper::new(stream), service)
        .await
}

async fn connect<S>(stream: S) -> client::SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let handshake = client::handshake(LoopExecutor, ToHyper::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    drop(mainspring::spawn(async move { connection.await.unwrap() }));
    sender
}

async fn post(mut sender: client::SendRequest<Full<Bytes>>, body: Vec<u8>) -> Bytes {
    let request = Request::post("http://localhost/").body(Full::new(Bytes::from(body)));
    let response = sender.send_request(request.unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap().to_bytes()
}

#[test]
fn a_hundred_requests_share_one_connection() {
    run(async {
        let (near, far) = tcp_pair().await;
        let count = Rc::new(Cell::new(0));
        let served = mainspring::spawn(echo(far, Rc::clone(&count)));
        let sender = connect(near).await;
        let requests: Vec<_> = (0..100)
            .map(|number| mainspring::spawn(post(sender.clone(), pattern(number * 37))))
            .collect();
        for (number, request) in requests.into_iter().enumerate() {
            assert!(request.await.unwrap() == pattern(number * 37));
        }
        assert_eq!(count.get(), 100);
        drop(sender);
        served.await.unwrap().unwrap();
    });
}

#[test]
fn a_big_body_comes_back_whole_inside_tls() {
    run(async {
        let (near, far) = tcp_pair().await;
        let certificate = Certificate::new().unwrap();
        let config = certificate.server(&["h2"]).unwrap();
        let served = mainspring::spawn(async move {
            let stream = tls::accept(far, config).await.unwrap();
            assert_eq!(stream.session().alpn_protocol(), Some(&b"h2"[..]));
            echo(stream, Rc::default()).await
        });
        let mut config = (*certificate.client().unwrap()).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = "localhost".try_into().unwrap();
        let stream = tls::connect(near, config.into(), name).await.unwrap();
        let sent = pattern(BIG);
        assert!(post(connect(stream).await, sent.clone()).await == sent);
        served.await.unwrap().unwrap();
    });
}

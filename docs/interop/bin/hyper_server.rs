//! An HTTP server of hyper over mainspring: HTTP/1.1, HTTP/2, and both inside TLS.
//!
//! ```text
//! hyper_server --http1 127.0.0.1:8081                       curl http://127.0.0.1:8081/
//! hyper_server --http2 127.0.0.1:8082                       curl --http2-prior-knowledge http://…
//! hyper_server --tls 127.0.0.1:8443 --certificate FILE      curl --cacert FILE https://localhost:8443/
//! ```
//!
//! The arguments may stand together, and an address may end in `:0`. `GET /` says hello, `POST /echo` sends the
//! body back as it comes, `GET /count` says how many requests were served: a number that all connections share
//! without a lock, in a service that is not `Send`.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::net::{TcpListener, TcpStream};
use mainspring::task::try_join_all;
use mainspring::time::timeout;
use mainspring_interop::certificate::Certificate;
use mainspring_interop::hyper_rt::{LoopExecutor, LoopTimer, ToHyper};
use mainspring_interop::tls;
use rustls::ServerConfig;

/// How long a client may take for its handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

type Body = Either<Full<Bytes>, Incoming>;

fn answer(request: Request<Incoming>, count: &Cell<u64>) -> Response<Body> {
    count.set(count.get() + 1);
    let text = |text: String| Response::new(Either::Left(Full::new(Bytes::from(text))));
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/") => text("hello\n".to_string()),
        (&Method::GET, "/count") => text(format!("{}\n", count.get())),
        (&Method::POST, "/echo") => Response::new(Either::Right(request.into_body())),
        _ => {
            let mut response = text("there is nothing here\n".to_string());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// One connection, to its end.
async fn serve<S>(stream: S, version: Version, count: Rc<Cell<u64>>) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let response = answer(request, &count);
        async move { Ok::<_, Infallible>(response) }
    });
    let stream = ToHyper::new(stream);
    match version {
        Version::Http1 => {
            let mut builder = http1::Builder::new();
            builder.timer(LoopTimer);
            builder.serve_connection(stream, service).await
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(LoopExecutor);
            builder.timer(LoopTimer);
            builder.serve_connection(stream, service).await
        }
    }
}

/// One connection inside TLS, which agrees on the version.
async fn serve_tls(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    count: Rc<Cell<u64>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let stream = timeout(HANDSHAKE_MAX, tls::accept(stream, config)).await??;
    let version = match stream.session().alpn_protocol() {
        Some(b"h2") => Version::Http2,
        _ => Version::Http1,
    };
    Ok(serve(stream, version, count).await?)
}

async fn listen<F>(
    name: &str,
    address: &str,
    serve: impl Fn(TcpStream) -> F,
) -> io::Result<Infallible>
where
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
    println!("{name} on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        drop(mainspring::spawn(serve(stream)));
    }
}

/// A connection that ends badly is its client's affair.
fn told<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        eprintln!("hyper_server: {error}");
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let count = Rc::new(Cell::new(0));
    mainspring::run(async {
        let mut listeners: Vec<Pin<Box<dyn Future<Output = io::Result<Infallible>>>>> = Vec::new();
        for (name, version) in [("http1", Version::Http1), ("http2", Version::Http2)] {
            let Some(address) = value(&format!("--{name}")) else {
                continue;
            };
            let count = Rc::clone(&count);
            listeners.push(Box::pin(async move {
                let each = |stream| {
                    let count = Rc::clone(&count);
                    async move { told(serve(stream, version, count).await) }
                };
                listen(name, &address, each).await
            }));
        }
        if let Some(address) = value("--tls") {
            let certificate = Certificate::new()?;
            if let Some(path) = value("--certificate") {
                std::fs::write(path, &certificate.pem)?;
            }
            let config = certificate.server(&["h2", "http/1.1"])?;
            listeners.push(Box::pin(async move {
                let each = |stream| {
                    let (config, count) = (Arc::clone(&config), Rc::clone(&count));
                    async move { told(serve_tls(stream, config, count).await) }
                };
                listen("tls", &address, each).await
            }));
        }
        if listeners.is_empty() {
            let words = "say where: --http1 ADDRESS, --http2 ADDRESS, --tls ADDRESS";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        // None of them ends but with an error, and that ends the others.
        try_join_all(listeners).await.map(drop)
    })?
}

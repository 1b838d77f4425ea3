//! hyper's hello over mainspring, to be measured: nothing but the answer.

use std::convert::Infallible;
use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use mainspring::net::TcpListener;
use mainspring_interop::hyper_rt::ToHyper;

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
}

fn main() -> io::Result<()> {
    mainspring::run(async {
        let address = "127.0.0.1:0".parse().map_err(io::Error::other)?;
        let listener = TcpListener::bind(address)?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            drop(mainspring::spawn(async move {
                let stream = ToHyper::new(stream);
                http1::Builder::new()
                    .serve_connection(stream, service_fn(hello))
                    .await
            }));
        }
    })?
}

//! An HTTP client of hyper over mainspring: fetches one thing and prints it.
//!
//! ```text
//! hyper_client http://127.0.0.1:8081/
//! hyper_client http://127.0.0.1:8081/echo 1000000           posts so many bytes, and counts what comes back
//! hyper_client https://localhost:8443/ --certificate FILE   trusts the certificate in the file, nobody else
//! ```

use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::{Method, Request, Uri, header};
use mainspring::io::{AsyncRead, AsyncWrite};
use mainspring::net::TcpStream;
use mainspring_interop::hyper_rt::ToHyper;
use mainspring_interop::{certificate, tls};
use rustls::pki_types::ServerName;

type Failure = Box<dyn std::error::Error>;

fn failure(words: &str) -> Failure {
    io::Error::new(io::ErrorKind::InvalidInput, words).into()
}

async fn fetch<S>(stream: S, uri: &Uri, body: Option<usize>) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(ToHyper::new(stream)).await?;
    let connection = mainspring::spawn(connection);
    let method = if body.is_some() {
        Method::POST
    } else {
        Method::GET
    };
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let target = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, host)
        .body(Full::new(Bytes::from(vec![b'x'; body.unwrap_or(0)])))?;
    let mut response = sender.send_request(request).await?;
    println!("{}", response.status());
    let mut count = 0;
    while let Some(frame) = response.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        count += data.len();
        if body.is_none() {
            print!("{}", String::from_utf8_lossy(&data));
        }
    }
    println!("{count} bytes");
    drop(sender);
    Ok(connection.await??)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let uri: Uri = arguments
        .first()
        .ok_or_else(|| failure("say which URL"))?
        .parse()?;
    let body = arguments.get(1).and_then(|count| count.parse().ok());
    let at = arguments
        .iter()
        .position(|argument| argument == "--certificate");
    let file = at.and_then(|at| arguments.get(at + 1));
    let host = uri.host().ok_or_else(|| failure("the URL needs a host"))?;
    let port = uri
        .port_u16()
        .ok_or_else(|| failure("the URL needs a port"))?;
    mainspring::run(async {
        let stream = TcpStream::connect((host, port)).await?;
        match file {
            None => fetch(stream, &uri, body).await,
            Some(file) => {
                let config = certificate::client_of_file(file)?;
                let name = ServerName::try_from(host.to_string())?;
                fetch(tls::connect(stream, config, name).await?, &uri, body).await
            }
        }
    })?
}

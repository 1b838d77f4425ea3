//! A TLS client of rustls over mainspring: sends one line, prints what comes, to the end.
//!
//! ```text
//! tls_client localhost:7443 FILE LINE      trusts the certificate in FILE, and nobody else
//! ```
//!
//! It says its `close_notify` after the first line that came back, prints which end the peer's was, and fails if
//! there was none.

use std::io;
use std::time::Duration;

use mainspring::io::{AsyncReadExt, AsyncWriteExt};
use mainspring::net::TcpStream;
use mainspring::time::timeout;
use mainspring_interop::{certificate, tls};
use rustls::pki_types::ServerName;

/// How long the whole of it may take.
const TIME_MAX: Duration = Duration::from_secs(10);

async fn talk(host: &str, port: u16, file: &str, line: &str) -> io::Result<()> {
    let config = certificate::client_of_file(file)?;
    let name = ServerName::try_from(host.to_string()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host, port)).await?;
    let mut stream = tls::connect(stream, config, name).await?;
    println!("agreed on {:?}", stream.session().protocol_version());
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.flush().await?;
    let (mut buf, mut has_closed) = ([0; 4096], false);
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            break;
        }
        print!("{}", String::from_utf8_lossy(&buf[..count]));
        if !has_closed && buf[..count].contains(&b'\n') {
            has_closed = true;
            stream.close().await?;
        }
    }
    println!("the peer said close_notify");
    Ok(())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, file, line] = &arguments[..] else {
        let words = "say HOST:PORT, the file of the certificate, and a line";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let port = port.parse().map_err(io::Error::other)?;
    mainspring::run(timeout(TIME_MAX, talk(host, port, file, line)))???;
    Ok(())
}

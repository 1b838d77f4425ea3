//! A TLS echo server of rustls over mainspring, with a certificate that it makes for itself.
//!
//! ```text
//! tls_server 127.0.0.1:7443 FILE      writes its certificate to FILE; try openssl s_client -CAfile FILE
//! ```
//!
//! It prints how each connection ended: with the peer's `close_notify`, or without.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainspring::io::{AsyncReadExt, AsyncWriteExt};
use mainspring::net::{TcpListener, TcpStream};
use mainspring::time::timeout;
use mainspring_interop::certificate::Certificate;
use mainspring_interop::tls;
use rustls::ServerConfig;

/// How long a client may take for its handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Sends back what comes, to the peer's end, and then says its own.
async fn echo(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<u64> {
    let mut stream = timeout(HANDSHAKE_MAX, tls::accept(stream, config)).await??;
    let (mut buf, mut total) = (vec![0; 16 * 1024], 0);
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            break;
        }
        total += count as u64;
        stream.write_all(&buf[..count]).await?;
        stream.flush().await?;
    }
    stream.close().await?;
    Ok(total)
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(file)) = (arguments.next(), arguments.next()) else {
        let words = "say where it listens, and where the certificate goes";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
    };
    mainspring::run(async {
        let certificate = Certificate::new()?;
        std::fs::write(file, &certificate.pem)?;
        let config = certificate.server(&[])?;
        let listener = TcpListener::bind(address.parse().map_err(io::Error::other)?)?;
        println!("listening on {}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            let config = Arc::clone(&config);
            drop(mainspring::spawn(async move {
                match echo(stream, config).await {
                    Ok(total) => println!("echoed {total} bytes, to the peer's close_notify"),
                    Err(error) => println!("ended: {:?}: {error}", error.kind()),
                }
            }));
        }
    })?
}

//! Connections by name: look-ups, several addresses tried in turn, and what an error says of each.
//!
//! ```text
//! cargo run --example connect_by_name                  against a server, and a resolver, of its own
//! cargo run --example connect_by_name -- host:port     asks the system, and says where it came out
//! ```
//!
//! Look at [`Hosts`]: a resolver is one method that returns a future, so it can be a table in a test, a cache, or a
//! client of a name server. And at the last line that is printed: when nothing answers, each address has its
//! own reason.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::time::Duration;

use mainspring::net::{
    ConnectError, Connector, Resolver, Resolving, TcpListener, TcpStream, lookup,
};

/// A hosts file in memory.
struct Hosts(HashMap<&'static str, Vec<SocketAddr>>);

impl Resolver for Hosts {
    fn lookup(&self, host: &str, _port: u16) -> Resolving<Vec<SocketAddr>> {
        let found = self.0.get(host).cloned();
        let error = io::Error::new(io::ErrorKind::NotFound, format!("{host} is in no table"));
        Box::pin(async move { found.ok_or(error) })
    }
}

/// An address at which nobody listens any more.
fn gone() -> io::Result<SocketAddr> {
    StdTcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Greets whoever comes.
async fn greet(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.write_all(b"hello").await?;
    }
}

async fn read_greeting(stream: &TcpStream) -> io::Result<String> {
    let mut buf = [0; 64];
    let count = stream.read(&mut buf).await?;
    Ok(String::from_utf8_lossy(&buf[..count]).into_owned())
}

/// Connects to names that only [`Hosts`] knows.
async fn tour() -> io::Result<()> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let server = listener.local_addr()?;
    let greeter = mainspring::spawn(greet(listener));
    let hosts = Hosts(HashMap::from([
        ("hello.test", vec![gone()?, server]),
        ("gone.test", vec![gone()?, gone()?]),
    ]));
    let connector = Connector::new()
        .resolver(hosts)
        .attempt_delay(Duration::from_millis(100))
        .timeout(Duration::from_secs(10));

    println!("a number: {}", lookup("[::1]", 80).await?[0]);
    // The first address refuses, so the second is tried at once.
    let stream = connector.connect("hello.test:80").await?;
    println!("hello.test says: {}", read_greeting(&stream).await?);
    match connector.connect("nobody.test:80").await {
        Ok(stream) => println!("nobody.test is {stream:?}"),
        Err(error) => println!("nobody.test: {error}"),
    }
    if let Err(error) = connector.connect("gone.test:80").await {
        let inside = error.get_ref().and_then(|it| it.downcast_ref());
        let failures = inside.map_or(0, |all: &ConnectError| all.failures().len());
        println!("gone.test: {}, at {failures} addresses", error.kind());
    }
    greeter.abort();
    Ok(())
}

/// Connects to wherever the command line says.
async fn connect(target: &str) -> io::Result<()> {
    let connector = Connector::new().timeout(Duration::from_secs(10));
    let stream = connector.connect(target).await?;
    println!("{target} is {}", stream.peer_addr()?);
    Ok(())
}

fn main() -> io::Result<()> {
    match std::env::args().nth(1) {
        Some(target) => mainspring::run(connect(&target))?,
        None => mainspring::run(tour())?,
    }
}

//! A proxy for TCP: whoever connects here is connected there, and nobody notices.
//!
//! ```text
//! cargo run --release --example tcp_proxy -- 127.0.0.1:8080 example.net:80
//! cargo run --release --example tcp_proxy -- 127.0.0.1:8080 example.net:80 --connections 100 --idle 60 --grace 10
//! ```
//!
//! An end goes through like the bytes: where one side has no more to say, the other is told behind the last byte, and may answer
//! for as long as it likes. What ends in the middle is reset on both sides. While `--connections` (10 000) are there, others wait
//! in the kernel's queue. One on which nothing moves either way for `--idle` seconds (300) is closed. TERM and INT drain: nobody
//! is accepted any more, and what is there may end by itself for `--grace` seconds (5), or until the signal comes again.
//!
//! Look at [`Pair::join`], for the whole of it: [`proxy`] moves what is much by `splice`, without a copy, holds no buffer while a connection
//! is silent, and can be asked how much has moved, so that one timer per connection tells who is idle.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use mainspring::net::{Connector, DrainEnd, Server, ServerFailure, TcpListener, TcpStream, proxy};
use mainspring::select;
use mainspring::signal::{Signal, signal};
use mainspring::stream::StreamExt;
use mainspring::time::timeout;

const USAGE: &str =
    "usage: tcp_proxy LISTEN TARGET [--connections N] [--idle SECONDS] [--grace SECONDS]";
/// How long the other side may take to answer a connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the command line says.
struct Options {
    listen: String,
    target: String,
    connections: usize,
    idle: Duration,
    grace: Duration,
}

/// A client, and the connection that was made for it.
struct Pair {
    client: TcpStream,
    target: TcpStream,
    has_ended: bool,
}

impl Pair {
    /// Joins the two until both ways have ended, or nothing moves for too long; how many bytes went there, and back.
    async fn join(&mut self, idle: Duration) -> io::Result<(u64, u64)> {
        let mut proxy = pin!(proxy(&self.client, &self.target));
        let moved = loop {
            let before = proxy.moved();
            match timeout(idle, proxy.as_mut()).await {
                Ok(ended) => break ended?,
                Err(_) if proxy.moved() == before => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {}
            }
        };
        self.has_ended = true;
        Ok(moved)
    }
}

/// An end in the middle, be it an error, the time or the drain's, must not look like the end of what was sent.
impl Drop for Pair {
    fn drop(&mut self) {
        if !self.has_ended {
            for stream in [&self.client, &self.target] {
                // One that is gone needs no reset.
                let _ = stream.set_zero_linger();
            }
        }
    }
}

/// One connection, from its first byte to its last.
async fn serve(client: TcpStream, peer: SocketAddr, options: &Options) -> io::Result<()> {
    let connector = Connector::new().timeout(CONNECT_TIMEOUT);
    let target = match connector.connect(options.target.as_str()).await {
        Ok(target) => target,
        Err(error) => {
            eprintln!("{peer}: {}: {error}", options.target);
            return client.close_by_reset();
        }
    };
    client.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let has_ended = false;
    let mut pair = Pair {
        client,
        target,
        has_ended,
    };
    match pair.join(options.idle).await {
        Ok((there, back)) => eprintln!("{peer}: {there} bytes there, {back} back"),
        Err(error) => eprintln!("{peer}: {error}"),
    }
    Ok(())
}

/// What goes wrong with one connection was told there.
fn report(failure: ServerFailure) {
    match failure {
        ServerFailure::Connection(_) => {}
        failure => eprintln!("tcp_proxy: {failure:?}"),
    }
}

async fn run(options: Options) -> io::Result<()> {
    let mut ends = signal(Signal::TERM)?.merge(signal(Signal::INT)?);
    let listener = TcpListener::bind(options.listen.parse().map_err(io::Error::other)?)?;
    eprintln!("listening on {}", listener.local_addr()?);
    let grace = options.grace;
    let server = Server::builder([listener])
        .connection_limit(options.connections)
        .on_failure(report)
        .start(async move |(stream, peer), _draining| serve(stream, peer, &options).await);
    select! {
        ended = server.closed() => return ended,
        Some(received) = ends.next() => {
            let signal = received?.signal;
            eprintln!("{signal}, draining {} connections", server.connection_count());
        }
    }
    let end = select! {
        end = server.drain(grace) => end,
        Some(_) = ends.next() => server.drain(Duration::ZERO).await,
    };
    match end {
        DrainEnd::Complete => eprintln!("all have ended"),
        DrainEnd::Cut(count) => eprintln!("{count} had to be cut"),
    }
    server.closed().await
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            listen: arguments.next().ok_or("it is not said where to listen")?,
            target: arguments.next().ok_or("it is not said where to connect")?,
            connections: 10_000,
            idle: Duration::from_secs(300),
            grace: Duration::from_secs(5),
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            let seconds = || match value.parse().map(Duration::try_from_secs_f64) {
                Ok(Ok(seconds)) => Ok(seconds),
                _ => Err(format!("{name} needs seconds, not `{value}`")),
            };
            match name.as_str() {
                "--idle" => options.idle = seconds()?,
                "--grace" => options.grace = seconds()?,
                "--connections" => match value.parse() {
                    Ok(count) if count > 0 => options.connections = count,
                    _ => return Err(format!("{name} needs a number above 0, not `{value}`")),
                },
                _ => return Err(format!("{name} is unknown")),
            }
        }
        Ok(options)
    }
}

fn main() -> io::Result<ExitCode> {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => mainspring::run(run(options))?.map(|()| ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("tcp_proxy: {error}\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

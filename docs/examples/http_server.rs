//! A server of files over HTTP/1.1: keep-alive, pipelining, ranges, chunked bodies, and an end that loses no answer.
//!
//! ```text
//! cargo run --release --example http_server                                             asks itself, and ends
//! cargo run --release --example http_server -- --listen 127.0.0.1:8080 --root docs      serves until it is killed
//! cargo run --release --example http_server -- --listen 127.0.0.1:8080 --root docs --for 60
//! ```
//!
//! `GET` and `HEAD` give files, large ones by `send_file`; `POST` and `PUT` to `/echo` give back the body. `--idle`, `--head`
//! and `--progress` set how long it waits for a request, for a head's end, and for a body or an answer to move, in seconds.
//! After `--for` seconds it drains: it takes no connection more, lets each request that has begun have its
//! answer, with `Connection: close`, closes those that say nothing, and ends.
//!
//! Look at `main` for the server's life: how many it takes, whom it tells of failures, how it ends. And look at the order
//! of the files: `request.rs` knows bytes alone, `files.rs` the disk, `connection.rs` puts them together.

#[path = "http_server/connection.rs"]
mod connection;
#[path = "http_server/files.rs"]
mod files;
#[path = "http_server/request.rs"]
mod request;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use connection::{Limits, Site};
use files::Files;
use mainspring::net::{DrainEnd, Server, ServerFailure, TcpListener, TcpStream};
use mainspring::time::sleep;

/// How long answers that are under way may take when the server drains.
const DRAIN: Duration = Duration::from_secs(10);
/// More connections than this wait in the kernel's queue until one ends, which `--idle` sees to.
const CONNECTIONS_MAX: usize = 10_000;

/// A connection that fails is that client's business.
fn report(failure: ServerFailure) {
    match failure {
        ServerFailure::Connection(_) => {}
        failure => eprintln!("{failure:?}"),
    }
}

/// Stands in for a client where no address was given.
async fn visit(address: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(address).await?;
    let requests = "GET /hello.txt HTTP/1.1\r\nHost: here\r\nRange: bytes=7-\r\n\r\n\
                    GET /absent HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    stream.write_all(requests.as_bytes()).await?;
    let (mut answers, mut buf) = (Vec::new(), [0; 512]);
    loop {
        match stream.read(&mut buf).await? {
            0 => break,
            count => answers.extend_from_slice(&buf[..count]),
        }
    }
    for line in String::from_utf8_lossy(&answers).lines() {
        if line.starts_with("HTTP/1.1") || line.starts_with("Content-Range") {
            println!("{line}");
        }
    }
    Ok(())
}

/// What the command line says.
struct Options {
    listen: Option<SocketAddr>,
    root: PathBuf,
    limits: Limits,
    serves_for: Option<Duration>,
}

fn options() -> io::Result<Options> {
    let mut options = Options {
        listen: None,
        root: PathBuf::from("."),
        limits: Limits {
            idle: Duration::from_secs(30),
            head: Duration::from_secs(10),
            progress: Duration::from_secs(20),
        },
        serves_for: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let lacks = || io::Error::other(format!("{name} needs a value"));
        let value = arguments.next().ok_or_else(lacks)?;
        let seconds = || match value.parse().map(Duration::try_from_secs_f64) {
            Ok(Ok(seconds)) => Ok(seconds),
            _ => Err(io::Error::other(format!("{name} needs seconds"))),
        };
        match name.as_str() {
            "--listen" => options.listen = Some(value.parse().map_err(io::Error::other)?),
            "--root" => options.root = PathBuf::from(value),
            "--idle" => options.limits.idle = seconds()?,
            "--head" => options.limits.head = seconds()?,
            "--progress" => options.limits.progress = seconds()?,
            "--for" => options.serves_for = Some(seconds()?),
            _ => return Err(io::Error::other(format!("{name} is unknown"))),
        }
    }
    Ok(options)
}

/// A folder for the visit, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Folder> {
        let name = format!("mainspring-http-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir(&folder.0)?;
        std::fs::write(folder.0.join("hello.txt"), "hello, world\n")?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn main() -> io::Result<()> {
    let mut options = options()?;
    let folder = match options.listen {
        None => Some(Folder::new()?),
        Some(_) => None,
    };
    if let Some(folder) = &folder {
        options.root.clone_from(&folder.0);
    }
    mainspring::run(async {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = TcpListener::bind(options.listen.unwrap_or(local))?;
        let local = listener.local_addr()?;
        println!("listening on {local}");
        let site = Site {
            files: Files::new(options.root),
            limits: options.limits,
        };
        let server = Server::builder([listener])
            .connection_limit(CONNECTIONS_MAX)
            .on_failure(report)
            .start(async move |(stream, _), draining| {
                connection::serve(stream, &site, draining).await
            });
        match options.serves_for {
            None if options.listen.is_none() => visit(local).await?,
            None => return server.closed().await,
            Some(time) => sleep(time).await,
        }
        match server.drain(DRAIN).await {
            DrainEnd::Complete => println!("drained"),
            DrainEnd::Cut(count) => println!("drained, but {count} had to be cut"),
        }
        Ok(())
    })?
}

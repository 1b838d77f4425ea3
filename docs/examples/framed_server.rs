//! A server of requests in frames: each has its length in front, and gets one frame in answer.
//!
//! ```text
//! cargo run --example framed_server                        asks itself, and ends
//! cargo run --example framed_server -- 127.0.0.1:7007      serves until it is killed
//! ```
//!
//! A request is text: `sum 1 2 3`, or `turn TEXT`. An answer is a byte, 0 for a result and 1 for an error, and
//! then text.
//!
//! Look at the three ways to be wrong. A request that makes no sense gets its error, and the next is served. A
//! frame over the maximum is refused by its header, before any memory is given to it; where the next frame would
//! begin nobody knows then, so the connection ends, but not before the client had a chance to read why. And a
//! client that goes away in the middle of a frame is an error of that connection alone.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mainspring::codec::{Framed, LengthDelimitedCodec, LengthError};
use mainspring::io::{copy, sink};
use mainspring::net::{TcpListener, TcpStream};
use mainspring::stream::StreamExt;
use mainspring::time::timeout;

/// How long a request may be, in bytes.
const REQUEST_MAX: usize = 1024;
/// How long a client that was refused may go on sending; also how long ours waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

type Frames = Framed<TcpStream, LengthDelimitedCodec>;

fn frames(stream: TcpStream) -> Frames {
    Framed::new(stream, LengthDelimitedCodec::new().max(REQUEST_MAX))
}

/// What a request asks for.
fn work(request: &[u8]) -> Result<String, String> {
    let request = std::str::from_utf8(request).map_err(|error| error.to_string())?;
    match request.split_once(' ') {
        Some(("turn", text)) => Ok(text.chars().rev().collect()),
        Some(("sum", numbers)) => {
            let numbers = numbers.split(' ').map(|number| number.parse::<u32>());
            let sum: Result<u64, _> = numbers.map(|number| number.map(u64::from)).sum();
            sum.map(|sum| sum.to_string())
                .map_err(|error| error.to_string())
        }
        _ => Err("that is no request".to_string()),
    }
}

/// The answer's frame.
fn answer(result: Result<String, String>) -> Vec<u8> {
    let (status, text) = match result {
        Ok(text) => (0, text),
        Err(text) => (1, text),
    };
    [&[status], text.as_bytes()].concat()
}

/// One client, from its first request to the end.
async fn serve(stream: TcpStream) -> io::Result<()> {
    let mut frames = frames(stream);
    while let Some(request) = frames.next().await {
        match request {
            // What does not go out at once goes while the next request is awaited.
            Ok(request) => frames.send(answer(work(&request))).await?,
            Err(LengthError::Io(error)) => return Err(error),
            Err(error) => {
                frames.send(answer(Err(error.to_string()))).await?;
                return refuse(frames).await;
            }
        }
    }
    frames.close().await
}

/// Ends a connection on which more may come. To close it with bytes unread would reset it, and the client
/// could lose the answer with it: so our side ends first, and what still comes is thrown away for a while.
async fn refuse(mut frames: Frames) -> io::Result<()> {
    frames.close().await?;
    let mut stream = frames.into_parts().io;
    timeout(PATIENCE, copy(&mut stream, &mut sink())).await??;
    Ok(())
}

async fn serve_all(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let served = mainspring::spawn(serve(stream));
        // A connection that fails is told of, and is not the server's failure.
        drop(mainspring::spawn(async move {
            if let Ok(Err(error)) = served.await {
                eprintln!("{peer}: {error}");
            }
        }));
    }
}

/// A client of our own.
async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut frames = Framed::new(
        TcpStream::connect(address).await?,
        LengthDelimitedCodec::new(),
    );
    let long = "turn ".to_string() + &"z".repeat(REQUEST_MAX);
    for request in ["sum 1 2 3", "turn tick", "sum 1 x", "fly", &long] {
        frames.send(request).await?;
        let answer = timeout(PATIENCE, frames.try_next()).await??;
        let answer = answer.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (status, text) = answer.split_first().ok_or(io::ErrorKind::InvalidData)?;
        let word = ["result", "error"][usize::from(*status != 0)];
        let text = String::from_utf8_lossy(text);
        println!("{:.12}: {word}: {text}", request);
    }
    match timeout(PATIENCE, frames.try_next()).await?? {
        None => println!("the server ended the connection"),
        Some(_) => println!("the server went on"),
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    mainspring::run(async {
        let local = address.as_deref().unwrap_or("127.0.0.1:0");
        let listener = TcpListener::bind(local.parse().map_err(io::Error::other)?)?;
        let local = listener.local_addr()?;
        println!("listening on {local}");
        let server = mainspring::spawn(serve_all(listener));
        match address {
            None => ask(local).await,
            Some(_) => server.await?,
        }
    })?
}

//! Talks with a server by hand: what is typed goes to it, what it says is shown.
//!
//! ```text
//! cargo run --example telnet -- example.org:80
//! printf 'GET / HTTP/1.0\r\n\r\n' | cargo run --example telnet -- example.org:80
//! ```
//!
//! Standard input and output may be anything: a terminal, a pipe, a file, a socket. Look at the two ends. When the input
//! ends, only that half of the connection is closed, for the answer may still be on its way. When the server ends, the program
//! does, though somebody may still be about to type: no read of standard input holds up an end.

use std::io;
use std::time::Duration;

use mainspring::io::{AsyncWriteExt, copy};
use mainspring::net::{Connector, OwnedWriteHalf, TcpStream};
use mainspring::stdio::{stdin, stdout};

/// Sends what is typed, and then the end.
async fn send(mut half: OwnedWriteHalf<TcpStream>) -> io::Result<()> {
    let mut input = stdin()?;
    copy(&mut input, &mut half).await?;
    half.close().await
}

/// Talks until the server has nothing more to say.
async fn talk(server: &str) -> io::Result<()> {
    let connector = Connector::new().timeout(Duration::from_secs(10));
    let (mut answers, half) = connector.connect(server).await?.into_split();
    let sender = mainspring::spawn(send(half));
    let mut output = stdout()?;
    copy(&mut answers, &mut output).await?;
    output.flush().await?;
    // What could not be sent is news only if the server did not end first.
    if sender.is_finished() {
        sender.await??;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let Some(server) = std::env::args().nth(1) else {
        eprintln!("usage: telnet HOST:PORT");
        std::process::exit(2);
    };
    mainspring::run(talk(&server))?
}

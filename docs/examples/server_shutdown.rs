//! A server that is told to end while clients are busy, and ends in order.
//!
//! ```text
//! cargo run --example server_shutdown
//! ```
//!
//! One client asks and is answered. One is idle between two questions. One asks for something that takes
//! longer than the server will wait. Then somebody says that it is time (here a task; in a service a signal):
//! the server stops accepting, and drains with a deadline.
//!
//! Look at `serve`: it waits for the next question only until the server drains, but an answer that was begun
//! is finished. So the idle client is let go at once, and the long answer is all that is cut.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mainspring::channel::oneshot;
use mainspring::net::{DrainEnd, Server, TcpListener, TcpStream};
use mainspring::spawn;
use mainspring::task::CancelToken;
use mainspring::time::sleep;

/// How long connections get to end in.
const PATIENCE: Duration = Duration::from_millis(200);

/// One client, from its first question to the end.
async fn serve((stream, _peer): (TcpStream, SocketAddr), draining: CancelToken) -> io::Result<()> {
    let mut question = [0; 1];
    while let Ok(read) = draining
        .run_until_cancelled(stream.read(&mut question))
        .await
    {
        if read? == 0 {
            return Ok(());
        }
        // No drain interrupts this; only its deadline does.
        if question[0] == b'?' {
            sleep(PATIENCE * 10).await;
        }
        stream.write_all(b"answer\n").await?;
    }
    stream.write_all(b"going down\n").await
}

/// Asks, and says what came back until the server ended the connection.
async fn client(name: &str, question: &[u8], addr: SocketAddr) -> io::Result<()> {
    let stream = TcpStream::connect(addr).await?;
    stream.write_all(question).await?;
    let mut said = String::new();
    let mut buf = [0; 64];
    loop {
        match stream.read(&mut buf).await {
            Ok(0) | Err(_) => break,
            Ok(count) => said.push_str(&String::from_utf8_lossy(&buf[..count])),
        }
    }
    println!("{name} heard {said:?}");
    Ok(())
}

fn main() -> io::Result<()> {
    mainspring::run(async {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let addr = listener.local_addr()?;
        let server = Server::builder([listener])
            .connection_limit(100)
            .on_failure(|failure| eprintln!("{failure:?}"))
            .start(serve);

        let clients = [
            spawn(client("one who asked", b"!", addr)),
            spawn(client("an idle one", b"", addr)),
            spawn(client("one who waits", b"?", addr)),
        ];
        let (time_to_go, told) = oneshot();
        let _somebody = spawn(async move {
            sleep(Duration::from_millis(50)).await;
            let _ = time_to_go.send("closing time");
        });

        let why = told.await.unwrap_or("nobody is left to say");
        println!("{why}: {} connections", server.connection_count());
        match server.drain(PATIENCE).await {
            DrainEnd::Complete => println!("all ended by themselves"),
            DrainEnd::Cut(count) => println!("{count} had to be cut"),
        }
        for client in clients {
            client
                .await
                .expect("a client neither panics nor is aborted")?;
        }
        Ok(())
    })?
}

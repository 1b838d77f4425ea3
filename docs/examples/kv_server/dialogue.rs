//! A client of our own, for where no other comes: it asks, and prints what it is answered.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mainspring::io::BufReader;
use mainspring::net::{OwnedReadHalf, OwnedWriteHalf, TcpStream};
use mainspring::time::timeout;

/// A lost answer must not hang the program.
const PATIENCE: Duration = Duration::from_secs(10);

struct Client {
    reader: BufReader<OwnedReadHalf<TcpStream>>,
    writer: OwnedWriteHalf<TcpStream>,
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Client> {
        let (reader, writer) = TcpStream::connect(address).await?.into_split();
        Ok(Client {
            reader: BufReader::new(reader),
            writer,
        })
    }

    /// Sends a request of words.
    async fn send(&self, words: &str) -> io::Result<()> {
        let words: Vec<&str> = words.split(' ').collect();
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.writer.write_all(request.as_bytes()).await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.reader.read_line(&mut line)).await??;
        Ok(line.trim_end().to_string())
    }

    /// One answer, in one line.
    async fn answer(&mut self) -> io::Result<String> {
        let (mut parts, mut missing) = (Vec::new(), 1);
        while missing > 0 {
            missing -= 1;
            let line = self.line().await?;
            let (sign, text) = line
                .split_at_checked(1)
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            match (sign, text.parse::<usize>()) {
                ("*", Ok(count)) => missing += count,
                ("$", Ok(length)) => {
                    let mut bytes = vec![0; length + 2];
                    timeout(PATIENCE, self.reader.read_exact(&mut bytes)).await??;
                    parts.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                }
                ("$" | "*", Err(_)) => parts.push("nothing".to_string()),
                _ => parts.push(text.to_string()),
            }
        }
        Ok(parts.join(", "))
    }

    async fn ask(&mut self, words: &str) -> io::Result<()> {
        self.send(words).await?;
        println!("{words} -> {}", self.answer().await?);
        Ok(())
    }
}

/// Talks with the server about all that it can do.
pub(crate) async fn talk(address: SocketAddr) -> io::Result<()> {
    let mut ada = Client::connect(address).await?;
    for words in [
        "SET greeting hello",
        "GET greeting",
        "SET greeting hi NX",
        "INCR visits",
        "INCR greeting",
        "SET short life PX 1",
        "RPUSH tasks write test",
        "LRANGE tasks 0 -1",
    ] {
        ada.ask(words).await?;
    }
    // By the time that its answer comes this one's key has ended.
    ada.ask("BLPOP never 0.01").await?;
    ada.ask("GET short").await?;
    // Bob waits for a list; what Ada puts there is his.
    let mut bob = Client::connect(address).await?;
    bob.send("BLPOP jobs 0").await?;
    ada.ask("RPUSH jobs sweep").await?;
    println!("bob was handed {}", bob.answer().await?);
    bob.ask("SUBSCRIBE news").await?;
    ada.ask("PUBLISH news spring").await?;
    println!("bob heard {}", bob.answer().await?);
    // Many requests in one go, and their answers likewise.
    ada.writer
        .write_all(b"PING\r\nDECR visits\r\nFLY\r\n")
        .await?;
    for _ in 0..3 {
        println!("{}", ada.answer().await?);
    }
    ada.ask("QUIT").await?;
    // Somebody says that it is time; that has no answer but the end.
    Client::connect(address).await?.send("SHUTDOWN").await
}

//! A chat server: who connects gives a name, and from then on every line goes to everybody.
//!
//! ```text
//! cargo run --example chat                        three guests of its own, and ends
//! cargo run --example chat -- 127.0.0.1:7007      serves until it is killed; join with `line_client`
//! ```
//!
//! Look at [`Room`], which all tasks share without a lock, for they run on one thread. At [`send`], which waits
//! for nobody: the kernel's buffer is each guest's queue, and whoever lets it run full is shown the door.
//! And at the drop of [`Seat`]: however a guest goes, the others are told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use mainspring::codec::{Framed, FramedRead, LinesCodec};
use mainspring::net::{OwnedWriteHalf, TcpListener, TcpStream};
use mainspring::stream::StreamExt;
use mainspring::time::timeout;

const LINE_MAX: usize = 16 * 1024; // bytes

/// Sends a line if the kernel takes it at once, and whole. If not, the connection ends: the guest's own
/// task reads that, and leaves.
fn send(writer: &OwnedWriteHalf<TcpStream>, line: &str) {
    let bytes = format!("{line}\n").into_bytes();
    if writer.try_write(&bytes).ok() != Some(bytes.len()) {
        let _ = writer.stream().shutdown(Shutdown::Both);
    }
}

/// Everybody who is here, by name.
#[derive(Clone, Default)]
struct Room(Rc<RefCell<BTreeMap<String, Rc<OwnedWriteHalf<TcpStream>>>>>);

impl Room {
    fn tell(&self, line: &str) {
        for writer in self.0.borrow().values() {
            send(writer, line);
        }
    }

    /// Lets a guest in, if the name can be had.
    fn enter(&self, name: &str, writer: &Rc<OwnedWriteHalf<TcpStream>>) -> Option<Seat> {
        if name.is_empty() || self.0.borrow().contains_key(name) {
            return None;
        }
        let (room, name) = (self.clone(), name.to_string());
        room.0.borrow_mut().insert(name.clone(), Rc::clone(writer));
        room.tell(&format!("* {name} is here"));
        Some(Seat { room, name })
    }
}

/// A guest's place in the room, which lasts as long as this.
struct Seat {
    room: Room,
    name: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.0.borrow_mut().remove(&self.name);
        self.room.tell(&format!("* {} left", self.name));
    }
}

/// One guest, from the connection to the end.
async fn serve(stream: TcpStream, room: Room) {
    let (reader, writer) = stream.into_split();
    let mut lines = FramedRead::new(reader, LinesCodec::with_max(LINE_MAX));
    let writer = Rc::new(writer);
    send(&writer, "* your name?");
    let mut seat: Option<Seat> = None;
    while let Some(line) = lines.next().await {
        match (line, &seat) {
            (Ok(line), _) if line == "/quit" => break,
            (Ok(line), Some(seat)) => room.tell(&format!("{}: {line}", seat.name)),
            (Ok(name), None) => match room.enter(&name, &writer) {
                Some(taken) => seat = Some(taken),
                None => send(&writer, "* choose another name"),
            },
            // Too long, or no text; the next line may be better. After any other error there is none.
            (Err(error), _) => send(&writer, &format!("* {error}")),
        }
    }
}

async fn serve_all(listener: TcpListener) -> io::Result<()> {
    let room = Room::default();
    loop {
        let (stream, _peer) = listener.accept().await?;
        drop(mainspring::spawn(serve(stream, room.clone())));
    }
}

/// A guest of our own.
async fn enter(address: SocketAddr, name: &str) -> io::Result<Framed<TcpStream, LinesCodec>> {
    let mut guest = Framed::new(TcpStream::connect(address).await?, LinesCodec::new());
    guest.send(name).await?;
    hear(&mut guest, &format!("* {name} is here")).await?;
    Ok(guest)
}

/// The next line that begins so.
async fn hear(guest: &mut Framed<TcpStream, LinesCodec>, beginning: &str) -> io::Result<String> {
    // A lost line must not hang the program.
    while let Some(line) = timeout(Duration::from_secs(10), guest.try_next()).await?? {
        if line.starts_with(beginning) {
            return Ok(line);
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

async fn visit(address: SocketAddr) -> io::Result<()> {
    let mut ada = enter(address, "ada").await?;
    let mut bob = enter(address, "bob").await?;
    let _sloth = enter(address, "sloth").await?;
    ada.send("hello").await?;
    ada.send("who is silent?").await?;
    println!("bob heard {}", hear(&mut bob, "ada: hello").await?);
    // Two hear what fills the buffers of the third.
    let long = "z".repeat(LINE_MAX);
    while hear(&mut bob, "").await? != "* sloth left" {
        ada.send(&long).await?;
        hear(&mut ada, "ada: z").await?;
    }
    println!("bob heard that sloth left");
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
            None => visit(local).await,
            Some(_) => server.await?,
        }
    })?
}

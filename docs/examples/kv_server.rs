//! A server of keys and values that speaks the Redis protocol, so that `redis-cli` and `redis-benchmark` are its
//! clients.
//!
//! ```text
//! cargo run --example kv_server                              a short dialogue with itself, and ends
//! cargo run --example kv_server -- --listen 127.0.0.1:6380   serves until `redis-cli -p 6380 SHUTDOWN`
//! ```
//!
//! *Model.* One thread and no lock: a command changes the data in one go, between two awaits, so each is atomic.
//! [`serve`] is one connection: it answers every request that is there whole, sends the answers in one write, and
//! then waits for more. While it writes it does not read, so a client that does not read its answers stops
//! being served, and nothing piles up for it.
//!
//! *End.* `SHUTDOWN` drains: nobody is accepted any more, requests that came are answered, and who is idle, listens or
//! waits for an item is let go. A client that does not take its answers is cut off in the end.
//!
//! | file | what to look at |
//! |---|---|
//! | `protocol.rs` | requests that come in any pieces, without a copy; lengths that a stranger names |
//! | `store.rs` | keys that end (`DelayQueue`), lists that clients wait for, first come, first served |
//! | `pubsub.rs` | messages to those who read slowly, or not at all |
//! | `commands.rs` | what there is to ask |

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{DrainEnd, Server, ServerFailure, TcpListener, TcpStream};
use mainspring::select;
use mainspring::sync::Event;
use mainspring::task::CancelToken;
use mainspring::time::sleep;

#[path = "kv_server/commands.rs"]
mod commands;
#[path = "kv_server/dialogue.rs"]
mod dialogue;
#[path = "kv_server/protocol.rs"]
mod protocol;
#[path = "kv_server/pubsub.rs"]
mod pubsub;
#[path = "kv_server/store.rs"]
mod store;

use commands::{After, Client};
use protocol::{Answers, Input};
use pubsub::{Hub, Subscriptions};
use store::{Store, Text, Turn};

/// So many bytes of answers go out before the next request is looked at.
const ANSWERS_MAX: usize = 256 * 1024;
/// How much a client that was refused may send until it reads why, in bytes, and for how long.
const REFUSED_MAX: (u64, Duration) = (1024 * 1024, Duration::from_secs(2));

/// More connections than this wait in the kernel's queue until one ends.
const CONNECTIONS_MAX: usize = 10_000;
/// How long clients may take to read their last answers when the server ends.
const DRAIN: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Clone)]
struct Shared {
    store: Rc<RefCell<Store>>,
    hub: Rc<Hub>,
    /// Set when a client wants the server to end.
    closing: Rc<Event>,
}

/// One connection.
struct Connection {
    stream: Rc<TcpStream>,
    input: Input,
    answers: Answers,
    subscriptions: Subscriptions,
    shared: Shared,
    draining: CancelToken,
}

/// One connection, from its first request to the end.
async fn serve(stream: TcpStream, shared: Shared, draining: CancelToken) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = Rc::new(stream);
    let mut connection = Connection {
        input: Input::new(),
        answers: Answers::default(),
        subscriptions: Subscriptions::new(&shared.hub, &stream),
        stream,
        shared,
        draining,
    };
    while connection.answer_all().await? {
        connection.send().await?;
        if !connection.read().await? {
            return Ok(());
        }
    }
    connection.refuse().await
}

impl Connection {
    /// Answers every request that is there whole; whether more are welcome.
    async fn answer_all(&mut self) -> io::Result<bool> {
        loop {
            let request = match self.input.next() {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(true),
                Err(reason) => {
                    self.answers
                        .error(format_args!("ERR Protocol error: {reason}"));
                    return Ok(false);
                }
            };
            let mut client = Client {
                store: &self.shared.store,
                hub: &self.shared.hub,
                closing: &self.shared.closing,
                subscriptions: &mut self.subscriptions,
                answers: &mut self.answers,
            };
            match client.execute(request) {
                After::Next => {}
                After::Wait(keys, time) => {
                    self.send().await?;
                    self.wait(keys, time).await?;
                }
                After::End => return Ok(false),
            }
            if self.answers.0.len() > ANSWERS_MAX {
                self.send().await?;
            }
        }
    }

    /// Sends the answers, and messages if there are any, until nothing is left.
    async fn send(&mut self) -> io::Result<()> {
        loop {
            self.subscriptions.outbox.empty_into(&mut self.answers);
            if self.answers.0.is_empty() {
                return Ok(());
            }
            self.stream.write_all(&self.answers.0).await?;
            self.answers.0.clear();
            self.answers.0.shrink_to(ANSWERS_MAX);
        }
    }

    /// Waits for bytes, or for messages; whether the client is still there, and the server means to go on.
    async fn read(&mut self) -> io::Result<bool> {
        let outbox = &self.subscriptions.outbox;
        let read = self.stream.read(self.input.room());
        let read = self.draining.run_until_cancelled(read);
        let read = if self.subscriptions.is_empty() {
            read.await
        } else {
            select! {
                read = read => read,
                () = outbox.filled.wait() => return Ok(true),
            }
        };
        match read {
            Ok(count) => {
                let count = count?;
                self.input.came(count);
                Ok(count > 0)
            }
            // What it was told before goes out yet.
            Err(_drain) => Ok(outbox.filled.is_set()),
        }
    }

    /// Waits for an item of a list, and watches meanwhile whether the client goes.
    async fn wait(&mut self, keys: Vec<Text>, time: Duration) -> io::Result<()> {
        let mut turn = Turn::new(&self.shared.store, keys);
        let mut time = pin!(sleep(time));
        loop {
            let is_ahead = self.input.is_ahead();
            select! {
                biased;
                (key, item) = turn.item() => {
                    self.answers.array(2);
                    self.answers.bulk(&key);
                    self.answers.bulk(&item);
                    return Ok(());
                }
                () = &mut time => {
                    self.answers.no_array();
                    return Ok(());
                }
                _drain = self.draining.cancelled() => {
                    self.answers.no_array();
                    return Ok(());
                }
                count = self.stream.read(self.input.room()), if !is_ahead => match count? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => self.input.came(count),
                },
            }
        }
    }

    /// Ends a connection on which more may come: so that the last answer arrives, what comes is read, for a while.
    async fn refuse(mut self) -> io::Result<()> {
        self.send().await?;
        drop(self.subscriptions);
        if let Some(stream) = Rc::into_inner(self.stream) {
            stream
                .close_gracefully(REFUSED_MAX.0, REFUSED_MAX.1)
                .await?;
        }
        Ok(())
    }
}

/// A client that goes, or breaks the protocol, is no failure of the server's.
fn report(failure: ServerFailure) {
    match failure {
        ServerFailure::Connection(_) => {}
        failure => eprintln!("{failure:?}"),
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let address = match words[..] {
        [] => "127.0.0.1:0",
        ["--listen", address] => address,
        _ => return Err(io::Error::other("kv_server [--listen ADDRESS]")),
    };
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    mainspring::run(async {
        let listener = TcpListener::bind(address)?;
        let local = listener.local_addr()?;
        println!("listening on {local}");
        let shared = Shared {
            store: Rc::new(RefCell::new(Store::new())),
            hub: Rc::default(),
            closing: Rc::default(),
        };
        let closing = Rc::clone(&shared.closing);
        drop(mainspring::spawn(store::expire(Rc::clone(&shared.store))));
        let server = Server::builder([listener])
            .connection_limit(CONNECTIONS_MAX)
            .on_failure(report)
            .start(async move |(stream, _), draining| {
                serve(stream, shared.clone(), draining).await
            });
        if words.is_empty() {
            dialogue::talk(local).await?;
        }
        select! {
            () = closing.wait() => {}
            ended = server.closed() => return ended,
        }
        match server.drain(DRAIN).await {
            DrainEnd::Complete => println!("drained"),
            DrainEnd::Cut(count) => println!("drained, but {count} had to be cut"),
        }
        Ok(())
    })?
}

//! `Exchange`: one question to one server, over UDP or TCP, and its answer.
//!
//! *Who else may answer.* Whoever guesses the id, the port and the question. So each question has a socket
//! of its own, with a port of the kernel's choice, connected, so that the kernel drops what comes from
//! elsewhere; the id is unpredictable ([`Ids`]); and the reply must repeat the question. What does not match
//! is ignored, and the wait goes on, for the right answer may still come.
//!
//! *Truncation.* A reply that says so, or fills the buffer, is asked for again over TCP, where its length
//! stands before it.

use std::cell::Cell;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::Here;
use super::datagram::Datagrams;
use super::error::Said;
use super::message::{Code, MESSAGE_MAX, Message, Question};
use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Read, Reading, Wait, WriteAll, Writing};
use crate::net::connect::{Connect, ConnectTarget};
use crate::time::timeout_from;

/// What a server may send over UDP: as much as passes every path without being cut in pieces.
const UDP_PAYLOAD: u16 = 1232;

/// Room for a server that sends more than it was told.
const UDP_BUFFER: usize = 4096;

/// Ids that nobody can predict who has not seen the key: a counter, hashed by std's SipHash, which has its
/// key from the system. A process that forks has the same ids as its child, but not the same ports.
#[derive(Debug, Default)]
pub(super) struct Ids {
    key: RandomState,
    count: Cell<u64>,
}

impl Ids {
    pub(super) fn next(&self) -> u16 {
        self.count.set(self.count.get().wrapping_add(1));
        self.key.hash_one(self.count.get()) as u16
    }
}

/// A question to a server.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    pub(super) server: SocketAddr,
    pub(super) question: &'a Question,
    pub(super) id: u16,
    /// Whether the server is told what we take over UDP. Old ones do not understand.
    pub(super) has_edns: bool,
    /// For the whole of it.
    pub(super) timeout: Duration,
    pub(super) here: Here,
}

/// What came back.
#[derive(Debug)]
pub(super) enum Answer {
    Whole(Message),
    /// Ask again over TCP.
    Truncated,
}

/// Whose a datagram is.
enum Verdict {
    Foreign,
    Ours(Result<Answer, Said>),
}

impl Exchange<'_> {
    pub(super) async fn over_udp(&self) -> Result<Answer, Said> {
        self.limit(async {
            let socket = Datagrams::connect(self.server).map_err(Said::Failed)?;
            let query = self.query();
            let sent = socket.send(&query, self.here).await;
            sent.map_err(Said::Failed)?;
            let mut buf = vec![0; UDP_BUFFER];
            // A stranger may send without end: each datagram costs budget, and the time ends.
            loop {
                let received = socket.recv(&mut buf, self.here).await;
                let len = received.map_err(Said::Failed)?;
                if let Verdict::Ours(answer) = self.judge(&buf[..len], len == buf.len()) {
                    return answer;
                }
            }
        })
        .await
    }

    pub(super) async fn over_tcp(&self) -> Result<Answer, Said> {
        self.limit(async {
            let reply = self.fetch().await.map_err(Said::Failed)?;
            match self.judge(&reply, false) {
                Verdict::Foreign => Err(Said::Other),
                // Nothing can be cut here, whatever the flag says.
                Verdict::Ours(Ok(Answer::Truncated)) => whole(&reply),
                Verdict::Ours(answer) => answer,
            }
        })
        .await
    }

    async fn limit<T>(&self, exchange: impl Future<Output = Result<T, Said>>) -> Result<T, Said> {
        match timeout_from(self.timeout, exchange, self.here).await {
            Ok(answer) => answer,
            Err(_) => Err(Said::Nothing(self.timeout)),
        }
    }

    /// One message there and one back, each with its length before it. Every wait names the line of whoever looks
    /// up, so none is made by a method of the stream's, which would name ours.
    async fn fetch(&self) -> io::Result<Vec<u8>> {
        let stream = Connect::new(self.server.into_target(), self.here).await?;
        let socket = stream.as_endpoint();
        let query = self.query();
        let mut framed = Vec::with_capacity(query.len() + 2);
        framed.extend_from_slice(&(query.len() as u16).to_be_bytes());
        framed.extend_from_slice(&query);
        // In one piece: some servers read the length and the message with one call.
        WriteAll::new(Wait::new(socket, Writing, self.here), &framed).await?;
        let mut len = [0; 2];
        read_all(socket, &mut len, self.here).await?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
        read_all(socket, &mut reply, self.here).await?;
        Ok(reply)
    }

    fn query(&self) -> Vec<u8> {
        let mut query = Message::query(self.id, self.question.clone());
        query.udp_payload = self.has_edns.then_some(UDP_PAYLOAD);
        query.encode(MESSAGE_MAX)
    }

    /// Whether a message answers the question, and what it says. `is_cut` if there may be more of it.
    fn judge(&self, bytes: &[u8], is_cut: bool) -> Verdict {
        let Ok(head) = Message::parse_head(bytes) else {
            return Verdict::Foreign;
        };
        let repeats = match head.questions.as_slice() {
            [one] => one == self.question,
            // Who could not read the question need not repeat it.
            [] => !matches!(head.code, Code::NO_ERROR | Code::NAME_ERROR),
            _ => false,
        };
        if !head.is_reply || head.id != self.id || head.opcode != 0 || !repeats {
            return Verdict::Foreign;
        }
        Verdict::Ours(if head.is_truncated || is_cut {
            Ok(Answer::Truncated)
        } else {
            whole(bytes)
        })
    }
}

fn whole(bytes: &[u8]) -> Result<Answer, Said> {
    Message::parse(bytes)
        .map(Answer::Whole)
        .map_err(Said::Garbage)
}

async fn read_all(socket: &Endpoint, mut rest: &mut [u8], here: Here) -> io::Result<()> {
    while !rest.is_empty() {
        match Read::new(Wait::new(socket, Reading, here), rest).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => rest = &mut rest[count..],
        }
    }
    Ok(())
}

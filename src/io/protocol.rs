//! Connections by callbacks: what a program brings along that was written for asyncio or libuv.
//!
//! *Model.* [`serve`] is a future that owns the stream and the [`Protocol`], and calls the one for what
//! happens to the other; a [`Transport`] is how anybody asks the connection for something.
//!
//! ```text
//!     connection_made ─► ( data_received | pause_writing, resume_writing )* ─► eof_received? ─► connection_lost
//!       once, first          in the order in which it happens                  once at most      once, last
//! ```
//!
//! *Rule.* A call of the transport changes what is asked for, and nothing else: it calls nobody back, and the
//! future acts on it when the callback returns, or as soon as its task runs. So no callback runs inside another,
//! and none while anything here is borrowed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::caller::Caller;
use super::traits::{AsyncRead, AsyncWrite, checked};
use crate::pin::{pinned_beside, pinned_in_drop};
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// How much is read at once. In bytes.
const READ_LEN: usize = 16 << 10;
/// How much may wait to be written before the protocol is told to pause. In bytes; asyncio's number.
const HIGH_MARK: usize = 64 << 10;

/// What happens to a connection that [`serve`] drives. Only `data_received` must be written.
pub trait Protocol {
    /// The connection is there. The first call.
    fn connection_made(&mut self, _transport: &Transport) {}

    /// The peer sent some bytes, at least one.
    fn data_received(&mut self, transport: &Transport, bytes: &[u8]);

    /// The peer will send no more. `true` keeps the connection, for writing; else it closes as by
    /// [`Transport::close`].
    fn eof_received(&mut self, _transport: &Transport) -> bool {
        false
    }

    /// The connection is gone: closed or aborted by us, or with an error. The last call.
    fn connection_lost(&mut self, _error: Option<&io::Error>) {}

    /// More than the high mark waits to be written: time to write no more.
    fn pause_writing(&mut self, _transport: &Transport) {}

    /// After a pause: no more than the low mark waits.
    fn resume_writing(&mut self, _transport: &Transport) {}
}

/// How far a connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// What was written is still sent, and nothing is read.
    Closing,
    Aborted,
    Lost,
}

/// A connection that [`serve`] drives, for who wants something of it. A clone is the same connection.
#[derive(Clone)]
pub struct Transport(Rc<Asked>);

/// What was asked of a connection.
struct Asked {
    stage: Cell<Stage>,
    is_reading_paused: Cell<bool>,
    wants_end: Cell<bool>,
    /// What the future has not fetched yet.
    written: RefCell<Vec<u8>>,
    /// How much is not sent yet, what the future has fetched included.
    unsent: Cell<usize>,
    marks: Cell<(usize, usize)>,
    /// Whether anything was asked since the future last looked.
    has_changed: Cell<bool>,
    waiters: WaitQueue<()>,
}

impl Asked {
    fn change(&self) {
        self.has_changed.set(true);
        self.waiters.give_all(|| ());
    }
}

impl Transport {
    /// Writes `bytes`, as soon as the peer takes them; until then they are kept. Nothing happens on a
    /// connection that closes or has ended its side.
    pub fn write(&self, bytes: &[u8]) {
        if self.is_closing() || self.0.wants_end.get() || bytes.is_empty() {
            return;
        }
        self.0.written.borrow_mut().extend_from_slice(bytes);
        self.0.unsent.set(self.0.unsent.get() + bytes.len());
        self.0.change();
    }

    /// Ends our side, after what was written; the peer may still send.
    pub fn write_eof(&self) {
        self.0.wants_end.set(true);
        self.0.change();
    }

    /// Reads no more, sends what was written, and closes.
    pub fn close(&self) {
        if self.0.stage.get() == Stage::Open {
            self.0.stage.set(Stage::Closing);
            self.0.change();
        }
    }

    /// Closes without sending what was written.
    pub fn abort(&self) {
        if self.0.stage.get() != Stage::Lost {
            self.0.stage.set(Stage::Aborted);
            self.0.change();
        }
    }

    /// Whether the connection closes, or is gone.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.stage.get() != Stage::Open
    }

    /// Reads nothing until [`Transport::resume_reading`]: the peer has to wait.
    pub fn pause_reading(&self) {
        self.0.is_reading_paused.set(true);
    }

    /// Reads again.
    pub fn resume_reading(&self) {
        self.0.is_reading_paused.set(false);
        self.0.change();
    }

    /// How much is written and not sent yet.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.0.unsent.get()
    }

    /// At which amounts that is not sent the protocol is told to pause and to resume. They are 64 KiB and a
    /// quarter of that if nobody says otherwise.
    ///
    /// # Panics
    /// If `low` is above `high`.
    #[track_caller]
    pub fn set_water_marks(&self, low: usize, high: usize) {
        assert!(
            low <= high,
            "the low mark, {low}, is above the high one, {high}"
        );
        self.0.marks.set((low, high));
        self.0.change();
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("stage", &self.0.stage.get())
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}

/// Drives `stream` with `protocol` until the connection is gone, and gives the protocol back. Spawn it, or
/// await it.
///
/// The callbacks come in asyncio's order: `connection_made` once and first, `connection_lost` once and last, also
/// if the future is dropped before; a protocol that panics is not called again. Unlike asyncio's, a
/// transport calls nobody back from within `write`: the protocol hears of the high mark when its
/// callback has returned.
///
/// ```
/// use mainspring::io::{self, AsyncReadExt, AsyncWriteExt, Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, bytes: &[u8]) {
///         transport.write(bytes);
///     }
/// }
/// # mainspring::run(async {
/// let (near, mut far) = io::duplex(64);
/// let server = mainspring::spawn(io::serve(near, Echo));
/// far.write_all(b"tick").await.unwrap();
/// far.close().await.unwrap();
/// let mut answer = Vec::new();
/// far.read_to_end(&mut answer).await.unwrap();
/// assert_eq!(answer, b"tick");
/// server.await.unwrap();
/// # }).unwrap();
/// ```
///
/// # Cancel safety
/// Not safe, because the stream goes with it, and what was not sent; `connection_lost` is told
/// `ConnectionAborted`.
#[track_caller]
pub fn serve<S, P>(stream: S, protocol: P) -> Serve<S, P>
where
    S: AsyncRead + AsyncWrite + Unpin,
    P: Protocol,
{
    let asked = Asked {
        stage: Cell::new(Stage::Open),
        is_reading_paused: Cell::new(false),
        wants_end: Cell::new(false),
        written: RefCell::new(Vec::new()),
        unsent: Cell::new(0),
        marks: Cell::new((HIGH_MARK / 4, HIGH_MARK)),
        has_changed: Cell::new(false),
        waiters: WaitQueue::new(),
    };
    let connection = Connection {
        stream,
        protocol: Some(protocol),
        transport: Transport(Rc::new(asked)),
        is_made: false,
        is_paused: false,
        has_read_end: false,
        has_sent_end: false,
        sending: Vec::new(),
        sent: 0,
        buf: Vec::new(),
        caller: Caller::here(),
    };
    Serve {
        connection,
        node: WaitNode::new(Kind::Transport, Location::caller()),
    }
}

/// The stream, its protocol, and what is between them.
struct Connection<S, P: Protocol> {
    stream: S,
    /// Taken out for each call: who panics in it is not called again.
    protocol: Option<P>,
    transport: Transport,
    is_made: bool,
    /// Whether the protocol was told to write no more.
    is_paused: bool,
    has_read_end: bool,
    has_sent_end: bool,
    sending: Vec<u8>,
    /// How much of `sending` is sent.
    sent: usize,
    buf: Vec<u8>,
    caller: Caller,
}

impl<S: AsyncRead + AsyncWrite + Unpin, P: Protocol> Connection<S, P> {
    /// Goes on until nothing moves, or the connection has come to its end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !mem::replace(&mut self.is_made, true) {
            self.call(|protocol, transport| protocol.connection_made(transport));
        }
        loop {
            if self.asked().stage.get() == Stage::Aborted {
                return Poll::Ready(Ok(()));
            }
            let _ = self.poll_send(cx)?;
            self.tell_marks();
            if self.poll_close(cx)?.is_ready() && self.transport.is_closing() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_receive(cx))?;
        }
    }

    fn asked(&self) -> &Asked {
        &self.transport.0
    }

    /// Ready when all is sent that was written.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.transport.unsent() > 0 {
            if self.sent == self.sending.len() {
                self.sending.clear();
                self.sent = 0;
                mem::swap(
                    &mut self.sending,
                    &mut *self.transport.0.written.borrow_mut(),
                );
            }
            let rest = &self.sending[self.sent..];
            let len = rest.len();
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if checked(count, len)? == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += count;
            let asked = self.asked();
            asked.unsent.set(asked.unsent.get() - count);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn tell_marks(&mut self) {
        let ((low, high), unsent) = (self.asked().marks.get(), self.transport.unsent());
        if !self.is_paused && unsent > high {
            self.is_paused = true;
            self.call(|protocol, transport| protocol.pause_writing(transport));
        } else if self.is_paused && unsent <= low {
            self.is_paused = false;
            self.call(|protocol, transport| protocol.resume_writing(transport));
        }
    }

    /// Ready when our side has ended, as it was asked to.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_wanted = self.asked().wants_end.get() || self.transport.is_closing();
        if !is_wanted || self.transport.unsent() > 0 {
            return Poll::Pending;
        }
        if !self.has_sent_end {
            ready!(Pin::new(&mut self.stream).poll_close(cx))?;
            self.has_sent_end = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the protocol has heard something.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_paused = self.asked().is_reading_paused.get();
        if self.has_read_end || is_paused || self.transport.is_closing() {
            return Poll::Pending;
        }
        self.buf.resize(READ_LEN, 0);
        let count = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut self.buf))?;
        let count = checked(count, READ_LEN)?;
        if count > 0 {
            let buf = mem::take(&mut self.buf);
            self.call(|protocol, transport| protocol.data_received(transport, &buf[..count]));
            self.buf = buf;
        } else {
            self.has_read_end = true;
            let keeps = self.call(|protocol, transport| protocol.eof_received(transport));
            if keeps != Some(true) {
                self.transport.close();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, P: Protocol> Connection<S, P> {
    fn call<R>(&mut self, callback: impl FnOnce(&mut P, &Transport) -> R) -> Option<R> {
        let mut protocol = self.protocol.take()?;
        let result = callback(&mut protocol, &self.transport);
        self.protocol = Some(protocol);
        Some(result)
    }

    fn lose(&mut self, error: Option<&io::Error>) {
        let asked = &self.transport.0;
        asked.stage.set(Stage::Lost);
        asked.written.take();
        asked.unsent.set(0);
        self.call(|protocol, _| protocol.connection_lost(error));
    }
}

impl<S, P: Protocol> Drop for Connection<S, P> {
    fn drop(&mut self) {
        if self.is_made && self.transport.0.stage.get() != Stage::Lost {
            self.lose(Some(&io::ErrorKind::ConnectionAborted.into()));
        }
    }
}

/// Drives a stream with a protocol. Made by [`serve`].
///
/// # Cancel safety
/// Not safe, because the stream goes with it, and what was not sent.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Serve<S, P: Protocol> {
    connection: Connection<S, P>,
    node: WaitNode<()>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, P: Protocol> Future for Serve<S, P> {
    type Output = P;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<P> {
        let (node, connection) = pinned_beside!(self, node, connection);
        let transport = connection.transport.clone();
        let asked = &transport.0;
        // What the callbacks ask for needs no wake: it is seen below.
        let _ = asked.waiters.cancel(node);
        loop {
            asked.has_changed.set(false);
            let caller = connection.caller;
            if let Poll::Ready(end) = caller.within(|| connection.poll_end(cx)) {
                connection.lose(end.as_ref().err());
                match connection.protocol.take() {
                    Some(protocol) => return Poll::Ready(protocol),
                    None => panic!("`Serve` was polled after it was done"),
                }
            }
            let is_pending = asked.waiters.poll(node, cx, 0).is_pending();
            if is_pending && !asked.has_changed.get() {
                return Poll::Pending;
            }
        }
    }
}

impl<S, P: Protocol> Drop for Serve<S, P> {
    fn drop(&mut self) {
        let _ = self
            .connection
            .transport
            .0
            .waiters
            .cancel(pinned_in_drop!(self, node));
    }
}

impl<S, P: Protocol> fmt::Debug for Serve<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("transport", &self.connection.transport)
            .finish_non_exhaustive()
    }
}

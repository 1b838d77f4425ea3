//! `proxy`: two sockets, joined both ways, by splice where there is much to move.
//!
//! *Role.* What [`copy_bidirectional`](crate::io::copy_bidirectional) is for any two streams, for two sockets of ours; it
//! knows their descriptors, so the kernel can hand pages over from one to the other.
//!
//! *Model.* Each way begins with a buffer. A read that brings [`SPLICE_FROM`] bytes or more says that there is much, and the
//! next is made by a pipe; a pipe that brings less says that there is little, and the next is made by a buffer.
//!
//! ```text
//!                   much                                     the kernel refuses: what is in the
//!     ┌──────► buffer ──────► pipe ──────┐                   pipe is read into a buffer, and the
//!     │ little   │ ▲            │        │ much              way stays with buffers
//!     └──────────┘ └────────────┘ ◄──────┘
//!                      little
//! ```
//!
//! Neither is held while nothing is under way: both come from a stock that the proxies of a thread share, and go back
//! when they are empty. Ten thousand idle connections hold no pipe and no buffer; those whose receiver is slow hold one
//! for each way that is full.
//!
//! *Cost.* What is little costs one read and one write, as a copy does. What is much costs, per pipe of it, two splices.
//! 256 MiB from one loopback connection to another took 8.2 calls per MiB (two splices of 256 KiB for each quarter), against 32
//! with buffers of 64 KiB; and, on two cores that had much else to do, 320 to 420 microseconds of processor time per MiB
//! against 370 to 680.
//!
//! *Why not always a pipe.* What is little is copied in no time, and a short read says that
//! the socket is empty, which a short splice does not: it may be the pipe that is full.

use std::fmt;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::socket;
use mainspring_sys::splice::{self, Pipe, Shield};

use self::stock::{BUF_LEN, Stock};
use super::split::StreamSocket;
use crate::io::endpoint::Endpoint;
use crate::io::endpoint::transfer::{Reading, Wait, Writing};
use crate::pin::{pinned, pinned_beside, pinned_mut, pinned_mut_beside};

mod stock;

/// A read of so much says that the next is worth a pipe. In bytes.
const SPLICE_FROM: usize = BUF_LEN / 2;

/// Joins two sockets: all that comes from one goes to the other, both ways at once, until both have ended; says how
/// many bytes went from `a` to `b`, and from `b` to `a`. Where one ends, the other is closed for writing, behind the last byte,
/// and the other way goes on.
///
/// Linux moves what is much from socket to socket without a copy (`splice`); what is little, and everything on other
/// systems, is read and written. What passes is the same. Nobody else may read or write the two meanwhile. Descriptors
/// that come with the bytes of a Unix socket are not passed on.
///
/// # Cancel safety
/// Not safe, because what was taken from one socket and not yet given to the other is lost with the future, in its pipe
/// or its buffer.
///
/// # Errors
/// Those of both sockets: the first of either ends it. [`Proxy::moved`] still tells the counts.
///
/// ```
/// # mainspring::run(async {
/// use mainspring::net::{self, UnixStream};
/// let (client, front) = UnixStream::pair()?;
/// let (back, server) = UnixStream::pair()?;
/// let proxy = mainspring::spawn(async move { net::proxy(&front, &back).await });
/// client.write_all(b"ping").await?;
/// assert_eq!(server.read(&mut [0; 8]).await?, 4);
/// drop(server);
/// assert_eq!(client.read(&mut [0; 8]).await?, 0);
/// drop(client);
/// assert_eq!(proxy.await.unwrap()?, (4, 0));
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn proxy<'a, A, B>(a: &'a A, b: &'a B) -> Proxy<'a>
where
    A: StreamSocket + ?Sized,
    B: StreamSocket + ?Sized,
{
    let (a, b) = (a.shared_socket().0, b.shared_socket().0);
    let location = Location::caller();
    Proxy {
        there: Pump::new(a, b, location),
        back: Pump::new(b, a, location),
        turns: Turns {
            stock: None,
            is_back_first: false,
        },
    }
}

/// Joins two sockets. Made by [`proxy`].
///
/// # Cancel safety
/// Not safe, because what was taken from one socket and not yet given to the other is lost with the future, in its pipe
/// or its buffer.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Proxy<'a> {
    there: Pump<'a>,
    back: Pump<'a>,
    turns: Turns,
}

/// What both ways share.
struct Turns {
    /// Since the first poll.
    stock: Option<Rc<Stock>>,
    /// The way that is polled first may use up the budget, so they take turns.
    is_back_first: bool,
}

impl Proxy<'_> {
    /// Sets how much one read must bring, in bytes, to be worth a pipe for the next: 32 KiB unless it is set. 0 uses pipes
    /// alone, `usize::MAX` none.
    pub fn splice_from(mut self, bytes: usize) -> Self {
        for flow in [&mut self.there.flow, &mut self.back.flow] {
            flow.splice_from = bytes.min(BUF_LEN);
            flow.may_splice = bytes < usize::MAX;
            flow.is_much = bytes == 0;
        }
        self
    }

    /// How many bytes went from `a` to `b`, and from `b` to `a`, so far; also after an error.
    #[must_use]
    pub fn moved(&self) -> (u64, u64) {
        (self.there.flow.moved, self.back.flow.moved)
    }

    /// How many of those went through a pipe.
    #[must_use]
    pub fn spliced(&self) -> (u64, u64) {
        (self.there.flow.spliced, self.back.flow.spliced)
    }
}

impl Future for Proxy<'_> {
    type Output = io::Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<(u64, u64)>> {
        let mut shield = None;
        let (there, turns) = pinned_mut_beside!(self.as_mut(), there, turns);
        let stock = Rc::clone(turns.stock.get_or_insert_with(Stock::here));
        turns.is_back_first = !turns.is_back_first;
        let (there, back) = if turns.is_back_first {
            let back = pinned_mut!(self.as_mut(), back).poll(cx, &stock, &mut shield)?;
            let there = pinned_mut!(self.as_mut(), there);
            (there.poll(cx, &stock, &mut shield)?, back)
        } else {
            let there = there.poll(cx, &stock, &mut shield)?;
            let back = pinned_mut!(self.as_mut(), back);
            (there, back.poll(cx, &stock, &mut shield)?)
        };
        if there.is_ready() && back.is_ready() {
            Poll::Ready(Ok(self.moved()))
        } else {
            Poll::Pending
        }
    }
}

impl fmt::Debug for Proxy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("moved", &self.moved())
            .field("spliced", &self.spliced())
            .finish_non_exhaustive()
    }
}

/// One way: from a socket to another.
struct Pump<'a> {
    waits: Waits<'a>,
    flow: Flow,
}

struct Waits<'a> {
    source: Wait<'a, Reading>,
    target: Wait<'a, Writing>,
}

/// What is under way, and what is known of the rest.
struct Flow {
    load: Load,
    moved: u64,
    spliced: u64,
    splice_from: usize,
    /// Whether the kernel has not refused yet.
    may_splice: bool,
    /// Whether the last read brought so much that the next is made by a pipe.
    is_much: bool,
    has_ended: bool,
}

/// Bytes that were taken and not yet given.
enum Load {
    None,
    Buffer(Box<[u8]>, Range<usize>),
    /// That many are in the pipe.
    Pipe(Pipe, usize),
}

impl<'a> Pump<'a> {
    fn new(
        source: &'a Endpoint,
        target: &'a Endpoint,
        location: &'static Location<'static>,
    ) -> Self {
        Pump {
            waits: Waits {
                source: Wait::new(source, Reading, location),
                target: Wait::new(target, Writing, location),
            },
            flow: Flow {
                load: Load::None,
                moved: 0,
                spliced: 0,
                splice_from: SPLICE_FROM,
                may_splice: true,
                is_much: false,
                has_ended: false,
            },
        }
    }

    /// `Ready` when the source has ended and the target was told.
    fn poll(
        self: Pin<&mut Self>,
        cx: &Context<'_>,
        stock: &Stock,
        shield: &mut Option<Shield>,
    ) -> Poll<io::Result<()>> {
        let (waits, flow) = pinned_beside!(self, waits, flow);
        while !flow.has_ended {
            ready!(flow.poll_give(waits, cx, stock, shield))?;
            let count = ready!(if flow.is_much && flow.may_splice {
                flow.poll_fill(waits, cx, stock)
            } else {
                flow.poll_read(waits, cx, stock)
            })?;
            if count == Some(0) {
                flow.has_ended = true;
                waits.target.endpoint().close_write()?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Flow {
    /// Gives all that is under way.
    fn poll_give(
        &mut self,
        waits: Pin<&Waits<'_>>,
        cx: &Context<'_>,
        stock: &Stock,
        shield: &mut Option<Shield>,
    ) -> Poll<io::Result<()>> {
        let target = pinned!(waits, target);
        loop {
            let given = match &mut self.load {
                Load::Buffer(buf, held) if held.start < held.end => {
                    let bytes = &buf[held.clone()];
                    let given = ready!(target.poll_move(cx, |fd| socket::send(fd, bytes)))?;
                    held.start += given;
                    given
                }
                Load::Pipe(pipe, held) if *held > 0 => {
                    let given = ready!(target.poll_with(cx, |fd| {
                        shield.get_or_insert_with(Shield::new);
                        pipe.drain(fd, *held)
                    }));
                    match given {
                        Ok(given) => {
                            *held -= given;
                            self.spliced += given as u64;
                            given
                        }
                        Err(error) if splice::is_refused(&error) => {
                            self.unload_pipe(stock)?;
                            continue;
                        }
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                _ => return Poll::Ready(Ok(())),
            };
            if given == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.moved += given as u64;
        }
    }

    /// The target takes nothing from a pipe: what is in there goes on in memory.
    #[cold]
    fn unload_pipe(&mut self, stock: &Stock) -> io::Result<()> {
        self.may_splice = false;
        let Load::Pipe(pipe, held) = &self.load else {
            return Ok(());
        };
        let mut buf = vec![0; *held].into_boxed_slice();
        let mut end = 0;
        while end < buf.len() {
            match pipe.read(&mut buf[end..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => end += count,
            }
        }
        let emptied = std::mem::replace(&mut self.load, Load::Buffer(buf, 0..end));
        emptied.give_back(stock);
        Ok(())
    }

    /// Takes what the source has into a buffer. Says how much; 0 is its end.
    fn poll_read(
        &mut self,
        waits: Pin<&Waits<'_>>,
        cx: &Context<'_>,
        stock: &Stock,
    ) -> Poll<io::Result<Option<usize>>> {
        let mut buf = match std::mem::replace(&mut self.load, Load::None) {
            Load::Buffer(buf, _) if buf.len() == BUF_LEN => buf,
            other => {
                other.give_back(stock);
                stock.take_buf()
            }
        };
        let wait = pinned!(waits, source);
        let family = wait.endpoint().family();
        let polled = wait.poll_move(cx, |fd| family.read(fd, &mut buf));
        let count = match &polled {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        let load = Load::Buffer(buf, 0..count);
        if count == 0 {
            load.give_back(stock);
        } else {
            self.is_much = count >= self.splice_from;
            self.load = load;
        }
        polled.map_ok(Some)
    }

    /// The same into a pipe; `None` if it must be a buffer.
    fn poll_fill(
        &mut self,
        waits: Pin<&Waits<'_>>,
        cx: &Context<'_>,
        stock: &Stock,
    ) -> Poll<io::Result<Option<usize>>> {
        let pipe = match std::mem::replace(&mut self.load, Load::None) {
            Load::Pipe(pipe, _) => pipe,
            other => {
                other.give_back(stock);
                match stock.take_pipe() {
                    Ok(pipe) => pipe,
                    Err(error) => {
                        // Without descriptors another time may be better; without splice none is.
                        self.may_splice = !splice::is_refused(&error);
                        self.is_much = false;
                        return Poll::Ready(Ok(None));
                    }
                }
            }
        };
        let polled = pinned!(waits, source).poll_with(cx, |fd| pipe.fill(fd));
        let count = match polled {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.is_much = count >= self.splice_from;
                self.load = Load::Pipe(pipe, count);
                count
            }
            nothing => {
                stock.put_pipe(pipe);
                match ready!(nothing) {
                    Err(error) if splice::is_refused(&error) => {
                        self.may_splice = false;
                        return Poll::Ready(Ok(None));
                    }
                    result => result?,
                }
            }
        };
        Poll::Ready(Ok(Some(count)))
    }
}

impl Load {
    /// It is empty: what it was in goes to whoever needs it next.
    fn give_back(self, stock: &Stock) {
        match self {
            Load::None => {}
            Load::Buffer(buf, _) => stock.put_buf(buf),
            Load::Pipe(pipe, _) => stock.put_pipe(pipe),
        }
    }
}

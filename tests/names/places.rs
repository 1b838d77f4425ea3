//! Where a connect of a test goes: to somebody who answers, who refuses, or who never answers; and resolvers.

#![allow(dead_code, reason = "each suite uses its part")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use mainspring::net::{ResolveError, ResolveErrorKind, Resolver, Resolving};
use mainspring::time::sleep;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketType, bind, connect, getsockname, listen, socket};

/// A port that is taken, and at which nobody listens.
pub(crate) struct Closed {
    pub(crate) addr: SocketAddr,
    _socket: OwnedFd,
}

fn bound() -> (OwnedFd, SocketAddr) {
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&fd, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let addr = getsockname(&fd).unwrap().try_into().unwrap();
    (fd, addr)
}

impl Closed {
    pub(crate) fn new() -> Closed {
        let (_socket, addr) = bound();
        Closed { addr, _socket }
    }
}

/// A listener whose queue is full: it lets nobody in, and answers nobody.
pub(crate) struct Hole {
    pub(crate) addr: SocketAddr,
    _all: [OwnedFd; 3],
}

impl Hole {
    pub(crate) fn new() -> Hole {
        let (fd, addr) = bound();
        listen(&fd, 0).unwrap();
        let [one, other] = [(); 2].map(|()| {
            let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
            rustix::io::ioctl_fionbio(&fd, true).unwrap();
            let _in_progress = connect(&fd, &addr);
            fd
        });
        // One of them fills the queue; then the other never comes through.
        let mut ends = [
            PollFd::new(&one, PollFlags::OUT),
            PollFd::new(&other, PollFlags::OUT),
        ];
        poll(&mut ends, None).unwrap();
        Hole {
            addr,
            _all: [fd, one, other],
        }
    }
}

/// Somebody who lets all in.
pub(crate) struct Open {
    pub(crate) addr: SocketAddr,
    listener: TcpListener,
}

impl Open {
    pub(crate) fn new() -> Open {
        Open::at("127.0.0.1:0")
    }

    /// At the first address of `at` that this machine has: `localhost` may be that of one family alone, or of one
    /// that is switched off.
    pub(crate) fn at(at: impl ToSocketAddrs) -> Open {
        let listener = TcpListener::bind(at).unwrap();
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        Open { addr, listener }
    }

    /// The connections that came, without waiting.
    pub(crate) fn guests(&self) -> Vec<TcpStream> {
        std::iter::from_fn(|| self.listener.accept().ok())
            .map(|(stream, _)| stream)
            .collect()
    }
}

impl AsFd for Open {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// What the table says of a name.
#[derive(Clone)]
pub(crate) enum Answer {
    Addrs(Vec<SocketAddr>),
    After(Duration, Vec<SocketAddr>),
    Never,
    TryAgain,
}

/// A resolver that knows what it was told, and remembers what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Table {
    answers: Rc<RefCell<HashMap<String, Answer>>>,
    pub(crate) asked: Rc<RefCell<Vec<(String, u16)>>>,
}

impl Table {
    pub(crate) fn with(self, name: &str, answer: Answer) -> Table {
        self.answers.borrow_mut().insert(name.to_string(), answer);
        self
    }
}

impl Resolver for Table {
    fn lookup(&self, host: &str, port: u16) -> Resolving<Vec<SocketAddr>> {
        self.asked.borrow_mut().push((host.to_string(), port));
        let answer = self.answers.borrow().get(host).cloned();
        Box::pin(async move {
            match answer {
                Some(Answer::Addrs(addrs)) => Ok(addrs),
                Some(Answer::After(time, addrs)) => {
                    sleep(time).await;
                    Ok(addrs)
                }
                Some(Answer::Never) => pending().await,
                Some(Answer::TryAgain) => {
                    Err(ResolveError::new(ResolveErrorKind::TryAgain, "no server answers").into())
                }
                None => Err(io::ErrorKind::NotFound.into()),
            }
        })
    }
}

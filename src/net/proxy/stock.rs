//! `Stock`: the empty pipes and buffers that the proxies of a thread share.
//!
//! *Life.* It is made by the first proxy that is polled, and goes with the last one, so that a loop without proxies keeps
//! no pipe open. It never keeps more than [`PIPES_MAX`] pipes and [`BUFS_MAX`] buffers; what comes back beyond that is closed.

use std::cell::RefCell;
use std::io;
use std::rc::{Rc, Weak};

use mainspring_sys::splice::Pipe;

/// What a pipe has room for, if the system grants it. In bytes. A user may have 64 MiB of pipes on Linux, beyond which
/// they are small; so no more than is of use.
const PIPE_SIZE: usize = 256 << 10;
/// How many empty pipes are kept.
const PIPES_MAX: usize = 16;
/// Of each buffer. In bytes.
pub(super) const BUF_LEN: usize = 64 << 10;
/// How many buffers are kept.
const BUFS_MAX: usize = 16;

thread_local! {
    static HERE: RefCell<Weak<Stock>> = const { RefCell::new(Weak::new()) };
}

/// Empty pipes and buffers.
#[derive(Default)]
pub(super) struct Stock {
    pipes: RefCell<Vec<Pipe>>,
    bufs: RefCell<Vec<Box<[u8]>>>,
}

impl Stock {
    /// The stock of this thread.
    pub(super) fn here() -> Rc<Stock> {
        let found = HERE.try_with(|here| here.borrow().upgrade()).ok().flatten();
        found.unwrap_or_else(|| {
            let made = Rc::new(Stock::default());
            // While the thread ends there is no place for it any more, and it is this proxy's alone.
            let _ = HERE.try_with(|here| *here.borrow_mut() = Rc::downgrade(&made));
            made
        })
    }

    pub(super) fn take_pipe(&self) -> io::Result<Pipe> {
        let kept = self.pipes.borrow_mut().pop();
        kept.map_or_else(|| Pipe::new(PIPE_SIZE), Ok)
    }

    /// The pipe is empty.
    pub(super) fn put_pipe(&self, pipe: Pipe) {
        let mut pipes = self.pipes.borrow_mut();
        if pipes.len() < PIPES_MAX {
            pipes.push(pipe);
        }
    }

    pub(super) fn take_buf(&self) -> Box<[u8]> {
        let kept = self.bufs.borrow_mut().pop();
        kept.unwrap_or_else(|| vec![0; BUF_LEN].into_boxed_slice())
    }

    pub(super) fn put_buf(&self, buf: Box<[u8]>) {
        let mut bufs = self.bufs.borrow_mut();
        if bufs.len() < BUFS_MAX && buf.len() == BUF_LEN {
            bufs.push(buf);
        }
    }
}

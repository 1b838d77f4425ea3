//! `Ear`: what hears one signal, by the bell of the loop that is entered.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, ready};

use mainspring_sys::signal::{self as sys, Bell, Signal};

use crate::context;
use crate::reactor::{self, Direction, Source};
use crate::task::core::Core;
use crate::task::wait::WaitNode;

/// The bell of a loop, with its source.
struct LoopBell {
    bell: RefCell<Bell>,
    source: Rc<Source>,
}

impl Drop for LoopBell {
    fn drop(&mut self) {
        // The bell is kept for others, so it leaves this loop's selector by itself.
        self.source.close(Some(self.bell.borrow().fd()), false);
    }
}

thread_local! {
    /// The bell of the loop with this number, while anybody listens there.
    static BELL: RefCell<(u64, Weak<LoopBell>)> = const { RefCell::new((0, Weak::new())) };
}

/// The bell of the loop that is entered.
fn current_bell() -> io::Result<Rc<LoopBell>> {
    let id = Core::with_current(|core| core.map(Core::id)).ok_or_else(reactor::no_loop)?;
    BELL.with_borrow_mut(|(owner, bell)| {
        if let (true, Some(bell)) = (*owner == id, bell.upgrade()) {
            return Ok(bell);
        }
        let new = Rc::new(LoopBell {
            bell: RefCell::new(Bell::new()?),
            source: Source::new(),
        });
        (*owner, *bell) = (id, Rc::downgrade(&new));
        Ok(new)
    })
}

/// Hears one signal. Its drop ends that.
pub(crate) struct Ear {
    bell: Rc<LoopBell>,
    signal: Signal,
    /// Up to where it has heard.
    heard: Cell<u64>,
}

impl Ear {
    /// Listens from now on.
    ///
    /// # Errors
    /// What forbids it; EMFILE; `NotConnected` where no loop runs.
    pub(crate) fn new(signal: Signal) -> io::Result<Ear> {
        let bell = current_bell()?;
        // Counted before the handler is in force: what comes in between is heard.
        let heard = Cell::new(sys::count(signal));
        bell.bell.borrow_mut().listen(signal)?;
        Ok(Ear {
            bell,
            signal,
            heard,
        })
    }

    pub(crate) fn signal(&self) -> Signal {
        self.signal
    }

    /// How many signals came since this was asked last; 0 if none.
    pub(crate) fn take(&self) -> u64 {
        let count = sys::count(self.signal);
        count - self.heard.replace(count)
    }

    /// Up to where it has heard: the number of the next signal.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.get()
    }

    /// How many signals have come so far, also before it listened.
    pub(crate) fn count(&self) -> u64 {
        sys::count(self.signal)
    }

    /// Ready when a signal came since it was taken last; `node` waits until then.
    pub(crate) fn poll_heard(
        &self,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_beyond(self.heard.get(), node, cx)
    }

    /// Ready when the count is another than `known`; for those who share an ear and have heard up to different places.
    pub(crate) fn poll_beyond(
        &self,
        known: u64,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let LoopBell { bell, source } = &*self.bell;
        let fd = bell.borrow().fd();
        loop {
            if self.count() != known {
                source.cancel(Direction::Read, node);
                return Poll::Ready(Ok(()));
            }
            let polled = source.poll_ready(Direction::Read, fd, node, cx, context::reactor);
            if polled.is_pending() {
                node.set_word(self.signal.number() as u64);
            }
            ready!(polled)?;
            // First the bell: a signal that comes before the look at the count rings it again.
            bell.borrow().quiet();
            source.clear(Direction::Read);
        }
    }

    /// A future that waits with `node` is dropped.
    pub(crate) fn cancel(&self, node: Pin<&WaitNode<()>>) {
        self.bell.source.cancel(Direction::Read, node);
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.bell.bell.borrow_mut().unlisten(self.signal);
    }
}

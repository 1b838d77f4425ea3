//! `Interrupt`: the first ^C ends a run in order, the second one the process.
//!
//! *Model.* A task of the background listens to SIGINT for as long as the run takes. The run looks at what it has heard
//! before each pass, and before each sleep.
//!
//! ```text
//!   first ^C ──► the shutdown token is cancelled ──► grace ──► over: main is dropped, the run gives `Interrupted`
//!                     │ whoever watches it            └── main ends, then the tasks: as ever
//!   second ^C ─► the handler ends the process, whatever the loop is doing
//! ```

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use mainspring_sys::signal::{self as sys, SecondEnds, Signal};

use super::Runtime;
use crate::event_loop::EventLoop;
use crate::spawn::TaskBuilder;
use crate::task::join::JoinHandle;
use crate::time::sleep;

/// What a run that was ended by ^C gives.
pub(super) fn error() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "interrupted by ^C (SIGINT)")
}

/// What the listener has heard.
struct Heard {
    /// Up to which signal.
    count: Cell<u64>,
    /// The first ^C came.
    is_told: Cell<bool>,
    /// The grace after it is over.
    is_over: Cell<bool>,
}

/// Ends a run by ^C, if that is wanted, for as long as it lives. The loop is entered.
pub(super) struct Interrupt<'a> {
    event_loop: &'a EventLoop,
    watch: Option<Watch>,
}

struct Watch {
    listener: JoinHandle<()>,
    heard: Rc<Heard>,
    /// It goes after the listener's end, which the drop of [`Interrupt`] brings about.
    _second: SecondEnds,
}

impl Runtime {
    /// Listens to ^C, if it is to end what runs.
    ///
    /// # Errors
    /// What forbids to listen.
    pub(super) fn watch_ctrl_c(&self) -> io::Result<Interrupt<'_>> {
        let watch = match self.ctrl_c_grace {
            Some(grace) if !sys::is_ignored(Signal::INT) => {
                Some(Watch::begin(&self.event_loop, grace)?)
            }
            _ => None,
        };
        let event_loop = &*self.event_loop;
        Ok(Interrupt { event_loop, watch })
    }
}

impl Watch {
    fn begin(event_loop: &Rc<EventLoop>, grace: Duration) -> io::Result<Watch> {
        let listener = crate::signal::signal(Signal::INT)?;
        let first = listener.heard();
        let heard = Rc::new(Heard {
            count: Cell::new(first),
            is_told: Cell::new(false),
            is_over: Cell::new(false),
        });
        // Weak, or the loop would keep itself: the task is a part of it.
        let shared = (Rc::downgrade(event_loop), Rc::clone(&heard));
        let builder = TaskBuilder::new().name("^C").background(true);
        let listener = builder.spawn(async move {
            let (event_loop, heard) = shared;
            // It goes on listening: the second ^C is the handler's, which needs somebody to listen.
            let mut listener = listener;
            if listener.recv().await.is_err() {
                // The loop has no bell any more; there is nothing to hear.
                return;
            }
            heard.count.set(listener.heard());
            heard.is_told.set(true);
            if let Some(event_loop) = event_loop.upgrade() {
                event_loop.shutdown.tell("^C");
            }
            if !grace.is_zero() {
                sleep(grace).await;
            }
            heard.is_over.set(true);
            std::future::pending::<()>().await;
        });
        Ok(Watch {
            listener,
            heard,
            _second: SecondEnds::new(Signal::INT, first),
        })
    }
}

impl Interrupt<'_> {
    fn is_over(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.heard.is_over.get())
    }

    /// One pass of the loop for a main that `is_wanted`.
    ///
    /// # Errors
    /// `Interrupted`, if its time is over; what the selector says of its wait.
    #[inline]
    pub(super) fn pass(&self, is_wanted: &dyn Fn() -> bool) -> io::Result<()> {
        if self.is_over() {
            return Err(error());
        }
        let may_block = || is_wanted() && !self.is_over();
        self.event_loop.pass(|_| may_block()).map(drop)
    }

    /// After main: the tasks that were told have the rest of the grace.
    ///
    /// # Errors
    /// What the selector says of its wait.
    pub(super) fn wait_for_tasks(&self) -> io::Result<()> {
        while self.is_told() && !self.has_ended_run() {
            self.event_loop.pass(|_| !self.has_ended_run())?;
        }
        Ok(())
    }

    fn is_told(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.heard.is_told.get())
    }

    /// Whether a ^C came, and its grace is over or nobody is left to need it.
    pub(super) fn has_ended_run(&self) -> bool {
        self.is_told() && (self.is_over() || !self.event_loop.core().has_counted_tasks())
    }
}

impl Drop for Interrupt<'_> {
    fn drop(&mut self) {
        let Some(watch) = &self.watch else { return };
        watch.listener.end_now(self.event_loop.core());
        if watch.heard.is_told.get() {
            self.event_loop.shutdown.renew();
        } else if sys::count(Signal::INT) > watch.heard.count.get()
            && !sys::is_listened_to(Signal::INT)
        {
            // It came as the run ended: it does what it would have done a moment later.
            let _ = sys::raise(Signal::INT);
        }
    }
}

//! A runtime in the child of a fork: the parent's, until the child makes it its own.

use std::cell::OnceCell;
use std::io;

use super::Runtime;
use crate::context;

impl Runtime {
    /// In the child of a fork: makes the runtime that it inherited its own.
    ///
    /// Until this was called [`block_on`](Runtime::block_on), [`tick`](Runtime::tick) and whatever else needs the
    /// selector give an error there: it is the parent's, and nothing that the child does may reach it. A runtime that is dropped instead drops its tasks, which closes the child's copies of their
    /// descriptors, and leaves parent and threads alone; [`std::mem::forget`] leaves all of it.
    ///
    /// Afterwards the loop has a selector of its own, every task is polled once more, and whoever waits for a
    /// descriptor is registered there. Timers go on. Handles and wakers work as before. The pool has no
    /// threads, and starts some as it needs them; jobs that had not ended are aborted
    /// ([`JoinError::is_aborted`](crate::JoinError::is_aborted)), for their threads are the parent's. Sockets and
    /// files stay shared with the parent: drop on one side what the other goes on with. Children of the parent
    /// are not the child's.
    ///
    /// In a process that was not forked it does nothing. A fork past libc (`clone(2)` by hand) is not noticed.
    /// `docs/fork-and-daemons.md` tells what else a fork takes.
    ///
    /// # Errors
    /// That the selector can't be opened (EMFILE, ENFILE, ENOMEM); it may be tried again.
    ///
    /// # Panics
    /// While a loop that was made in this process is entered on this thread.
    ///
    /// ```
    /// let mut runtime = mainspring::Runtime::new().unwrap();
    /// // In the child, after fork(2) or daemon(3):
    /// runtime.after_fork().unwrap();
    /// ```
    #[track_caller]
    pub fn after_fork(&mut self) -> io::Result<()> {
        if self.event_loop.reactor().check_process().is_ok() {
            return Ok(());
        }
        self.selector_fd = OnceCell::new();
        let _entered = context::enter(&self.event_loop, "Runtime::after_fork");
        self.event_loop.after_fork()
    }

    /// Whether this runtime was made before a fork, in the parent, and [`Runtime::after_fork`] was not called
    /// since.
    #[must_use]
    pub fn is_inherited(&self) -> bool {
        self.event_loop.reactor().check_process().is_err()
    }
}

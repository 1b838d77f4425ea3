//! What a loop does in the child of a fork: everything that it shares with its parent is opened anew.

use std::io;

use mainspring_sys::signal;

use super::EventLoop;

impl EventLoop {
    /// In the child of a fork, with the loop entered: makes it this process's own. Every task is polled again.
    ///
    /// # Errors
    /// That the selector can't be opened anew; the loop is as it was then.
    pub(crate) fn after_fork(&self) -> io::Result<()> {
        signal::after_fork()?;
        self.reactor.after_fork()?;
        self.pool.after_fork();
        self.core.wake_all_tasks();
        self.force_turn();
        Ok(())
    }
}

//! What the programs share: a trace, and a loop whose time jumps.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mainspring::sim;
use mainspring::time::sleep;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// The words of a trace.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    /// The trace of a program.
    pub(crate) fn of(program: impl AsyncFnOnce(Log)) -> String {
        let log = Log::default();
        sim::run(1, program(log.clone()));
        log.0.borrow().join(" ")
    }

    pub(crate) fn push(&self, word: impl Into<String>) {
        self.0.borrow_mut().push(word.into());
    }

    /// Logs `word` when it is dropped: what `finally` is in Python.
    pub(crate) fn finally(&self, word: impl Into<String>) -> Finally {
        Finally(self.clone(), word.into())
    }
}

pub(crate) struct Finally(Log, String);

impl Drop for Finally {
    fn drop(&mut self) {
        self.0.push(std::mem::take(&mut self.1));
    }
}

/// Sleeps, and logs that it did.
pub(crate) async fn nap(log: Log, ms: u32) -> u32 {
    sleep(ms * MS).await;
    log.push(format!("end-{ms}"));
    ms
}

/// A task that panics, or a coroutine that raises.
pub(crate) async fn broken<T>() -> T {
    sleep(2 * MS).await;
    std::panic::resume_unwind(Box::new("broken"))
}

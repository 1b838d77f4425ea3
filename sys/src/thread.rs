//! Starts a thread: the one place where this crate's users get one from the system.
//!
//! *Role.* The pool of blocking threads, and who runs a loop per processor, ask here, so that a fault plan can say no
//! ([`Call::ThreadStart`]): a system that is out of threads says EAGAIN, and nobody can order one that is.

use std::io;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::fault::{self, Call};

/// Starts a thread that runs `body`, and leaves it to itself. `stack_size` in bytes; `None`: std's own.
///
/// # Errors
/// That there is no thread to be had: EAGAIN, ENOMEM. `body` is dropped then.
pub fn start(
    name: String,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    fault::check(Call::ThreadStart, 0)?;
    let mut builder = Builder::new().name(name);
    if let Some(stack_size) = stack_size {
        builder = builder.stack_size(stack_size);
    }
    builder.spawn(body).map(drop)
}

/// As [`start`], for a thread that ends within `scope`, and may borrow what lives longer.
///
/// # Errors
/// As for [`start`].
pub fn start_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: String,
    stack_size: Option<usize>,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    fault::check(Call::ThreadStart, 0)?;
    let mut builder = Builder::new().name(name);
    if let Some(stack_size) = stack_size {
        builder = builder.stack_size(stack_size);
    }
    builder.spawn_scoped(scope, body)
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::fault::{Fault, Plan};

    #[test]
    fn a_plan_can_refuse_a_thread() {
        let guard = Plan::new()
            .at(Call::ThreadStart, 1, Fault::Errno(11))
            .install();
        let refused = start("never".into(), None, || unreachable!("it was refused"));
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(11));
        let (sender, receiver) = std::sync::mpsc::channel();
        start("named".into(), Some(1 << 16), move || {
            let name = std::thread::current().name().map(str::to_owned);
            sender.send(name).unwrap();
        })
        .unwrap();
        assert_eq!(receiver.recv().unwrap().as_deref(), Some("named"));
        drop(guard);
    }
}

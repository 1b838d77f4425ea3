//! Signals: another thread sends one to the process, whose loop is asleep.

use std::sync::Arc;

use super::in_task;
use super::wakes::{Exchange, LoopSide};
use crate::figures::Figures;
use crate::peers::Signals;

/// What is sent: SIGUSR1.
pub const SIGNAL: libc::c_int = libc::SIGUSR1;

/// Latency from `kill` to the task that awaits the signal, with the loop's own CPU time.
pub fn resume<P: Signals>(count: u64) -> Figures {
    in_task::<P>(async move {
        let exchange = Exchange::one_way(count);
        let mut listener = P::listen();
        let mut side = LoopSide::new(Arc::clone(&exchange));
        let thread = exchange.start(send);
        while !side.is_over_after_wake() {
            P::recv(&mut listener).await;
        }
        side.finish(thread)
    })
}

/// To the process, as it comes from outside.
fn send() {
    // SAFETY: it touches no memory, and there is a listener.
    let status = unsafe { libc::kill(libc::getpid(), SIGNAL) };
    assert_eq!(status, 0, "it can be sent");
}

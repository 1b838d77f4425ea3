//! Switch: 1000 tasks take turns.

use std::future::{Future, poll_fn};
use std::task::Poll;

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::peers::Tasks;

const TASKS: u64 = 1000;

/// By the peer's own `yield_now`.
pub fn yields<P: Tasks>(count: u64) -> Figures {
    in_turn::<P, _>(count, P::yield_now)
}

/// By a wake of the task's own waker.
pub fn wakes<P: Tasks>(count: u64) -> Figures {
    in_turn::<P, _>(count, bare_wake)
}

/// Wakes itself and is ready at the second poll.
pub fn bare_wake() -> impl Future<Output = ()> {
    let mut has_waked = false;
    poll_fn(move |cx| {
        if has_waked {
            return Poll::Ready(());
        }
        has_waked = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

fn in_turn<P, Y>(count: u64, one: impl Fn() -> Y + Copy + 'static) -> Figures
where
    P: Tasks,
    Y: Future<Output = ()> + 'static,
{
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        let spawn = |_| {
            P::spawn(async move {
                for _ in 0..count / TASKS {
                    one().await;
                }
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(spawn).collect();
        for task in tasks {
            task.await;
        }
        Figures::cpu_per_op(cpu, count)
    })
}

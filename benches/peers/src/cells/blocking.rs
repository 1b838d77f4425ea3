//! Work that blocks: jobs that do nothing, on whatever threads the peer has for them.

use std::hint::black_box;

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::peers::Blocks;

/// How many jobs go before the count begins, so that there are threads.
const WARM_UP: u64 = 1000;

/// Each awaited before the next.
pub fn one_at_a_time<P: Blocks>(count: u64) -> Figures {
    in_batches::<P>(count, 1)
}

/// 1000 handed over, then awaited in order.
pub fn batch<P: Blocks>(count: u64) -> Figures {
    in_batches::<P>(count, 1000)
}

fn in_batches<P: Blocks>(count: u64, batch: u64) -> Figures {
    in_task::<P>(async move {
        rounds::<P>(WARM_UP, batch).await;
        let cpu = Cpu::of_process();
        rounds::<P>(count, batch).await;
        Figures::cpu_per_op(cpu, count)
    })
}

async fn rounds<P: Blocks>(count: u64, batch: u64) {
    let mut jobs = Vec::with_capacity(batch as usize);
    for _ in 0..count / batch {
        for index in 0..batch {
            jobs.push(P::spawn_blocking(move || black_box(index)));
        }
        for job in jobs.drain(..) {
            black_box(job.await);
        }
    }
}

//! Spawn: trivial tasks, joined in order.

use std::future::pending;
use std::hint::black_box;

use super::in_task;
use crate::figures::{Cpu, Figures, resident_bytes};
use crate::peers::Tasks;

/// 1000 at a time.
pub fn batch<P: Tasks>(count: u64) -> Figures {
    in_batches::<P>(count, 1000)
}

/// All at once.
pub fn all<P: Tasks>(count: u64) -> Figures {
    in_batches::<P>(count, count)
}

fn in_batches<P: Tasks>(count: u64, batch: u64) -> Figures {
    in_task::<P>(async move {
        let mut handles = Vec::with_capacity(batch as usize);
        let cpu = Cpu::of_process();
        for _ in 0..count / batch {
            for index in 0..batch {
                handles.push(P::spawn(async move { black_box(index) }));
            }
            for handle in handles.drain(..) {
                black_box(handle.await);
            }
        }
        Figures::cpu_per_op(cpu, count)
    })
}

/// Memory per task that waits for ever, its handle dropped or kept in a vector that is not counted.
pub fn idle<P: Tasks>(count: u64) -> Figures {
    in_task::<P>(async move {
        let spawn = || P::spawn(pending::<()>());
        let mut handles = Vec::with_capacity(count as usize);
        // The vector's pages are touched before the count begins.
        handles.resize_with(count as usize, || None);
        handles[0] = Some(spawn());
        P::yield_now().await;
        let before = resident_bytes();
        for handle in &mut handles[1..] {
            *handle = Some(spawn());
        }
        P::yield_now().await;
        let bytes = resident_bytes() - before;
        let figures = Figures::default().with("bytes", bytes as f64 / (count - 1) as f64);
        // The end of a million tasks is not what this cell is about.
        println!("{}", figures.to_json());
        std::process::exit(0)
    })
}

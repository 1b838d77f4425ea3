//! Locks and groups: what tasks do together.

use std::rc::Rc;

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::peers::{Groups, Locks};

const TASKS: u64 = 2;
const CHILDREN: u64 = 1000;

/// Each holds the lock across a yield, so that it is always handed over.
pub fn lock_handoff<P: Locks>(count: u64) -> Figures {
    in_task::<P>(async move {
        let lock = Rc::new(P::lock());
        let cpu = Cpu::of_process();
        let spawn = |_| {
            let lock = Rc::clone(&lock);
            P::spawn(async move {
                for _ in 0..count / TASKS {
                    P::hold(&lock).await;
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

/// By whatever the peer waits for many with.
pub fn children<P: Groups>(count: u64) -> Figures {
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        for _ in 0..count / CHILDREN {
            P::children(CHILDREN).await;
        }
        Figures::cpu_per_op(cpu, count)
    })
}

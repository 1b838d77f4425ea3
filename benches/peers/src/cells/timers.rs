//! Timers: armed and dropped, replaced, fired; and timeouts around bodies that are soon ready.

use std::cell::RefCell;
use std::future::{Future, poll_fn, ready};
use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::in_task;
use super::switch::bare_wake;
use crate::figures::{Cpu, Figures, now_ns};
use crate::peers::Timers;

/// Polls a future that waits.
async fn poll_once(mut future: Pin<&mut impl Future>) {
    let is_pending = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(is_pending);
}

/// Sleeps that are all armed, each polled once, and then all dropped; what they are boxed in counts too.
pub fn cancel<P: Timers>(count: u64) -> Figures {
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        let arm = |index| Box::pin(P::sleep(Duration::from_millis(1000 + index % 5000)));
        let mut sleeps = Vec::with_capacity(count as usize);
        for index in 0..count {
            sleeps.push(arm(index));
            let last = sleeps.last_mut().expect("it was pushed");
            poll_once(last.as_mut()).await;
        }
        drop(sleeps);
        Figures::cpu_per_op(cpu, count)
    })
}

/// 1000 outstanding: the oldest is dropped and a new one armed in its place.
pub fn roll<P: Timers>(count: u64) -> Figures {
    in_task::<P>(async move {
        let arm = |index: u64| P::sleep(Duration::from_millis(30_000 + index % 1000));
        let mut slots: Vec<_> = (0..1000).map(|index| Box::pin(arm(index))).collect();
        for slot in &mut slots {
            poll_once(slot.as_mut()).await;
        }
        let cpu = Cpu::of_process();
        for index in 0..count {
            let slot = &mut slots[index as usize % 1000];
            slot.set(arm(index));
            poll_once(slot.as_mut()).await;
            if index % 64 == 63 {
                P::yield_now().await;
            }
        }
        Figures::cpu_per_op(cpu, count)
    })
}

/// Tasks that sleep between 0 and 1 s, each once: CPU, how late they were, and how many were early.
pub fn fire<P: Timers>(count: u64) -> Figures {
    in_task::<P>(async move {
        let late = Rc::new(RefCell::new(Vec::with_capacity(count as usize)));
        let cpu = Cpu::of_process();
        let tasks: Vec<_> = (0..count)
            .map(|index| {
                let late = Rc::clone(&late);
                P::spawn(async move {
                    // Spread over the second, and not in order.
                    let delay_ns = index * 7919 % count * (1_000_000_000 / count);
                    let due_ns = now_ns() + delay_ns;
                    P::sleep(Duration::from_nanos(delay_ns)).await;
                    late.borrow_mut().push(now_ns() as i64 - due_ns as i64);
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        let figures = Figures::cpu_per_op(cpu, count);
        let late = late.take();
        let early = late.iter().filter(|late| **late < 0).count();
        let samples = late.iter().map(|late| (*late).max(0) as u64).collect();
        figures
            .with("early", early as f64)
            .with_percentiles(samples)
    })
}

/// A body that is ready at once.
pub fn timeout_ready<P: Timers>(count: u64) -> Figures {
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        for index in 0..count {
            let result = P::timeout(Duration::from_secs(1), ready(index)).await;
            black_box(result.expect("it is ready"));
        }
        Figures::cpu_per_op(cpu, count)
    })
}

/// A body that waits once: a bare wake, which costs every peer the least.
pub fn timeout_pending<P: Timers>(count: u64) -> Figures {
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        for _ in 0..count {
            let result = P::timeout(Duration::from_secs(1), bare_wake()).await;
            result.expect("it is soon ready");
        }
        Figures::cpu_per_op(cpu, count)
    })
}

//! Ping: a number there and back between two tasks, and numbers from a thread.

use std::hint::black_box;
use std::thread;

use super::in_task;
use crate::figures::{Cpu, Figures};
use crate::peers::{Channels, Receiver, Sender};

/// Oneshots are made so many at a time, or the peers could not tell each other which is next.
const BATCH: u64 = 1000;

/// With room for one.
pub fn bounded<P: Channels>(count: u64) -> Figures {
    in_task::<P>(async move { there_and_back::<P>(count, P::bounded(1), P::bounded(1)).await })
}

/// Without bound.
pub fn unbounded<P: Channels>(count: u64) -> Figures {
    in_task::<P>(async move { there_and_back::<P>(count, P::unbounded(), P::unbounded()).await })
}

async fn there_and_back<P: Channels>(
    count: u64,
    there: (impl Sender, impl Receiver),
    back: (impl Sender, impl Receiver),
) -> Figures {
    let ((mut there, mut arrivals), (mut back, mut answers)) = (there, back);
    let cpu = Cpu::of_process();
    let other = P::spawn(async move {
        for _ in 0..count {
            let value = arrivals.recv().await;
            back.send(value).await;
        }
        // Kept, so that nobody is told of an end.
        (arrivals, back)
    });
    for value in 0..count {
        there.send(value).await;
        black_box(answers.recv().await);
    }
    let figures = Figures::cpu_per_op(cpu, count);
    drop(other.await);
    figures
}

/// Over two oneshots each.
pub fn oneshot<P: Channels>(count: u64) -> Figures {
    in_task::<P>(async move {
        let cpu = Cpu::of_process();
        for _ in 0..count / BATCH {
            let (there, arrivals): (Vec<_>, Vec<_>) = (0..BATCH).map(|_| P::oneshot()).unzip();
            let (back, answers): (Vec<_>, Vec<_>) = (0..BATCH).map(|_| P::oneshot()).unzip();
            let other = P::spawn(async move {
                for (arrival, back) in arrivals.into_iter().zip(back) {
                    back(arrival.await);
                }
            });
            for (value, (there, answer)) in there.into_iter().zip(answers).enumerate() {
                there(value as u64);
                black_box(answer.await);
            }
            other.await;
        }
        Figures::cpu_per_op(cpu, count)
    })
}

/// As fast as the thread can send.
pub fn throughput<P: Channels>(count: u64) -> Figures {
    in_task::<P>(async move {
        let (send, mut receiver) = P::from_thread();
        let cpu = Cpu::of_process();
        let thread = thread::spawn(move || (0..count).for_each(send));
        for _ in 0..count {
            black_box(receiver.recv().await);
        }
        thread.join().expect("it sends them all");
        Figures::cpu_per_op(cpu, count)
    })
}

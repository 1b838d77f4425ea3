//! Wakes: another thread calls a task's waker.
//!
//! *Model.* An [`Exchange`] is what the thread and the loop have in common, the same for all peers: the
//! thread's side gets any function that wakes, and the loop's side says what to do at a wake. So a
//! peer without futures (`rawepoll`) takes part with the same code.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle, Thread};

use super::in_task;
use crate::figures::{Cpu, Figures, now_ns};
use crate::peers::Tasks;

/// How long the thread spins before it wakes, so that the loop has gone to sleep.
const PAUSE_NS: u64 = 50_000;

/// Latency from a wake to the poll it causes, with the loop's own CPU time per wake.
pub fn one_way<P: Tasks>(count: u64) -> Figures {
    run::<P>(Exchange::one_way(count))
}

/// Latency there and back: the thread waits for the task's answer, which is `Thread::unpark`.
pub fn round_trip<P: Tasks>(count: u64) -> Figures {
    run::<P>(Exchange::round_trip(count))
}

/// Wakes as fast as the thread can call.
pub fn storm<P: Tasks>(count: u64) -> Figures {
    run::<P>(Exchange::storm(count))
}

fn run<P: Tasks>(exchange: Arc<Exchange>) -> Figures {
    in_task::<P>(answer(exchange))
}

async fn answer(exchange: Arc<Exchange>) -> Figures {
    let mut side = LoopSide::new(Arc::clone(&exchange));
    let mut thread = None;
    poll_fn(|cx| {
        if thread.is_none() {
            let waker = cx.waker().clone();
            let started = exchange.start(move || waker.wake_by_ref());
            side.answer_to(&started);
            thread = Some(started);
        }
        if side.is_over_after_wake() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    side.finish(thread.expect("it was started"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    OneWay,
    RoundTrip,
    Storm,
}

/// What the two threads share.
pub struct Exchange {
    shape: Shape,
    count: u64,
    /// How many wakes were sent, and when the last was.
    sent: AtomicU64,
    sent_ns: AtomicU64,
    /// How many the loop has seen.
    seen: AtomicU64,
    is_over: AtomicBool,
}

impl Exchange {
    pub fn one_way(count: u64) -> Arc<Exchange> {
        Exchange::new(Shape::OneWay, count)
    }

    pub fn round_trip(count: u64) -> Arc<Exchange> {
        Exchange::new(Shape::RoundTrip, count)
    }

    pub fn storm(count: u64) -> Arc<Exchange> {
        Exchange::new(Shape::Storm, count)
    }

    fn new(shape: Shape, count: u64) -> Arc<Exchange> {
        Arc::new(Exchange {
            shape,
            count,
            sent: AtomicU64::new(0),
            sent_ns: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
        })
    }

    /// The thread's side; returns what it saw: latencies of round trips.
    pub fn start(self: &Arc<Exchange>, wake: impl Fn() + Send + 'static) -> JoinHandle<Vec<u64>> {
        let exchange = Arc::clone(self);
        thread::spawn(move || {
            let mut samples = Vec::new();
            for index in 1..=exchange.count {
                match exchange.shape {
                    Shape::OneWay => exchange.send_and_spin(index, &wake),
                    Shape::RoundTrip => samples.push(exchange.send_and_wait(index, &wake)),
                    Shape::Storm => wake(),
                }
            }
            exchange.is_over.store(true, Ordering::Release);
            wake();
            samples
        })
    }

    fn send(&self, index: u64, wake: &impl Fn()) {
        let start_ns = now_ns();
        while now_ns() - start_ns < PAUSE_NS {
            std::hint::spin_loop();
        }
        self.sent_ns.store(now_ns(), Ordering::Relaxed);
        self.sent.store(index, Ordering::Release);
        wake();
    }

    fn send_and_spin(&self, index: u64, wake: &impl Fn()) {
        self.send(index, wake);
        while self.seen.load(Ordering::Acquire) < index {
            std::hint::spin_loop();
        }
    }

    fn send_and_wait(&self, index: u64, wake: &impl Fn()) -> u64 {
        self.send(index, wake);
        while self.seen.load(Ordering::Acquire) < index {
            thread::park();
        }
        now_ns() - self.sent_ns.load(Ordering::Relaxed)
    }
}

/// The loop's side of an exchange.
pub struct LoopSide {
    exchange: Arc<Exchange>,
    thread_cpu: Cpu,
    process_cpu: Cpu,
    samples: Vec<u64>,
    sender: Option<Thread>,
}

impl LoopSide {
    pub fn new(exchange: Arc<Exchange>) -> LoopSide {
        LoopSide {
            thread_cpu: Cpu::of_thread(),
            process_cpu: Cpu::of_process(),
            samples: Vec::with_capacity(exchange.count as usize),
            sender: None,
            exchange,
        }
    }

    /// Tells whom to answer.
    pub fn answer_to(&mut self, thread: &JoinHandle<Vec<u64>>) {
        self.sender = Some(thread.thread().clone());
    }

    /// To be called at each wake; says whether that was the last.
    pub fn is_over_after_wake(&mut self) -> bool {
        let exchange = &*self.exchange;
        if exchange.shape != Shape::Storm {
            let sent = exchange.sent.load(Ordering::Acquire);
            if sent > exchange.seen.load(Ordering::Relaxed) {
                self.samples
                    .push(now_ns() - exchange.sent_ns.load(Ordering::Relaxed));
                exchange.seen.store(sent, Ordering::Release);
                if let (Shape::RoundTrip, Some(sender)) = (exchange.shape, &self.sender) {
                    sender.unpark();
                }
            }
        }
        exchange.is_over.load(Ordering::Acquire)
    }

    /// What was measured.
    pub fn finish(self, thread: JoinHandle<Vec<u64>>) -> Figures {
        let count = self.exchange.count;
        let thread_cpu = Figures::cpu_per_op(self.thread_cpu, count);
        let answers = thread.join().expect("the thread ends");
        match self.exchange.shape {
            Shape::OneWay => thread_cpu.with_percentiles(self.samples),
            Shape::RoundTrip => thread_cpu.with_percentiles(answers),
            Shape::Storm => Figures::cpu_per_op(self.process_cpu, count),
        }
    }
}

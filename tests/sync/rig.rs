//! What the tests of this folder share: wakers that count, random numbers, polls by hand.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use mainspring::yield_now;

/// Steps between two yields of a task that plays a model: fewer than its poll's budget.
const STEPS_PER_POLL: usize = 40;

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> Arc<Count> {
        Arc::default()
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Arc::clone(self).into()
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn poll_with<F: Future + ?Sized>(
    future: &mut Pin<Box<F>>,
    waker: &Waker,
) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

/// One poll by nobody.
pub(crate) fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// Polls that the future waits.
#[track_caller]
pub(crate) fn assert_waits<F: Future + ?Sized>(future: &mut Pin<Box<F>>) {
    assert!(poll_once(future).is_pending());
}

/// Polls that the future is done.
#[track_caller]
pub(crate) fn assert_done<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> F::Output {
    match poll_once(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it still waits"),
    }
}

/// How much: `usual`, or as `make soak` wants it.
pub(crate) fn soak(usual: usize, long: usize) -> usize {
    match std::env::var_os("MAINSPRING_SOAK") {
        Some(_) => long,
        None => usual,
    }
}

/// Random numbers from a seed (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Says the seed if the test fails.
struct SaysSeed(u64, usize);

impl Drop for SaysSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("… in step {} of seed {:#x}", self.1, self.0);
        }
    }
}

/// Plays a model: `step` often enough, as a task that polls with its own waker or with that of a stranger.
///
/// A seed to be played again comes from `MAINSPRING_SEED`.
pub(crate) fn play(mut step: impl FnMut(&mut Random, &Waker)) {
    let seed = match std::env::var("MAINSPRING_SEED") {
        Ok(text) => u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a number"),
        Err(_) => 0x5eed,
    };
    let steps = soak(100_000, 10_000_000);
    mainspring::sim::run(seed, async {
        let mut random = Random::new(seed);
        let mut says = SaysSeed(seed, 0);
        while says.1 < steps {
            poll_fn(|cx| {
                for _ in 0..STEPS_PER_POLL {
                    says.1 += 1;
                    step(&mut random, cx.waker());
                }
                Poll::Ready(())
            })
            .await;
            yield_now().await;
        }
    });
}

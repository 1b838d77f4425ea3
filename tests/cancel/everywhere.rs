//! `Case`: one operation, dropped at every place where it waits, and what must hold afterwards.
//!
//! *Model.* A case has two sides. The *near* one is what the caller of the operation keeps: sockets,
//! and what was received so far. The *far* one is the world: the peer, the clock's owner. The operation
//! borrows the near side, and the world moves one step each time the operation has returned `Pending`.
//! The same case is played again and again, on a new loop each time, and each time the operation is
//! dropped at another *cut*:
//!
//! ```text
//!    poll ─► Pending (the k-th) ──► the world moves ──► the loop wakes the task ──► poll …
//!                     ▲                   ▲                      ▲
//!                  Asleep               Rung                   Woken
//!         it stands in a line   what it waits for      it was woken, and is
//!         and nothing happened  has come, unseen       dropped instead of polled
//! ```
//!
//! for k = 1, 2, 3, … until the operation is done before its k-th wait, and for the task's own waker as
//! well as for one of a stranger, which takes another way through every wait node. What is checked:
//!
//! - right after the drop: nobody waits any more (the loop can *prove* that it will sleep for ever), and
//!   no copy of the waker is left;
//! - *safe*, *loses its place in line*: the operation, made again, comes to its end, and what the test
//!   says of the bytes holds; *not safe*: what the test says holds without that;
//! - no wake is lost: whatever takes an hour of virtual time has hung;
//! - in the end nobody waits, and the open descriptors are those of the beginning.
//!
//! *Rules for a test.* It runs alone in its process ([`everywhere`] sees to that). The time is virtual
//! and jumps when the kernel has nothing to report, so a step of the world returns only when the kernel
//! would report it. An operation may be any code; what it has got it must put into the near side at
//! once, as a caller has to who wants to go on after a drop.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::Runtime;
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::time::timeout;

use crate::rig::{On, open_fds, turns};

/// What takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);
/// An operation that waits more often than this is in a loop.
const WAITS_MAX: u32 = 1000;
/// The turns that the tasks of a case get to end in, once both sides are dropped.
const LAST_TURNS: u32 = 3;

/// Makes two tests of each function, one for each backend, each alone in its process.
macro_rules! everywhere {
    ($($test:ident,)*) => {
        everywhere!(@on native, Native, $($test,)*);
        everywhere!(@on poll, Poll, $($test,)*);
    };
    (@on $module:ident, $kind:ident, $($test:ident,)*) => {
        mod $module {
            $(#[test] fn $test() {
                let path = concat!(module_path!(), "::", stringify!($test));
                let (_, test) = path.split_once("::").unwrap();
                let on = $crate::rig::On { kind: mainspring::BackendKind::$kind, test };
                on.alone(|| super::$test(on));
            })*
        }
    };
}

/// When, counted from a wait, the operation is dropped; see the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Asleep,
    Rung,
    Woken,
}

/// Whose waker the operation is polled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    Task,
    Stranger,
}

/// The place at which the operation is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    wait: u32,
    moment: Moment,
    voice: Voice,
}

/// One operation and what is around it; see the header.
pub(crate) struct Case<N, F> {
    on: On,
    setup: Box<dyn Fn() -> (N, F)>,
    world: Box<dyn Fn(&mut F)>,
    others_wait: bool,
}

impl<N, F> Case<N, F> {
    /// A case whose two sides are made by `setup`, which runs with the loop entered.
    pub(crate) fn new(on: On, setup: impl Fn() -> (N, F) + 'static) -> Case<N, F> {
        Case {
            on,
            setup: Box::new(setup),
            world: Box::new(|_| ()),
            others_wait: false,
        }
    }

    /// What happens outside each time the operation waits. Without it only time passes.
    pub(crate) fn world(mut self, step: impl Fn(&mut F) + 'static) -> Case<N, F> {
        self.world = Box::new(step);
        self
    }

    /// Tasks or timers of the near side go on without the operation, or a stream in it waits by a poll
    /// function, which leaves its waker with the stream. So nothing can be said of waiters and wakers before
    /// the end.
    pub(crate) fn others_wait(mut self) -> Case<N, F> {
        self.others_wait = true;
        self
    }

    /// *Safe*: made again after a drop anywhere, the operation comes to its end, and `check` holds as
    /// if there had been no drop. Says how often it waits.
    pub(crate) fn safe(
        self,
        operation: impl AsyncFn(&mut N),
        check: impl AsyncFn(&mut N, &mut F),
    ) -> u32 {
        self.play_all(&operation, &check, true)
    }

    /// *Loses its place in line*: as [`Case::safe`]; `check` asks for all that was asked there but the
    /// order.
    pub(crate) fn loses_its_place(
        self,
        operation: impl AsyncFn(&mut N),
        check: impl AsyncFn(&mut N, &mut F),
    ) -> u32 {
        self.play_all(&operation, &check, true)
    }

    /// *Not safe*: after a drop anywhere `check` holds, which says what is left and that it can be used.
    pub(crate) fn not_safe(
        self,
        operation: impl AsyncFn(&mut N),
        check: impl AsyncFn(&mut N, &mut F),
    ) -> u32 {
        self.play_all(&operation, &check, false)
    }

    fn play_all(
        self,
        operation: &impl AsyncFn(&mut N),
        check: &impl AsyncFn(&mut N, &mut F),
        is_made_again: bool,
    ) -> u32 {
        for wait in 1..=WAITS_MAX {
            let mut was_cut = false;
            for moment in [Moment::Asleep, Moment::Rung, Moment::Woken] {
                for voice in [Voice::Task, Voice::Stranger] {
                    let cut = Cut {
                        wait,
                        moment,
                        voice,
                    };
                    let play = AssertUnwindSafe(|| self.play(cut, operation, check, is_made_again));
                    was_cut |= catch_unwind(play).unwrap_or_else(|payload| {
                        eprintln!("… after a drop at {cut:?}");
                        std::panic::resume_unwind(payload)
                    });
                }
            }
            if !was_cut {
                assert!(wait > 1, "the operation never waits: nothing was tested");
                return wait - 1;
            }
        }
        panic!("the operation still waits after {WAITS_MAX} waits");
    }

    /// One run with one cut; says whether it came so far.
    fn play(
        &self,
        cut: Cut,
        operation: &impl AsyncFn(&mut N),
        check: &impl AsyncFn(&mut N, &mut F),
        is_made_again: bool,
    ) -> bool {
        let fds = open_fds();
        let runtime = self.on.sim_runtime();
        let (mut near, mut far) = runtime.block_on(async { (self.setup)() }).unwrap();
        let was_cut = {
            let dropped = self.drive(Box::pin(operation(&mut near)), &mut far, Some(cut));
            runtime.block_on(limit(dropped)).unwrap()
        };
        if was_cut && !self.others_wait {
            nobody_waits(&runtime, "after the drop");
        }
        if was_cut && is_made_again {
            let again = self.drive(Box::pin(operation(&mut near)), &mut far, None);
            assert!(!runtime.block_on(limit(again)).unwrap());
        }
        let checked = check(&mut near, &mut far);
        runtime.block_on(limit(checked)).unwrap();
        let last_turns = async {
            drop((near, far));
            turns(LAST_TURNS).await;
        };
        runtime.block_on(last_turns).unwrap();
        nobody_waits(&runtime, "in the end");
        drop(runtime);
        assert_eq!(open_fds(), fds, "descriptors that are open in the end");
        was_cut
    }

    /// Polls the operation, moves the world whenever it waits, and drops it at `cut`. Says whether it
    /// came so far.
    async fn drive(
        &self,
        operation: Pin<Box<dyn Future<Output = ()> + '_>>,
        far: &mut F,
        cut: Option<Cut>,
    ) -> bool {
        let mut operation = Some(operation);
        let mut waits = 0;
        let mut stranger = None;
        let is_cut = |wait: u32, moment: Moment| {
            cut.is_some_and(|cut| cut.wait == wait && cut.moment == moment)
        };
        let was_cut = poll_fn(|cx| {
            if waits > 0 && is_cut(waits, Moment::Woken) {
                operation = None;
                return Poll::Ready(true);
            }
            let polled = operation
                .as_mut()
                .expect("it is polled until it is dropped");
            let poll = if cut.is_some_and(|cut| cut.voice == Voice::Stranger) {
                let voice = stranger.get_or_insert_with(|| Arc::new(Stranger(cx.waker().clone())));
                let waker = Waker::from(Arc::clone(voice));
                polled.as_mut().poll(&mut Context::from_waker(&waker))
            } else {
                polled.as_mut().poll(cx)
            };
            if poll.is_ready() {
                operation = None;
                return Poll::Ready(false);
            }
            waits += 1;
            if is_cut(waits, Moment::Asleep) {
                operation = None;
                return Poll::Ready(true);
            }
            (self.world)(far);
            if is_cut(waits, Moment::Rung) {
                operation = None;
                return Poll::Ready(true);
            }
            Poll::Pending
        })
        .await;
        let copies = stranger.as_ref().map_or(1, Arc::strong_count);
        assert!(
            copies == 1 || self.others_wait,
            "{} copies of the waker are left",
            copies - 1
        );
        was_cut
    }
}

/// A waker that is not the loop's own, and passes wakes on to it.
struct Stranger(Waker);

impl Wake for Stranger {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// What takes too long has lost a wake: nothing here takes time but sleeps, which are shorter.
async fn limit<T>(body: impl Future<Output = T>) -> T {
    let Ok(output) = timeout(NEVER, body).await else {
        panic!("a wake was lost: it waits for ever");
    };
    output
}

/// Panics if anything could go on: the loop must find that a task which waits for nothing is stuck for
/// ever. Its sleep fails instead, so that a waiter that is left makes no hang.
fn nobody_waits(runtime: &Runtime, when: &str) {
    let _guard = Plan::new()
        .at(Call::Wait, 1, Fault::Errno(libc::EIO))
        .install();
    let hook = take_hook();
    set_hook(Box::new(|_| ()));
    let proof = catch_unwind(AssertUnwindSafe(|| runtime.block_on(pending::<()>())));
    set_hook(hook);
    let message = match proof {
        Ok(result) => panic!("{when} something still waits: the loop would sleep ({result:?})"),
        Err(payload) => *payload
            .downcast::<String>()
            .expect("a deadlock is told in words"),
    };
    assert!(
        message.starts_with("deadlock"),
        "{when} a task failed: {message}"
    );
}

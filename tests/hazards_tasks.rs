//! Hazards of group A, tasks and wakers, through the public interface alone.
//!
//! What needs every interleaving is in `src/task/models.rs`, what needs ThreadSanitizer in
//! `tests/tsan_wakes.rs`.
#![allow(
    clippy::type_complexity,
    reason = "a test's own bookkeeping, named where it stands"
)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mainspring::net::UnixStream;
use mainspring::time::sleep;
use mainspring::{JoinHandle, Runtime, run, spawn, yield_now};
use proptest::prelude::*;

/// Counts its drops.
#[derive(Clone, Default)]
struct Drops(Rc<Cell<u32>>);

struct Dropped(Rc<Cell<u32>>);

impl Drops {
    fn guard(&self) -> Dropped {
        Dropped(Rc::clone(&self.0))
    }

    fn count(&self) -> u32 {
        self.0.get()
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a bomb that was dropped");
    }
}

/// Calls its closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

type WakerSlot = Rc<RefCell<Option<Waker>>>;

/// Pending until `is_done`; keeps its waker in `slot`.
async fn wait_until(slot: WakerSlot, is_done: Rc<Cell<bool>>) {
    poll_fn(|cx| {
        *slot.borrow_mut() = Some(cx.waker().clone());
        if is_done.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// A pending task of `runtime`, with its waker.
fn pending_task(runtime: &Runtime, drops: &Drops) -> (JoinHandle<()>, Waker, Rc<Cell<bool>>) {
    let (slot, is_done) = (WakerSlot::default(), Rc::new(Cell::new(false)));
    let (guard, inner) = (
        drops.guard(),
        wait_until(Rc::clone(&slot), Rc::clone(&is_done)),
    );
    let handle = runtime.spawn(async move {
        let _guard = guard;
        inner.await;
    });
    runtime.tick().unwrap();
    let waker = slot.take().unwrap();
    (handle, waker, is_done)
}

fn use_up(waker: Waker) {
    waker.wake_by_ref();
    let clone = waker.clone();
    drop(waker);
    clone.wake();
}

fn panic_text(result: thread::Result<()>) -> String {
    let payload = result.expect_err("it panics");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap()
}

#[test]
fn hz_a01_wakers_outlive_return_abort_and_the_runtime() {
    for end in 0..3 {
        for is_foreign in [false, true] {
            let drops = Drops::default();
            let runtime = Runtime::new().unwrap();
            let (handle, waker, is_done) = pending_task(&runtime, &drops);
            match end {
                0 => {
                    is_done.set(true);
                    waker.wake_by_ref();
                }
                1 => handle.abort(),
                _ => {}
            }
            if end < 2 {
                runtime.tick().unwrap();
                runtime.tick().unwrap();
            } else {
                drop(runtime);
            }
            assert!(handle.is_finished());
            assert_eq!(drops.count(), 1);
            drop(handle);
            if is_foreign {
                thread::spawn(move || use_up(waker)).join().unwrap();
            } else {
                use_up(waker);
            }
            assert_eq!(drops.count(), 1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn hz_a02_any_order_of_waker_operations_drops_the_future_once(
        operations in proptest::collection::vec(0_u8..9, 0..40),
    ) {
        let drops = Drops::default();
        let runtime = Runtime::new().unwrap();
        let (handle, waker, is_done) = pending_task(&runtime, &drops);
        let mut runtime = Some(runtime);
        let mut handle = Some(handle);
        let mut wakers = vec![waker];
        // The oracle: whether the future may be dropped already, and must be.
        let (mut asked_to_end, mut has_ended) = (false, false);
        for operation in operations {
            let last = wakers.len().wrapping_sub(1);
            match operation {
                0 if !wakers.is_empty() => wakers.push(wakers[last].clone()),
                1 if !wakers.is_empty() => wakers[0].wake_by_ref(),
                2 if !wakers.is_empty() => wakers.remove(0).wake(),
                3 => drop(wakers.pop()),
                4 => if let Some(handle) = &handle {
                    handle.abort();
                    asked_to_end = true;
                },
                5 => drop(handle.take()),
                6 => if let Some(runtime) = &runtime {
                    runtime.tick().unwrap();
                    has_ended |= asked_to_end;
                },
                7 => if let Some(waker) = wakers.first() {
                    is_done.set(true);
                    waker.wake_by_ref();
                    asked_to_end |= runtime.is_some();
                },
                8 if last % 4 == 3 => has_ended |= runtime.take().is_some(),
                _ => {}
            }
            prop_assert_eq!(drops.count(), u32::from(has_ended));
        }
        drop(runtime);
        prop_assert_eq!(drops.count(), 1);
        wakers.into_iter().for_each(use_up);
        drop(handle);
        prop_assert_eq!(drops.count(), 1);
    }
}

#[test]
fn hz_a03_a_wake_races_the_runtime_s_drop() {
    for round in 0..200 {
        let drops = Drops::default();
        let runtime = Runtime::new().unwrap();
        let (handle, waker, _) = pending_task(&runtime, &drops);
        let thread = thread::spawn(move || use_up(waker));
        if round % 2 == 0 {
            thread::yield_now();
        }
        drop(runtime);
        drop(handle);
        thread.join().unwrap();
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn hz_a04_the_last_reference_may_be_the_waker_that_wakes() {
    for _ in 0..200 {
        let drops = Drops::default();
        let runtime = Runtime::new().unwrap();
        let (handle, waker, is_done) = pending_task(&runtime, &drops);
        drop(handle);
        is_done.set(true);
        // The loop finishes the task as soon as it is pushed, maybe before `wake` returns.
        let thread = thread::spawn(move || waker.wake());
        while drops.count() == 0 {
            runtime.tick_blocking().unwrap();
        }
        drop(runtime);
        thread.join().unwrap();
    }
}

#[test]
fn hz_a05_leaf_futures_bear_wakes_from_another_thread() {
    let is_over = Arc::new(AtomicBool::new(false));
    let woken_elsewhere = |waker: Waker, is_over: Arc<AtomicBool>| {
        thread::spawn(move || {
            while !is_over.load(SeqCst) {
                waker.wake_by_ref();
                drop(waker.clone());
            }
        })
    };
    run(async {
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let thread = woken_elsewhere(waker, Arc::clone(&is_over));
        sleep(Duration::from_millis(5)).await;
        let (near, far) = UnixStream::pair().unwrap();
        let other = spawn(async move {
            sleep(Duration::from_millis(5)).await;
            far.write_all(b"x").await.unwrap();
        });
        assert_eq!(near.read(&mut [0; 4]).await.unwrap(), 1);
        other.await.unwrap();
        is_over.store(true, SeqCst);
        thread.join().unwrap();
    })
    .unwrap();
}

#[test]
fn hz_a06_future_and_output_are_dropped_at_home() {
    let home = thread::current().id();
    let seen: Rc<RefCell<Vec<ThreadId>>> = Rc::default();
    let note = || {
        let seen = Rc::clone(&seen);
        OnDrop(move || seen.borrow_mut().push(thread::current().id()))
    };
    let runtime = Runtime::new().unwrap();
    let slot = WakerSlot::default();
    let (in_future, in_output) = (note(), note());
    let future = wait_until(Rc::clone(&slot), Rc::new(Cell::new(true)));
    let handle = runtime.spawn(async move {
        let _in_future = in_future;
        future.await;
        in_output
    });
    let other = runtime.spawn({
        let (slot, in_future) = (Rc::clone(&slot), note());
        async move {
            let _in_future = in_future;
            wait_until(slot, Rc::default()).await;
        }
    });
    runtime.tick().unwrap();
    other.abort();
    let waker = slot.take().unwrap();
    // The waker of the aborted task is the last of its references to go, elsewhere.
    let thread = thread::spawn(move || use_up(waker));
    runtime.tick().unwrap();
    drop((handle, other));
    drop(runtime);
    thread.join().unwrap();
    assert_eq!(*seen.borrow(), vec![home; 3]);
}

#[test]
fn hz_a07_an_output_that_panics_as_it_is_dropped_ends_nothing_else() {
    let runtime = Runtime::new().unwrap();
    drop(runtime.spawn(async { Bomb }));
    runtime.tick().unwrap();
    let after = runtime.spawn(async { Bomb });
    runtime.tick().unwrap();
    drop(after);
    let slot: Rc<RefCell<Option<JoinHandle<Bomb>>>> = Rc::default();
    let own = Rc::clone(&slot);
    // The handle goes while its task is polled.
    let during = runtime.spawn(async move {
        drop(own.take());
        Bomb
    });
    *slot.borrow_mut() = Some(during);
    runtime.tick().unwrap();
    assert_eq!(runtime.block_on(async { 1 }).unwrap(), 1);
}

#[test]
fn hz_a08_a_panic_reaches_its_own_handle_only() {
    run(async {
        let task = |i: u32| {
            spawn(async move {
                yield_now().await;
                assert!(i != 50, "number fifty");
                i
            })
        };
        let handles: Vec<_> = (0..100).map(task).collect();
        let mut returned = 0;
        for (i, handle) in handles.into_iter().enumerate() {
            match handle.await {
                Ok(number) => returned += usize::from(number as usize == i),
                Err(error) => assert!(error.is_panic() && error.to_string().contains("fifty")),
            }
        }
        assert_eq!(returned, 99);
    })
    .unwrap();
}

#[test]
fn hz_a09_a_destructor_that_panics_stops_no_other() {
    let drops = Drops::default();
    let runtime = Runtime::new().unwrap();
    let bomb = || async {
        let _bomb = Bomb;
        pending::<()>().await;
    };
    let spawn_guarded = || {
        let guard = drops.guard();
        drop(runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
    };
    let aborted = runtime.spawn(bomb());
    spawn_guarded();
    let closed = runtime.spawn(bomb());
    spawn_guarded();
    // Dropped by the loop as another panic goes to the handle.
    let both = runtime.spawn(async {
        let _bomb = OnDrop(|| drop(catch_unwind(|| drop(Bomb))));
        panic!("the first panic");
    });
    runtime.tick().unwrap();
    aborted.abort();
    runtime.tick().unwrap();
    let error = runtime.block_on(aborted).unwrap().unwrap_err();
    assert!(error.is_panic(), "{error}");
    assert!(runtime.block_on(both).unwrap().unwrap_err().is_panic());
    drop(runtime);
    assert!(closed.is_finished());
    drop(closed);
    assert_eq!(drops.count(), 2);
}

#[test]
fn hz_a12_a_destructor_may_spawn_abort_wake_and_tick_nothing() {
    let spawned = Drops::default();
    let runtime = Runtime::new().unwrap();
    let victims = Drops::default();
    let (victim, waker, _) = pending_task(&runtime, &victims);
    let guard = spawned.guard();
    let mut parts = Some((victim, waker, guard));
    let busy = OnDrop(move || {
        let Some((victim, waker, guard)) = parts.take() else {
            return;
        };
        waker.wake_by_ref();
        victim.abort();
        waker.wake();
        drop(spawn(async move { drop(guard) }));
        drop(victim);
    });
    let handle = runtime.spawn(async move {
        let _busy = busy;
        pending::<()>().await;
    });
    runtime.tick().unwrap();
    handle.abort();
    runtime.tick().unwrap();
    runtime.tick().unwrap();
    assert_eq!((victims.count(), spawned.count()), (1, 1));
}

#[test]
fn hz_a13_spawning_from_destructors_during_shutdown_comes_to_an_end() {
    fn nest(depth: u32, drops: Drops) -> impl Future<Output = ()> {
        let guard = drops.guard();
        let again = OnDrop(move || {
            if depth > 0 {
                let child: Pin<Box<dyn Future<Output = ()>>> =
                    Box::pin(nest(depth - 1, drops.clone()));
                let handle = spawn(child);
                assert!(handle.is_finished(), "a loop that ends starts nothing");
            }
        });
        async move {
            let _parts = (guard, again);
            pending::<()>().await;
        }
    }
    let drops = Drops::default();
    let runtime = Runtime::new().unwrap();
    let handle = runtime.spawn(nest(100, drops.clone()));
    runtime.tick().unwrap();
    drop(runtime);
    assert_eq!(drops.count(), 101);
    drop(handle);
}

#[test]
fn hz_a14_a_task_that_aborts_itself_is_dropped_once_after_its_poll() {
    let drops = Drops::default();
    run(async {
        let slot: Rc<RefCell<Option<JoinHandle<()>>>> = Rc::default();
        let (own, guard, count) = (Rc::clone(&slot), drops.guard(), drops.clone());
        let handle = spawn(async move {
            let _guard = guard;
            let abort = || own.borrow().as_ref().unwrap().abort();
            abort();
            abort();
            assert_eq!(count.count(), 0, "never inside the call");
            yield_now().await;
            unreachable!("it was aborted");
        });
        *slot.borrow_mut() = Some(handle);
        yield_now().await;
        yield_now().await;
        assert_eq!(drops.count(), 1);
        let handle = slot.take().unwrap();
        handle.abort();
        assert!(handle.await.unwrap_err().is_aborted());
    })
    .unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn hz_a15_a_result_beats_an_abort_and_there_is_one_of_the_two() {
    run(async {
        let slot: Rc<RefCell<Option<JoinHandle<u32>>>> = Rc::default();
        let own = Rc::clone(&slot);
        let handle = spawn(async move {
            own.borrow().as_ref().unwrap().abort();
            7
        });
        *slot.borrow_mut() = Some(handle);
        yield_now().await;
        let handle = slot.take().unwrap();
        handle.abort();
        assert_eq!(handle.await.unwrap(), 7);
        let queued = spawn(async { 8 });
        queued.abort();
        assert!(queued.await.unwrap_err().is_aborted());
    })
    .unwrap();
}

#[test]
fn hz_a16_a_handle_that_is_polled_again_says_so() {
    let runtime = Runtime::new().unwrap();
    let again = runtime.block_on(async {
        let mut handle = spawn(async {});
        (&mut handle).await.unwrap();
        catch_unwind(AssertUnwindSafe(|| {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut handle).poll(&mut cx);
        }))
    });
    let text = panic_text(again.unwrap());
    assert!(text.contains("JoinHandle was polled again"), "{text}");
}

#[test]
fn hz_a18_main_and_more_tasks_than_a_tick_go_on_together() {
    let polls = Rc::new(Cell::new(0));
    run(async {
        let task = |_| {
            let polls = Rc::clone(&polls);
            spawn(async move {
                for _ in 0..3 {
                    polls.set(polls.get() + 1);
                    yield_now().await;
                }
                polls.set(polls.get() + 1);
            })
        };
        let handles: Vec<_> = (0..300).map(task).collect();
        yield_now().await;
        assert!(polls.get() >= 300, "one yield of main is one round of all");
        for handle in handles {
            handle.await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(polls.get(), 1200, "no needless poll");
}

#[test]
fn hz_a19_waking_itself_five_times_is_one_more_poll() {
    let polls = Rc::new(Cell::new(0));
    let runtime = Runtime::new().unwrap();
    let count = Rc::clone(&polls);
    let handle = runtime.spawn(poll_fn(move |cx| {
        count.set(count.get() + 1);
        if count.get() == 1 {
            (0..5).for_each(|_| cx.waker().wake_by_ref());
        }
        Poll::<()>::Pending
    }));
    for _ in 0..5 {
        runtime.tick().unwrap();
    }
    assert_eq!(polls.get(), 2);
    drop(handle);
}

#[test]
fn hz_a22_wakes_go_on_while_the_loop_is_stuck_in_a_poll() {
    let drops = Drops::default();
    let runtime = Runtime::new().unwrap();
    let (handle, waker, _) = pending_task(&runtime, &drops);
    let has_woken = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_woken);
    let stuck = async {
        let thread = thread::spawn(move || {
            (0..100_000).for_each(|_| waker.wake_by_ref());
            flag.store(true, SeqCst);
        });
        // One poll, which ends only once every wake has returned.
        while !has_woken.load(SeqCst) {
            thread::yield_now();
        }
        thread.join().unwrap();
    };
    runtime.block_on(stuck).unwrap();
    drop(handle);
}

#[test]
fn hz_a23_a_loop_within_a_loop_is_refused_and_changes_nothing() {
    let runtime = Runtime::new().unwrap();
    let answer = runtime.block_on(async {
        let nested = catch_unwind(|| drop(run(async {})));
        assert!(panic_text(nested).contains("inside a running loop"));
        spawn(async { 5 }).await.unwrap()
    });
    assert_eq!(answer.unwrap(), 5);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _ = runtime.block_on(async { panic!("main's own") });
    }));
    assert_eq!(panic_text(panicked), "main's own");
    assert_eq!(runtime.block_on(async { 6 }).unwrap(), 6);
}

thread_local! {
    static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    static LATE: RefCell<Option<OnDrop<Box<dyn FnMut()>>>> = const { RefCell::new(None) };
}

#[test]
fn hz_a24_a_runtime_in_a_thread_local_ends_with_its_thread() {
    for is_first_to_be_used in [false, true] {
        let is_dropped = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_dropped);
        let end = move || {
            if is_first_to_be_used {
                KEPT.with(|kept| assert!(kept.borrow().is_none()));
            }
            let runtime = Runtime::new().unwrap();
            let guard = OnDrop(move || flag.store(true, SeqCst));
            drop(runtime.spawn(async move {
                let _guard = guard;
                sleep(Duration::from_secs(100)).await;
            }));
            runtime.tick().unwrap();
            KEPT.with(|kept| *kept.borrow_mut() = Some(runtime));
        };
        thread::spawn(end).join().unwrap();
        assert!(is_dropped.load(SeqCst));
    }
}

#[test]
fn hz_a24_a_runtime_dropped_inside_its_own_task_is_refused() {
    let slot: Rc<RefCell<Option<Runtime>>> = Rc::default();
    let inner = Rc::clone(&slot);
    let other = Runtime::new().unwrap();
    *slot.borrow_mut() = Some(Runtime::new().unwrap());
    let dropped =
        other.block_on(async move { catch_unwind(AssertUnwindSafe(|| drop(inner.take()))) });
    assert!(panic_text(dropped.unwrap()).contains("dropped inside a running loop"));
    let second = Runtime::new().unwrap();
    let handle = second.spawn(async { 1 });
    assert_eq!(other.block_on(async { 2 }).unwrap(), 2);
    assert_eq!(
        second.block_on(handle).unwrap().unwrap(),
        1,
        "two loops, one after the other"
    );
}

#[test]
fn hz_a25_nothing_keeps_a_dropped_runtime_s_futures_alive() {
    let drops = Drops::default();
    for _ in 0..100 {
        let runtime = Runtime::new().unwrap();
        let slot: Rc<RefCell<Vec<Waker>>> = Rc::default();
        for _ in 0..4 {
            let (guard, slot) = (drops.guard(), Rc::clone(&slot));
            drop(runtime.spawn(async move {
                let _guard = guard;
                // The task holds its own waker, a timer, a source and a join.
                let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
                slot.borrow_mut().push(waker);
                let (near, _far) = UnixStream::pair().unwrap();
                let child = spawn(sleep(Duration::from_secs(100)));
                let mut bytes = [0; 1];
                let read = near.read(&mut bytes);
                let mut parts = (Box::pin(read), Box::pin(child));
                poll_fn(|cx| {
                    assert!(parts.0.as_mut().poll(cx).is_pending());
                    parts.1.as_mut().poll(cx)
                })
                .await
                .unwrap();
            }));
        }
        runtime.tick().unwrap();
        drop(runtime);
    }
    assert_eq!(drops.count(), 400);
}

#[test]
fn hz_a26_a_new_source_hears_nothing_of_the_old_one_s_events() {
    run(async {
        for round in 0..100_u8 {
            let (near, far) = UnixStream::pair().unwrap();
            let reader = spawn(async move { near.read(&mut [0; 1]).await });
            yield_now().await;
            // Readable, and gone before the loop looks: its place and its number are free again.
            far.write_all(&[round]).await.unwrap();
            reader.abort();
            assert!(reader.await.unwrap_err().is_aborted());
            let (near, far) = UnixStream::pair().unwrap();
            let mut bytes = [0; 1];
            let writer = spawn(async move { far.write_all(&[round]).await });
            assert_eq!(near.read(&mut bytes).await.unwrap(), 1);
            assert_eq!(bytes, [round]);
            writer.await.unwrap().unwrap();
        }
    })
    .unwrap();
}

#[test]
fn hz_a27_waits_leave_their_lists_in_any_order() {
    run(async {
        for step in [1, 3, 7, 11] {
            let mut sleeps: Vec<_> = (0..24)
                .map(|i| Some(Box::pin(sleep(Duration::from_millis(1 + i % 3)))))
                .collect();
            poll_fn(|cx| {
                for sleep in sleeps.iter_mut().flatten() {
                    assert!(sleep.as_mut().poll(cx).is_pending());
                }
                Poll::Ready(())
            })
            .await;
            mainspring::yield_to_io().await;
            for i in 0..12 {
                sleeps[i * step % 24] = None;
            }
            for sleep in sleeps.into_iter().flatten() {
                sleep.await;
            }
        }
    })
    .unwrap();
}

/// What [`has`] says where its bound does not hold.
trait Lacks {
    const HAS: bool = false;
}

impl<T: ?Sized> Lacks for T {}

/// Asks whether a type has a trait: the inherent constant hides the trait's where the bound holds.
macro_rules! has {
    ($type:ty: $($bound:tt)+) => {{
        struct Ask<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "not asked for where the bound does not hold")]
        impl<T: ?Sized + $($bound)+> Ask<T> {
            const HAS: bool = true;
        }
        <Ask<$type>>::HAS
    }};
}

macro_rules! table {
    ($wrong:ident; $($type:ty => $send:literal $sync:literal $unpin:literal;)+) => {$(
        let found = [has!($type: Send), has!($type: Sync), has!($type: Unpin)];
        let written = [$send == 1, $sync == 1, $unpin == 1];
        if found != written {
            $wrong.push_str(&format!("\n{}: {found:?}", stringify!($type)));
        }
    )+};
}

#[cfg(feature = "sim")]
#[test]
fn hz_a28_what_tests_use_too() {
    use mainspring::sim;
    let mut wrong = String::new();
    table! {
        wrong;
        sim::Sequencer => 0 0 1;
        sim::TurnWait => 0 0 0;
        sim::Turn => 0 0 1;
        sim::Asserted<std::future::Ready<()>> => 1 1 1;
    }
    assert!(wrong.is_empty(), "Send, Sync, Unpin: {wrong}");
}

#[test]
fn hz_a28_every_public_type_is_send_sync_and_unpin_as_written_here() {
    use mainspring::{io, net, task, time};
    type Fd = std::os::fd::OwnedFd;
    let mut wrong = String::new();
    table! {
        wrong;
        mainspring::Runtime => 0 0 1;
        mainspring::EnterGuard<'static> => 0 0 1;
        mainspring::TickStats => 1 1 1;
        mainspring::BackendKind => 1 1 1;
        mainspring::Interest => 1 1 1;
        mainspring::Ready => 1 1 1;
        mainspring::Handle => 1 1 1;
        mainspring::Closed<u8> => 1 1 1;
        mainspring::Closed<Rc<u8>> => 0 0 1;
        mainspring::RemoteJoin<u8> => 1 1 1;
        mainspring::RemoteJoin<Rc<u8>> => 0 0 1;
        mainspring::JoinHandle<u8> => 0 0 1;
        mainspring::AbortOnDrop<u8> => 0 0 1;
        mainspring::TaskId => 1 1 1;
        mainspring::TaskBuilder => 0 0 1;
        mainspring::CallHandle => 0 0 1;
        mainspring::FailurePolicy => 0 0 1;
        mainspring::Failure<'static> => 0 0 1;
        task::TaskInfo => 1 1 1;
        task::TaskState => 1 1 1;
        task::TaskLocal<Rc<u8>> => 1 1 1;
        task::LocalScope<std::future::Ready<()>> => 0 0 1;
        task::Unset => 1 1 1;
        task::ConsumeBudget => 1 1 1;
        task::Unconstrained<std::future::Ready<()>> => 1 1 1;
        task::Unconstrained<std::future::Ready<Rc<u8>>> => 0 0 1;
        task::AllBlocked => 0 0 0;
        mainspring::YieldNow => 1 1 1;
        mainspring::YieldToIo => 0 0 0;
        mainspring::JoinError => 1 0 1;
        mainspring::workers::Worker => 0 0 1;
        mainspring::workers::HandOver<u8> => 0 0 1;
        mainspring::workers::WorkerFailure<u8> => 1 0 1;
        mainspring::workers::WorkersError<u8, u8> => 1 0 1;
        time::Instant => 1 1 1;
        time::Elapsed => 1 1 1;
        time::MissedTick => 1 1 1;
        time::Sleep => 0 0 0;
        time::Timeout<std::future::Ready<()>> => 0 0 0;
        time::Interval => 0 0 1;
        time::Tick<'static> => 0 0 1;
        time::WallTime => 1 1 1;
        time::BootTime => 1 1 1;
        time::ClockSleep => 0 0 0;
        time::BootTimeout<std::future::Ready<()>> => 0 0 0;
        io::AsyncFd<Fd> => 0 0 1;
        io::FdReady<'static, Fd> => 0 0 0;
        io::WithFd<'static, Fd, fn()> => 0 0 0;
        net::Read<'static> => 0 0 0;
        net::Write<'static> => 0 0 0;
        net::WriteAll<'static> => 0 0 0;
        net::TcpListener => 0 0 1;
        net::Accept<'static, net::TcpListener> => 0 0 0;
        net::TcpStream => 0 0 1;
        net::Connect => 0 0 0;
        net::UnixStream => 0 0 1;
    }
    // Its hooks are called by the loop's thread alone, so they may hold what that thread has.
    assert!(!has!(mainspring::Builder: Send));
    assert!(!has!(mainspring::Builder: Sync));
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_joins_are_as_their_futures_or_stay_on_their_thread() {
    use mainspring::task;
    type Ready = std::future::Ready<u8>;
    type Local = std::future::Ready<Rc<u8>>;
    type TryReady = std::future::Ready<Result<u8, ()>>;
    let mut wrong = String::new();
    table! {
        wrong;
        task::JoinAll<Ready> => 1 1 1;
        task::JoinAll<Local> => 0 0 1;
        task::TryJoinAll<TryReady> => 1 1 1;
        task::AsCompleted<Ready> => 1 1 1;
        task::Gather<u8> => 0 0 1;
        task::Wait<'static, u8> => 0 0 0;
        task::Waited => 1 1 1;
        task::Until => 1 1 1;
        task::Ended => 1 1 1;
        task::AbortHandle => 0 0 1;
        task::JoinSet<u8> => 0 0 1;
        task::JoinNext<'static, u8> => 0 0 0;
        task::JoinNextWithId<'static, u8> => 0 0 0;
        task::Shutdown<'static, u8> => 0 0 0;
        task::JoinMap<u8, u8> => 0 0 1;
        task::JoinNextKey<'static, u8, u8> => 0 0 0;
        mainspring::time::DelayQueue<u8> => 0 0 1;
        mainspring::time::DelayQueue<std::marker::PhantomPinned> => 0 0 1;
        mainspring::time::DelayKey => 1 1 1;
        mainspring::time::Due<u8> => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
    fn is_send<T: Send>(_: &T) {}
    is_send(&async { mainspring::join!(async { 1 }, async { 2 }) });
    is_send(&async { mainspring::try_join!(async { Ok::<_, ()>(1) }) });
    is_send(&async { mainspring::race!(async { 1 }, async { 2 }) });
    is_send(&async {
        mainspring::select! { n = async { 1 } => n, n = async { 2 } => n }
    });
}

#[test]
fn hz_a28_scopes_and_tokens_stay_on_their_thread() {
    use mainspring::task;
    use std::marker::PhantomPinned;
    type Ready = std::future::Ready<()>;
    type Body = fn(task::Scope<'static>) -> Ready;
    type Tried = std::future::Ready<Result<(), u8>>;
    type TryBody = fn(task::Scope<'static, u8>) -> Tried;
    let mut wrong = String::new();
    table! {
        wrong;
        task::Scope<'static> => 0 0 1;
        task::Scoped<'static, Body, Ready> => 0 0 1;
        task::TryScoped<'static, (), u8, TryBody, Tried> => 0 0 1;
        task::TryScoped<'static, (), u8, TryBody, PhantomPinned> => 0 0 0;
        task::ScopeError<u8> => 1 1 1;
        task::Start<u8, u8> => 0 0 0;
        task::Started<u8> => 0 0 1;
        task::NotStarted<u8> => 0 0 1;
        task::CancelToken => 0 0 1;
        task::CancelReason => 1 1 1;
        task::CancelGuard => 0 0 1;
        task::Cancelled => 0 0 0;
        task::RunUntilCancelled<Ready> => 0 0 0;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_channels_between_threads_too() {
    use mainspring::channel::thread;
    let mut wrong = String::new();
    table! {
        wrong;
        thread::FarSender<u8> => 1 1 1;
        thread::FarSender<Cell<u8>> => 1 1 1;
        thread::FarSender<Rc<u8>> => 0 0 1;
        thread::FarReceiver<u8> => 1 1 1;
        thread::FarReceiver<Rc<u8>> => 0 0 1;
        thread::FarSendItem<'static, u8> => 1 1 1;
        thread::FarSendItem<'static, std::marker::PhantomPinned> => 1 1 1;
        thread::FarRecv<'static, u8> => 1 1 1;
        thread::NearReceiver<u8> => 0 0 1;
        thread::NearSender<u8> => 0 0 1;
        thread::NearSendItem<'static, u8> => 0 0 0;
        thread::NearRecv<'static, u8> => 0 0 1;
        thread::NearRecvMany<'static, u8> => 0 0 1;
        thread::OneSender<u8> => 1 1 1;
        thread::OneSender<Rc<u8>> => 0 0 1;
        thread::NearOneReceiver<u8> => 0 0 1;
        thread::FarOneReceiver<u8> => 1 1 1;
        thread::FarOneReceiver<Rc<u8>> => 0 0 1;
        thread::SendTimeoutError<u8> => 1 1 1;
        thread::RecvTimeoutError => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_what_is_seen_of_a_loop_may_be_sent_to_another_thread() {
    use mainspring::inspect;
    let mut wrong = String::new();
    table! {
        wrong;
        inspect::Snapshot => 1 1 1;
        inspect::Task => 1 1 1;
        inspect::Wait => 1 1 1;
        inspect::Target => 1 1 1;
        inspect::Resource => 1 1 1;
        inspect::Why => 1 1 1;
        inspect::Outlook => 1 1 1;
        inspect::Cause => 1 1 1;
        inspect::Age => 1 1 1;
        inspect::Metrics => 1 1 1;
        inspect::Timings => 1 1 1;
        inspect::Histogram => 1 1 1;
        inspect::Report => 1 1 1;
        inspect::ReportKind => 1 1 1;
        mainspring::ShutdownReport => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_sockets_and_of_streams_in_memory_too() {
    use mainspring::{io, net};
    let mut wrong = String::new();
    table! {
        wrong;
        net::Peek<'static> => 0 0 0;
        net::ReadVectored<'static, 'static> => 0 0 0;
        net::WriteVectored<'static> => 0 0 0;
        net::StreamReady<'static> => 0 0 0;
        net::SendFile<'static> => 0 0 0;
        net::FileSent => 1 1 1;
        net::SentBy => 1 1 1;
        net::Proxy<'static> => 0 0 0;
        net::ReadHalf<'static, net::TcpStream> => 0 0 1;
        net::WriteHalf<'static, net::TcpStream> => 0 0 1;
        net::OwnedReadHalf<net::TcpStream> => 0 0 1;
        net::OwnedWriteHalf<net::TcpStream> => 0 0 1;
        net::Server => 0 0 1;
        net::ServerHandle => 0 0 1;
        net::ServerBuilder<'static, net::TcpListener> => 0 0 1;
        net::Serve<'static> => 0 0 1;
        net::Drain => 0 0 0;
        net::DrainEnd => 1 1 1;
        net::ServerClosed => 0 0 0;
        net::ServerFailure => 1 1 1;
        net::TcpSocket => 0 0 1;
        net::ConnectSocket => 0 0 0;
        net::option::Linger => 1 1 1;
        net::option::Int => 1 1 1;
        net::UnixListener => 0 0 1;
        net::Incoming<'static, net::UnixListener> => 0 0 1;
        net::ConnectUnix => 0 0 0;
        net::ConnectSeqpacket => 0 0 0;
        net::UnixBind => 1 1 1;
        net::UnixDatagram => 0 0 1;
        net::UnixSeqpacket => 0 0 1;
        net::UnixSeqpacketListener => 0 0 1;
        net::UnixSend<'static> => 0 0 0;
        net::UnixRecv<'static> => 0 0 0;
        net::UnixRecvFrom<'static> => 0 0 0;
        net::SendWithFds<'static> => 0 0 0;
        net::RecvWithFds<'static> => 0 0 0;
        net::WithFds => 1 1 1;
        net::Taken => 1 1 1;
        net::Credentials => 1 1 1;
        io::SimplexReader => 0 0 1;
        io::SimplexWriter => 0 0 1;
        io::DuplexStream => 0 0 1;
        io::Join<u8, u8> => 1 1 1;
        io::ReadHalf<u8> => 0 0 1;
        io::WriteHalf<u8> => 0 0 1;
        io::ReuniteError<u8, u8> => 1 1 1;
        io::Copy<'static, u8, u8> => 1 1 1;
        io::CopyBuf<'static, u8, u8> => 1 1 1;
        io::CopyBidirectional<'static, u8, u8> => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_names_and_of_connecting_by_name_too() {
    use mainspring::net;
    let mut wrong = String::new();
    table! {
        wrong;
        net::Lookup => 0 0 1;
        net::LookupAddr => 0 0 1;
        net::AddrName => 1 1 1;
        net::Resolving<u8> => 0 0 1;
        dyn net::Resolver => 0 0 0;
        net::ResolveError => 1 1 1;
        net::ResolveErrorKind => 1 1 1;
        net::Connect => 0 0 0;
        net::ConnectError => 1 1 1;
        net::Connector => 0 0 1;
        net::IpPreference => 1 1 1;
        net::Target => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_the_resolver_too() {
    use mainspring::net::dns;
    let mut wrong = String::new();
    table! {
        wrong;
        dns::DnsResolver => 0 0 1;
        dns::DnsAnswer<u8> => 0 0 1;
        dns::DnsConfig => 1 1 1;
        dns::DnsError => 1 1 1;
        dns::Asked => 1 1 1;
        dns::Said => 1 1 1;
        dns::Reason => 1 1 1;
        dns::Hosts => 1 1 1;
        dns::Message => 1 1 1;
        dns::Malformed => 1 1 1;
        dns::Name => 1 1 1;
        dns::InvalidName => 1 1 1;
        dns::Question => 1 1 1;
        dns::Record => 1 1 1;
        dns::Data => 1 1 1;
        dns::Kind => 1 1 1;
        dns::Code => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_files_too() {
    use mainspring::fs;
    let mut wrong = String::new();
    table! {
        wrong;
        fs::File => 0 0 1;
        fs::OpenOptions => 1 1 1;
        fs::Open => 0 0 1;
        fs::Op<u8> => 0 0 1;
        fs::IntoStd => 0 0 1;
        fs::TryClone<'static> => 0 0 1;
        fs::ReadAt<'static> => 0 0 1;
        fs::ReadExactAt<'static> => 0 0 1;
        fs::LockFile<'static> => 0 0 1;
        fs::ReadDir => 0 0 1;
        fs::DirEntry => 1 1 1;
        fs::Walk => 0 0 1;
        fs::WalkError => 1 1 1;
        fs::Watcher => 0 0 1;
        fs::watch::Add<'static> => 0 0 1;
        fs::watch::Next<'static> => 0 0 0;
        fs::watch::Event => 1 1 1;
        fs::watch::WatchError => 1 1 1;
        fs::TempDir => 1 1 1;
        fs::TempFile => 0 0 1;
        fs::MakeTempFile => 0 0 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_pipes_children_and_signals_too() {
    use mainspring::{pipe, process, signal, workers};
    let mut wrong = String::new();
    table! {
        wrong;
        pipe::PipeReader => 0 0 1;
        pipe::PipeWriter => 0 0 1;
        pipe::FifoOptions => 1 1 1;
        process::Command => 1 1 1;
        process::Stdio => 1 1 1;
        process::Limit => 1 1 1;
        process::Usage => 1 1 1;
        process::Child => 0 0 1;
        process::Wait<'static> => 0 0 0;
        process::Stop<'static> => 0 0 0;
        process::Communicate<'static> => 0 0 0;
        process::Output => 1 1 1;
        process::Pipeline => 1 1 1;
        process::PipelineOutput => 1 1 1;
        process::Orphan => 1 1 1;
        signal::Signal => 1 1 1;
        signal::Sender => 1 1 1;
        signal::Received => 1 1 1;
        signal::Listener => 0 0 1;
        signal::Recv<'static> => 0 0 0;
        signal::Once => 0 0 0;
        workers::Workers => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_standard_streams_and_terminals_too() {
    use mainspring::{stdio, terminal};
    let mut wrong = String::new();
    table! {
        wrong;
        terminal::Terminal => 0 0 1;
        terminal::Master => 0 0 1;
        terminal::Size => 1 1 1;
        terminal::Modes => 1 1 1;
        terminal::Hold => 1 1 1;
        terminal::Sizes<u8> => 0 0 1;
        terminal::Changed<'static, u8> => 0 0 0;
        stdio::Stdin => 0 0 1;
        stdio::Stdout => 0 0 1;
        stdio::Stderr => 0 0 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_datagrams_too() {
    use mainspring::net::{self, udp};
    let mut wrong = String::new();
    table! {
        wrong;
        net::UdpSocket => 0 0 1;
        udp::Recv<'static> => 0 0 0;
        udp::RecvFrom<'static> => 0 0 0;
        udp::Peek<'static> => 0 0 0;
        udp::PeekFrom<'static> => 0 0 0;
        udp::Send<'static> => 0 0 0;
        udp::SendTo<'static> => 0 0 0;
        udp::RecvMsg<'static> => 0 0 0;
        udp::SendMsg<'static> => 0 0 0;
        udp::RecvMany<'static> => 0 0 0;
        udp::SendMany<'static> => 0 0 0;
        udp::RecvError<'static> => 0 0 0;
        udp::DatagramReady<'static> => 0 0 0;
        udp::ReceiveBatch => 0 0 1;
        udp::SendBatch => 0 0 1;
        udp::Ancillary => 1 1 1;
        udp::PacketInfo => 1 1 1;
        udp::Received => 1 1 1;
        udp::QueuedError => 1 1 1;
        udp::ErrorOrigin => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_types_of_the_blocking_pool_too() {
    use mainspring::task::blocking;
    let mut wrong = String::new();
    table! {
        wrong;
        blocking::Class => 1 1 1;
        blocking::JobBuilder => 1 1 1;
        blocking::Aborted => 1 1 1;
        blocking::BlockingStatistics => 1 1 1;
        blocking::ClassStatistics => 1 1 1;
        mainspring::io::ReadOnPool<u8> => 0 0 1;
        mainspring::io::WriteOnPool<u8> => 0 0 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_channels_of_one_thread_too() {
    use mainspring::channel::{self, broadcast, oneshot, watch};
    let mut wrong = String::new();
    table! {
        wrong;
        channel::Sender<u8> => 0 0 1;
        channel::WeakSender<u8> => 0 0 1;
        channel::Receiver<u8> => 0 0 1;
        channel::SendItem<'static, u8> => 0 0 0;
        channel::Recv<'static, u8> => 0 0 0;
        channel::RecvMany<'static, u8> => 0 0 0;
        channel::Reserve<'static, u8> => 0 0 0;
        channel::ReserveOwned<u8> => 0 0 0;
        channel::Permit<'static, u8> => 0 0 1;
        channel::OwnedPermit<u8> => 0 0 1;
        channel::Closed<'static, u8> => 0 0 0;
        channel::AllDone<'static, u8> => 0 0 0;
        channel::Unfinished => 1 1 1;
        channel::Statistics => 1 1 1;
        channel::SendError<u8> => 1 1 1;
        channel::TrySendError<u8> => 1 1 1;
        oneshot::Sender<u8> => 0 0 1;
        oneshot::Receiver<u8> => 0 0 1;
        oneshot::Closed<'static, u8> => 0 0 0;
        broadcast::Sender<u8> => 0 0 1;
        broadcast::Receiver<u8> => 0 0 1;
        broadcast::Recv<'static, u8> => 0 0 0;
        watch::Sender<u8> => 0 0 1;
        watch::Receiver<u8> => 0 0 1;
        watch::Value<u8> => 0 0 1;
        watch::Changed<'static, u8> => 0 0 0;
        watch::Closed<'static, u8> => 0 0 0;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

#[test]
fn hz_a28_the_primitives_of_one_thread_too() {
    use mainspring::sync;
    type Ready = std::future::Ready<u8>;
    let mut wrong = String::new();
    table! {
        wrong;
        sync::Mutex<u8> => 0 0 1;
        sync::MutexGuard<'static, u8> => 0 0 1;
        sync::MappedMutexGuard<'static, u8> => 0 0 1;
        sync::OwnedMutexGuard<u8> => 0 0 1;
        sync::Lock<'static, u8> => 0 0 0;
        sync::LockOwned<u8> => 0 0 0;
        sync::MutexStatistics => 1 1 1;
        sync::RwLock<u8> => 0 0 1;
        sync::ReadGuard<'static, u8> => 0 0 1;
        sync::WriteGuard<'static, u8> => 0 0 1;
        sync::OwnedReadGuard<u8> => 0 0 1;
        sync::OwnedWriteGuard<u8> => 0 0 1;
        sync::Read<'static, u8> => 0 0 0;
        sync::Write<'static, u8> => 0 0 0;
        sync::ReadOwned<u8> => 0 0 0;
        sync::WriteOwned<u8> => 0 0 0;
        sync::RwLockStatistics => 1 1 1;
        sync::Semaphore => 0 0 1;
        sync::Permit<'static> => 0 0 1;
        sync::OwnedPermit => 0 0 1;
        sync::Acquire<'static> => 0 0 0;
        sync::AcquireOwned => 0 0 0;
        sync::AcquireError => 1 1 1;
        sync::TryAcquireError => 1 1 1;
        sync::SemaphoreStatistics => 1 1 1;
        sync::CapacityLimiter => 0 0 1;
        sync::Token<'static> => 0 0 1;
        sync::BorrowToken<'static> => 0 0 0;
        sync::Borrower => 1 1 1;
        sync::AlreadyBorrowed => 1 1 1;
        sync::TryBorrowError => 1 1 1;
        sync::CapacityLimiterStatistics => 1 1 1;
        sync::Event => 0 0 1;
        sync::EventWait<'static> => 0 0 0;
        sync::EventStatistics => 1 1 1;
        sync::Notify => 0 0 1;
        sync::Notified<'static> => 0 0 0;
        sync::NotifyStatistics => 1 1 1;
        sync::Condvar => 0 0 1;
        sync::CondvarWait<'static, u8> => 0 0 0;
        sync::CondvarWaitUntil<'static, u8, fn()> => 0 0 0;
        sync::CondvarUntil<'static, fn()> => 0 0 0;
        sync::CondvarStatistics => 1 1 1;
        sync::Barrier => 0 0 1;
        sync::BarrierWait<'static> => 0 0 0;
        sync::BarrierTurn => 1 1 1;
        sync::BarrierBroken => 1 1 1;
        sync::BarrierStatistics => 1 1 1;
        sync::OnceCell<u8> => 0 0 1;
        sync::GetOrInit<'static, u8, fn(), Ready> => 0 0 0;
        sync::GetOrTryInit<'static, u8, fn(), Ready> => 0 0 0;
        sync::OnceCellWait<'static, u8> => 0 0 0;
        sync::SetError<u8> => 1 1 1;
        sync::OnceCellStatistics => 1 1 1;
        sync::Gate => 0 0 1;
        sync::Pass => 0 0 1;
        sync::GateClose => 0 0 0;
        sync::GateClosed => 1 1 1;
        sync::GateStatistics => 1 1 1;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

fn on_a_stack_of(mebibytes: usize, test: fn()) {
    thread::Builder::new()
        .stack_size(mebibytes << 20)
        .spawn(test)
        .unwrap()
        .join()
        .unwrap();
}

/// A future of a mebibyte, in which nothing is written before it is polled.
async fn large() -> u8 {
    let bytes = [7_u8; 1 << 20];
    yield_now().await;
    bytes[77]
}

#[test]
fn hz_a32_a_future_of_a_mebibyte_is_spawned_with_at_most_five_copies() {
    // Unoptimised, the caller's own copy is one of them.
    on_a_stack_of(6, || {
        assert_eq!(run(async { spawn(large()).await.unwrap() }).unwrap(), 7);
    });
}

#[test]
fn hz_a32_a_long_chain_of_joins_is_dropped_without_recursion() {
    on_a_stack_of(2, || {
        let runtime = Runtime::new().unwrap();
        let mut last = runtime.spawn(pending::<()>());
        for _ in 0..100_000 {
            let inner = last;
            last = runtime.spawn(async move { drop(inner.await) });
        }
        for _ in 0..800 {
            runtime.tick().unwrap();
        }
        drop(last);
        drop(runtime);
    });
}

#[test]
fn hz_a34_wakers_and_handles_are_used_while_a_thread_s_locals_are_destroyed() {
    for is_used_first in [false, true] {
        let runtime = Runtime::new().unwrap();
        let drops = Drops::default();
        let (handle, waker, is_done) = pending_task(&runtime, &drops);
        let remote = runtime.handle();
        is_done.set(true);
        let end = move || {
            let late: Box<dyn FnMut()> = Box::new(move || {
                waker.wake_by_ref();
                drop(remote.spawn(async {}));
            });
            if is_used_first {
                drop(run(async {}));
            }
            LATE.with(|slot| *slot.borrow_mut() = Some(OnDrop(late)));
            drop(run(async {}));
        };
        thread::spawn(end).join().unwrap();
        while !handle.is_finished() {
            runtime.tick_blocking().unwrap();
        }
        assert_eq!(drops.count(), 1);
    }
}

/// A waker that notes that it was woken.
struct Notes(AtomicBool);

impl Wake for Notes {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn hz_a14_a_joiner_with_a_waker_of_its_own_hears_of_an_abort() {
    let runtime = Runtime::new().unwrap();
    let mut handle = runtime.spawn(pending::<()>());
    let flag = Arc::new(Notes(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut cx = Context::from_waker(&waker);
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    handle.abort();
    assert!(!flag.0.load(SeqCst), "never inside the call");
    runtime.tick().unwrap();
    assert!(flag.0.load(SeqCst));
    assert!(matches!(Pin::new(&mut handle).poll(&mut cx), Poll::Ready(Err(e)) if e.is_aborted()));
}

/// Waits three times, and fails if it stands elsewhere than at its first poll.
#[derive(Default)]
struct StaysPut {
    at: Cell<usize>,
    polls: Cell<u32>,
    _pinned: std::marker::PhantomPinned,
}

impl Future for StaysPut {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        let here = std::ptr::from_ref(&*self) as usize;
        let before = self.at.replace(here);
        assert!(before == 0 || before == here, "moved between two polls");
        self.polls.set(self.polls.get() + 1);
        if self.polls.get() > 3 {
            return Poll::Ready(self.polls.get());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn hz_a30_a_pinned_future_stays_where_it_is_through_every_adapter() {
    use mainspring::time::timeout;
    const LONG: std::time::Duration = std::time::Duration::from_secs(3600);
    assert_eq!(mainspring::run(StaysPut::default()).unwrap(), 4);
    mainspring::run(async {
        assert_eq!(StaysPut::default().await, 4);
        assert_eq!(spawn(StaysPut::default()).await.unwrap(), 4);
        let nested = timeout(LONG, timeout(LONG, StaysPut::default()));
        assert_eq!(nested.await.unwrap().unwrap(), 4);
        let task = spawn(timeout(LONG, StaysPut::default())).abort_on_drop();
        assert_eq!(task.await.unwrap().unwrap(), 4);
        let handle = mainspring::current_handle().unwrap();
        let remote = handle.spawn_with(StaysPut::default).unwrap();
        assert_eq!(remote.await.unwrap(), 4);
    })
    .unwrap();
}

#[test]
fn who_polls_by_hand_in_an_entered_loop_has_no_budget() {
    let runtime = mainspring::Runtime::new().unwrap();
    runtime.block_on(async {}).unwrap();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    let near = mainspring::net::UnixStream::from_std(near).unwrap();
    let _entered = runtime.enter();
    for _ in 0..1000 {
        std::io::Write::write_all(&mut far, b"x").unwrap();
        let mut buf = [0; 1];
        let mut read = pin!(near.read(&mut buf));
        let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(1))), "{polled:?}");
    }
}

/// Polls `future` once, in the task that calls, and forgets it with its wait nodes linked.
async fn poll_and_forget<F: Future + 'static>(future: F) {
    let mut future = Box::pin(future);
    let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(polled, "it has to wait");
    std::mem::forget(future);
}

/// One forgotten wait of each kind; what it waited for is dropped, or handed back to be dropped later.
async fn forget_one_of_each() -> Vec<Box<dyn std::any::Any>> {
    use mainspring::io::AsyncFd;
    use mainspring::net::TcpListener;
    // Leaked, because a forgotten future's borrow never ends; their descriptors stay open.
    let (near, far) = UnixStream::pair().unwrap();
    let (near, far): (&'static UnixStream, _) = (Box::leak(Box::new(near)), far);
    poll_and_forget(near.read(Box::leak(Box::new([0; 8])))).await;
    let any = Box::leak(Box::new(AsyncFd::new(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    )));
    poll_and_forget(any.as_ref().unwrap().readable()).await;
    let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener: &'static TcpListener = Box::leak(Box::new(listener));
    poll_and_forget(listener.accept()).await;
    poll_and_forget(sleep(Duration::from_secs(3600))).await;
    poll_and_forget(sleep(Duration::MAX)).await;
    poll_and_forget(mainspring::yield_to_io()).await;
    poll_and_forget(mainspring::time::timeout(
        Duration::from_secs(9),
        pending::<()>(),
    ))
    .await;
    let mut handle = spawn(pending::<()>());
    let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut handle).poll(cx).is_pending())).await;
    assert!(polled);
    vec![Box::new(far), Box::new(handle)]
}

#[test]
fn hz_h02_a_forgotten_wait_of_each_kind_outlives_its_task_its_loop_and_what_it_waited_for() {
    let runtime = Runtime::new().unwrap();
    let task = runtime.spawn(forget_one_of_each());
    let kept = runtime.block_on(task).unwrap().unwrap();
    // The task is gone and its block is free for others; events and timers find nobody.
    let others: Vec<_> = (0..100).map(|_| runtime.spawn(yield_now())).collect();
    drop(kept);
    runtime
        .block_on(async {
            for other in others {
                other.await.unwrap();
            }
            sleep(Duration::from_millis(1)).await;
            mainspring::yield_to_io().await;
        })
        .unwrap();
    drop(runtime);
}

#[test]
fn hz_a28_the_types_of_masks_and_of_queues_of_signals_too() {
    use mainspring::signal;
    let mut wrong = String::new();
    table! {
        wrong;
        signal::SignalSet => 1 1 1;
        signal::Queued => 1 1 1;
        signal::Blocked => 0 0 1;
        signal::Queue => 0 0 1;
        signal::QueueRecv<'static> => 0 0 0;
    }
    assert!(wrong.is_empty(), "[Send, Sync, Unpin] of{wrong}");
}

//! Hazard J1: a scope that is forgotten after it was polled. Its children borrow what is gone by then, and
//! everything that may reach them still does: wakers, handles, primitives, the runtime's end. Nothing of
//! them may be polled or dropped. AddressSanitizer sees what goes wrong (`make asan`).

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::mem;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use mainspring::io::BufferPool;
use mainspring::task::{CancelToken, JoinHandle, Scope, scope};
use mainspring::time::sleep;
use mainspring::{Runtime, run, spawn, yield_now};

use crate::rig::{count_polls, poll_as_task, poll_once};

/// Sees to it that a child that is polled or dropped touches memory that was given back.
struct Borrower<'a>(&'a Cell<u32>);

impl Drop for Borrower<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn hz_j01_a_forgotten_scope_is_never_polled_or_dropped_whoever_wakes_it() {
    let runtime = Runtime::new().unwrap();
    let waker: Rc<RefCell<Option<Waker>>> = Rc::default();
    runtime
        .block_on(async {
            let touched = Box::new(Cell::new(0));
            let scope = scope(async |s: Scope<'_>| {
                let touched = &*touched;
                let slot = Rc::clone(&waker);
                s.spawn(async move {
                    let _borrower = Borrower(touched);
                    poll_fn(|cx| {
                        *slot.borrow_mut() = Some(cx.waker().clone());
                        touched.set(touched.get() + 1);
                        Poll::<()>::Pending
                    })
                    .await
                });
            });
            let mut scope = Box::pin(scope);
            for _ in 0..2 {
                assert!(poll_as_task(scope.as_mut()).await.is_pending());
            }
            assert_eq!(touched.get(), 1);
            mem::forget(scope);
            drop(touched);
            let waker = waker.borrow().clone().unwrap();
            waker.wake_by_ref();
            for _ in 0..3 {
                yield_now().await;
            }
            let foreign = waker.clone();
            std::thread::spawn(move || foreign.wake()).join().unwrap();
            for _ in 0..3 {
                yield_now().await;
            }
            waker.wake();
            let handle = spawn(async {});
            handle.abort();
        })
        .unwrap();
    runtime.block_on(yield_now()).unwrap();
    drop(runtime);
    waker.take().unwrap().wake();
}

#[test]
fn hz_j01_handles_of_a_forgotten_scope_abort_nothing_and_await_for_ever() {
    run(async {
        let touched = Box::new(Cell::new(0));
        let mut handles: Vec<JoinHandle<()>> = Vec::new();
        let mut forgotten = Box::pin(scope(async |s| {
            for _ in 0..3 {
                handles.push(s.spawn(async {
                    let _borrower = Borrower(&touched);
                    count_polls(&touched).await;
                }));
            }
            pending::<()>().await
        }));
        assert!(poll_as_task(forgotten.as_mut()).await.is_pending());
        assert!(poll_as_task(forgotten.as_mut()).await.is_pending());
        assert_eq!(touched.get(), 3);
        mem::forget(forgotten);
        drop(touched);
        handles[0].abort();
        drop(handles.remove(1));
        for _ in 0..3 {
            yield_now().await;
        }
        assert!(!handles[0].is_finished());
        assert!(poll_once(pin!(&mut handles[0])).is_pending());
        drop(handles);
    })
    .unwrap();
}

#[test]
fn hz_j01_primitives_outlive_the_waits_of_a_forgotten_scope() {
    run(async {
        let pool = BufferPool::new(1, 16);
        let token = CancelToken::new();
        let held = pool.try_take();
        {
            let touched = Box::new(Cell::new(0));
            let mut forgotten = Box::pin(scope(async |s| {
                s.spawn(async {
                    let _borrower = Borrower(&touched);
                    drop(pool.take().await);
                });
                s.spawn(async {
                    let _borrower = Borrower(&touched);
                    drop(token.cancelled().await);
                });
                s.spawn(async {
                    let _borrower = Borrower(&touched);
                    sleep(Duration::from_nanos(1)).await;
                });
                s.set_timeout(Duration::from_nanos(1));
                pool.take().await;
            }));
            assert!(poll_as_task(forgotten.as_mut()).await.is_pending());
            assert!(poll_as_task(forgotten.as_mut()).await.is_pending());
            mem::forget(forgotten);
        }
        drop(held);
        token.cancel();
        sleep(Duration::from_millis(2)).await;
        let moved = pool;
        drop(moved);
        drop(token);
    })
    .unwrap();
}

#[test]
fn hz_j01_a_scope_that_is_forgotten_with_its_task_outlives_the_runtime() {
    let touched = Rc::new(Cell::new(0));
    let runtime = Runtime::new().unwrap();
    let inner = Rc::clone(&touched);
    // The task's own future holds the scope in a box that it forgets.
    let task = runtime.spawn(async move {
        let local = Box::new(Cell::new(0));
        let mut forgotten = Box::pin(scope(async |s| {
            s.spawn(async {
                let _borrower = Borrower(&local);
                count_polls(&local).await;
            });
            pending::<()>().await
        }));
        for _ in 0..2 {
            assert!(poll_as_task(forgotten.as_mut()).await.is_pending());
        }
        inner.set(local.get());
        mem::forget(forgotten);
    });
    runtime.block_on(task).unwrap().unwrap();
    assert_eq!(touched.get(), 1);
    drop(runtime);
}

#[test]
fn hz_j01_a_scope_that_was_never_polled_may_be_forgotten_and_moved() {
    let mut count = 0;
    let unpolled = scope(async |s| {
        s.spawn(async { count += 1 });
    });
    mem::forget(unpolled);
    let unpolled = scope(async |s| {
        s.spawn(async { count += 1 });
    });
    let moved = unpolled;
    run(moved).unwrap().unwrap();
    assert_eq!(count, 1);
}

#[test]
fn a_scope_outlives_its_loop_if_it_is_kept_and_drops_its_children_then() {
    let drops = Cell::new(0);
    let runtime = Runtime::new().unwrap();
    let mut kept = Box::pin(scope(async |s| {
        s.spawn(async {
            let _borrower = Borrower(&drops);
            sleep(Duration::from_secs(1)).await;
        });
        let inner = s.clone();
        s.spawn(async move {
            let _guard = OnDrop(|| {
                let late = inner.spawn(async { unreachable!("it comes too late") });
                assert!(late.is_finished());
            });
            pending::<()>().await;
        });
        pending::<()>().await
    }));
    {
        let _entered = runtime.enter();
        for _ in 0..3 {
            assert!(poll_once(kept.as_mut()).is_pending());
        }
    }
    drop(runtime);
    let text = crate::rig::message_of(|| drop(poll_once(kept.as_mut())));
    assert!(text.contains("outside of the loop"), "{text}");
    assert_eq!(drops.get(), 0);
    drop(kept);
    assert_eq!(drops.get(), 1);
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_scope_is_polled_in_its_own_loop_only() {
    let (first, second) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let mut kept = Box::pin(scope(async |s| {
        s.spawn(yield_now());
    }));
    let text = crate::rig::message_of(|| drop(poll_once(kept.as_mut())));
    assert!(text.contains("inside a running loop"), "{text}");
    let polled = first.block_on(poll_as_task(kept.as_mut()));
    assert!(polled.unwrap().is_pending());
    let text = crate::rig::message_of(|| {
        second
            .block_on(poll_as_task(kept.as_mut()))
            .unwrap()
            .is_ready();
    });
    assert!(text.contains("outside of the loop"), "{text}");
    assert_eq!(
        first.block_on(kept).unwrap(),
        Ok(()),
        "and nothing was changed"
    );
}

fn assert_future<F: Future>(_: &F) {}

#[test]
fn a_scope_is_a_future_of_its_own_name() {
    let named: mainspring::task::Scoped<'_, _, _> = scope(async |_| ());
    assert_future(&named);
    assert!(format!("{named:?}").starts_with("Scoped"));
}

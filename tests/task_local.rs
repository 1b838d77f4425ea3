//! Values of tasks: who has which, from when to when, and when they are dropped.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::task::{TaskLocal, Unset, spawn_eager};
use mainspring::time::sleep;
use mainspring::{Runtime, TaskBuilder, call_soon, sim, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

mainspring::task_local! {
    static A: u32;
    static B: u32;
    /// A type that drops.
    static NOTE: Note;
    // Of one type without a size each: they are not one.
    static NO_SIZE_1: ();
    static NO_SIZE_2: ();
}

fn value(of: &'static TaskLocal<u32>) -> Option<u32> {
    of.try_with(|value| *value).ok()
}

/// What was dropped, in order.
type Drops = Rc<RefCell<Vec<&'static str>>>;

/// Notes its drop, and what is set meanwhile.
struct Note(Drops, &'static str);

impl Drop for Note {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

#[test]
fn a_child_has_the_values_of_its_parent_as_they_were_at_the_spawn() {
    sim::run(1, async {
        assert_eq!(value(&A), None);
        A.set(1);
        let early = spawn(async {
            let before = value(&A);
            A.set(10);
            yield_now().await;
            let grandchild = spawn(async { (value(&A), value(&B)) });
            (before, value(&A), grandchild.await.unwrap())
        });
        A.set(2);
        B.set(3);
        let late = spawn(async { (value(&A), value(&B)) });
        assert_eq!(
            early.await.unwrap(),
            (Some(1), Some(10), (Some(10), None)),
            "what either changes the other does not see"
        );
        assert_eq!(late.await.unwrap(), (Some(2), Some(3)));
        assert_eq!((value(&A), value(&B)), (Some(2), Some(3)));
    });
}

#[test]
fn callbacks_and_eager_tasks_inherit_too() {
    sim::run(2, async {
        A.set(5);
        let seen = Rc::new(Cell::new(None));
        let (soon, later) = (Rc::clone(&seen), Rc::new(Cell::new(None)));
        call_soon(move || soon.set(value(&A)));
        let slot = Rc::clone(&later);
        mainspring::call_later(MS, move || slot.set(value(&A)));
        let eager = spawn_eager(async { value(&A) });
        A.set(6);
        sleep(2 * MS).await;
        assert_eq!((seen.get(), later.get()), (Some(5), Some(5)));
        assert_eq!(eager.await.unwrap(), Some(5));
    });
}

#[test]
fn a_scope_holds_while_its_future_runs_and_at_no_other_time() {
    sim::run(3, async {
        A.set(1);
        let slow = A.scope(2, async {
            for _ in 0..3 {
                assert_eq!(value(&A), Some(2));
                yield_now().await;
            }
            A.set(20);
            yield_now().await;
            assert_eq!(value(&A), Some(20), "a change lasts as long as the scope");
        });
        let mut slow = pin!(slow);
        poll_fn(|cx| {
            assert_eq!(value(&A), Some(1));
            let poll = slow.as_mut().poll(cx);
            assert_eq!(value(&A), Some(1));
            poll
        })
        .await;
        assert_eq!(value(&B), None);
        B.scope(1, B.scope(2, async { assert_eq!(value(&B), Some(2)) }))
            .await;
        assert_eq!(value(&B), None, "it had none before");
    });
}

#[test]
fn two_scopes_in_one_task_do_not_see_each_other() {
    async fn work(own: u32) -> bool {
        for _ in 0..3 {
            if value(&A) != Some(own) {
                return false;
            }
            yield_now().await;
        }
        spawn(async { value(&A) }).await.unwrap() == Some(own)
    }
    sim::run(4, async {
        let (mut one, mut two) = (pin!(A.scope(1, work(1))), pin!(A.scope(2, work(2))));
        let mut results = (None, None);
        poll_fn(|cx| {
            if let (None, Poll::Ready(result)) = (results.0, poll_once(results.0, one.as_mut(), cx))
            {
                results.0 = Some(result);
            }
            if let (None, Poll::Ready(result)) = (results.1, poll_once(results.1, two.as_mut(), cx))
            {
                results.1 = Some(result);
            }
            match results {
                (Some(one), Some(two)) => Poll::Ready((one, two)),
                _ => Poll::Pending,
            }
        })
        .await;
        assert_eq!(results, (Some(true), Some(true)));
    });
}

fn poll_once<F: Future>(
    done: Option<bool>,
    future: std::pin::Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<F::Output> {
    match done {
        None => future.poll(cx),
        Some(_) => Poll::Pending,
    }
}

#[test]
fn what_is_given_to_a_task_comes_before_what_it_inherits() {
    sim::run(5, async {
        A.set(1);
        B.set(2);
        let builder = TaskBuilder::new().local(&A, 10);
        let child = builder.spawn(async { (value(&A), value(&B)) });
        assert_eq!(child.await.unwrap(), (Some(10), Some(2)));
        assert_eq!(value(&A), Some(1));
        let eager = TaskBuilder::new().local(&A, 11).eager(true);
        assert_eq!(
            eager.spawn(async { value(&A) }).await.unwrap(),
            Some(11),
            "it is there at the first poll"
        );
    });
}

#[test]
fn what_no_task_spawned_inherits_nothing() {
    let runtime = Runtime::new().unwrap();
    let outside = runtime.spawn(async { value(&A) });
    let handle = runtime.handle();
    runtime
        .block_on(async move {
            A.set(1);
            let sent = handle.spawn(async { value(&A) }).unwrap();
            assert_eq!(sent.await.unwrap(), None);
            assert_eq!(outside.await.unwrap(), None);
        })
        .unwrap();
    assert_eq!(runtime.block_on(async { value(&A) }).unwrap(), None);
}

#[test]
fn the_last_task_that_has_a_value_drops_it_after_its_future() {
    let drops = Drops::default();
    sim::run(6, async {
        NOTE.set(Note(Rc::clone(&drops), "first"));
        let future = Note(Rc::clone(&drops), "future");
        let child = spawn(async move {
            let _future = future;
            sleep(MS).await;
            NOTE.with(|note| assert_eq!(note.1, "first"));
        });
        NOTE.set(Note(Rc::clone(&drops), "second"));
        assert!(drops.borrow().is_empty(), "the child has the first");
        child.await.unwrap();
        assert_eq!(drops.take(), ["future", "first"]);
        NOTE.set(Note(Rc::clone(&drops), "third"));
        assert_eq!(drops.take(), ["second"]);
    });
    assert_eq!(drops.take(), ["third"]);
}

#[test]
fn an_abort_a_panic_and_the_end_of_the_loop_drop_the_values_too() {
    let drops = Drops::default();
    let task = |name: &'static str, is_bad: bool| {
        let value = Note(Rc::clone(&drops), name);
        TaskBuilder::new().local(&NOTE, value).spawn(async move {
            assert!(!is_bad, "as it should");
            pending::<()>().await;
        })
    };
    let runtime = Runtime::new().unwrap();
    runtime
        .block_on(async {
            let aborted = task("aborted", false);
            let panicked = task("panicked", true);
            drop(task("left", false));
            yield_now().await;
            assert_eq!(drops.take(), ["panicked"]);
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_aborted());
            assert_eq!(drops.take(), ["aborted"]);
            assert!(panicked.await.unwrap_err().is_panic());
        })
        .unwrap();
    // A waker keeps the block, and the block keeps no value.
    let waker = runtime
        .block_on(async {
            let slot: Rc<Cell<Option<Waker>>> = Rc::default();
            let inner = Rc::clone(&slot);
            let value = Note(Rc::clone(&drops), "kept");
            let handle = TaskBuilder::new().local(&NOTE, value).spawn(async move {
                poll_fn(|cx| {
                    inner.set(Some(cx.waker().clone()));
                    Poll::Ready(())
                })
                .await;
            });
            handle.await.unwrap();
            slot.take().unwrap()
        })
        .unwrap();
    assert_eq!(drops.take(), ["kept"]);
    std::thread::spawn(move || drop(waker)).join().unwrap();
    drop(runtime);
    assert_eq!(drops.take(), ["left"]);
}

#[test]
fn values_go_in_the_order_in_which_they_were_set_and_a_panic_of_one_spares_the_others() {
    struct Bomb(Drops);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.borrow_mut().push("bomb");
            panic!("a value's own panic");
        }
    }
    mainspring::task_local! {
        static BOMB: Bomb;
        static LAST: Note;
    }
    let drops = Drops::default();
    sim::run(7, async {
        let inner = Rc::clone(&drops);
        let task = spawn(async move {
            NOTE.set(Note(Rc::clone(&inner), "note"));
            BOMB.set(Bomb(Rc::clone(&inner)));
            LAST.set(Note(Rc::clone(&inner), "last"));
        });
        task.await.unwrap();
        assert_eq!(drops.take(), ["note", "bomb", "last"]);
    });
}

#[test]
fn a_destructor_of_the_future_still_has_the_values_and_one_of_a_value_has_none() {
    struct Looks(Rc<RefCell<Vec<Option<u32>>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.borrow_mut().push(value(&A));
        }
    }
    mainspring::task_local! {
        static LOOKS: Looks;
    }
    let seen: Rc<RefCell<Vec<Option<u32>>>> = Rc::default();
    sim::run(8, async {
        let (of_future, of_value) = (Looks(Rc::clone(&seen)), Looks(Rc::clone(&seen)));
        let task = spawn(async move {
            A.set(1);
            LOOKS.set(of_value);
            let _of_future = of_future;
            pending::<()>().await;
        });
        yield_now().await;
        task.abort();
        assert!(task.await.is_err());
    });
    assert_eq!(*seen.borrow(), [Some(1), None]);
}

#[test]
fn a_panic_inside_a_scope_puts_the_earlier_value_back() {
    sim::run(9, async {
        A.set(1);
        let mut scope = Box::pin(A.scope(2, poll_fn(|_| -> Poll<()> { panic!("inside") })));
        let polled = poll_fn(|cx| {
            let poll = || scope.as_mut().poll(cx).is_ready();
            Poll::Ready(catch_unwind(AssertUnwindSafe(poll)))
        });
        assert!(polled.await.is_err());
        assert_eq!(value(&A), Some(1));
        drop(scope);
        assert_eq!(value(&A), Some(1));
    });
}

#[test]
fn a_scope_works_outside_of_tasks_and_set_does_not() {
    assert_eq!(A.try_with(|_| ()), Err(Unset));
    let inside = A.sync_scope(1, || {
        let mut future = pin!(B.scope(2, async { (value(&A), value(&B)) }));
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    });
    assert_eq!(inside, Poll::Ready((Some(1), Some(2))));
    assert_eq!((value(&A), value(&B)), (None, None));
    assert!(catch_unwind(|| A.set(1)).is_err());
    assert!(catch_unwind(|| A.get()).is_err());
    assert_eq!(Unset.to_string(), "the current task has no such value");
}

#[test]
fn two_values_without_a_size_are_two() {
    sim::run(10, async {
        NO_SIZE_1.set(());
        assert!(NO_SIZE_1.try_with(|()| ()).is_ok());
        assert!(NO_SIZE_2.try_with(|()| ()).is_err());
    });
}

#[test]
fn the_value_of_a_scope_is_set_as_its_future_is_dropped() {
    struct Looks(Rc<RefCell<Vec<Option<u32>>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.0.borrow_mut().push(value(&A));
        }
    }
    let seen: Rc<RefCell<Vec<Option<u32>>>> = Rc::default();
    sim::run(11, async {
        let looks = Looks(Rc::clone(&seen));
        let is_ready = poll_fn(move |_| {
            let _kept = &looks;
            Poll::Ready(())
        });
        A.scope(1, is_ready).await;
        let looks = Looks(Rc::clone(&seen));
        drop(A.scope(2, async move { drop(looks) }));
    });
    assert_eq!(*seen.borrow(), [Some(1), Some(2)]);
}

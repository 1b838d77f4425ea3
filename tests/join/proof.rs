//! The proof of a deadlock, and who waits for whom, through waits for many: more than those that are polled all
//! together (`FEW` in src/join/woken.rs).

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Poll, Waker};

use crate::rig::deadlock_of;
use mainspring::inspect::{self, Outlook};
use mainspring::stream::StreamExt;
use mainspring::sync::Mutex;
use mainspring::task::{
    JoinSet, TaskId, Until, as_completed, gather, join_all, spawn_many, try_join_all, wait,
};
use mainspring::{Builder, JoinHandle, channel, sim, spawn, yield_now};

const MANY: usize = 20;

type Waits = Pin<Box<dyn Future<Output = ()>>>;
type Way = fn(Vec<JoinHandle<()>>) -> Waits;

/// Every way to wait for many tasks.
fn ways() -> [(&'static str, Way); 7] {
    [
        ("join_all", |tasks| {
            Box::pin(async { drop(join_all(tasks).await) })
        }),
        ("try_join_all", |tasks| {
            Box::pin(async { drop(try_join_all(tasks).await) })
        }),
        ("as_completed", |tasks| {
            Box::pin(async { drop(as_completed(tasks).next().await) })
        }),
        ("gather", |tasks| {
            Box::pin(async { drop(gather(tasks).await) })
        }),
        ("wait for the first", |mut tasks| {
            Box::pin(async move { drop(wait(&mut tasks, Until::First).await) })
        }),
        ("wait for the first error", |mut tasks| {
            Box::pin(async move { drop(wait(&mut tasks, Until::FirstError).await) })
        }),
        ("join_all in a join_all", |tasks| {
            let mut all: Vec<Waits> = vec![Box::pin(async { drop(join_all(tasks).await) })];
            all.extend((1..MANY).map(|_| Box::pin(pending()) as Waits));
            Box::pin(async { drop(join_all(all).await) })
        }),
    ]
}

/// A task that waits for many, the last of which waits for it.
fn circle(way: Way) -> (Vec<TaskId>, TaskId) {
    let parent = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let mut tasks = spawn_many((1..MANY).map(|_| pending::<()>()));
    let inner = Rc::clone(&parent);
    tasks.push(spawn(async move {
        let parent = inner.borrow_mut().take().unwrap();
        let _ = parent.await;
    }));
    let ids = tasks.iter().map(JoinHandle::id).collect();
    let task = spawn(way(tasks));
    let id = task.id();
    *parent.borrow_mut() = Some(task);
    (ids, id)
}

async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

#[test]
fn p21_a_deadlock_through_a_wait_for_many_is_told_with_its_circle() {
    for (name, way) in ways() {
        let circled = Cell::new(None);
        let text = deadlock_of(async {
            let (ids, parent) = circle(way);
            circled.set(Some((ids[MANY - 1], parent)));
            pending::<()>().await;
        });
        assert!(
            text.starts_with("deadlock: nothing can ever wake any task"),
            "{name}: {text}"
        );
        let (last, parent) = circled.take().unwrap();
        let told = format!(
            "in a circle: task {last} waits for the end of task {parent}; \
             task {parent} waits for the end of task {last}"
        );
        assert!(text.ends_with(&told), "{name}: {text}");
    }
}

#[test]
fn why_leads_from_a_wait_for_many_to_each_of_them() {
    for (name, way) in ways() {
        sim::run(1, async {
            let (ids, parent) = circle(way);
            settle().await;
            let why = inspect::why(parent).unwrap();
            assert_eq!(why.outlook(), Outlook::Circle, "{name}");
            assert_eq!(why.circle().len(), 2, "{name}");
            let led_to: Vec<_> = why.tasks().collect();
            assert_eq!(led_to[0], parent, "{name}");
            assert!(ids.iter().all(|id| led_to.contains(id)), "{name}: {why}");
        });
    }
}

#[test]
fn a_deadlock_of_many_futures_that_wait_for_locks_and_channels_is_proved() {
    let text = deadlock_of(async {
        let mutex = Mutex::new(0);
        let held = mutex.lock().await;
        join_all((0..MANY).map(|_| async { *mutex.lock().await += 1 })).await;
        drop(held);
    });
    if cfg!(feature = "inspect") {
        assert_eq!(text.matches("waits for lock").count(), MANY + 1, "{text}");
        assert!(text.contains("in a circle: "), "{text}");
    }
    let text = deadlock_of(async {
        let (_sender, receiver) = channel::unbounded::<u8>();
        join_all((0..MANY).map(|_| receiver.recv())).await;
    });
    assert_eq!(text.matches("an item of channel").count(), MANY, "{text}");
    // Those that are done, or wait for nothing at all, leave no doubt either.
    let text = deadlock_of(async {
        let wait = |n| async move {
            if n % 2 == 0 {
                pending::<()>().await;
            }
        };
        join_all((0..MANY).map(wait)).await;
    });
    assert!(text.starts_with("deadlock: "), "{text}");
}

/// A child's waker that somebody has may wake the parent yet: then the loop sleeps (promise P22).
#[test]
fn p22_a_child_s_waker_on_another_thread_is_doubt() {
    let (asleep, is_asleep) = mpsc::channel::<()>();
    let (give, wakers) = mpsc::channel::<Waker>();
    let thread = std::thread::spawn(move || {
        let waker = wakers.recv().unwrap();
        is_asleep.recv().unwrap();
        waker.wake();
    });
    let runtime = Builder::new().before_wait(move || {
        let _ = asleep.send(());
    });
    let runtime = runtime.build().unwrap();
    let outputs = runtime.block_on(async move {
        let mut give = Some(give);
        let first = poll_fn(move |cx| match give.take() {
            Some(give) => {
                give.send(cx.waker().clone()).unwrap();
                Poll::Pending
            }
            None => Poll::Ready(0),
        });
        let mut futures: Vec<Pin<Box<dyn Future<Output = usize>>>> = vec![Box::pin(first)];
        futures.extend((1..MANY).map(|n| Box::pin(async move { n }) as _));
        join_all(futures).await
    });
    assert_eq!(outputs.unwrap(), (0..MANY).collect::<Vec<_>>());
    thread.join().unwrap();
}

#[test]
fn why_leads_from_a_join_set_to_each_of_its_members_and_the_circle_is_told() {
    let circled = Cell::new(None);
    let text = deadlock_of(async {
        let parent = Rc::new(RefCell::new(None::<JoinHandle<()>>));
        let inner = Rc::clone(&parent);
        let (give, ids) = channel::oneshot();
        let task = spawn(async move {
            let mut set = JoinSet::new();
            set.spawn(async {});
            for _ in 1..MANY {
                set.spawn(pending::<()>());
            }
            set.join_next().await;
            set.spawn(async move {
                let parent = inner.borrow_mut().take().unwrap();
                let _ = parent.await;
            });
            give.send(set.ids().collect::<Vec<_>>()).unwrap();
            set.join_next().await;
        });
        let id = task.id();
        *parent.borrow_mut() = Some(task);
        let ids = ids.await.unwrap();
        settle().await;
        let why = inspect::why(id).unwrap();
        assert_eq!(why.outlook(), Outlook::Circle);
        let led_to: Vec<_> = why.tasks().collect();
        assert_eq!((led_to.len(), ids.len()), (MANY + 1, MANY));
        assert!(ids.iter().all(|id| led_to.contains(id)), "{why}");
        assert!(why.to_string().contains("one of the tasks of set"), "{why}");
        circled.set(ids.last().copied());
        pending::<()>().await;
    });
    if cfg!(feature = "inspect") {
        let last = circled.take().unwrap();
        assert!(text.contains("in a circle: "), "{text}");
        assert!(
            text.contains(&format!("task {last} waits for the end of task ")),
            "{text}"
        );
    }
}

/// The list of a large set is cut, and says how long it is.
#[test]
fn a_large_set_is_told_in_one_line() {
    let text = deadlock_of(async {
        let mut set = JoinSet::new();
        for _ in 0..100 {
            set.spawn(pending::<()>());
        }
        set.join_next().await;
    });
    if cfg!(feature = "inspect") {
        assert!(text.contains(" and 80 more"), "{text}");
    }
}

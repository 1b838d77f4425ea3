//! A snapshot may be taken anywhere: inside a poll, a waker's wake and drop, a destructor; while a queue is
//! served and while a loop ends.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mainspring::inspect;
use mainspring::io::BufferPool;
use mainspring::time::sleep;
use mainspring::{Runtime, TaskBuilder, sim, spawn};

use super::settle;

fn look() -> usize {
    let snapshot = inspect::snapshot();
    let text = format!("{snapshot}{snapshot:#}");
    assert!(!text.is_empty());
    for task in snapshot.tasks() {
        assert!(inspect::why(task.id()).is_some());
    }
    drop(inspect::metrics());
    snapshot.tasks().len()
}

/// Looks in its drop.
struct LooksInDrop(Rc<Cell<usize>>);

impl Drop for LooksInDrop {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
        look();
    }
}

#[test]
fn p43_a_snapshot_may_be_taken_inside_a_poll_and_a_destructor() {
    sim::run(1, async {
        let drops = Rc::new(Cell::new(0));
        let guard = LooksInDrop(Rc::clone(&drops));
        let task = spawn(async move {
            let _guard = guard;
            assert_eq!(look(), 2);
            sleep(Duration::from_secs(60)).await;
        });
        settle().await;
        task.abort();
        settle().await;
        assert_eq!(drops.get(), 1);
    });
}

#[test]
fn a_snapshot_may_be_taken_while_a_runtime_drops_its_tasks() {
    let drops = Rc::new(Cell::new(0));
    let runtime = Runtime::new().unwrap();
    for _ in 0..3 {
        let guard = LooksInDrop(Rc::clone(&drops));
        drop(runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
    }
    runtime.tick().unwrap();
    drop(runtime);
    assert_eq!(drops.get(), 3);
}

/// A waker that looks when it is woken and when it is gone.
fn looking_waker(count: &'static AtomicUsize) -> Waker {
    struct Looks(&'static AtomicUsize);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
            look();
        }
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            look();
        }
    }
    Waker::from(Arc::new(Looks(count)))
}

/// Polls what is in it with a waker of its own.
struct ByOther<F>(F, Waker);

impl<F: Future + Unpin> Future for ByOther<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.1.clone();
        let inner = Pin::new(&mut self.0);
        let polled = inner.poll(&mut Context::from_waker(&waker));
        // Both may wake it: the timer by the other's waker only looks.
        cx.waker().wake_by_ref();
        polled.map(drop)
    }
}

#[test]
fn p43_a_snapshot_may_be_taken_inside_a_wake_of_a_timer_and_of_a_queue() {
    static WAKES: AtomicUsize = AtomicUsize::new(0);
    sim::run(1, async {
        let pool = BufferPool::new(1, 8);
        let held = pool.take().await;
        let inner = pool.clone();
        let taker = spawn(async move {
            let take = Box::pin(async move { drop(inner.take().await) });
            ByOther(take, looking_waker(&WAKES)).await;
        });
        let sleeper = Box::pin(sleep(Duration::ZERO));
        let sleeper = spawn(ByOther(sleeper, looking_waker(&WAKES)));
        settle().await;
        // Its waker is a counted one, and the wait is seen all the same.
        let text = inspect::snapshot().to_string();
        assert!(text.contains("a free buffer of a pool"), "{text}");
        drop(held);
        taker.await.unwrap();
        sleeper.await.unwrap();
    });
    assert_eq!(WAKES.load(Relaxed), 2);
}

#[test]
fn p43_what_is_seen_does_not_change_what_happens() {
    let order_with = |looks: bool| {
        sim::run(7, async move {
            let log = Rc::new(std::cell::RefCell::new(Vec::new()));
            for index in 0..20_u64 {
                let log = Rc::clone(&log);
                drop(
                    TaskBuilder::new()
                        .name(format!("{index}"))
                        .spawn(async move {
                            for round in 0..3 {
                                sleep(Duration::from_millis(index * 7 % 5 + round)).await;
                                if looks {
                                    look();
                                }
                                log.borrow_mut().push((index, round));
                            }
                        }),
                );
            }
            sleep(Duration::from_secs(1)).await;
            log.take()
        })
    };
    assert_eq!(order_with(false), order_with(true));
}

#[test]
fn snapshots_of_ten_thousand_tasks_come_in_time() {
    sim::run(1, async {
        for _ in 0..10_000 {
            drop(spawn(async { sleep(Duration::from_secs(3600)).await }));
        }
        settle().await;
        let snapshot = inspect::snapshot();
        assert_eq!(snapshot.tasks().len(), 10_001);
        assert_eq!(snapshot.to_string().lines().count(), 10_002);
        // Ten thousand siblings in the tree.
        assert!(format!("{snapshot:#}").lines().count() > 10_000);
    });
}

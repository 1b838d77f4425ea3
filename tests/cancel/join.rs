//! Joins of futures and of tasks, dropped at each of their waits.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use mainspring::stream::StreamExt;
use mainspring::task::{
    AsCompleted, JoinMap, JoinSet, Until, as_completed, gather, join_all, spawn_many, try_join_all,
    wait,
};
use mainspring::time::{DelayQueue, sleep};
use mainspring::{JoinHandle, join, race, select, try_join};

use crate::everywhere::Case;
use crate::rig::{On, turns};

const MS: Duration = Duration::from_millis(1);

everywhere! {
    a_join_drops_what_its_branches_gave,
    a_try_join_drops_what_its_branches_gave,
    a_race_takes_nothing_from_its_losers,
    a_select_takes_nothing_from_its_losers,
    a_race_and_a_select_leave_nobody_waiting,
    a_join_all_drops_what_its_children_gave,
    a_try_join_all_drops_what_its_children_gave,
    no_completion_is_lost_or_doubled,
    a_wait_takes_nothing_and_cancels_nothing,
    the_drop_of_a_gather_aborts_its_tasks,
    a_set_gives_each_result_once,
    a_shutdown_can_be_made_again,
    a_map_gives_each_result_once,
    no_due_item_is_lost_or_doubled,
}

/// How often the work of a branch was begun, and how often it came to its end.
#[derive(Default)]
struct Work {
    begun: Cell<u32>,
    ended: Cell<u32>,
}

impl Work {
    async fn of(&self, ms: u32) -> u32 {
        self.begun.set(self.begun.get() + 1);
        sleep(ms * MS).await;
        self.ended.set(self.ended.get() + 1);
        ms
    }

    /// What was dropped is gone: nobody ends twice, or ends what he did not begin.
    fn check(&self) {
        assert!(self.ended.get() <= self.begun.get());
    }
}

// cancels: join_list
fn a_join_drops_what_its_branches_gave(on: On) {
    let waits = Case::new(on, || (Work::default(), ())).not_safe(
        async |work| assert_eq!(join!(work.of(1), work.of(3), work.of(2)), (1, 3, 2)),
        async |work, ()| {
            work.check();
            assert_eq!(
                join!(work.of(1), work.of(2)),
                (1, 2),
                "made anew, all begins anew"
            );
        },
    );
    assert_eq!(waits, 3);
}

// cancels: try_join_list
fn a_try_join_drops_what_its_branches_gave(on: On) {
    let waits = Case::new(on, || (Work::default(), ())).not_safe(
        async |work| {
            let both = try_join!(async { Ok::<_, ()>(work.of(1).await) }, async {
                Ok(work.of(2).await)
            });
            assert_eq!(both, Ok((1, 2)));
        },
        async |work, ()| work.check(),
    );
    assert_eq!(waits, 2);
}

/// A future that is kept beside those that are made anew, and what came of all.
struct Kept {
    work: Pin<Box<dyn Future<Output = u32>>>,
    got: Vec<u32>,
}

fn kept() -> (Kept, ()) {
    let work = Box::pin(async {
        sleep(2 * MS).await;
        sleep(2 * MS).await;
        7
    });
    let got = Vec::new();
    (Kept { work, got }, ())
}

// cancels: race_list
fn a_race_takes_nothing_from_its_losers(on: On) {
    let waits = Case::new(on, kept).others_wait().safe(
        async |kept| {
            while !kept.got.contains(&7) {
                let nap = async {
                    sleep(3 * MS).await;
                    1
                };
                let first = race!(kept.work.as_mut(), nap);
                kept.got.push(first);
            }
        },
        async |kept, ()| assert_eq!(kept.got.iter().filter(|got| **got == 7).count(), 1),
    );
    assert!(waits >= 2, "{waits}");
}

// cancels: race_list, select_list
fn a_race_and_a_select_leave_nobody_waiting(on: On) {
    let waits = Case::new(on, || ((), ())).safe(
        async |()| {
            let first = race!(
                async {
                    sleep(2 * MS).await;
                    1
                },
                async {
                    sleep(MS).await;
                    2
                },
            );
            assert_eq!(first, 2);
            select! {
                () = sleep(2 * MS) => unreachable!(),
                () = sleep(MS) => {}
            }
        },
        async |(), ()| (),
    );
    assert_eq!(waits, 2);
}

// cancels: select_list
fn a_select_takes_nothing_from_its_losers(on: On) {
    let waits = Case::new(on, kept).others_wait().safe(
        async |kept| {
            while !kept.got.contains(&7) {
                select! {
                    got = kept.work.as_mut() => kept.got.push(got),
                    () = sleep(3 * MS) => kept.got.push(1),
                }
            }
        },
        async |kept, ()| assert_eq!(kept.got.iter().filter(|got| **got == 7).count(), 1),
    );
    assert!(waits >= 2, "{waits}");
}

// cancels: join_all
fn a_join_all_drops_what_its_children_gave(on: On) {
    let waits = Case::new(on, || (Work::default(), ())).not_safe(
        async |work| {
            let few = join_all((1..4).map(|ms| work.of(ms))).await;
            assert_eq!(few, [1, 2, 3]);
            let many = join_all((0..20).map(|ms| work.of(ms % 3))).await;
            assert_eq!(many[17..], [2, 0, 1]);
        },
        async |work, ()| work.check(),
    );
    assert!(waits >= 5, "{waits}");
}

// cancels: try_join_all
fn a_try_join_all_drops_what_its_children_gave(on: On) {
    let waits = Case::new(on, || (Work::default(), ())).not_safe(
        async |work| {
            let child = async |ms| match work.of(ms).await {
                3 => Err(3),
                ms => Ok(ms),
            };
            assert_eq!(try_join_all([1, 2].map(child)).await, Ok(vec![1, 2]));
            assert_eq!(try_join_all((0..20).map(|n| child(n % 5))).await, Err(3));
        },
        async |work, ()| work.check(),
    );
    assert!(waits >= 4, "{waits}");
}

// cancels: as_completed
fn no_completion_is_lost_or_doubled(on: On) {
    type Naps = AsCompleted<Pin<Box<dyn Future<Output = u32>>>>;
    let setup = || {
        let naps = [4u32, 1, 3, 1, 2].map(|ms| -> Pin<Box<dyn Future<Output = u32>>> {
            Box::pin(async move {
                sleep(ms * MS).await;
                ms
            })
        });
        ((as_completed(naps), Vec::new()), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |(naps, got): &mut (Naps, Vec<u32>)| {
            while let Some((_, ms)) = naps.next().await {
                got.push(ms);
            }
        },
        async |(_, got), ()| {
            got.sort_unstable();
            assert_eq!(*got, [1, 1, 2, 3, 4]);
        },
    );
    assert_eq!(waits, 4);
}

fn naps(ms: &[u32]) -> Vec<JoinHandle<u32>> {
    spawn_many(ms.iter().copied().map(|ms| async move {
        sleep(ms * MS).await;
        ms
    }))
}

// cancels: wait
fn a_wait_takes_nothing_and_cancels_nothing(on: On) {
    let setup = || (naps(&[3, 1, 2, 5, 4].repeat(5)), ());
    let waits = Case::new(on, setup).others_wait().safe(
        async |tasks| {
            wait(&mut tasks[..5], Until::First).await;
            wait(tasks, Until::First).await;
            wait(&mut tasks[2..9], Until::FirstError).await;
            wait(tasks, Until::All).await;
        },
        async |tasks, ()| {
            for (place, task) in tasks.iter_mut().enumerate() {
                assert_eq!(task.await.unwrap(), [3, 1, 2, 5, 4][place % 5]);
            }
        },
    );
    assert!(waits >= 2, "{waits}");
}

// cancels: gather
fn the_drop_of_a_gather_aborts_its_tasks(on: On) {
    let setup = || {
        let running: Rc<Cell<u32>> = Rc::default();
        let tasks = spawn_many((0..3).map(|_| {
            let running = Rc::clone(&running);
            async move {
                struct Leaves(Rc<Cell<u32>>);
                impl Drop for Leaves {
                    fn drop(&mut self) {
                        self.0.set(self.0.get() - 1);
                    }
                }
                running.set(running.get() + 1);
                let _leaves = Leaves(running);
                sleep(3 * MS).await;
            }
        }));
        ((Some(tasks), running), ())
    };
    let waits = Case::new(on, setup).not_safe(
        async |(tasks, _)| drop(gather(tasks.take().unwrap()).await.unwrap()),
        async |(_, running), ()| {
            turns(2).await;
            assert_eq!(running.get(), 0);
        },
    );
    assert_eq!(waits, 1);
}

// cancels: JoinSet::join_next, JoinSet::join_next_with_id
fn a_set_gives_each_result_once(on: On) {
    let setup = || {
        let mut set = JoinSet::new();
        for ms in [3u32, 1, 2, 1, 0] {
            set.spawn(async move {
                sleep(ms * MS).await;
                ms
            });
        }
        ((set, Vec::new()), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |(set, got)| {
            while let Some(result) = set.join_next().await {
                got.push(result.unwrap());
                if let Some((_, result)) = set.join_next_with_id().await {
                    got.push(result.unwrap());
                }
            }
        },
        async |(_, got), ()| assert_eq!(*got, [0, 1, 1, 2, 3]),
    );
    assert_eq!(waits, 4);
}

// cancels: JoinSet::shutdown
fn a_shutdown_can_be_made_again(on: On) {
    let setup = || {
        let mut set = JoinSet::new();
        for _ in 0..3 {
            set.spawn(std::future::pending::<()>());
        }
        (set, ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |set| set.shutdown().await,
        async |set, ()| assert!(set.is_empty()),
    );
    assert_eq!(waits, 1);
}

// cancels: JoinMap::join_next
fn a_map_gives_each_result_once(on: On) {
    let setup = || {
        let mut map = JoinMap::new();
        for ms in [3u32, 1, 2] {
            map.spawn(ms, sleep(ms * MS));
        }
        map.spawn(2, sleep(Duration::ZERO));
        ((map, Vec::new()), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |(map, got)| {
            let mut map = pin!(map);
            while let Some((key, result)) = map.join_next().await {
                result.unwrap();
                got.push(key);
            }
        },
        async |(_, got), ()| assert_eq!(*got, [2, 1, 3]),
    );
    assert!(waits >= 3, "{waits}");
}

// cancels: DelayQueue::poll_due
fn no_due_item_is_lost_or_doubled(on: On) {
    let setup = || {
        let mut queue = DelayQueue::new();
        for ms in [3u32, 1, 2, 1] {
            queue.insert(ms, ms * MS);
        }
        ((queue, Vec::new()), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |(queue, got)| {
            while let Some(due) = poll_fn(|cx| queue.poll_due(cx)).await {
                got.push(due.item);
            }
        },
        async |(_, got), ()| assert_eq!(*got, [1, 1, 2, 3]),
    );
    assert_eq!(waits, 3);
}

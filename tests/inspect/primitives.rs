//! As `leaves.rs`, for locks, channels, tokens, scopes and jobs: the number and the line of what is waited for,
//! and who holds it.

use std::cell::Cell;
use std::future::{Future, pending};
use std::rc::Rc;
use std::time::Duration;

use mainspring::channel::{self, thread};
use mainspring::inspect::{self, Target};
use mainspring::sync::{
    Barrier, CapacityLimiter, Condvar, Event, Gate, Mutex, Notify, OnceCell, RwLock, Semaphore,
};
use mainspring::task::{CancelToken, JoinSet, Until, scope, spawn_blocking, wait};
use mainspring::time::sleep;
use mainspring::{JoinHandle, TaskBuilder, sim, spawn};

use super::settle;

const HOUR: Duration = Duration::from_secs(3600);

thread_local! {
    static LINE: Cell<u32> = const { Cell::new(0) };
    static MADE: Cell<u32> = const { Cell::new(0) };
}

/// The line that this stands in is the one that the snapshot must name.
macro_rules! here {
    ($call:expr) => {{
        LINE.set(line!());
        $call
    }};
}

/// As [`here`], for the line that made what is waited for.
macro_rules! made {
    ($call:expr) => {{
        MADE.set(line!());
        $call
    }};
}

async fn waiting<F: Future + 'static>(future: F) -> JoinHandle<()> {
    let task = TaskBuilder::new().name("leaf").spawn(async move {
        future.await;
    });
    settle().await;
    task
}

/// A wait of the task stands in the line that `here!` marked; its row says `what`.
#[track_caller]
fn assert_row(task: &JoinHandle<()>, what: &str) -> inspect::Wait {
    let place = format!("primitives.rs:{}:", LINE.get());
    let snapshot = inspect::snapshot();
    let seen = snapshot.task(task.id()).expect("it has not ended");
    let is_here = |wait: &&inspect::Wait| {
        wait.location()
            .is_some_and(|at| at.to_string().contains(&place))
    };
    let wait = seen.waits().iter().find(is_here);
    let wait = wait.unwrap_or_else(|| panic!("no wait at {place}\n{snapshot}"));
    let text = snapshot.to_string();
    // The line may stand in a row as that of a spawn as well; in that of a wait it comes last.
    let row = text.lines().find(|row| {
        row.rsplit("  ")
            .next()
            .is_some_and(|at| at.contains(&place))
    });
    let row = row.unwrap_or_else(|| panic!("no row names {place}\n{text}"));
    assert!(row.contains(what), "not {what}: {row}");
    wait.clone()
}

/// What it waits for has a number, and was made in the line that `made!` marked.
async fn assert_resource<F: Future + 'static>(future: F, what: &str) -> JoinHandle<()> {
    let task = waiting(future).await;
    let wait = assert_row(&task, what);
    let Target::Resource(resource) = wait.target() else {
        panic!("{wait:?}");
    };
    assert_eq!(resource.what(), what);
    let made_at = resource.made_at().expect("it is known").to_string();
    let place = format!("primitives.rs:{}:", MADE.get());
    assert!(made_at.contains(&place), "{made_at} and not {place}");
    let number = resource.number().expect("it has one");
    let text = format!("{what} {number} (made at {made_at})");
    assert!(wait.target().to_string().starts_with(&text));
    task
}

#[test]
fn a_lock_with_its_holder() {
    sim::run(1, async {
        let me = mainspring::current_task_id().unwrap();
        let lock = Rc::new(made!(Mutex::new(0)));
        let guard = lock.lock().await;
        let inner = Rc::clone(&lock);
        let task = assert_resource(async move { drop(here!(inner.lock()).await) }, "lock").await;
        assert_row(&task, &format!(", held by task {me}"));
        let owned = Rc::clone(&lock);
        let task =
            assert_resource(async move { drop(here!(owned.lock_owned()).await) }, "lock").await;
        drop((guard, task));
    });
}

#[test]
fn l23_a_lock_whose_holder_has_ended_says_so() {
    sim::run(1, async {
        let lock = Rc::new(made!(Mutex::new(0)));
        let inner = Rc::clone(&lock);
        // It takes the lock into its grave.
        let dies = spawn(async move { std::mem::forget(inner.lock_owned().await) });
        let id = dies.id();
        dies.await.unwrap();
        let inner = Rc::clone(&lock);
        let task = waiting(async move {
            let _never = here!(inner.lock()).await;
            pending::<()>().await;
        })
        .await;
        let text = assert_row(&task, "lock").target().to_string();
        let ending = format!(", held by task {id}, which has ended or is another loop's");
        assert!(text.ends_with(&ending), "{text}");
        let why = inspect::why(task.id()).unwrap();
        assert_eq!(why.outlook(), inspect::Outlook::Never);
        assert!(lock.is_broken());
    });
}

#[test]
fn a_lock_of_many_readers_for_either_use() {
    sim::run(1, async {
        let lock = Rc::new(made!(RwLock::new(0)));
        let guard = lock.write().await;
        let inner = Rc::clone(&lock);
        let _reads =
            assert_resource(async move { drop(here!(inner.read()).await) }, "read lock").await;
        let inner = Rc::clone(&lock);
        let _writes = assert_resource(
            async move { drop(here!(inner.write()).await) },
            "write lock",
        )
        .await;
        drop(guard);
    });
}

#[test]
fn permits_of_a_semaphore_and_tokens_of_a_limiter() {
    sim::run(1, async {
        let what = "a permit of semaphore";
        let semaphore = made!(Semaphore::new(0));
        let _task =
            assert_resource(async move { drop(here!(semaphore.acquire()).await) }, what).await;
        let limiter = made!(CapacityLimiter::new(1));
        let held = async move {
            let _token = limiter.acquire().await;
            drop(here!(limiter.acquire_on_behalf_of(7)).await);
        };
        let _task = assert_resource(held, what).await;
    });
}

#[test]
fn an_event_a_notification_and_a_condition() {
    sim::run(1, async {
        let event = made!(Event::new());
        let _task = assert_resource(async move { here!(event.wait()).await }, "event").await;
        let notify = made!(Notify::new());
        let what = "a notification of notify";
        let _task = assert_resource(async move { here!(notify.notified()).await }, what).await;
        let lock = Mutex::new(0);
        let condvar = made!(Condvar::new());
        let future = async move {
            let guard = lock.lock().await;
            drop(here!(condvar.wait(guard)).await);
        };
        let _task = assert_resource(future, "condvar").await;
    });
}

#[test]
fn a_barrier_a_cell_and_a_gate() {
    sim::run(1, async {
        let barrier = made!(Barrier::new(2));
        let what = "the others at barrier";
        let future = async move {
            let _ = here!(barrier.wait()).await;
        };
        let _task = assert_resource(future, what).await;
        let cell = made!(OnceCell::<u8>::new());
        let future = async move {
            here!(cell.wait()).await;
        };
        let _task = assert_resource(future, "once cell").await;
        let gate = made!(Gate::new());
        let pass = gate.enter().unwrap();
        let future = async move {
            let _ = here!(gate.close()).await;
        };
        let _task = assert_resource(future, "those inside gate").await;
        drop(pass);
    });
}

#[test]
fn each_wait_at_a_channel() {
    sim::run(1, async {
        let (sender, receiver) = made!(channel::bounded(1));
        let what = "an item of channel";
        let (more, other) = (sender.clone(), receiver.clone());
        let receives = async move {
            let _ = here!(other.recv()).await;
        };
        let task = assert_resource(receives, what).await;
        task.abort();
        settle().await;
        sender.send(1).await.unwrap();
        let full = async move {
            let _ = here!(more.send(2)).await;
        };
        let _task = assert_resource(full, "room in channel").await;
        let more = sender.clone();
        let reserves = async move { drop(here!(more.reserve()).await) };
        let _task = assert_resource(reserves, "room in channel").await;
        let more = sender.clone();
        let what = "all items to be done of channel";
        let joins = async move { here!(more.join()).await };
        let _task = assert_resource(joins, what).await;
        let closed = async move { here!(sender.closed()).await };
        let _task = assert_resource(closed, "the end of channel").await;
        drop(receiver);
    });
}

#[test]
fn the_last_user_of_a_channel_s_other_end_is_told_and_followed() {
    sim::run(1, async {
        let (sender, receiver) = channel::bounded(1);
        let feeds = spawn(async move {
            sender.send(1).await.unwrap();
            sleep(HOUR).await;
            sender.send(2).await.unwrap();
        });
        let waits = waiting(async move {
            receiver.recv().await.unwrap();
            here!(receiver.recv()).await.unwrap();
        })
        .await;
        assert_row(&waits, "an item of channel");
        let why = inspect::why(waits.id()).unwrap();
        assert_eq!(why.tasks().last(), Some(feeds.id()), "{why}");
        assert_eq!(why.outlook(), inspect::Outlook::CanGoOn);
    });
}

#[test]
fn a_channel_from_another_thread() {
    sim::run(1, async {
        let (sender, mut receiver) = made!(thread::unbounded::<u8>());
        let future = async move {
            let _ = here!(receiver.recv()).await;
        };
        let task = waiting(future).await;
        assert_row(&task, "an item of channel");
        drop(sender);
    });
}

#[test]
fn room_in_a_channel_to_another_thread() {
    sim::run(1, async {
        let (sender, receiver) = made!(thread::bounded_to_thread::<u8>(1));
        sender.try_send(1).unwrap();
        let future = async move {
            let _ = here!(sender.send(2)).await;
        };
        let task = waiting(future).await;
        assert_row(&task, "room in channel");
        drop(receiver);
    });
}

// A oneshot is known by the line that made it: a number for each would cost more than the message.
#[test]
fn the_value_of_a_oneshot() {
    sim::run(1, async {
        let (sender, receiver) = here!(channel::oneshot::<u8>());
        let future = async move {
            let _ = receiver.await;
        };
        let task = waiting(future).await;
        assert_row(&task, "the value of oneshot");
        drop(sender);
        let (sender, receiver) = made!(channel::oneshot::<u8>());
        let future = async move { here!(sender.closed()).await };
        let task = waiting(future).await;
        assert_row(&task, "the end of");
        drop(receiver);
    });
}

#[test]
fn a_message_to_all_and_a_new_value() {
    sim::run(1, async {
        let (sender, mut receiver) = made!(channel::broadcast::<u8>(1));
        let future = async move {
            let _ = here!(receiver.recv()).await;
        };
        let _task = assert_resource(future, "a message of broadcast").await;
        let (value, mut watched) = made!(channel::watch(1));
        let future = async move {
            let _ = here!(watched.changed()).await;
        };
        let _task = assert_resource(future, "a new value of watch").await;
        drop((sender, value));
    });
}

#[test]
fn a_token_to_be_cancelled() {
    sim::run(1, async {
        let token = made!(CancelToken::new());
        let future = async move { drop(here!(token.cancelled()).await) };
        let _task = assert_resource(future, "cancel token").await;
    });
}

#[test]
fn the_children_of_a_scope_with_the_way_to_each() {
    sim::run(1, async {
        let future = async {
            let all = here!(scope(async |s| {
                drop(s.spawn_named("one", sleep(HOUR)));
                drop(s.spawn_named("two", sleep(Duration::MAX)));
            }));
            drop(all.await);
        };
        let task = waiting(future).await;
        assert_row(&task, "the children of scope");
        let why = inspect::why(task.id()).unwrap();
        assert_eq!(why.tasks().count(), 3, "{why}");
        assert_eq!(why.outlook(), inspect::Outlook::CanGoOn);
        let tree = format!("{:#}", inspect::snapshot());
        assert!(
            tree.contains("\"one\"") && tree.contains("\"two\""),
            "{tree}"
        );
    });
}

#[test]
fn a_child_that_is_to_say_that_it_is_ready() {
    sim::run(1, async {
        let future = async {
            let all = scope(async |s| {
                let start = here!(s.start(async |started: mainspring::task::Started<u8>| {
                    sleep(HOUR).await;
                    started.ready(1);
                }));
                drop(start.await);
            });
            drop(all.await);
        };
        let task = waiting(future).await;
        assert_row(&task, "a child to be ready in scope");
    });
}

#[test]
fn one_of_several_tasks() {
    sim::run(1, async {
        let future = async {
            let mut set = JoinSet::new();
            set.spawn(sleep(HOUR));
            drop(here!(set.join_next()).await);
        };
        let task = waiting(future).await;
        assert_row(&task, "one of the tasks of set");
        let future = async {
            let mut handles = [spawn(sleep(HOUR)), spawn(sleep(HOUR))];
            drop(here!(wait(&mut handles, Until::First)).await);
        };
        let task = waiting(future).await;
        assert_row(&task, "one of the tasks of set");
    });
}

#[test]
fn a_job_of_the_pool() {
    let (send, receive) = std::sync::mpsc::channel::<()>();
    mainspring::run(async move {
        let future = async move {
            let job = here!(spawn_blocking(move || receive.recv().is_ok()));
            drop(job.await);
        };
        let task = waiting(future).await;
        let text = inspect::snapshot().to_string();
        assert!(text.contains("a job of the pool, of class user"), "{text}");
        let place = format!("primitives.rs:{}:", LINE.get());
        assert!(text.contains(&place), "{text}");
        send.send(()).unwrap();
        task.await.unwrap();
    })
    .unwrap();
}

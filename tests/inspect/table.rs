//! The texts of a snapshot, word for word; what is in it, field by field; since when.

use std::future::pending;
use std::time::Duration;

use mainspring::inspect::{self, Cause};
use mainspring::task::TaskState;
use mainspring::time::sleep;
use mainspring::{TaskBuilder, sim, spawn, yield_now};

use super::{numbered, relative, settle};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn p43_the_table_and_the_tree_say_who_waits_for_what() {
    let base = line!();
    sim::run(1, async {
        let slow = TaskBuilder::new().name("slow").spawn(async {
            sleep(3600 * SECOND).await;
        });
        let joins = TaskBuilder::new().name("joins").spawn(async {
            let two = spawn(async {
                let long = sleep(7200 * SECOND);
                let _ = mainspring::time::timeout(SECOND, long).await;
            });
            slow.await.unwrap();
            two.await.unwrap();
        });
        drop(spawn(pending::<()>()));
        settle().await;
        mainspring::yield_to_io().await;
        let snapshot = inspect::snapshot().without_times();
        let table = "\
id  name   state    polls  woken by  waits for                                                         at
1   -      running  6      turn      -                                                                 -
2   slow   waiting  1      spawn     a timer                                                           +3
3   joins  waiting  1      spawn     the end of task 2 \"slow\" (spawned at +2)  -
4   -      lost     1      spawn     nothing, and nobody has a waker of it                             -
5   -      waiting  1      spawn     a timer                                                           +7
                                     a timer                                                           +8";
        let found = numbered(&snapshot, relative(&snapshot.to_string(), "table.rs", base));
        assert_eq!(squeezed(&found), squeezed(table), "{found}");
        let tree = "\
task 1, spawned at +1: running
├─ task 2 \"slow\", spawned at +2: waiting
│     waits for a timer, at +3
├─ task 3 \"joins\", spawned at +5: waiting
│  │  waits for the end of task 2 \"slow\" (spawned at +2)
│  └─ task 5, spawned at +6: waiting
│        waits for a timer, at +7
│        waits for a timer, at +8
└─ task 4, spawned at +13: lost
      waits for nothing, and nobody has a waker of it";
        let found = numbered(
            &snapshot,
            relative(&format!("{snapshot:#}"), "table.rs", base),
        );
        assert_eq!(found, tree, "{found}");
        drop(joins);
    });
}

/// Columns one space apart: how long an id is depends on the tests that ran before.
fn squeezed(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[test]
fn columns_are_aligned_whatever_is_in_them() {
    sim::run(1, async {
        drop(
            TaskBuilder::new()
                .name("a name that is long")
                .spawn(sleep(SECOND)),
        );
        drop(TaskBuilder::new().name("é").spawn(sleep(SECOND)));
        settle().await;
        let text = inspect::snapshot().to_string();
        let place = |line: &str, word: &str| {
            let byte = line
                .find(word)
                .unwrap_or_else(|| panic!("no {word}\n{text}"));
            line[..byte].chars().count()
        };
        let mut lines = text.lines();
        let heading = lines.next().unwrap();
        for line in lines.skip(1) {
            assert_eq!(place(line, "waiting"), place(heading, "state"), "{text}");
            assert_eq!(
                place(line, "a delay"),
                place(heading, "waits for"),
                "{text}"
            );
        }
    });
}

#[test]
fn a_task_tells_its_name_parent_line_state_polls_and_cause() {
    sim::run(1, async {
        let main = mainspring::current_task_id().unwrap();
        let child = TaskBuilder::new().name("child").spawn(async {
            sleep(SECOND).await;
            pending::<()>().await;
        });
        let snapshot = inspect::snapshot();
        let seen = snapshot.task(child.id()).unwrap();
        assert_eq!((seen.state(), seen.polls()), (TaskState::Ready, 0));
        assert_eq!(seen.woken_by(), Cause::Spawn);
        assert_eq!(seen.parent(), Some(main));
        assert_eq!(seen.name(), Some("child"));
        assert_eq!(seen.spawned_at(), child.spawned_at());
        assert_eq!(snapshot.tasks()[0].state(), TaskState::Running);
        sleep(2 * SECOND).await;
        let snapshot = inspect::snapshot();
        let seen = snapshot.task(child.id()).unwrap();
        assert_eq!((seen.state(), seen.polls()), (TaskState::Waiting, 2));
        assert!(seen.is_lost());
        assert_eq!(seen.woken_by(), Cause::Timer);
        assert!(seen.waits().is_empty());
        child.abort();
        let snapshot = inspect::snapshot();
        let seen = snapshot.task(child.id()).unwrap();
        assert!(seen.is_aborted());
        assert_eq!(seen.woken_by(), Cause::Abort);
        settle().await;
        assert!(inspect::snapshot().task(child.id()).is_none(), "it is gone");
    });
}

#[test]
fn what_woke_a_task_is_told_for_each_cause() {
    use std::io::Write as _;
    let runtime = mainspring::Runtime::new().unwrap();
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let cause_of = |id| runtime.snapshot().task(id).map(inspect::Task::woken_by);
    // Each waits once, is woken, and then is looked at before it runs again.
    let reader = runtime.spawn(async move {
        let near = mainspring::net::UnixStream::from_std(near).unwrap();
        near.read(&mut [0; 1]).await.unwrap();
    });
    let turn = runtime.spawn(mainspring::yield_to_io());
    let timer = runtime.spawn(sleep(Duration::ZERO));
    let held = std::sync::Arc::new(std::sync::Mutex::new(None));
    let slot = std::sync::Arc::clone(&held);
    let thread = runtime.spawn(std::future::poll_fn(move |cx| {
        *slot.lock().unwrap() = Some(cx.waker().clone());
        std::task::Poll::<()>::Pending
    }));
    let yields = runtime.spawn(yield_now());
    runtime.tick().unwrap();
    // Each has been woken, and runs in the next tick.
    assert_eq!(cause_of(yields.id()), Some(Cause::Task));
    assert_eq!(cause_of(timer.id()), Some(Cause::Timer));
    assert_eq!(cause_of(turn.id()), Some(Cause::Turn));
    // That the socket is writable may be told first.
    runtime.tick().unwrap();
    far.write_all(b"x").unwrap();
    runtime.tick().unwrap();
    assert_eq!(cause_of(reader.id()), Some(Cause::Event));
    let waker = held.lock().unwrap().take().unwrap();
    std::thread::spawn(move || waker.wake()).join().unwrap();
    assert_eq!(
        cause_of(thread.id()),
        Some(Cause::Spawn),
        "not collected yet"
    );
    runtime.tick().unwrap();
    assert_eq!(cause_of(thread.id()), Some(Cause::Thread));
}

#[test]
fn since_when_a_task_waits_lies_between_two_bounds() {
    sim::run(1, async {
        let first = spawn(pending_timer());
        settle().await;
        sleep(10 * SECOND).await;
        let second = spawn(pending_timer());
        settle().await;
        sleep(5 * SECOND).await;
        let snapshot = inspect::snapshot();
        let age = |id| snapshot.task(id).unwrap().waiting().unwrap();
        let close = |age: inspect::Age, real: Duration| {
            assert!(age.at_least() <= real && real <= age.at_most(), "{age:?}");
            assert!(age.at_most() <= real + SECOND / 100, "{age:?}");
        };
        close(age(first.id()), 15 * SECOND);
        close(age(second.id()), 5 * SECOND);
        let spawned = snapshot.task(second.id()).unwrap().age().unwrap();
        close(spawned, 5 * SECOND);
        let row = snapshot.to_string();
        assert!(row.contains("15s") && row.contains("5s"), "{row}");
    });
}

async fn pending_timer() {
    sleep(Duration::MAX).await;
}

#[test]
fn a_child_whose_parent_has_ended_stands_at_the_root_and_says_so() {
    sim::run(1, async {
        let parent = spawn(async { spawn(sleep(SECOND)).id() });
        let id = parent.id();
        let child = parent.await.unwrap();
        settle().await;
        let snapshot = inspect::snapshot();
        assert_eq!(snapshot.task(child).unwrap().parent(), Some(id));
        let tree = format!("{snapshot:#}");
        let line = tree
            .lines()
            .find(|line| line.starts_with(&format!("task {child},")));
        let ending = format!(" by task {id}, which has ended: waiting");
        assert!(line.is_some_and(|line| line.ends_with(&ending)), "{tree}");
    });
}

//! From a task to those who could let it go on: leaves, ways and circles.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use mainspring::inspect::{self, Outlook};
use mainspring::sync::Mutex;
use mainspring::time::sleep;
use mainspring::{JoinHandle, TaskBuilder, sim, spawn, yield_now};

use super::{numbered_by, relative, settle};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_way_along_joins_ends_at_a_timer() {
    sim::run(1, async {
        let last = TaskBuilder::new().name("last").spawn(sleep(SECOND));
        let ids = [last.id()];
        let middle = spawn(async move { last.await.unwrap() });
        let first = spawn(async move { middle.await.unwrap() });
        settle().await;
        let why = inspect::why(first.id()).unwrap();
        assert_eq!(why.outlook(), Outlook::CanGoOn);
        assert!(why.circle().is_empty());
        assert_eq!(why.tasks().count(), 3);
        assert_eq!(why.tasks().next(), Some(first.id()));
        assert_eq!(why.tasks().last(), Some(ids[0]));
        assert!(inspect::why(ids[0]).unwrap().tasks().count() == 1);
    });
}

#[test]
fn its_text_has_a_line_for_each_task_and_each_wait_and_a_verdict() {
    let base = line!();
    sim::run(1, async {
        let last = spawn(sleep(Duration::MAX));
        let ids = [last.id()];
        let first = TaskBuilder::new()
            .name("first")
            .spawn(async move { last.await.unwrap() });
        settle().await;
        let text = inspect::why(first.id()).unwrap().to_string();
        let expected = "\
task 2 \"first\" (spawned at +6)
  waits for the end of task 1 (spawned at +2)
task 1 (spawned at +2)
  waits for a timer that never fires, at +2
it can not go on: nothing that it waits for can happen";
        let text = relative(&text, "why.rs", base);
        assert_eq!(numbered_by(&[ids[0], first.id()], text), expected);
    });
}

/// Two tasks that await each other, and one that awaits the first of them.
fn circle() -> [JoinHandle<()>; 1] {
    let slot = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let inner = Rc::clone(&slot);
    let one = spawn(async move {
        let other = inner.borrow_mut().take().unwrap();
        let _ = other.await;
    });
    let two = spawn(async move { one.await.unwrap() });
    // The handle of the second goes into the first; the third can only look on.
    let id = two.id();
    *slot.borrow_mut() = Some(two);
    [spawn(async move {
        let _ = id;
        pending::<()>().await;
    })]
}

#[test]
fn a_circle_is_found_and_told() {
    sim::run(1, async {
        let [_looks_on] = circle();
        settle().await;
        let snapshot = inspect::snapshot();
        let one = snapshot.tasks()[1].id();
        let two = snapshot.tasks()[2].id();
        let why = inspect::why(one).unwrap();
        assert_eq!(why.outlook(), Outlook::Circle);
        assert_eq!(why.circle(), [one, two]);
        let text = numbered_by(&[one, two], why.to_string());
        let last = text.lines().last().unwrap();
        let circle = "task 1 waits for the end of task 2; task 2 waits for the end of task 1";
        assert_eq!(last, format!("it can not go on: {circle}"));
    });
}

#[test]
fn a_task_in_a_circle_that_also_waits_for_time_can_go_on() {
    sim::run(1, async {
        let slot = Rc::new(RefCell::new(None::<JoinHandle<()>>));
        let inner = Rc::clone(&slot);
        let one = spawn(async move {
            let other = inner.borrow_mut().take().unwrap();
            let _ = mainspring::time::timeout(SECOND, other).await;
        });
        let id = one.id();
        *slot.borrow_mut() = Some(spawn(async move { one.await.unwrap() }));
        settle().await;
        let why = inspect::why(id).unwrap();
        assert_eq!(why.outlook(), Outlook::CanGoOn);
        assert_eq!(why.circle().len(), 2, "it is there all the same");
    });
}

#[test]
fn leaves_that_are_nobody_known_and_nobody_at_all_are_told_apart() {
    sim::run(1, async {
        let (mut near, _far) = mainspring::io::duplex(4);
        let reads = spawn(async move {
            let _ = mainspring::io::AsyncReadExt::read_exact(&mut near, &mut [0; 1]).await;
        });
        let lost = spawn(pending::<()>());
        let ready = spawn(async {});
        assert_eq!(
            inspect::why(ready.id()).unwrap().outlook(),
            Outlook::CanGoOn
        );
        settle().await;
        let outlook = |id| inspect::why(id).map(|why| why.outlook());
        assert_eq!(outlook(reads.id()), Some(Outlook::DependsOnSomebody));
        assert_eq!(outlook(lost.id()), Some(Outlook::Never));
        assert_eq!(outlook(ready.id()), None, "it has ended");
    });
}

#[test]
fn a_long_chain_of_joins_is_followed_to_its_end_without_recursion() {
    sim::run(1, async {
        let mut last = spawn(sleep(SECOND));
        for _ in 0..20_000 {
            let inner = last;
            last = spawn(async move { inner.await.unwrap() });
        }
        let waits = last.id();
        for _ in 0..200 {
            yield_now().await;
        }
        let why = inspect::why(waits).unwrap();
        assert_eq!(why.tasks().count(), 20_001);
        assert_eq!(why.outlook(), Outlook::CanGoOn);
    });
}

/// Two tasks that take two locks, each in the other's order.
fn two_locks_in_two_orders() -> [JoinHandle<()>; 2] {
    let locks = [(); 2].map(|()| Rc::new(Mutex::new(0)));
    [(0, 1), (1, 0)].map(|(first, second)| {
        let (first, second) = (Rc::clone(&locks[first]), Rc::clone(&locks[second]));
        spawn(async move {
            let _first = first.lock().await;
            yield_now().await;
            let _second = second.lock().await;
        })
    })
}

#[test]
fn a_circle_of_locks_names_each_lock_and_its_holder() {
    sim::run(1, async {
        let tasks = two_locks_in_two_orders();
        settle().await;
        let ids = [tasks[0].id(), tasks[1].id()];
        let why = inspect::why(ids[0]).unwrap();
        assert_eq!(why.outlook(), Outlook::Circle, "{why}");
        assert_eq!(why.circle(), ids);
        let text = numbered_by(&ids, why.to_string());
        let last = text.lines().last().unwrap();
        // What numbers the locks have depends on the thread.
        let is_digit = |c: char| c.is_ascii_digit();
        let number = |after: &str| {
            let (_, rest) = last.split_once(after).expect(last);
            let digits = rest.split(|c| !is_digit(c)).next().unwrap();
            digits.to_owned()
        };
        let (one, two) = (
            number("task 1 waits for lock "),
            number("task 2 waits for lock "),
        );
        assert_ne!(one, two);
        assert_eq!(
            last,
            format!(
                "it can not go on: task 1 waits for lock {one}, held by task 2; \
                 task 2 waits for lock {two}, held by task 1"
            )
        );
    });
}

#[test]
fn p21_a_deadlock_of_locks_is_told_with_its_circle() {
    let failed = std::panic::catch_unwind(|| {
        let _ = mainspring::run(async {
            for task in two_locks_in_two_orders() {
                task.await.unwrap();
            }
        });
    });
    let payload = failed.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(
        text.starts_with("deadlock: nothing can ever wake any task"),
        "{text}"
    );
    let circle = text.lines().last().unwrap();
    assert!(circle.starts_with("in a circle: task "), "{text}");
    assert_eq!(circle.matches("waits for lock").count(), 2, "{text}");
    assert_eq!(circle.matches("held by task").count(), 2, "{text}");
}

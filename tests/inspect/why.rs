//! From a task to those who could let it go on: leaves, ways and circles.

use std::cell::RefCell;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use mainspring::inspect::{self, Outlook};
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

//! What schedules: waits for quiet, yields of the budget, and the futures that run another one.

use std::time::Duration;

use mainspring::task::{
    TaskLocal, consume_budget, has_budget_remaining, unconstrained, wait_all_tasks_blocked,
};
use mainspring::time::sleep;

use crate::everywhere::Case;
use crate::rig::On;

const MS: Duration = Duration::from_millis(1);

mainspring::task_local! {
    static LEVEL: u32;
}

everywhere! {
    a_wait_for_quiet_can_be_made_again,
    a_wait_for_quiet_with_a_cushion_can_be_made_again,
    a_yield_of_the_budget_can_be_made_again,
    the_drop_of_what_runs_without_a_budget_drops_it,
    the_drop_of_a_scope_drops_its_future_and_takes_the_value_away,
}

// cancels: wait_all_tasks_blocked
fn a_wait_for_quiet_can_be_made_again(on: On) {
    let waits = Case::new(on, || (0, ())).safe(
        async |rounds| {
            while *rounds < 3 {
                wait_all_tasks_blocked(Duration::ZERO).await;
                *rounds += 1;
            }
        },
        async |rounds, ()| assert_eq!(*rounds, 3),
    );
    assert_eq!(waits, 3);
}

// cancels: wait_all_tasks_blocked
fn a_wait_for_quiet_with_a_cushion_can_be_made_again(on: On) {
    let waits = Case::new(on, || (0, ())).safe(
        async |rounds| {
            while *rounds < 2 {
                wait_all_tasks_blocked(MS).await;
                *rounds += 1;
            }
        },
        async |rounds, ()| assert_eq!(*rounds, 2),
    );
    assert_eq!(waits, 4, "for quiet, then for the cushion to end");
}

// cancels: consume_budget
fn a_yield_of_the_budget_can_be_made_again(on: On) {
    let waits = Case::new(on, || (0, ())).safe(
        async |units| {
            while *units < 300 {
                consume_budget().await;
                *units += 1;
            }
        },
        async |units, ()| assert_eq!(*units, 300),
    );
    assert_eq!(waits, 2, "128 units, and 128, and the rest");
}

// cancels: unconstrained
fn the_drop_of_what_runs_without_a_budget_drops_it(on: On) {
    let waits = Case::new(on, || (0, ())).not_safe(
        async |units: &mut u32| {
            let endless = async {
                for _ in 0..1000 {
                    consume_budget().await;
                    *units += 1;
                }
                sleep(MS).await;
            };
            unconstrained(endless).await;
        },
        async |units, ()| {
            assert_eq!(*units, 1000);
            assert!(has_budget_remaining());
        },
    );
    assert_eq!(waits, 1, "for the sleep, not for the budget");
}

/// Notes the value that is set as it is dropped.
struct NotesLevel<'a>(&'a mut Option<u32>);

impl Drop for NotesLevel<'_> {
    fn drop(&mut self) {
        *self.0 = LEVEL.try_with(|level| *level).ok();
    }
}

// cancels: TaskLocal::scope
fn the_drop_of_a_scope_drops_its_future_and_takes_the_value_away(on: On) {
    let level: &'static TaskLocal<u32> = &LEVEL;
    let waits = Case::new(on, || (None, ())).not_safe(
        async move |noted: &mut Option<u32>| {
            let note = NotesLevel(noted);
            level
                .scope(7, async move {
                    let _note = note;
                    sleep(MS).await;
                })
                .await;
        },
        async |noted, ()| {
            assert_eq!(*noted, Some(7), "the value is set as the future goes");
            assert!(LEVEL.try_with(|_| ()).is_err(), "and not after that");
        },
    );
    assert_eq!(waits, 1);
}

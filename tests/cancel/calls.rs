//! What schedules: waits for quiet, yields of the budget, and the futures that run another one.

use std::time::Duration;

use mainspring::sim::{Sequencer, Turn, assert_ready, assert_waits};
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
    a_turn_can_be_asked_for_again,
    the_drop_of_an_assertion_drops_its_future,
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

// cancels: Sequencer::turn
fn a_turn_can_be_asked_for_again(on: On) {
    let setup = || {
        let steps = Sequencer::new();
        let first = Box::pin(steps.turn(0));
        ((steps, Vec::new()), (Some(first), None::<Turn>))
    };
    let waits = Case::new(on, setup)
        .world(|(first, turn)| {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            if let Some(mut first) = first.take() {
                let polled = std::future::Future::poll(first.as_mut(), &mut cx);
                assert!(polled.map(|first| *turn = Some(first)).is_ready());
            }
            *turn = None;
        })
        .safe(
            async |(steps, taken)| {
                while taken.len() < 3 {
                    let number = taken.len() as u64 + 1;
                    let _turn = steps.turn(number).await;
                    taken.push(number);
                }
            },
            async |(_, taken), _| assert_eq!(*taken, [1, 2, 3]),
        );
    assert_eq!(waits, 1);
}

// cancels: sim::assert_waits, sim::assert_ready
fn the_drop_of_an_assertion_drops_its_future(on: On) {
    let waits = Case::new(on, || (None, ())).not_safe(
        async |noted: &mut Option<u32>| {
            let note = NotesLevel(noted);
            assert_waits(async move {
                assert_ready(async {}).await;
                let _note = note;
                sleep(MS).await;
            })
            .await;
        },
        async |noted, ()| assert_eq!(*noted, None),
    );
    assert_eq!(waits, 1);
}

//! A child of a fork has a table of its own, whatever the parent's threads were doing.

use super::*;
use crate::fork::held::{is_alone, while_held};

/// No child has this number: it is greater than what any system gives.
const NOBODY: i32 = i32::MAX - 7;

#[test]
fn a_table_that_another_thread_holds_at_a_fork_is_anew_in_the_child() {
    if !is_alone() {
        return;
    }
    add(NOBODY, false);
    while_held(children, || {
        assert!(hold(NOBODY).is_none(), "it is the parent's");
        add(NOBODY, false);
        assert!(hold(NOBODY).is_some());
    });
    assert!(hold(NOBODY).is_some(), "the parent's is as it was");
    children().0.remove(&NOBODY);
}

#[test]
fn a_start_that_is_under_way_at_a_fork_does_not_hold_up_the_child() {
    if !is_alone() {
        return;
    }
    while_held(begin_start, || {
        // There is nobody to be found.
        let _ = first_stranger();
        drop(begin_start());
    });
}

//! The same small programs in Rust and in Python: what happens in which order, here and in asyncio.
//!
//! *Model.* A program of `tests/parity/` writes a trace, word by word, and so does the file of the same name in
//! `tests/asyncio_parity/`. The Rust trace is asserted literally. Where there is a `python3`, the other
//! programs are run too, on a loop whose time jumps as ours does (`timeline.py`): equal traces, or the trace that
//! is written down here, with the reason why it differs.
#![cfg(feature = "sim")]

#[path = "parity/joins.rs"]
mod joins;
#[path = "parity/rig.rs"]
mod rig;
#[path = "parity/sync.rs"]
mod sync;
#[path = "parity/tasks.rs"]
mod tasks;
#[path = "parity/ticks.rs"]
mod ticks;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use rig::Log;

/// A program, its trace here, and its trace in asyncio with the reason, if that is another.
struct Program {
    name: &'static str,
    run: fn() -> String,
    trace: &'static str,
    differs: Option<(&'static str, &'static str)>,
}

macro_rules! programs {
    ($($module:ident::$name:ident => $trace:literal $(; in asyncio $other:literal because $reason:literal)?,)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(Log::of($module::$name), $trace);
            }
        )*

        fn programs() -> Vec<Program> {
            vec![$(Program {
                name: stringify!($name),
                run: || Log::of($module::$name),
                trace: $trace,
                differs: [$(($other, $reason))?].first().copied(),
            },)*]
        }
    };
}

programs! {
    ticks::tick_order => "soon-a soon-b nested later-0";
        in asyncio "soon-a soon-b later-0 nested"
        because "asyncio asks for timers in every tick, mainspring when nothing is ready or a turn is due (P4)",
    ticks::call_soon_cancelled => "0 2 3 end",
    ticks::call_later_order => "1 2 3 4 5",
    ticks::call_at_ties => "0 1 2 3";
        in asyncio "0 2 1 3"
        because "asyncio's heap compares the times only; equal deadlines are first in, first out here (P11)",
    ticks::sleep_zero => "a0 b0 a1 b1 a2 b2",
    ticks::await_ready => "ready no-tick-passed other end",
    ticks::wake_is_no_poll => "set got",
    ticks::join_ticks => "join-2 gather-2 group-1";
        in asyncio "join-2 gather-3 group-3"
        because "asyncio tells a gather, and a group, by a callback, a tick later; a scope polls its children itself",
    tasks::create_task => "before after a b c end",
    tasks::cancel_before_start => "cancelled",
    tasks::cancel_running => "begin asked cleanup cancelled",
    tasks::cancel_done => "false output",
    tasks::eager_start => "before body done begins running ends",
    tasks::shield => "timeout saved end",
    tasks::timeout_body_first => "body in-time",
    tasks::timeout_expires => "cleanup timeout",
    tasks::timeout_nested => "inner body-goes-on outer",
    tasks::timeout_rescheduled => "moved timeout-6",
    tasks::wait_for_zero => "body output";
        in asyncio "timeout"
        because "wait_for with no time never starts the coroutine; timeout polls its body first, as asyncio.timeout",
    joins::gather_order => "end-1 end-2 end-3 3 1 2",
    joins::gather_first_error => "end-1 error end-4 end",
    joins::gather_cancelled => "end-1 cleanup-1 timeout cleanup-4 cleanup-5 end";
        in asyncio "end-1 cleanup-1 cleanup-4 cleanup-5 timeout end"
        because "a drop is done at once: the aborted tasks clean up in their turn, after whoever dropped them",
    joins::wait_first => "0-pending 1-done 2-pending 3 1 2",
    joins::wait_first_error => "0-done 1-done 2-pending 1-0",
    joins::wait_timeout => "end-1 1-1 end-4 end",
    joins::as_completed => "1 2 0 end",
    joins::group_waits => "body-ends child-1 child-3 after",
    joins::group_first_error => "a-end a-cleanup raise b-cleanup body-cleanup errors-1",
    sync::lock_fifo => "released a-in a-out b-in b-out c-in c-out late-in late-out",
    sync::lock_cancelled_waiter => "b-in c-in free",
    sync::semaphore_fifo => "a-in b-in b-out c-in a-out d-in d-out c-out",
    sync::semaphore_cancelled => "b-in free",
    sync::event_set_clear => "cleared a b c late-waits late",
    sync::condition_notify => "one a all b c d",
    sync::condition_wait_for => "put put took-2",
    sync::barrier => "a-comes b-comes c-comes c-goes a-goes b-goes",
    sync::barrier_broken => "a-broken b-broken",
    sync::queue_bounded => "put-0 got-0 put-1 got-1 put-2 got-2 put-3 got-3",
    sync::queue_waiting_consumers => "a-got-0 b-got-1 a-got-2 b-got-3",
    sync::queue_join => "done-0 done-1 done-2 all-done",
    sync::queue_shutdown => "put-refused got-0 got-1 end",
}

/// The traces of the Python programs; `None` of one that needs a newer Python.
fn python(names: &[&str]) -> Option<BTreeMap<String, Option<String>>> {
    let timeline = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asyncio_parity/timeline.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(timeline)
        .args(names)
        .output();
    let Ok(output) = output else {
        println!("no python3 here: the traces of asyncio are not compared");
        return None;
    };
    let printed = String::from_utf8(output.stdout).expect("the traces are words");
    if printed.is_empty() {
        let error = String::from_utf8_lossy(&output.stderr);
        println!("this python3 runs none of the programs, nothing is compared: {error}");
        return None;
    }
    let mut traces = BTreeMap::new();
    for program in printed.split("== ").skip(1) {
        let (head, words) = program.split_once('\n').expect("a line for the name");
        match head.strip_suffix(" skipped") {
            Some(name) => traces.insert(name.to_string(), None),
            None => traces.insert(
                head.to_string(),
                Some(words.split_whitespace().collect::<Vec<_>>().join(" ")),
            ),
        };
    }
    Some(traces)
}

#[test]
fn asyncio_has_the_same_traces_or_there_is_a_reason() {
    let programs = programs();
    let names: Vec<&str> = programs.iter().map(|program| program.name).collect();
    let Some(traces) = python(&names) else { return };
    let mut complaints = String::new();
    for program in programs {
        let expected = program.differs.map_or(program.trace, |(trace, _)| trace);
        match traces.get(program.name) {
            Some(Some(trace)) if trace == expected => {}
            Some(None) => println!("{} needs a newer python3", program.name),
            found => complaints += &format!("\n{}: {found:?}, not {expected:?}", program.name),
        }
        assert_eq!(
            (program.run)(),
            program.trace,
            "{} is the same each time",
            program.name
        );
    }
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn every_program_has_its_twin_and_a_difference_is_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/asyncio_parity");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".py").map(str::to_string))
        .filter(|name| name != "timeline")
        .collect();
    files.sort_unstable();
    let mut names: Vec<&str> = programs().iter().map(|program| program.name).collect();
    names.sort_unstable();
    assert_eq!(files, names);
    assert!(names.len() >= 30);
    for program in programs() {
        if let Some((trace, reason)) = program.differs {
            assert!(
                trace != program.trace && !reason.is_empty(),
                "{}",
                program.name
            );
        }
    }
}

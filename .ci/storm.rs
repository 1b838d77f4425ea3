//! Runs a program in a storm of signals: cargo's runner for `make storm`. Linux only.
//!
//! Every thread of the program, and of what it starts, is sent SIGURG about a thousand times a second. It
//! ends as the program does, and fails if it saw no process that handles the signal: then nothing was
//! tested. Built by rustc alone, so it declares the two system calls that it needs.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

const SIGURG: i32 = 23;
/// Between two waves.
const PERIOD: Duration = Duration::from_micros(700);
/// So many waves go to the same threads before they are looked for again.
const WAVES_PER_LOOK: u32 = 8;

// SAFETY: tgkill(2) as every C library of Linux that has it declares it.
unsafe extern "C" {
    fn tgkill(process: i32, thread: i32, signal: i32) -> i32;
}

fn numbers_in(folder: &str) -> Vec<i32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// The threads of `process` and of all that it has started, as far as they can be seen.
fn threads_of(process: i32, found: &mut BTreeSet<(i32, i32)>) {
    for thread in numbers_in(&format!("/proc/{process}/task")) {
        found.insert((process, thread));
        let children = fs::read_to_string(format!("/proc/{process}/task/{thread}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            if let Ok(child) = child.parse() {
                threads_of(child, found);
            }
        }
    }
}

fn handles_the_signal(process: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & (1 << (SIGURG - 1)) != 0)
}

fn main() {
    let mut args = std::env::args_os().skip(1);
    let Some(program) = args.next() else {
        eprintln!("storm: which program?");
        exit(2);
    };
    let name = program.to_string_lossy().into_owned();
    let mut child = Command::new(&program)
        .args(args)
        .spawn()
        .unwrap_or_else(|error| {
            eprintln!("storm: {name}: {error}");
            exit(2);
        });
    let process = child.id() as i32;
    let start = Instant::now();
    let (mut sent, mut waves, mut is_handled) = (0u64, 0, false);
    let mut threads = BTreeSet::new();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if waves % WAVES_PER_LOOK == 0 {
            threads.clear();
            threads_of(process, &mut threads);
            is_handled = is_handled || handles_the_signal(process);
        }
        waves += 1;
        for (process, thread) in &threads {
            // SAFETY: it touches no memory. A thread that has ended gives ESRCH; the process is our child, which has not
            // been waited for, or was its child a moment ago. Who else gets the signal ignores it.
            sent += u64::from(unsafe { tgkill(*process, *thread, SIGURG) } == 0);
        }
        std::thread::sleep(PERIOD);
    };
    eprintln!(
        "storm: {sent} signals in {} waves of {:.1} s",
        waves,
        start.elapsed().as_secs_f32()
    );
    if !is_handled && waves > 100 {
        eprintln!(
            "storm: {name} does not handle the signal: was it built with --cfg mainspring_storm?"
        );
        exit(1);
    }
    exit(
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
    );
}

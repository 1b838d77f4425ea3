//! System calls per operation: counted by strace, so they do not swing with the machine.
//!
//! *Model.* strace counts the calls of all threads of a peer, of the thread that wakes too, and lets go of
//! the load when that is executed. It counts a run of N operations and one of 2 N; the difference over N
//! leaves start-up and end out. strace slows the loop down, so the load is told to pause.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::cells::echo::Load;
use crate::driver::Plan;
use crate::load::PAUSE_US;
use crate::peers::{PEERS, libuv};
use crate::record::Record;
use crate::report::OURS;
use crate::start_up;

/// Which cells are counted, with how many operations, and the most that ours may make.
pub const GUARDS: [(&str, u64, Option<f64>); 15] = [
    ("echo-1", 1000, Some(3.00)),
    ("echo-50", 2000, Some(2.05)),
    ("echo-16k", 2560, Some(3.10)),
    ("churn", 1000, Some(7.00)),
    ("udp-1", 1600, None),
    ("udp-batch", 1600, None),
    ("spawn-batch", 50_000, None),
    ("yield", 50_000, None),
    ("timer-roll", 50_000, None),
    ("wake-oneway", 1000, None),
    ("file-read", 1000, Some(7.00)),
    // The child's, too, until it is another program.
    ("spawn-wait", 200, None),
    ("pipe-cat", 1000, None),
    ("signal-resume", 1000, None),
    ("workers-2", 20_000, None),
];

/// The figure of the total; those of single calls begin with it.
pub const CALLS: &str = "calls";

/// Counts all cells of `plan`.
pub fn count(plan: &Plan) -> Record {
    let mut record = Record::default();
    for (cell, count, _) in GUARDS {
        if !plan.has_cell(cell) {
            continue;
        }
        eprintln!("system calls: {cell}");
        for peer in PEERS {
            if !plan.has_peer(peer.name) || (peer.find)(cell).is_none() {
                continue;
            }
            let once = calls(cell, peer.name, count);
            let twice = calls(cell, peer.name, 2 * count);
            let (Some(once), Some(twice)) = (once, twice) else {
                eprintln!("{cell} on {}: strace failed", peer.name);
                continue;
            };
            let mut total = 0.0;
            for (name, calls) in &twice {
                let before = once.get(name).copied().unwrap_or(0);
                let each = (*calls as f64 - before as f64) / count as f64;
                total += each;
                if each >= 0.005 {
                    let figure = format!("{CALLS}: {name}");
                    record.push(cell, peer.name, &figure, vec![each]);
                }
            }
            record.push(cell, peer.name, CALLS, vec![total.max(0.0)]);
        }
    }
    record
}

/// How often each call was made in a run.
fn calls(cell: &str, peer: &str, count: u64) -> Option<BTreeMap<String, u64>> {
    let peers = std::env::current_exe().expect("this program");
    let count = count.to_string();
    match (peer, libuv::program()) {
        // Itself, because a program that is executed is let go of.
        ("libuv", Some(program)) => {
            let peers = peers.to_string_lossy();
            traced(&program, &[cell, &count, &peers])
        }
        _ => traced(&peers, &[cell, peer, &count]),
    }
}

/// Long enough for a traced server to answer every connection and go to sleep.
fn pause_us(arguments: &[&str]) -> u64 {
    let load = arguments.first().and_then(|cell| Load::of(cell));
    load.map_or(0, |load| 2000 + 400 * load.connections)
}

/// How often each call was made by a program and its threads.
pub fn traced(program: &Path, arguments: &[&str]) -> Option<BTreeMap<String, u64>> {
    let out = std::env::temp_dir().join(format!("peers-strace-{}", std::process::id()));
    let status = Command::new("strace")
        .env(PAUSE_US, pause_us(arguments).to_string())
        .args([
            "-f",
            "--detach-on=execve",
            "-qq",
            "-c",
            "-U",
            "calls,name",
            "-o",
        ])
        .arg(&out)
        .arg(program)
        .args(arguments)
        .stdout(std::process::Stdio::null())
        .status();
    let text = std::fs::read_to_string(&out);
    std::fs::remove_file(&out).ok();
    if !status.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut calls = BTreeMap::new();
    for line in text.ok()?.lines() {
        let Some((count, name)) = line.trim().split_once(' ') else {
            continue;
        };
        match (count.parse(), name.trim()) {
            (Ok(count), name) if name != "total" => calls.insert(name.to_string(), count),
            _ => continue,
        };
    }
    Some(calls)
}

/// The guards that ours missed, in words.
pub fn missed(record: &Record) -> Vec<String> {
    let hello = (start_up::CELL, 0, Some(start_up::CALLS_MAX));
    let missed = |(cell, _, guard): &(&str, u64, Option<f64>)| {
        let (guard, calls) = ((*guard)?, record.median(cell, OURS, CALLS)?);
        // Two digits, as they are written.
        let is_missed = (calls * 100.0).round() > (guard * 100.0).round();
        is_missed.then(|| format!("{cell}: {calls:.2} system calls, {guard:.2} at most"))
    };
    GUARDS.iter().chain([&hello]).filter_map(missed).collect()
}

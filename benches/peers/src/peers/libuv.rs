//! libuv, as the C program that it would be: this process becomes it.
//!
//! `libuv/peer.c` is compiled by `run.sh`, next to this program. Where it is missing the column is.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::cells::Run;

/// What `libuv/peer.c` knows.
const CELLS: [&str; 20] = [
    "echo-1",
    "echo-50",
    "echo-1000",
    "echo-16k",
    "churn",
    "idle-conns",
    "timer-cancel",
    "timer-roll",
    "timer-fire",
    "wake-oneway",
    "wake-rtt",
    "wake-storm",
    "blocking",
    "blocking-1000",
    "file-read",
    "dir-walk",
    "spawn-wait",
    "spawn-wait-1g",
    "spawn-true",
    "signal-resume",
];

/// The C program, if it was built.
pub fn program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("libuv-peer");
    path.is_file().then_some(path)
}

/// The cells of the C program.
pub fn find(cell: &str) -> Option<Run> {
    let cell = *CELLS.iter().find(|name| **name == cell)?;
    let program = program()?;
    Some(Box::new(move |count| {
        let peers = std::env::current_exe().expect("this program");
        let error = Command::new(program)
            .arg(cell)
            .arg(count.to_string())
            .arg(peers)
            .exec();
        panic!("libuv-peer does not start: {error}")
    }))
}

//! Where and with what it was measured, so that nobody takes the figures for a law.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::peers;

/// The crates of which the version is told.
const CRATES: [&str; 8] = [
    "mainspring",
    "tokio",
    "async-executor",
    "async-fs",
    "async-io",
    "async-process",
    "async-signal",
    "monoio",
];

/// Machine, system, load and versions, before what `command` measures.
pub fn about(command: &str) -> BTreeMap<String, String> {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let mut about = BTreeMap::from([
        (
            "machine".to_string(),
            format!("{processors} x {}", processor()),
        ),
        (
            "kernel".to_string(),
            first_line("/proc/sys/kernel/osrelease"),
        ),
        ("rustc".to_string(), said_by("rustc", "-V")),
        // Each measurement has its own, since a file keeps those of several.
        (
            format!("load before {command}"),
            first_line("/proc/loadavg"),
        ),
    ]);
    for name in CRATES {
        if let Some(version) = locked_version(name) {
            about.insert(name.to_string(), version);
        }
    }
    if let Some(program) = peers::libuv::program() {
        let version = said_by(&program.to_string_lossy(), "version");
        about.insert("libuv".to_string(), version);
    }
    about
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split(": ").nth(1));
    name.unwrap_or(std::env::consts::ARCH).to_string()
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_string()
}

fn said_by(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_string()
}

/// What Cargo.lock says of a package.
fn locked_version(name: &str) -> Option<String> {
    let lock = include_str!("../Cargo.lock");
    let (_, after) = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    Some(after.split('"').next()?.to_string())
}

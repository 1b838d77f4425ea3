//! Start-up: what the least program on each peer costs to run, to store, and to build.
//!
//! Each makes a runtime, runs one ready future on it, and ends: `hello/*.rs` and `libuv/hello.c`. `bare` is
//! Rust alone, the floor.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::driver::Plan;
use crate::figures::now_ns;
use crate::record::Record;
use crate::syscalls::traced;

/// The name of the cell.
pub const CELL: &str = "hello";
/// The most system calls that ours may make from the first to the last.
pub const CALLS_MAX: f64 = 66.0;
/// The programs, after `hello-`.
pub const PROGRAMS: [&str; 6] = ["mainspring", "tokio", "smol", "monoio", "libuv", "bare"];
/// How often each is run per round.
const RUNS: usize = 40;

/// The program of this name beside this one, if it was built.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    let path = path.with_file_name(format!("hello-{name}"));
    path.is_file().then_some(path)
}

/// Runs, traces and weighs them.
pub fn measure(plan: &Plan) -> Record {
    let mut record = Record::default();
    let programs: Vec<(&str, PathBuf)> = PROGRAMS
        .iter()
        .filter(|name| plan.has_peer(name))
        .filter_map(|name| Some((*name, program(name)?)))
        .collect();
    let mut walls = vec![Vec::new(); programs.len()];
    let mut cpus = vec![Vec::new(); programs.len()];
    for run in 0..plan.rounds * RUNS {
        for step in 0..programs.len() {
            let index = (run + step) % programs.len();
            let (wall_ns, cpu_ns) = run_once(&programs[index].1);
            walls[index].push(wall_ns);
            cpus[index].push(cpu_ns);
        }
    }
    for ((name, path), (wall_ns, cpu_ns)) in programs.iter().zip(walls.into_iter().zip(cpus)) {
        record.push(CELL, name, "wall_ns", wall_ns);
        record.push(CELL, name, "cpu_ns", cpu_ns);
        if let Some(calls) = traced(path, &[]) {
            let total: u64 = calls.values().sum();
            record.push(CELL, name, "calls", vec![total as f64]);
        }
        if let Some(bytes) = stripped_bytes(path) {
            record.push(CELL, name, "stripped_bytes", vec![bytes as f64]);
        }
    }
    record
}

/// Wall and CPU time of one run in nanoseconds, its start and its end included.
fn run_once(program: &Path) -> (f64, f64) {
    let start_ns = now_ns();
    let child = Command::new(program).stdout(Stdio::null()).spawn();
    let pid = child.expect("it starts").id();
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeroes are a value; the kernel fills both in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(
            libc::wait4(pid as i32, &mut status, 0, &mut usage),
            pid as i32
        );
        usage
    };
    let wall_ns = now_ns() - start_ns;
    assert_eq!(status, 0, "{} failed", program.display());
    (wall_ns as f64, cpu_ns(&usage))
}

fn cpu_ns(usage: &libc::rusage) -> f64 {
    let ns = |time: libc::timeval| time.tv_sec as f64 * 1e9 + time.tv_usec as f64 * 1e3;
    ns(usage.ru_utime) + ns(usage.ru_stime)
}

fn stripped_bytes(program: &Path) -> Option<u64> {
    let out = std::env::temp_dir().join(format!("peers-strip-{}", std::process::id()));
    let status = Command::new("strip")
        .arg("-o")
        .arg(&out)
        .arg(program)
        .status();
    let bytes = std::fs::metadata(&out).ok().map(|data| data.len());
    std::fs::remove_file(&out).ok();
    status
        .is_ok_and(|status| status.success())
        .then_some(bytes?)
}

/// Builds each from nothing and counts its crates. Takes minutes, and wants the network or a full cache.
pub fn build(plan: &Plan) -> Record {
    let mut record = Record::default();
    for name in PROGRAMS
        .iter()
        .filter(|name| plan.has_peer(name) && **name != "libuv")
    {
        eprintln!("building hello-{name} from nothing");
        record.push(CELL, name, "crates", vec![crates(name) as f64]);
        let target = std::env::temp_dir().join(format!("peers-build-{}", std::process::id()));
        let before_ns = children_cpu_ns();
        let status = cargo(name, &["build", "--release", "--quiet"])
            .args(["--bin", &format!("hello-{name}"), "--target-dir"])
            .arg(&target)
            .status();
        let cpu_ns = children_cpu_ns() - before_ns;
        std::fs::remove_dir_all(&target).ok();
        if status.is_ok_and(|status| status.success()) {
            record.push(CELL, name, "build_cpu_s", vec![cpu_ns / 1e9]);
        }
    }
    record
}

/// Cargo for this package, with one peer only.
fn cargo(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(words);
    command.args(["--locked", "--no-default-features"]);
    if name != "bare" {
        command.args(["--features", name]);
    }
    command
}

/// Every crate that is built for it, build scripts and macros too, the program itself left out.
fn crates(name: &str) -> usize {
    let output = cargo(name, &["tree", "-e", "normal,build", "--no-dedupe"])
        .args(["--prefix", "none", "--format", "{p}"])
        .output()
        .expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty() && *name != env!("CARGO_PKG_NAME"))
        .collect();
    names.len()
}

fn children_cpu_ns() -> f64 {
    // SAFETY: rusage is plain numbers, for which zeroes are a value; the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    cpu_ns(&usage)
}

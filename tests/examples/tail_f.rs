//! `tail_f` over files that grow, shrink, and are rotated by the shell and by `mv`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;

use crate::tool::Tool;

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let folder = format!("mainspring-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        fs::create_dir_all(&path).expect("there is room");
        // As the program names it, wherever links lead.
        Folder(path.canonicalize().expect("it is there"))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.0.join(name).into_os_string();
        path.into_string().expect("the folder's name is text")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// By the shell.
#[track_caller]
pub(crate) fn sh(script: &str) {
    let status = Command::new("sh").args(["-ec", script]).status();
    assert!(status.expect("there is a shell").success(), "{script}");
}

#[track_caller]
fn assert_ends(tool: Tool) {
    tool.signal(Signal::INT);
    let (status, out, err) = tool.end();
    assert!(status.success(), "{status}");
    assert_eq!((out, err), (Vec::new(), Vec::new()));
}

#[test]
fn tail_f_prints_the_last_lines_and_what_is_added() {
    let folder = Folder::new("tail-f-grows");
    let log = folder.path("log");
    sh(&format!("seq 1 20000 > {log}"));
    let tool = Tool::start("tail_f", &["-n", "3", &log]);
    for line in ["19998", "19999", "20000"] {
        assert_eq!(tool.out.next(), line);
    }
    assert_eq!(tool.err.next(), format!("tail_f: following {log}"));
    sh(&format!(
        "echo tick >> {log}; printf to >> {log}; echo ck >> {log}"
    ));
    assert_eq!(tool.out.next(), "tick");
    assert_eq!(tool.out.next(), "tock");
    // Much at once.
    let seqs = format!("for n in 1 2 3 4; do seq 1 5000 >> {log}; done");
    sh(&seqs);
    for number in (0..4).flat_map(|_| 1..=5000) {
        assert_eq!(tool.out.next(), format!("{number}"));
    }
    assert_ends(tool);
}

#[test]
fn tail_f_reads_a_file_that_became_shorter_from_its_beginning() {
    let folder = Folder::new("tail-f-shrinks");
    let log = folder.path("log");
    sh(&format!("seq 1 100 > {log}"));
    let tool = Tool::start("tail_f", &["-n", "1", &log]);
    assert_eq!(tool.out.next(), "100");
    assert_eq!(tool.err.next(), format!("tail_f: following {log}"));
    sh(&format!("echo anew > {log}"));
    assert_eq!(tool.out.next(), "anew");
    assert_eq!(tool.err.next(), format!("tail_f: {log} has become shorter"));
    assert_ends(tool);
}

#[test]
fn tail_f_waits_for_a_file_and_loses_no_line_when_it_is_rotated() {
    let folder = Folder::new("tail-f-rotates");
    let log = folder.path("log");
    let tool = Tool::start("tail_f", &[&log]);
    assert_eq!(tool.err.next(), format!("tail_f: waiting for {log}"));
    sh(&format!(
        "n=0; for round in 1 2 3; do for line in 1 2 3 4 5; do n=$((n+1)); echo $n >> {log}; done; \
         mv {log} {log}.$round; done; echo last > {log}"
    ));
    // A round that nobody looked at in time was renamed already when the next file came: but of those that were seen, every line.
    let mut seen = Vec::new();
    loop {
        match tool.out.next().as_str() {
            "last" => break,
            line => seen.push(line.parse::<u32>().expect("a number")),
        }
    }
    for round in seen.chunk_by(|one, next| (one - 1) / 5 == (next - 1) / 5) {
        let first = (round[0] - 1) / 5 * 5 + 1;
        assert_eq!(round, (first..first + 5).collect::<Vec<_>>(), "{seen:?}");
    }
    tool.signal(Signal::INT);
    assert!(tool.end().0.success());
}

#[test]
fn tail_f_prints_the_rest_of_what_was_moved_away_and_then_the_new_one() {
    let folder = Folder::new("tail-f-moves");
    let log = folder.path("log");
    sh(&format!("echo one > {log}"));
    let tool = Tool::start("tail_f", &[&log]);
    assert_eq!(tool.out.next(), "one");
    assert_eq!(tool.err.next(), format!("tail_f: following {log}"));
    sh(&format!("echo two >> {log}; mv {log} {log}.1"));
    assert_eq!(tool.out.next(), "two");
    assert_eq!(tool.err.next(), format!("tail_f: {log} is gone"));
    sh(&format!("echo three > {log}"));
    assert_eq!(tool.out.next(), "three");
    assert_eq!(tool.err.next(), format!("tail_f: following a new {log}"));
    // In one step, as an editor saves.
    sh(&format!("echo four > {log}.new; mv {log}.new {log}"));
    assert_eq!(tool.out.next(), "four");
    assert_eq!(tool.err.next(), format!("tail_f: following a new {log}"));
    assert_ends(tool);
}

#[test]
fn tail_f_says_what_it_cannot_follow() {
    let tool = Tool::start("tail_f", &["/no/such/folder/log"]);
    let (status, _, err) = tool.end();
    assert!(!status.success());
    assert!(
        err[0].starts_with("tail_f: /no/such/folder/log: "),
        "{err:?}"
    );
    let (status, _, err) = Tool::start("tail_f", &["-n"]).end();
    assert_eq!(status.code(), Some(2));
    assert!(err[0].starts_with("usage: "), "{err:?}");
}

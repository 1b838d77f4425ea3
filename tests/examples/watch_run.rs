//! `watch_run` over a tree that changes, with commands that end, and that do not.

use std::fs;

use rustix::process::Signal;

use crate::tail_f::{Folder, sh};
use crate::tool::Tool;

#[track_caller]
fn assert_ends(tool: Tool) {
    tool.signal(Signal::INT);
    let (status, _, _) = tool.end();
    assert!(status.success(), "{status}");
}

#[test]
fn watch_run_runs_again_for_each_change_of_a_tree() {
    let folder = Folder::new("watch-run-tree");
    let tree = folder.path("tree");
    let file = folder.path("tree/deep/file");
    sh(&format!("mkdir -p {tree}/deep; echo one > {file}"));
    let tool = Tool::start("watch_run", &[&tree, "--", "cat", &file]);
    assert_eq!(tool.err.next(), format!("watch_run: watching {tree}"));
    assert_eq!(tool.out.next(), "one");
    assert_eq!(tool.err.next(), "watch_run: exit status: 0");
    sh(&format!("echo two > {file}"));
    assert_eq!(tool.out.next(), "two");
    assert_eq!(
        tool.err.until("watch_run: again"),
        format!("watch_run: again, for {file}")
    );
    assert_eq!(tool.err.next(), "watch_run: exit status: 0");
    // In one step, as an editor saves.
    sh(&format!("echo three > {file}.new; mv {file}.new {file}"));
    assert_eq!(tool.out.next(), "three");
    tool.err.until("watch_run: exit status: 0");
    // In a folder that is new.
    sh(&format!(
        "mkdir -p {tree}/new/er; echo x > {tree}/new/er/file"
    ));
    assert_eq!(tool.out.next(), "three");
    tool.err.until("watch_run: exit status: 0");
    // Hidden files are passed over; permissions are no change.
    sh(&format!(
        "echo x > {tree}/.hidden; chmod 600 {file}; echo four > {file}"
    ));
    assert_eq!(tool.out.next(), "four");
    assert_eq!(
        tool.err.until("watch_run: again"),
        format!("watch_run: again, for {file}")
    );
    assert_ends(tool);
}

#[test]
fn watch_run_takes_many_changes_together() {
    let folder = Folder::new("watch-run-many");
    let tree = folder.path("tree");
    let log = folder.path("log");
    sh(&format!("mkdir {tree}"));
    let script = format!("echo run >> {log}; ls {tree} | wc -l");
    let tool = Tool::start("watch_run", &[&tree, "--", "sh", "-c", &script]);
    assert_eq!(tool.out.next().trim(), "0");
    tool.err.until("watch_run: exit status: 0");
    sh(&format!(
        "for n in $(seq 1 200); do echo $n > {tree}/$n; done"
    ));
    // The quiet after the last of them may be preceded by another, on a machine that is busy.
    let mut runs = 1;
    loop {
        runs += 1;
        if tool.out.next().trim() == "200" {
            break;
        }
    }
    assert!(runs < 20, "{runs}");
    assert_eq!(
        fs::read_to_string(&log)
            .expect("it was written")
            .lines()
            .count(),
        runs
    );
    assert_ends(tool);
}

#[test]
fn watch_run_ends_the_run_before_with_all_that_it_started() {
    let folder = Folder::new("watch-run-ends");
    let file = folder.path("file");
    sh(&format!("echo x > {file}"));
    // The second process of the group holds the pipe: its end is seen only if that ends as well.
    let script = "echo started; sleep 1000 & wait";
    let tool = Tool::start("watch_run", &[&file, "--", "sh", "-c", script]);
    for _ in 0..2 {
        assert_eq!(tool.out.next(), "started");
        sh(&format!("echo y >> {file}"));
        tool.err
            .until(&format!("watch_run: {file} has changed: ending the run"));
    }
    assert_eq!(tool.out.next(), "started");
    tool.signal(Signal::TERM);
    let (status, _, _) = tool.end();
    assert!(status.success(), "{status}");
}

#[test]
fn watch_run_says_what_it_cannot_do() {
    let (status, _, err) = Tool::start("watch_run", &["/no/such/file", "--", "true"]).end();
    assert_eq!(status.code(), Some(1));
    assert!(err[0].starts_with("watch_run: /no/such/file: "), "{err:?}");
    for wrong in [&["src"][..], &["src", "--"], &["--", "true"]] {
        let (status, _, err) = Tool::start("watch_run", wrong).end();
        assert_eq!(status.code(), Some(2), "{wrong:?}");
        assert!(err[0].starts_with("usage: "), "{err:?}");
    }
}

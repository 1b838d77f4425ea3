//! `supervisor` over programs that end, that are deaf, and that leave orphans.

use rustix::process::Signal;

use crate::command;
use crate::tool::Tool;

/// What it said, but of orphans: where the system gives them, some end in the middle of other things.
fn but_orphans(mut said: Vec<String>) -> Vec<String> {
    said.retain(|line| !line.starts_with("supervisor: orphan"));
    said
}

fn is_start(line: &str, name: &str) -> bool {
    line.starts_with(&format!("{name}: started as "))
}

#[test]
fn supervisor_starts_again_after_pauses_that_double_up_to_a_limit() {
    let arguments = ["--pause", "0.002", "--pause-max", "0.008", "flaky=exit 3"];
    let tool = Tool::start("supervisor", &arguments);
    for pause in ["2ms", "4ms", "8ms", "8ms"] {
        let line = tool.err.next();
        assert!(is_start(&line, "flaky"), "{line}");
        assert_eq!(tool.err.next(), "flaky: exit status: 3");
        assert_eq!(tool.err.next(), format!("flaky: again in {pause}"));
    }
    tool.signal(Signal::TERM);
    let (status, _, said) = tool.end();
    assert!(status.success());
    let last = &said[said.len() - 1];
    assert_eq!(last, "supervisor: all have ended");
}

#[test]
fn supervisor_pauses_as_shortly_as_at_first_after_a_good_run() {
    let arguments = ["--pause", "0.002", "--good-run", "0", "good=exit 0"];
    let tool = Tool::start("supervisor", &arguments);
    for _ in 0..3 {
        assert_eq!(tool.err.until("good: again"), "good: again in 2ms");
    }
}

#[test]
fn supervisor_ends_a_pause_when_it_drains() {
    let tool = Tool::start("supervisor", &["--pause", "3600", "brief=:"]);
    tool.err.until("brief: again in 3600s");
    tool.signal(Signal::INT);
    let (status, _, said) = tool.end();
    assert!(status.success());
    assert_eq!(
        said,
        ["supervisor: SIGINT, draining", "supervisor: all have ended"]
    );
}

#[test]
fn supervisor_passes_signals_on_and_lets_a_program_end_by_itself() {
    let command =
        "trap 'echo heard HUP' HUP; trap 'echo heard USR1' USR1; trap 'echo bye; exit 0' TERM
                   echo ready; while :; do sleep 60 & wait; done";
    let tool = Tool::start(
        "supervisor",
        &[&format!("deep={}", command.replace('\n', ";"))],
    );
    tool.out.until("ready");
    for (signal, name) in [(Signal::HUP, "HUP"), (Signal::USR1, "USR1")] {
        tool.signal(signal);
        assert_eq!(tool.out.next(), format!("heard {name}"));
        tool.err.until(&format!("deep: got SIG{name}"));
    }
    tool.signal(Signal::TERM);
    let (status, out, said) = tool.end();
    assert!(status.success());
    assert_eq!(out, ["bye"]);
    let said = but_orphans(said);
    assert_eq!(
        said[1..],
        ["deep: exit status: 0", "supervisor: all have ended"]
    );
}

#[test]
fn supervisor_kills_who_is_deaf_after_the_grace_or_when_it_is_told_twice() {
    let deaf = "deaf=trap '' TERM; echo ready; while :; do sleep 60; done";
    for (grace, is_told_twice) in [("0.01", false), ("3600", true)] {
        let tool = Tool::start("supervisor", &["--grace", grace, deaf]);
        tool.out.until("ready");
        tool.signal(Signal::TERM);
        tool.err.until("supervisor: SIGTERM, draining");
        if is_told_twice {
            tool.signal(Signal::TERM);
            tool.err.until("supervisor: SIGTERM, killing");
        }
        // All of the group: otherwise the output would not end.
        let (status, _, said) = tool.end();
        assert!(status.success());
        let said = but_orphans(said);
        assert!(said[0].starts_with("deaf: signal: 9"), "{said:#?}");
        assert_eq!(said[1..], ["supervisor: all have ended"]);
    }
}

#[test]
fn supervisor_reaps_orphans_where_the_system_gives_them() {
    // The one in between ends at once.
    let tool = Tool::start("supervisor", &["parent=(sh -c 'exit 5' &); exec sleep 60"]);
    let first = tool.err.next();
    if first.starts_with("supervisor: orphans go to process 1") {
        return;
    }
    let orphan = tool.err.until("supervisor: orphan");
    assert!(orphan.ends_with(": exit status: 5"), "{orphan}");
}

#[test]
fn supervisor_reads_a_file_and_says_what_it_does_not_understand() {
    let path = std::env::temp_dir().join(format!("mainspring-services-{}", std::process::id()));
    let path = path.to_str().expect("it is text");
    std::fs::write(path, "# two\n\n one = exec sleep 60\ntwo=exec sleep 60\n").unwrap();
    let tool = Tool::start("supervisor", &["--file", path]);
    let mut said = [tool.err.next(), tool.err.next()];
    said.sort();
    assert!(
        is_start(&said[0], "one") && is_start(&said[1], "two"),
        "{said:#?}"
    );
    tool.signal(Signal::TERM);
    assert!(tool.end().0.success());
    std::fs::remove_file(path).unwrap();
    for (arguments, complaint) in [
        (&["--file", path][..], "No such file"),
        (&["name"], "`name` is not NAME=COMMAND"),
        (&["a=:", "a=:"], "two programs have one name"),
        (&["--grace", "soon"], "--grace needs seconds, not `soon`"),
        (&["--grace"], "--grace needs a value"),
        (&[], "there is nothing to run"),
    ] {
        let output = command("supervisor", arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(complaint) && errors.contains("usage: "),
            "{errors}"
        );
    }
}

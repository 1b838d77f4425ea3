//! `par` over commands that meet each other, fail, and do not end.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;

use mainspring::io::AsyncReadExt;
use mainspring::{pipe, process, terminal};
use rustix::process::Signal;

use crate::tool::Tool;
use crate::{command, folder};

/// A folder of a test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("mainspring-par-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    /// The path of a FIFO there.
    fn fifo(&self, name: &str) -> String {
        let path = self.0.join(name);
        pipe::make_fifo(&path, 0o600).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit status, output, errors.
fn par(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command("par", arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn par_keeps_what_each_command_says_together() {
    let folder = Folder::new("together");
    let (to_first, to_second) = (folder.fifo("first"), folder.fifo("second"));
    // The second speaks while the first is between two words; it would hang if the two did not run at once.
    let first = format!(
        "echo a1; echo A1 >&2; echo > {to_second}; read x < {to_first}; echo a2; echo A2 >&2"
    );
    let second = format!(
        "read x < {to_second}; echo b1; echo B1 >&2; echo > {to_first}; echo b2; echo B2 >&2"
    );
    let (code, out, err) = par(&["--jobs", "2", &first, &second]);
    assert_eq!(code, Some(0));
    assert!(
        ["a1\na2\nb1\nb2\n", "b1\nb2\na1\na2\n"].contains(&&*out),
        "{out}"
    );
    assert!(
        ["A1\nA2\nB1\nB2\n", "B1\nB2\nA1\nA2\n"].contains(&&*err),
        "{err}"
    );
}

#[test]
fn par_runs_no_more_than_it_was_told() {
    let folder = Folder::new("jobs");
    let place = folder.0.to_str().unwrap();
    // Who finds both seats taken fails.
    let command = format!(
        "for seat in {place}/one {place}/two; do \
             if mkdir $seat 2>/dev/null; then sleep 0.02; rmdir $seat; exit 0; fi; \
         done; exit 1"
    );
    let commands = [&*command; 8];
    let arguments = [&["--jobs", "2"], &commands[..]].concat();
    assert_eq!(par(&arguments), (Some(0), String::new(), String::new()));
    // One at a time is one after the other.
    let (code, out, _) = par(&["--jobs", "1", "echo 1", "echo 2", "echo 3"]);
    assert_eq!((code, &*out), (Some(0), "1\n2\n3\n"));
}

#[test]
fn par_counts_failures_and_says_how_each_came() {
    let (code, out, err) = par(&["--jobs", "1", "echo one; exit 3", "true", "kill -9 $$"]);
    assert_eq!((code, &*out), (Some(2), "one\n"));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines[0], "par: exit status: 3: echo one; exit 3");
    assert!(lines[1].starts_with("par: signal: 9"), "{err}");
    assert_eq!(lines.len(), 2);
    let many = ["false"; 120];
    assert_eq!(par(&many).0, Some(100));
}

#[test]
fn par_begins_while_its_input_is_still_being_read() {
    let mut tool = Tool::start("par", &[]);
    for word in ["tick", "tock"] {
        tool.feed(&format!("echo {word}\n\n"));
        assert_eq!(tool.out.next(), word);
    }
    tool.feed("echo no newline");
    let (status, out, err) = tool.end();
    assert!(status.success());
    assert_eq!((&*out, &*err), (&["no newline".to_owned()][..], &[][..]));
}

/// Each command has the FIFO open as long as anything of it lives.
fn start_holders(fifo: &str, trap: &str) -> (Tool, BufReader<File>) {
    let command = format!(
        "trap '{trap}' TERM; exec 3> {fifo}; echo ready >&3; while :; do sleep 60 & wait; done"
    );
    let tool = Tool::start("par", &["--jobs", "2", &command, &command, "echo never"]);
    let mut holders = BufReader::new(File::open(fifo).unwrap());
    for _ in 0..2 {
        let mut line = String::new();
        holders.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
    }
    (tool, holders)
}

/// How both ended is told so. The shells tell of their own children what they like.
fn assert_told(err: &[String], beginning: &str) {
    let ours = err.iter().filter(|line| line.starts_with("par: "));
    let ours: Vec<&String> = ours.collect();
    assert_eq!(ours.len(), 2, "{err:#?}");
    assert!(
        ours.iter().all(|line| line.starts_with(beginning)),
        "{err:#?}"
    );
}

fn assert_all_gone(mut holders: impl Read) {
    assert_eq!(holders.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn par_stops_all_when_it_is_told() {
    let folder = Folder::new("stop");
    let (tool, holders) = start_holders(&folder.fifo("holders"), "echo bye; exit 3");
    tool.signal(Signal::INT);
    assert_all_gone(holders);
    let (status, out, err) = tool.end();
    assert_eq!(status.code(), Some(130));
    assert_eq!(out, ["bye", "bye"]);
    assert_told(&err, "par: exit status: 3");
}

#[test]
fn par_kills_all_when_it_is_told_twice() {
    let folder = Folder::new("twice");
    let (tool, holders) = start_holders(&folder.fifo("holders"), "echo deaf >&3");
    let mut holders = holders;
    tool.signal(Signal::TERM);
    // Both have heard the first.
    for _ in 0..2 {
        let mut line = String::new();
        holders.read_line(&mut line).unwrap();
        assert_eq!(line, "deaf\n");
    }
    tool.signal(Signal::TERM);
    assert_all_gone(holders);
    let (status, _, err) = tool.end();
    assert_eq!(status.code(), Some(130));
    assert_told(&err, "par: signal: 9");
}

/// Not a pipe without a reader: for a moment another test's child has its reader too, between fork and exec.
#[test]
fn par_leaves_nothing_behind_when_its_output_has_nowhere_to_go() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("this system has no /dev/full");
        return;
    };
    let folder = Folder::new("full");
    let fifo = folder.fifo("holder");
    let holder = format!("exec 3> {fifo}; echo ready >&3; sleep 60");
    let speaker = format!("read x < {fifo}; echo unread");
    let status = command("par", &["--jobs", "2", &holder, &speaker])
        .stdout(full)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1));
    let held = mainspring::run(async {
        let reader = pipe::FifoOptions::new().open_reader(&fifo).unwrap();
        reader.try_read(&mut [0; 16])
    });
    assert_eq!(held.unwrap().unwrap(), 0, "nobody has it open");
}

#[test]
fn par_shows_on_a_terminal_how_far_it_is() {
    let (out, screen) = mainspring::run(async {
        let (mut master, terminal) = terminal::pair()?;
        let mut tool = process::Command::new(folder().join("par"))
            .args(["--jobs", "1", "echo one", "exit 1"])
            .stdout(process::Stdio::Piped)
            .stderr(terminal.into_blocking_fd()?)
            .spawn()?;
        let mut screen = String::new();
        master.read_to_string(&mut screen).await?;
        let output = tool.communicate([]).await?;
        std::io::Result::Ok((output.stdout, screen))
    })
    .unwrap()
    .unwrap();
    assert_eq!(out, b"one\n");
    for part in [
        "] 0 done, 0 failed, 1 running: echo one\x1b[K",
        "] 1 done, 0 failed, 1 running: exit 1\x1b[K",
        "\r\x1b[Kpar: exit status: 1: exit 1\r\n",
    ] {
        assert!(screen.contains(part), "{part:?} in {screen:?}");
    }
    assert!(screen.ends_with("\r\x1b[K"), "{screen:?}");
}

#[test]
fn par_says_what_it_does_not_understand() {
    for (arguments, complaint) in [
        (
            &["--jobs", "0"][..],
            "--jobs needs a number above 0, not `0`",
        ),
        (&["--what"], "--what is unknown"),
    ] {
        let (code, _, err) = par(arguments);
        assert_eq!(code, Some(2));
        assert!(err.contains(complaint) && err.contains("usage: "), "{err}");
    }
}

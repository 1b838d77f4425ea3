//! The recorder of terminals: without one of its own, and on one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mainspring::process::Command;
use mainspring::terminal::{self, Master, Size};

use super::{command, folder};

/// A file that goes with the test.
struct File(PathBuf);

impl File {
    fn new(test: &str) -> File {
        let name = format!("mainspring-{}-{test}.cast", std::process::id());
        File(std::env::temp_dir().join(name))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("it is text")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The head of a record, and what was shown, with its times in order.
#[track_caller]
fn read(path: &Path) -> (String, String) {
    let text = std::fs::read_to_string(path).expect("it is there");
    let (head, events) = text.split_once('\n').expect("it has a head");
    let (mut shown, mut before) = (String::new(), 0.0);
    for event in events.lines() {
        let inner = event
            .strip_prefix('[')
            .and_then(|event| event.strip_suffix("\"]"));
        let (seconds, text) = inner
            .expect("in this form")
            .split_once(", \"o\", \"")
            .expect("in this form");
        let seconds: f64 = seconds.parse().expect("it is a number");
        assert!(seconds >= before, "{text}");
        before = seconds;
        shown.push_str(
            &text
                .replace("\\u000d", "\r")
                .replace("\\u000a", "\n")
                .replace("\\\"", "\""),
        );
    }
    (head.to_string(), shown)
}

#[test]
fn pty_record_shows_and_records_a_program_that_believes_in_its_terminal() {
    let file = File::new("pipes");
    let script = "test -t 0 && stty size && read line && echo \"\\\"$line\\\" ä\" && cat && exit 3";
    let mut recorder = command("pty_record", &[file.path(), "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = recorder.stdin.take().expect("it is piped");
    input.write_all(b"tick\ntock").expect("it reads");
    drop(input);
    let output = recorder.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("24 80\r\n"), "{said:?}");
    assert!(said.contains("\"tick\" ä\r\n"), "{said:?}");
    assert!(said.ends_with("tock"), "{said:?}");
    let (head, shown) = read(&file.0);
    assert_eq!(head, "{\"version\": 2, \"width\": 80, \"height\": 24}");
    assert_eq!(shown, said);
}

/// Waits until that was shown.
async fn see(master: &Master, seen: &mut String, what: &str) {
    let mut buf = [0; 256];
    while !seen.contains(what) {
        let count = master.read(&mut buf).await.expect("it is open");
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&buf[..count]));
    }
}

#[test]
fn pty_record_passes_keys_and_sizes_through_and_gives_the_terminal_back() {
    let file = File::new("terminal");
    let script = "trap 'stty size' WINCH; trap 'echo caught; exit 7' INT; stty size; \
                  while :; do sleep 0.02; done";
    mainspring::run(async {
        let (master, terminal) = terminal::pair().expect("there is a terminal");
        terminal::set_size(&master, Size::new(30, 100)).expect("it is one");
        let recorder = Command::new(folder().join("pty_record"))
            .args([file.path(), "sh", "-c", script])
            .on_terminal(master.open_slave().expect("there is one more"))
            .spawn()
            .expect("it starts");
        let mut seen = String::new();
        see(&master, &mut seen, "30 100").await;
        let modes = || terminal::modes(&terminal).expect("it is a terminal");
        assert!(!modes().is_canonical() && !modes().echoes());
        terminal::set_size(&master, Size::new(31, 101)).expect("it is one");
        see(&master, &mut seen, "31 101").await;
        // A key here; a signal there.
        master.write_all(b"\x03").await.expect("it is open");
        see(&master, &mut seen, "caught").await;
        let status = recorder.wait().await.expect("it is ours");
        assert_eq!(status.code(), Some(7), "{seen}");
        assert!(modes().is_canonical() && modes().echoes());
    })
    .expect("there is a loop");
    let (head, shown) = read(&file.0);
    assert_eq!(head, "{\"version\": 2, \"width\": 100, \"height\": 30}");
    assert!(
        shown.contains("31 101\r\n") && shown.contains("caught\r\n"),
        "{shown:?}"
    );
}

#[test]
fn pty_record_gives_the_terminal_back_when_it_is_ended() {
    let file = File::new("ended");
    mainspring::run(async {
        let (master, terminal) = terminal::pair().expect("there is a terminal");
        let recorder = Command::new(folder().join("pty_record"))
            .args([file.path(), "sh", "-c", "echo ready; exec cat"])
            .on_terminal(master.open_slave().expect("there is one more"))
            .spawn()
            .expect("it starts");
        see(&master, &mut String::new(), "ready").await;
        let modes = || terminal::modes(&terminal).expect("it is a terminal");
        assert!(!modes().is_canonical());
        recorder.terminate().expect("it is ours");
        assert!(!recorder.wait().await.expect("it is ours").success());
        assert!(modes().is_canonical());
    })
    .expect("there is a loop");
}

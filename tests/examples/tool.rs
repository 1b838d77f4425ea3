//! A tool that runs: what it says, line by line, and signals to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::command;

/// Nothing here takes as long, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that runs.
pub(crate) struct Tool {
    child: Child,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
}

/// What comes from one of its outputs.
pub(crate) struct Lines(Receiver<String>);

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Lines {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A test that has failed hears no more.
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Lines(lines)
    }

    #[track_caller]
    pub(crate) fn next(&self) -> String {
        self.0.recv_timeout(PATIENCE).expect("it says more")
    }

    /// The next line that begins so.
    #[track_caller]
    pub(crate) fn until(&self, beginning: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(beginning) => return line,
                Ok(line) => said.push(line),
                Err(error) => panic!("{beginning:?} was not said ({error}): {said:#?}"),
            }
        }
    }

    /// All that is left, up to the end.
    #[track_caller]
    fn rest(&self) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) => said.push(line),
                Err(RecvTimeoutError::Disconnected) => return said,
                Err(error) => panic!("it does not end ({error}): {said:#?}"),
            }
        }
    }
}

impl Tool {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Tool {
        let mut child = command(name, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is there and starts");
        let out = Lines::of(child.stdout.take().expect("it is piped"));
        let err = Lines::of(child.stderr.take().expect("it is piped"));
        Tool { child, out, err }
    }

    /// Some of its input; the rest ends with [`Tool::end`].
    pub(crate) fn feed(&mut self, input: &str) {
        let stdin = self.child.stdin.as_mut().expect("it has not ended");
        stdin.write_all(input.as_bytes()).expect("it reads");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// How it ended, and what was left of its outputs.
    #[track_caller]
    pub(crate) fn end(mut self) -> (ExitStatus, Vec<String>, Vec<String>) {
        drop(self.child.stdin.take());
        let (out, err) = (self.out.rest(), self.err.rest());
        (self.child.wait().expect("it is ours"), out, err)
    }
}

/// A test that fails leaves nothing behind: the tools end what they started when they are told to end twice.
impl Drop for Tool {
    fn drop(&mut self) {
        for _ in 0..100 {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            let _ = kill_process(self.pid(), Signal::TERM);
            // Its output ends when it does.
            let _ = self.err.0.recv_timeout(PATIENCE / 100);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

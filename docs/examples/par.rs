//! Runs commands, so many at a time, and keeps what each of them says together: `xargs -P`, or parallel, in small.
//!
//! ```text
//! cargo run --example par -- --jobs 2 'make -C one' 'make -C two' 'make -C three'
//! printf 'gzip -9 %s\n' *.txt | cargo run --example par
//! ```
//!
//! Each argument is a command for the shell, or without any each line of standard input; they begin while it is still being
//! read. What a command says is printed when it has ended. On a terminal, a line tells meanwhile how far it is. The exit status
//! is the number of commands that failed, 100 at most. ^C stops all: they get TERM, and after two seconds, or at the
//! next ^C, KILL; the exit status is then 130.
//!
//! Look at [`run_one`]: `communicate` keeps what it has heard in the child, so it can be dropped to send a signal, and called
//! again. And at [`Par::work`]: it is the only one to print, so a slow reader of the output makes it start fewer, and no lock
//! keeps the outputs apart.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use mainspring::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use mainspring::process::{Command, Output, Signal, Stdio};
use mainspring::signal::signal;
use mainspring::stdio::{Stderr, Stdout, stderr, stdin, stdout};
use mainspring::stream::{self, Stream, StreamExt};
use mainspring::task::{CancelToken, JoinSet};
use mainspring::time::{Instant, interval, now, sleep};
use mainspring::{select, spawn, terminal};

/// How long commands may take to end when they were asked to.
const GRACE: Duration = Duration::from_secs(2);
/// The line that tells how far it is is written anew this often.
const REFRESH: Duration = Duration::from_millis(250);
/// The line is as long, at most, on a terminal that does not know how wide it is.
const COLUMNS: usize = 79;
/// More failures than this are not told apart by the exit status.
const FAILURES_MAX: usize = 100;
/// The exit status after ^C, as shells have it.
const STOPPED: u8 = 130;

type Commands = Pin<Box<dyn Stream<Item = io::Result<String>>>>;

/// How commands are stopped.
#[derive(Clone)]
struct Stop {
    /// They are asked to end, and no others are started.
    asked: CancelToken,
    /// They are ended.
    forced: CancelToken,
}

/// One command, from its start to its end.
async fn run_one(command: &str, stop: &Stop) -> io::Result<Output> {
    let command = Command::shell(command)
        .process_group(0)
        .kill_group_at_end(true);
    let command = command
        .stdin(Stdio::Null)
        .stdout(Stdio::Piped)
        .stderr(Stdio::Piped);
    let mut child = command.spawn()?;
    for (token, signal) in [(&stop.asked, Signal::TERM), (&stop.forced, Signal::KILL)] {
        select! {
            biased;
            output = child.communicate([]) => return output,
            // It may have ended by now.
            _ = token.cancelled() => drop(child.signal_group(signal)),
        }
    }
    child.communicate([]).await
}

/// Waits for the signals that stop all.
async fn listen(mut ends: impl Stream + Unpin, stop: Stop) {
    ends.next().await;
    stop.asked.cancel();
    select! {
        _ = ends.next() => {}
        () = sleep(GRACE) => {}
    }
    stop.forced.cancel();
}

/// How far it is.
struct Progress {
    start: Instant,
    running: Vec<String>,
    done: usize,
    failed: usize,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (now() - self.start).as_secs();
        let (done, failed, running) = (self.done, self.failed, self.running.len());
        write!(
            f,
            "[{seconds} s] {done} done, {failed} failed, {running} running"
        )?;
        let mut between = ": ";
        for command in &self.running {
            write!(f, "{between}{command}")?;
            between = " | ";
        }
        Ok(())
    }
}

struct Par {
    jobs: usize,
    stop: Stop,
    running: JoinSet<(String, io::Result<Output>)>,
    progress: Progress,
    out: Stdout,
    err: Stderr,
}

impl Par {
    /// Runs all commands.
    async fn work(&mut self, mut commands: Commands) -> io::Result<()> {
        let mut refresh = interval(REFRESH);
        let mut is_last_read = false;
        while !is_last_read || !self.running.is_empty() {
            self.show().await?;
            let has_room = self.running.len() < self.jobs;
            select! {
                command = commands.try_next(), if !is_last_read && has_room => match command? {
                    Some(command) if command.trim().is_empty() => {}
                    Some(command) => self.start(command),
                    None => is_last_read = true,
                },
                _ = self.stop.asked.cancelled(), if !is_last_read => is_last_read = true,
                Some(ended) = self.running.join_next() => {
                    let (command, result) = ended?;
                    self.end(&command, result).await?;
                }
                _ = refresh.tick(), if self.err.is_terminal() => {}
            }
        }
        self.hide().await
    }

    fn start(&mut self, command: String) {
        self.progress.running.push(command.clone());
        let stop = self.stop.clone();
        self.running.spawn(async move {
            let result = run_one(&command, &stop).await;
            (command, result)
        });
    }

    /// Prints what a command has said, and how it failed if it did.
    async fn end(&mut self, command: &str, result: io::Result<Output>) -> io::Result<()> {
        let progress = &mut self.progress;
        if let Some(index) = progress.running.iter().position(|other| other == command) {
            progress.running.remove(index);
        }
        progress.done += 1;
        let failure = match &result {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(output.status.to_string()),
            Err(error) => Some(error.to_string()),
        };
        progress.failed += usize::from(failure.is_some());
        self.hide().await?;
        if let Ok(output) = &result {
            self.out.write_all(&output.stdout).await?;
            self.out.flush().await?;
            self.err.write_all(&output.stderr).await?;
        }
        if let Some(failure) = failure {
            let line = format!("par: {failure}: {command}\n");
            self.err.write_all(line.as_bytes()).await?;
        }
        self.err.flush().await
    }

    /// Writes the line that tells how far it is, as far as the terminal is wide.
    async fn show(&mut self) -> io::Result<()> {
        if !self.err.is_terminal() {
            return Ok(());
        }
        let width = match terminal::size(&std::io::stderr())?.columns {
            0 => COLUMNS,
            columns => usize::from(columns) - 1,
        };
        let text: String = self.progress.to_string().chars().take(width).collect();
        let line = format!("\r{text}\x1b[K");
        self.err.write_all(line.as_bytes()).await?;
        self.err.flush().await
    }

    /// Takes it away.
    async fn hide(&mut self) -> io::Result<()> {
        if self.err.is_terminal() {
            self.err.write_all(b"\r\x1b[K").await?;
        }
        Ok(())
    }
}

async fn run(jobs: usize, commands: Vec<String>) -> io::Result<ExitCode> {
    let ends = signal(Signal::INT)?.merge(signal(Signal::TERM)?);
    let stop = Stop {
        asked: CancelToken::new(),
        forced: CancelToken::new(),
    };
    let _listener = spawn(listen(ends, stop.clone())).abort_on_drop();
    let mut par = Par {
        jobs,
        stop: stop.clone(),
        running: JoinSet::new(),
        progress: Progress {
            start: now(),
            running: Vec::new(),
            done: 0,
            failed: 0,
        },
        out: stdout()?,
        err: stderr()?,
    };
    let commands: Commands = if commands.is_empty() {
        Box::pin(BufReader::new(stdin()?).lines())
    } else {
        Box::pin(stream::iter(commands.into_iter().map(Ok)))
    };
    let result = par.work(commands).await;
    let is_stopped = stop.asked.is_cancelled();
    // If the output has nowhere to go, nothing is left behind either.
    stop.asked.cancel();
    stop.forced.cancel();
    while par.running.join_next().await.is_some() {}
    result?;
    Ok(ExitCode::from(if is_stopped {
        STOPPED
    } else {
        par.progress.failed.min(FAILURES_MAX) as u8
    }))
}

/// How many at a time, and which.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(usize, Vec<String>), String> {
    let mut jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut commands = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--jobs" => {
                let value = arguments.next().unwrap_or_default();
                jobs = match value.parse() {
                    Ok(count) if count > 0 => count,
                    _ => return Err(format!("--jobs needs a number above 0, not `{value}`")),
                };
            }
            name if name.starts_with("--") => return Err(format!("{name} is unknown")),
            _ => commands.push(argument),
        }
    }
    Ok((jobs, commands))
}

fn main() -> io::Result<ExitCode> {
    match parse(std::env::args().skip(1)) {
        Ok((jobs, commands)) => mainspring::run(run(jobs, commands))?,
        Err(error) => {
            eprintln!("par: {error}\nusage: par [--jobs N] [COMMAND]...");
            Ok(ExitCode::from(2))
        }
    }
}

//! A supervisor: starts programs, starts them again when they end, and takes all of them along when it ends.
//!
//! ```text
//! cargo run --example supervisor -- web='exec python3 -m http.server 8080' clock='while :; do date; sleep 5; done'
//! cargo run --example supervisor -- --file services --grace 10
//! ```
//!
//! An argument, or a line of the file, is `NAME=COMMAND`, which the shell runs. Who ends is started again after a pause
//! (`--pause`, 0.1 s), twice as long each time up to `--pause-max` (10 s), and as short as at first when a run has lasted for
//! `--good-run` (10 s).
//!
//! | signal | what it does |
//! |---|---|
//! | HUP, USR1, USR2 | goes to all programs |
//! | TERM, INT | drains: all programs get TERM, and those that still run after `--grace` (5 s) KILL |
//! | TERM, INT once more | KILL, at once |
//!
//! Look at [`Supervisor::run_once`], which is one program from its start to its end, and at [`Supervisor::listen`], for what
//! comes from outside. A program leads a process group, so that a signal reaches what a shell has started for it, and nothing
//! of it outlives the shell. What leaves the group comes to us when its parent ends, for we are a *subreaper*: nothing becomes a zombie, and its end is told.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use mainspring::process::{self, Child, Command, ExitStatus, Signal};
use mainspring::select;
use mainspring::signal::signal;
use mainspring::stream::StreamExt;
use mainspring::task::{CancelToken, scope};
use mainspring::time::{now, sleep};

const USAGE: &str = "usage: supervisor [--pause S] [--pause-max S] [--good-run S] [--grace S] [--file FILE] [NAME=COMMAND]...";

/// A program that is to run.
struct Service {
    name: String,
    command: String,
}

/// What the command line says.
struct Options {
    services: Vec<Service>,
    pause: Duration,
    pause_max: Duration,
    good_run: Duration,
    grace: Duration,
}

struct Supervisor {
    options: Options,
    /// The programs that run, by name.
    running: RefCell<BTreeMap<String, Rc<Child>>>,
    /// Nothing is started any more, and what runs is asked to end.
    draining: CancelToken,
    /// What runs is ended.
    killing: CancelToken,
}

fn say(name: &str, news: impl Display) {
    eprintln!("{name}: {news}");
}

impl Supervisor {
    /// Starts one program again and again, until the drain.
    async fn keep(&self, service: &Service) {
        let options = &self.options;
        let mut pause = options.pause;
        loop {
            let start = now();
            match self.run_once(service).await {
                Ok(status) => say(&service.name, status),
                Err(error) => say(&service.name, error),
            }
            if now() - start >= options.good_run {
                pause = options.pause;
            }
            if !self.draining.is_cancelled() {
                say(&service.name, format_args!("again in {pause:?}"));
            }
            let rest = self.draining.run_until_cancelled(sleep(pause));
            if rest.await.is_err() {
                return;
            }
            pause = (pause * 2).min(options.pause_max);
        }
    }

    /// One run of a program: how it ended.
    async fn run_once(&self, service: &Service) -> io::Result<ExitStatus> {
        let command = Command::shell(&service.command).process_group(0);
        let child = Rc::new(command.kill_group_at_end(true).spawn()?);
        say(&service.name, format_args!("started as {}", child.id()));
        let (name, shared) = (service.name.clone(), Rc::clone(&child));
        self.running.borrow_mut().insert(name, shared);
        let status = select! {
            biased;
            status = child.wait() => status,
            _ = self.draining.cancelled() => self.stop(&child).await,
        };
        self.running.borrow_mut().remove(&service.name);
        status
    }

    async fn stop(&self, child: &Child) -> io::Result<ExitStatus> {
        select! {
            status = child.stop_group(self.options.grace) => status,
            _ = self.killing.cancelled() => child.stop_group(Duration::ZERO).await,
        }
    }

    /// Does what signals ask for, for as long as it is polled.
    async fn listen(&self) -> io::Result<()> {
        let passed = signal(Signal::HUP)?.merge(signal(Signal::USR1)?);
        let mut passed = passed.merge(signal(Signal::USR2)?);
        let mut ends = signal(Signal::TERM)?.merge(signal(Signal::INT)?);
        let mut children = signal(Signal::CHLD)?;
        loop {
            select! {
                Some(received) = passed.next() => self.pass_on(received?.signal),
                Some(received) = ends.next() => self.end(received?.signal),
                received = children.recv() => {
                    received?;
                    while let Some(orphan) = process::try_wait_orphan(|_| false)? {
                        say("supervisor", format_args!("orphan {}: {}", orphan.id, orphan.status));
                    }
                }
            }
        }
    }

    fn pass_on(&self, signal: Signal) {
        for (name, child) in &*self.running.borrow() {
            match child.signal_group(signal) {
                Ok(()) => say(name, format_args!("got {signal}")),
                Err(error) => say(name, error),
            }
        }
    }

    fn end(&self, signal: Signal) {
        if self.draining.is_cancelled() {
            say("supervisor", format_args!("{signal}, killing"));
            self.killing.cancel();
        } else {
            say("supervisor", format_args!("{signal}, draining"));
            self.draining.cancel();
        }
    }
}

/// Runs all programs, until a signal has ended them.
async fn supervise(options: Options) -> io::Result<()> {
    if let Err(error) = process::become_subreaper() {
        say(
            "supervisor",
            format_args!("orphans go to process 1: {error}"),
        );
    }
    let supervisor = Supervisor {
        options,
        running: RefCell::default(),
        draining: CancelToken::new(),
        killing: CancelToken::new(),
    };
    let programs = scope(async |s| {
        for service in &supervisor.options.services {
            drop(s.spawn_named(&service.name, supervisor.keep(service)));
        }
    });
    select! {
        // The first poll is this one's: before a program runs, all signals are listened to.
        biased;
        failed = supervisor.listen() => failed,
        ended = programs => ended.map_err(io::Error::other),
    }
}

impl Service {
    /// From `NAME=COMMAND`.
    fn parse(text: &str) -> Result<Service, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.trim().is_empty() => Ok(Service {
                name: name.trim().to_owned(),
                command: command.trim().to_owned(),
            }),
            _ => Err(format!("`{text}` is not NAME=COMMAND")),
        }
    }

    /// All of a file; a line that begins with `#` is a comment.
    fn parse_file(path: &str) -> Result<Vec<Service>, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        let lines = text.lines().map(str::trim);
        lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Service::parse)
            .collect()
    }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            services: Vec::new(),
            pause: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
            good_run: Duration::from_secs(10),
            grace: Duration::from_secs(5),
        };
        while let Some(argument) = arguments.next() {
            if !argument.starts_with("--") {
                options.services.push(Service::parse(&argument)?);
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))?;
            let seconds = || match value.parse().map(Duration::try_from_secs_f64) {
                Ok(Ok(seconds)) => Ok(seconds),
                _ => Err(format!("{argument} needs seconds, not `{value}`")),
            };
            match argument.as_str() {
                "--pause" => options.pause = seconds()?,
                "--pause-max" => options.pause_max = seconds()?,
                "--good-run" => options.good_run = seconds()?,
                "--grace" => options.grace = seconds()?,
                "--file" => options.services.extend(Service::parse_file(&value)?),
                _ => return Err(format!("{argument} is unknown")),
            }
        }
        let names: BTreeSet<&str> = options.services.iter().map(|it| &*it.name).collect();
        if names.is_empty() {
            return Err("there is nothing to run".to_owned());
        }
        if names.len() < options.services.len() {
            return Err("two programs have one name".to_owned());
        }
        Ok(options)
    }
}

fn main() -> io::Result<ExitCode> {
    match Options::parse(std::env::args().skip(1)) {
        Ok(options) => {
            mainspring::run(supervise(options))??;
            say("supervisor", "all have ended");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("supervisor: {error}\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}

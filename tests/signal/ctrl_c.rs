//! `Builder::ends_on_ctrl_c`, end to end: a real process gets SIGINT, once and twice.
//!
//! The process says on its standard output when it is ready for what comes, so nobody has to wait for a time.

use std::cell::Cell;
use std::future::pending;
use std::io::{BufRead as _, BufReader, ErrorKind, Lines, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Duration;

use mainspring::signal::{self, Signal};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::{self, shutdown_token};
use mainspring::{Runtime, TaskBuilder, spawn, yield_now};
use mainspring_sys::signal as sys;

use crate::raw;
use crate::rig::{On, open_fds};

on_both! {
    p56_the_first_ctrl_c_drops_main_and_is_an_error,
    p56_the_second_ctrl_c_ends_a_process_that_is_stuck,
    p56_the_second_ctrl_c_ends_a_grace,
    p56_main_and_tasks_end_in_the_grace,
    p56_a_grace_that_is_over_ends_main,
    p56_runs_without_a_main_end_too,
    p56_each_run_begins_anew,
    a_ctrl_c_as_the_run_ends_is_not_lost,
    an_ignored_ctrl_c_stays_ignored,
    other_listeners_hear_the_first,
    a_fault_at_the_beginning_leaves_nothing_behind,
}

std::thread_local! {
    /// The test is about that.
    static HAS_IGNORED: Cell<bool> = const { Cell::new(false) };
}

const LONG: Duration = Duration::from_secs(3600);

/// Says a line to who started this process. What `println` says is kept by the test's harness.
fn say(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "said: {line}").unwrap();
    out.flush().unwrap();
}

/// This test in a process of its own, while it runs.
struct Talker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Talker {
    /// Runs `body` in the process that is started for it; in the test itself gives the talk with it.
    fn start(on: On, body: impl FnOnce()) -> Option<Talker> {
        if on.is_alone() {
            body();
            return None;
        }
        let mut command = on.command_alone();
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Some(Talker { child, lines })
    }

    /// Waits for what it says next.
    #[track_caller]
    fn hears(&mut self, line: &str) {
        let next = self.lines.find_map(|line| {
            // The harness has begun the line with the test's name.
            let line = line.unwrap();
            line.split_once("said: ").map(|(_, said)| said.to_owned())
        });
        assert_eq!(next.as_deref(), Some(line));
    }

    fn type_ctrl_c(&self) {
        raw::kill_process(self.child.id(), Signal::INT);
    }

    /// Its end, to which it says nothing more.
    #[track_caller]
    fn ends(mut self) -> ExitStatus {
        for line in &mut self.lines {
            let line = line.unwrap();
            assert!(!line.contains("said: "), "{line}");
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn runtime(on: On, grace: Duration) -> Runtime {
    // Who runs the tests in the background has it ignored.
    if !HAS_IGNORED.get() {
        sys::set_default(Signal::INT).unwrap();
    }
    on.builder().ends_on_ctrl_c(grace).build().unwrap()
}

/// Says so when it is dropped.
struct SaysDrop(&'static str);

impl Drop for SaysDrop {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn p56_the_first_ctrl_c_drops_main_and_is_an_error(on: On) {
    let talker = Talker::start(on, || {
        let runtime = runtime(on, Duration::ZERO);
        let stays = runtime.spawn(pending::<()>());
        let error = runtime
            .block_on(async {
                let _guard = SaysDrop("main is dropped");
                // Nothing of it is polled any more.
                let told = spawn(async { shutdown_token().cancelled().await });
                yield_now().await;
                say("ready");
                drop(told);
                pending::<()>().await;
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert_eq!(error.to_string(), "interrupted by ^C (SIGINT)");
        assert!(!stays.is_finished(), "tasks are left for the next run");
        say("the end");
        std::process::exit(7);
    });
    if let Some(mut talker) = talker {
        talker.hears("ready");
        talker.type_ctrl_c();
        talker.hears("main is dropped");
        talker.hears("the end");
        assert_eq!(talker.ends().code(), Some(7));
    }
}

fn p56_the_second_ctrl_c_ends_a_process_that_is_stuck(on: On) {
    let talker = Talker::start(on, || {
        let _ = runtime(on, LONG).block_on(async {
            yield_now().await;
            say("ready");
            while sys::count(Signal::INT) == 0 {
                std::thread::yield_now();
            }
            // Once: the second signal is counted before the process ends by it.
            say("still stuck");
            loop {
                std::thread::yield_now();
            }
        });
        unreachable!("it is stuck in a poll");
    });
    if let Some(mut talker) = talker {
        talker.hears("ready");
        talker.type_ctrl_c();
        talker.hears("still stuck");
        talker.type_ctrl_c();
        assert_eq!(talker.ends().signal(), Some(Signal::INT.number()));
    }
}

fn p56_the_second_ctrl_c_ends_a_grace(on: On) {
    let talker = Talker::start(on, || {
        let _ = runtime(on, LONG).block_on(async {
            let token = shutdown_token();
            say("ready");
            say(&token.cancelled().await.to_string());
            // It says so, should it live on.
            std::thread::spawn(|| {
                while sys::count(Signal::INT) < 2 {
                    std::thread::yield_now();
                }
                say("the second came");
            });
            pending::<()>().await;
        });
        unreachable!("the grace is an hour");
    });
    if let Some(mut talker) = talker {
        talker.hears("ready");
        talker.type_ctrl_c();
        talker.hears("^C");
        talker.type_ctrl_c();
        assert_eq!(talker.ends().signal(), Some(Signal::INT.number()));
    }
}

fn p56_main_and_tasks_end_in_the_grace(on: On) {
    let talker = Talker::start(on, || {
        let value = runtime(on, LONG).block_on(async {
            let token = shutdown_token();
            let also = token.clone();
            drop(spawn(async move {
                also.cancelled().await;
                for _ in 0..100 {
                    mainspring::yield_to_io().await;
                }
                say("the task has ended");
            }));
            // What keeps no loop alive is not waited for.
            let forever = TaskBuilder::new().background(true);
            drop(forever.spawn(pending::<()>()));
            say("ready");
            token.cancelled().await;
            say("main has ended");
            5
        });
        assert_eq!(value.unwrap(), 5, "a main that ends in time has its value");
        std::process::exit(7);
    });
    if let Some(mut talker) = talker {
        talker.hears("ready");
        talker.type_ctrl_c();
        talker.hears("main has ended");
        talker.hears("the task has ended");
        assert_eq!(talker.ends().code(), Some(7));
    }
}

fn p56_a_grace_that_is_over_ends_main(on: On) {
    on.alone(|| {
        let (grace, told) = (Duration::from_millis(5), Cell::new(false));
        let start = mainspring_sys::Clock::default();
        let begun = Cell::new(start.now());
        let error = runtime(on, grace)
            .block_on(async {
                raw::raise(Signal::INT);
                shutdown_token().cancelled().await;
                told.set(true);
                begun.set(start.now());
                pending::<()>().await;
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(told.get());
        assert!(start.now() - begun.get() >= Duration::from_millis(4));
    });
}

fn p56_runs_without_a_main_end_too(on: On) {
    on.alone(|| {
        let runtime = runtime(on, LONG);
        drop(runtime.spawn(async {
            raw::raise(Signal::INT);
            shutdown_token().cancelled().await;
        }));
        let error = runtime.run_forever().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        drop(runtime.spawn(async {
            raw::raise(Signal::INT);
            shutdown_token().cancelled().await;
        }));
        assert!(runtime.run_until_idle().is_ok(), "it came to its own end");
        let runtime = self::runtime(on, Duration::ZERO);
        for _ in 0..2 {
            let stuck = runtime.spawn(async {
                raw::raise(Signal::INT);
                pending::<()>().await;
            });
            let error = runtime.run_until_idle().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            stuck.abort();
        }
        drop(runtime.spawn(async { task::stop() }));
        assert!(runtime.run_forever().is_ok());
    });
}

fn p56_each_run_begins_anew(on: On) {
    on.alone(|| {
        let runtime = runtime(on, Duration::ZERO);
        let before = raw::disposition(Signal::INT);
        for _ in 0..3 {
            let error = runtime
                .block_on(async {
                    assert!(!shutdown_token().is_cancelled());
                    raw::raise(Signal::INT);
                    pending::<()>().await;
                })
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted);
            assert_eq!(raw::disposition(Signal::INT), before);
            assert_eq!(runtime.block_on(async { 5 }).unwrap(), 5);
        }
        assert_eq!(runtime.tasks().len(), 0, "the listener went with the run");
    });
}

fn a_ctrl_c_as_the_run_ends_is_not_lost(on: On) {
    let talker = Talker::start(on, || {
        let done = runtime(on, LONG).block_on(async {
            yield_now().await;
            raw::raise(Signal::INT);
        });
        unreachable!("{done:?}: the signal does what it does by default");
    });
    if let Some(talker) = talker {
        assert_eq!(talker.ends().signal(), Some(Signal::INT.number()));
    }
}

fn an_ignored_ctrl_c_stays_ignored(on: On) {
    on.alone(|| {
        raw::ignore(Signal::INT);
        HAS_IGNORED.set(true);
        let ignored = raw::disposition(Signal::INT);
        let value = runtime(on, Duration::ZERO).block_on(async {
            raw::kill_self(Signal::INT);
            raw::kill_self(Signal::INT);
            assert_eq!(raw::disposition(Signal::INT), ignored);
            // Also while somebody listens, whose handler it is then.
            let mut listener = signal::signal(Signal::INT).unwrap();
            let inner = std::thread::spawn(move || {
                HAS_IGNORED.set(true);
                runtime(on, Duration::ZERO).block_on(async {
                    raw::raise(Signal::INT);
                    raw::raise(Signal::INT);
                    5
                })
            });
            listener.recv().await.unwrap();
            inner.join().unwrap().unwrap()
        });
        assert_eq!(value.unwrap(), 5);
    });
}

fn other_listeners_hear_the_first(on: On) {
    on.alone(|| {
        let heard = Rc::new(Cell::new(0));
        let also = Rc::clone(&heard);
        let runtime = runtime(on, LONG);
        runtime
            .block_on(async move {
                let mut listener = signal::signal(Signal::INT).unwrap();
                raw::raise(Signal::INT);
                also.set(listener.recv().await.unwrap().count);
                assert_eq!(shutdown_token().cancelled().await.as_str(), "^C");
            })
            .unwrap();
        assert_eq!(heard.get(), 1);
    });
}

fn a_fault_at_the_beginning_leaves_nothing_behind(on: On) {
    on.alone(|| {
        let runtime = runtime(on, Duration::ZERO);
        runtime.block_on(async {}).unwrap();
        let (before, disposition) = (open_fds(), raw::disposition(Signal::INT));
        for nth in 1..=2 {
            let fault = Fault::Errno(rustix::io::Errno::MFILE.raw_os_error());
            let guard = Plan::new().at(Call::Signal, nth, fault).install();
            let main = async { unreachable!("it is not begun") };
            let failed: std::io::Result<()> = runtime.block_on(main);
            assert!(failed.is_err(), "{nth}");
            drop(guard);
            assert_eq!(raw::disposition(Signal::INT), disposition);
        }
        assert_eq!(runtime.block_on(async { 5 }).unwrap(), 5);
        assert_eq!(open_fds(), before);
    });
}

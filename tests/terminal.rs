//! Terminals, at the level of their users, on both backends.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read as _};
use std::os::unix::process::ExitStatusExt as _;

use mainspring::io::AsyncReadExt;
use mainspring::process::{Child, Command, ExitStatus, Stdio};
use mainspring::signal::{self, Signal};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::stream::StreamExt;
use mainspring::terminal::{self, Master, Size, Terminal};
use mainspring::{inspect, spawn, yield_now};
use rig::{On, open_fds, pattern, turns};

on_both! {
    lines_come_one_by_one_and_the_echo_comes_back,
    hz_c05_a_read_of_one_line_does_not_hide_the_next,
    hz_c05_the_last_words_of_a_terminal_come_before_its_end,
    hz_c15_whoever_waits_for_a_terminal_is_told_that_the_other_side_is_gone,
    much_passes_through_a_terminal_that_holds_less,
    the_end_of_input_is_a_character,
    several_buffers_go_with_one_call,
    a_terminal_is_opened_by_its_name,
    a_program_runs_on_a_terminal_and_has_it_for_itself,
    some_streams_of_a_program_lead_elsewhere,
    a_wait_for_a_terminal_names_its_line,
    p60_a_terminal_is_as_it_was_however_its_holder_ends,
    p60_a_signal_that_is_listened_to_leaves_the_terminal_held,
    p60_a_handler_that_was_there_before_decides_itself,
    a_terminal_is_held_once,
    each_new_size_is_told_once,
    a_program_hears_of_a_new_size,
    faults_lose_nothing_and_leak_nothing,
}

/// A pair that treats nothing.
fn raw_pair() -> (Master, Terminal) {
    let (master, terminal) = terminal::pair().unwrap();
    let raw = terminal::modes(&terminal).unwrap().to_raw();
    terminal::set_modes(&terminal, &raw).unwrap();
    (master, terminal)
}

async fn read(from: &Terminal) -> Vec<u8> {
    let mut buf = [0; 64];
    let count = from.read(&mut buf).await.unwrap();
    buf[..count].to_vec()
}

fn lines_come_one_by_one_and_the_echo_comes_back(on: On) {
    on.run(async {
        let (mut master, terminal) = terminal::pair().unwrap();
        let task = spawn(async move {
            let line = read(&terminal).await;
            terminal.write_all(b"<tick>\n").await.unwrap();
            line
        });
        master.write_all(b"tock\x7f\x7f\x7fick\n").await.unwrap();
        assert_eq!(task.await.unwrap(), b"tick\n");
        let mut all = Vec::new();
        master.read_to_end(&mut all).await.unwrap();
        let text = String::from_utf8(all).unwrap();
        assert!(text.starts_with("tock"), "{text:?}");
        assert!(text.ends_with("ick\r\n<tick>\r\n"), "{text:?}");
    });
}

fn hz_c05_a_read_of_one_line_does_not_hide_the_next(on: On) {
    on.sim(async {
        let (master, terminal) = terminal::pair().unwrap();
        let task = spawn(async move { [read(&terminal).await, read(&terminal).await] });
        turns(2).await;
        master.write_all(b"tick\ntock\n").await.unwrap();
        // Both are there in one event, and the first read is shorter than its buffer.
        let lines = task.await.unwrap();
        assert_eq!(lines, [b"tick\n".to_vec(), b"tock\n".to_vec()]);
    });
}

fn hz_c05_the_last_words_of_a_terminal_come_before_its_end(on: On) {
    on.run(async {
        let (mut master, terminal) = raw_pair();
        let task = spawn(async move {
            let mut all = Vec::new();
            master.read_to_end(&mut all).await.unwrap();
            // It stays there.
            assert_eq!(master.read(&mut [0; 4]).await.unwrap(), 0);
            all
        });
        turns(2).await;
        terminal.write_all(b"last words").await.unwrap();
        drop(terminal);
        assert_eq!(task.await.unwrap(), b"last words");
    });
}

fn hz_c15_whoever_waits_for_a_terminal_is_told_that_the_other_side_is_gone(on: On) {
    on.run(async {
        let (master, terminal) = raw_pair();
        let reader = spawn(async move { master.read(&mut [0; 4]).await });
        yield_now().await;
        assert!(!reader.is_finished());
        drop(terminal);
        assert_eq!(reader.await.unwrap().unwrap(), 0);

        let (master, terminal) = raw_pair();
        while terminal.try_write(&[7; 4096]).is_ok() {}
        let writer = spawn(async move {
            let end = terminal.write(b"x").await;
            (end, terminal.read(&mut [0; 4]).await)
        });
        yield_now().await;
        assert!(!writer.is_finished());
        drop(master);
        let (written, read) = writer.await.unwrap();
        let gone = rustix::io::Errno::IO.raw_os_error();
        assert_eq!(written.unwrap_err().raw_os_error(), Some(gone));
        assert_eq!(read.unwrap(), 0);
    });
}

fn much_passes_through_a_terminal_that_holds_less(on: On) {
    on.run(async {
        let (mut master, terminal) = raw_pair();
        let sent = pattern(1 << 18);
        let copy = sent.clone();
        let task = spawn(async move { terminal.write_all(&copy).await.unwrap() });
        let mut got = Vec::new();
        master.read_to_end(&mut got).await.unwrap();
        task.await.unwrap();
        assert!(got == sent, "{} of {}", got.len(), sent.len());
        // And the other way.
        let (master, mut terminal) = raw_pair();
        let copy = sent.clone();
        let task = spawn(async move {
            master.write_all(&copy).await.unwrap();
            master
        });
        let mut got = vec![0; sent.len()];
        terminal.read_exact(&mut got).await.unwrap();
        assert!(got == sent);
        drop(task.await.unwrap());
    });
}

fn the_end_of_input_is_a_character(on: On) {
    on.run(async {
        let (master, terminal) = terminal::pair().unwrap();
        let end = terminal::modes(&master).unwrap().end_of_input();
        master.write_all(&[b'a', end, end]).await.unwrap();
        assert_eq!(read(&terminal).await, b"a", "a line that is not whole");
        assert_eq!(read(&terminal).await, b"", "the end");
        master.write_all(b"b\n").await.unwrap();
        assert_eq!(read(&terminal).await, b"b\n", "and more after it");
    });
}

fn several_buffers_go_with_one_call(on: On) {
    on.run(async {
        let (master, terminal) = raw_pair();
        let parts = [&b"tick"[..], b"-tock"].map(IoSlice::new);
        assert_eq!(terminal.write_vectored(&parts).await.unwrap(), 9);
        let (mut head, mut tail) = ([0; 5], [0; 16]);
        let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
        assert_eq!(master.read_vectored(&mut bufs).await.unwrap(), 9);
        assert_eq!((&head, &tail[..4]), (b"tick-", &b"tock"[..]));
        let empty = master.try_read(&mut tail).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        drop(terminal);
        let mut bufs = [&mut head[..], &mut tail].map(IoSliceMut::new);
        assert_eq!(master.read_vectored(&mut bufs).await.unwrap(), 0);
    });
}

fn a_terminal_is_opened_by_its_name(on: On) {
    on.run(async {
        let (master, terminal) = raw_pair();
        let again = Terminal::open(master.slave_name().unwrap()).unwrap();
        drop(terminal);
        again.write_all(b"tick").await.unwrap();
        assert_eq!(master.read(&mut [0; 8]).await.unwrap(), 4);
        let null = Terminal::open("/dev/null").unwrap_err();
        assert_eq!(null.kind(), ErrorKind::InvalidInput);
        assert!(!terminal::is_terminal(
            &std::fs::File::open("/dev/null").unwrap()
        ));
        let fd = again.into_blocking_fd().unwrap();
        assert!(
            !rustix::fs::fcntl_getfl(&fd)
                .unwrap()
                .contains(rustix::fs::OFlags::NONBLOCK)
        );
    });
}

fn a_program_runs_on_a_terminal_and_has_it_for_itself(on: On) {
    on.run(async {
        let (mut master, terminal) = terminal::pair().unwrap();
        terminal::set_size(&master, Size::new(5, 77)).unwrap();
        let script =
            "test -t 0 -a -t 1 -a -t 2 && stty size && read line </dev/tty && echo \"<$line>\"";
        let command = Command::shell(script).on_terminal(master.open_slave().unwrap());
        let child = command.spawn().unwrap();
        drop(terminal);
        master.write_all(b"tick\n").await.unwrap();
        let mut said = String::new();
        master.read_to_string(&mut said).await.unwrap();
        assert!(child.wait().await.unwrap().success(), "{said}");
        assert!(said.contains("5 77\r\n"), "{said:?}");
        assert!(said.ends_with("<tick>\r\n"), "{said:?}");
    });
}

fn some_streams_of_a_program_lead_elsewhere(on: On) {
    on.run(async {
        let (mut master, terminal) = terminal::pair().unwrap();
        let mut child = Command::shell("echo out; echo err >&2")
            .on_terminal(master.open_slave().unwrap())
            .stdout(Stdio::Piped)
            .spawn()
            .unwrap();
        drop(terminal);
        let output = child.communicate(Vec::new()).await.unwrap();
        assert_eq!(output.stdout, b"out\n");
        let mut said = String::new();
        master.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "err\r\n");
    });
}

fn a_wait_for_a_terminal_names_its_line(on: On) {
    on.run(async {
        let (_master, terminal) = terminal::pair().unwrap();
        let line = line!() + 1;
        let task = spawn(async move { terminal.read(&mut [0; 4]).await.map(drop) });
        yield_now().await;
        let text = format!("{:#}", inspect::snapshot());
        assert!(
            text.contains(&format!("tests/terminal.rs:{line}")),
            "{text}"
        );
        task.abort();
    });
}

fn faults_lose_nothing_and_leak_nothing(on: On) {
    on.alone(|| faults_lose_nothing_and_leak_nothing_alone(on));
}

fn faults_lose_nothing_and_leak_nothing_alone(on: On) {
    let runtime = on.runtime();
    let before = open_fds();
    let errno = |errno: rustix::io::Errno| Fault::Errno(errno.raw_os_error());
    for call in [Call::OpenFile, Call::Terminal] {
        for nth in 1.. {
            let guard = Plan::new()
                .at(call, nth, errno(rustix::io::Errno::MFILE))
                .install();
            let made = terminal::pair();
            drop(guard);
            match made {
                Err(error) => assert_eq!(
                    error.raw_os_error(),
                    Some(rustix::io::Errno::MFILE.raw_os_error())
                ),
                Ok(_) => {
                    assert!(nth > 2, "the plan was never asked");
                    break;
                }
            }
            assert_eq!(open_fds(), before, "after {call:?} {nth}");
        }
    }
    runtime
        .block_on(async {
            for nth in 1..6 {
                let plan = Plan::new()
                    .at(Call::Terminal, nth, errno(rustix::io::Errno::INTR))
                    .at(Call::Write, nth, errno(rustix::io::Errno::INTR))
                    .at(Call::Write, nth + 1, Fault::Short(1))
                    .at(Call::Read, nth, errno(rustix::io::Errno::INTR))
                    .at(Call::Read, nth + 1, Fault::Short(3));
                let guard = plan.install();
                let (mut master, terminal) = raw_pair();
                let sent = pattern(50_000);
                let copy = sent.clone();
                let task = spawn(async move { terminal.write_all(&copy).await.unwrap() });
                let mut got = Vec::new();
                master.read_to_end(&mut got).await.unwrap();
                task.await.unwrap();
                drop(guard);
                assert!(got == sent, "with faults from the {nth}th call on");
            }
        })
        .unwrap();
    drop(runtime);
}

/// How the program of a test on a terminal ends.
const END: &str = "MAINSPRING_TEST_END";

/// What the program does that the tests below start on a terminal of its own. Elsewhere it does nothing.
#[test]
fn as_a_program_that_holds_its_terminal() {
    let Some(end) = std::env::var_os(END) else {
        return;
    };
    let end = end.to_str().unwrap();
    let wait = || drop(std::io::stdin().read(&mut [0; 1]));
    let hold = || terminal::raw(&std::io::stdin()).unwrap();
    let say = |what: &str| print_now(what);
    match end {
        "drop" => drop(hold()),
        "panic" => {
            let _hold = hold();
            panic!("as told");
        }
        "exit" => {
            // Neither of these drops it; and it is in nobody's way who looks for leaks.
            let _hold = hold();
            std::process::exit(3);
        }
        "abort" => {
            let _hold = hold();
            std::process::abort();
        }
        "wait" => {
            let _hold = hold();
            say("held");
            wait();
        }
        "listen first" | "listen later" => mainspring::run(async {
            let early = (end == "listen first").then(|| signal::signal(Signal::TERM).unwrap());
            let _hold = hold();
            let late = early
                .is_none()
                .then(|| signal::signal(Signal::TERM).unwrap());
            say("held");
            let mut listener = early.or(late).unwrap();
            listener.recv().await.unwrap();
            // With the last listener its protection goes, and not the guard's. The next signal comes after the word.
            drop(listener);
            say("heard");
            wait();
        })
        .unwrap(),
        other => panic!("how is {other}?"),
    }
}

fn print_now(what: &str) {
    // Past the harness, which keeps what is printed for itself.
    rustix::io::write(std::io::stdout(), what.as_bytes()).unwrap();
}

/// A program that holds its terminal, the terminal, and what it has said.
struct Holder {
    child: Child,
    master: Master,
    terminal: Terminal,
    said: String,
}

impl Holder {
    fn start(end: &str) -> Holder {
        let (master, terminal) = terminal::pair().unwrap();
        let program = std::env::current_exe().unwrap();
        let child = Command::new(program)
            .args([
                "as_a_program_that_holds_its_terminal",
                "--exact",
                "--nocapture",
            ])
            .env(END, end)
            .on_terminal(master.open_slave().unwrap())
            .spawn()
            .unwrap();
        let said = String::new();
        Holder {
            child,
            master,
            terminal,
            said,
        }
    }

    /// Waits until it has said so.
    async fn hear(&mut self, what: &str) {
        let mut buf = [0; 256];
        while !self.said.contains(what) {
            let count = self.master.read(&mut buf).await.unwrap();
            assert!(count > 0, "{}", self.said);
            self.said.push_str(&String::from_utf8_lossy(&buf[..count]));
        }
    }

    fn is_raw(&self) -> bool {
        let modes = terminal::modes(&self.terminal).unwrap();
        assert_eq!(modes.is_canonical(), modes.echoes());
        !modes.is_canonical()
    }

    async fn end(self) -> (ExitStatus, bool) {
        let status = self.child.wait().await.unwrap();
        (status, self.is_raw())
    }
}

fn p60_a_terminal_is_as_it_was_however_its_holder_ends(on: On) {
    on.run(async {
        let (status, is_raw) = Holder::start("drop").end().await;
        assert!(status.success() && !is_raw);
        let (status, is_raw) = Holder::start("panic").end().await;
        assert!(status.code() == Some(101) && !is_raw, "{status}");
        let (status, is_raw) = Holder::start("exit").end().await;
        assert!(status.code() == Some(3) && !is_raw, "{status}");
        let (status, is_raw) = Holder::start("abort").end().await;
        assert!(
            status.signal().map(Signal::from_number) == Some(Signal::ABRT) && !is_raw,
            "{status}"
        );
        for signal in [
            Signal::TERM,
            Signal::INT,
            Signal::HUP,
            Signal::QUIT,
            Signal::USR1,
            Signal::ALRM,
        ] {
            let mut holder = Holder::start("wait");
            holder.hear("held").await;
            assert!(holder.is_raw());
            holder.child.signal(signal).unwrap();
            let (status, is_raw) = holder.end().await;
            assert_eq!(
                status.signal().map(Signal::from_number),
                Some(signal),
                "it ends as it would have: {status}"
            );
            assert!(!is_raw, "{signal}");
        }
        // What nobody can catch leaves it as it is: the test can tell.
        let mut holder = Holder::start("wait");
        holder.hear("held").await;
        holder.child.signal(Signal::KILL).unwrap();
        assert!(holder.end().await.1);
    });
}

fn p60_a_signal_that_is_listened_to_leaves_the_terminal_held(on: On) {
    on.run(async {
        for end in ["listen first", "listen later"] {
            let mut holder = Holder::start(end);
            holder.hear("held").await;
            holder.child.signal(Signal::TERM).unwrap();
            holder.hear("heard").await;
            assert!(holder.is_raw(), "{end}");
            // Another ends it; and so does the same, since nobody listens any more.
            holder.child.signal(Signal::TERM).unwrap();
            let (status, is_raw) = holder.end().await;
            assert_eq!(
                status.signal().map(Signal::from_number),
                Some(Signal::TERM),
                "{end}: {status}"
            );
            assert!(!is_raw, "{end}");
        }
    });
}

fn p60_a_handler_that_was_there_before_decides_itself(on: On) {
    on.alone(|| {
        use rustix::process::{getpid, kill_process};
        let before = mainspring_sys::signal::is_ignored(Signal::PIPE);
        assert!(before, "std sees to that");
        let (_master, terminal) = terminal::pair().unwrap();
        let hold = terminal::raw(&terminal).unwrap();
        kill_process(getpid(), rustix::process::Signal::PIPE).unwrap();
        assert!(!terminal::modes(&terminal).unwrap().is_canonical());
        drop(hold);
        assert!(mainspring_sys::signal::is_ignored(Signal::PIPE));
        assert!(terminal::modes(&terminal).unwrap().is_canonical());
    });
}

fn a_terminal_is_held_once(on: On) {
    on.alone(|| {
        let before = open_fds();
        let pairs: Vec<_> = (0..9).map(|_| terminal::pair().unwrap()).collect();
        let first = terminal::raw(&pairs[0].1).unwrap();
        assert!(first.before().is_canonical());
        // Also by another descriptor.
        let again = Terminal::open(pairs[0].0.slave_name().unwrap()).unwrap();
        let error = terminal::raw(&again).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        let mut others: Vec<_> = pairs[1..8]
            .iter()
            .map(|(_, side)| terminal::raw(side).unwrap())
            .collect();
        let error = terminal::raw(&pairs[8].1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        others.pop().unwrap().release().unwrap();
        drop(terminal::raw(&pairs[8].1).unwrap());
        drop((first, others, again));
        for (_, side) in &pairs {
            assert!(terminal::modes(side).unwrap().is_canonical());
        }
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert!(terminal::raw(&reader).is_err());
        // Whatever fails on the way leaves nothing behind.
        for call in [Call::OpenFile, Call::Terminal, Call::Signal] {
            for nth in 1..4 {
                let fault = Fault::Errno(rustix::io::Errno::MFILE.raw_os_error());
                let guard = Plan::new().at(call, nth, fault).install();
                let held = terminal::raw(&pairs[0].1).map(drop);
                drop(guard);
                assert!(
                    terminal::modes(&pairs[0].1).unwrap().is_canonical(),
                    "{call:?} {nth}"
                );
                assert!(nth > 1 || held.is_err(), "{call:?}");
            }
        }
        drop(terminal::raw(&pairs[0].1).unwrap());
        drop(pairs);
        drop((reader, _writer));
        assert_eq!(open_fds(), before);
    });
}

fn each_new_size_is_told_once(on: On) {
    on.alone(|| {
        on.run(async {
            let (master, terminal) = terminal::pair().unwrap();
            let mut sizes = terminal::sizes(terminal).unwrap();
            let winch = || mainspring_sys::signal::raise(Signal::WINCH).unwrap();
            assert_eq!(sizes.seen(), Size::default());
            for rows in [24, 25] {
                terminal::set_size(&master, Size::new(rows, 80)).unwrap();
                winch();
                assert_eq!(sizes.changed().await.unwrap(), Size::new(rows, 80));
            }
            // The same again is no news; and two changes at once are one.
            winch();
            terminal::set_size(&master, Size::new(1, 1)).unwrap();
            winch();
            terminal::set_size(&master, Size::new(2, 2)).unwrap();
            winch();
            assert_eq!(sizes.next().await.unwrap().unwrap(), Size::new(2, 2));
            let task = spawn(async move { sizes.changed().await });
            winch();
            turns(3).await;
            assert!(!task.is_finished());
            let (reader, _writer) = rustix::pipe::pipe().unwrap();
            assert!(terminal::sizes(&reader).is_err());
        });
    });
}

fn a_program_hears_of_a_new_size(on: On) {
    on.run(async {
        let (mut master, terminal) = terminal::pair().unwrap();
        let script = "trap 'stty size; exit' WINCH; echo ready; while :; do read line; done";
        let child = Command::shell(script).on_terminal(master.open_slave().unwrap());
        let child = child.spawn().unwrap();
        drop(terminal);
        let mut said = String::new();
        let mut buf = [0; 64];
        while !said.contains("ready") {
            let count = master.read(&mut buf).await.unwrap();
            said.push_str(std::str::from_utf8(&buf[..count]).unwrap());
        }
        terminal::set_size(&master, Size::new(7, 70)).unwrap();
        // The trap runs when the read is over.
        master.write_all(b"\n").await.unwrap();
        master.read_to_string(&mut said).await.unwrap();
        child.wait().await.unwrap();
        assert!(said.contains("7 70\r\n"), "{said:?}");
    });
}

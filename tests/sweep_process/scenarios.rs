//! The programs that are swept: what pipes, children and signals are used for, each as small as it can be.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::path::PathBuf;
use std::time::Duration;

use mainspring::pipe::{FifoOptions, PipeReader, PipeWriter, make_fifo, pipe};
use mainspring::process::{Command, ExitStatus, Pipeline, Signal, Stdio};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::time::sleep;
use mainspring::{Runtime, signal, try_join};

use crate::drive::{Case, Scenario, usual};
use crate::ledger::{FlowId, Ledger};
use crate::rig::{On, pattern};

on_both! {
    p65_a_pipe_outlasts_every_fault,
    p65_a_fifo_outlasts_every_fault,
    p65_a_talk_with_a_child_outlasts_every_fault,
    p65_a_child_without_a_descriptor_outlasts_every_fault,
    p65_a_child_that_is_stopped_outlasts_every_fault,
    p65_a_child_that_is_dropped_outlasts_every_fault,
    p65_a_pipeline_outlasts_every_fault,
    p65_listeners_of_a_signal_outlast_every_fault,
}

/// Reads until the end, by one slice and by several in turn.
async fn read_all(reader: &PipeReader, ledger: &Ledger, flow: FlowId) -> io::Result<()> {
    let (mut one, mut other) = ([0; 50], [0; 30]);
    loop {
        let count = reader.read(&mut one).await?;
        ledger.got(flow, &one[..count]);
        if count == 0 {
            return Ok(());
        }
        let slices = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        let count = reader.read_vectored(slices).await?;
        let first = count.min(one.len());
        ledger.got(flow, &one[..first]);
        ledger.got(flow, &other[..count - first]);
        if count == 0 {
            return Ok(());
        }
    }
}

/// Writes all of it, by one slice and by several.
async fn write_all(writer: &PipeWriter, data: &[u8]) -> io::Result<()> {
    let (front, mut rest) = data.split_at(data.len() / 2);
    writer.write_all(front).await?;
    while !rest.is_empty() {
        let (one, two) = rest.split_at(rest.len() / 2);
        let slices = [IoSlice::new(one), IoSlice::new(two)];
        let count = writer.write_vectored(&slices).await?;
        rest = &rest[count..];
    }
    Ok(())
}

/// Both ends of it, each in its turn: the reader waits first.
async fn flow_through(
    (reader, writer): (PipeReader, PipeWriter),
    ledger: &Ledger,
) -> io::Result<()> {
    let data = pattern(200);
    let flow = ledger.flow("through the pipe", &data);
    let reading = read_all(&reader, ledger, flow);
    let writing = async {
        mainspring::yield_to_io().await;
        write_all(&writer, &data).await?;
        drop(writer);
        Ok(())
    };
    try_join!(reading, writing).map(drop)
}

async fn one_pipe(ledger: &Ledger) -> io::Result<()> {
    let (reader, writer) = pipe()?;
    // Out of the loop and back into it, as if it came from elsewhere.
    let reader = PipeReader::from_fd(reader.into_blocking_fd()?)?;
    flow_through((reader, writer), ledger).await
}

fn p65_a_pipe_outlasts_every_fault(on: On) {
    usual("pipe", one_pipe).sweep(on);
}

/// A name that goes away.
struct Name(PathBuf);

impl Drop for Name {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn fifo(ledger: &Ledger) -> io::Result<()> {
    let name = format!("mainspring-sweep-{}", std::process::id());
    let name = Name(std::env::temp_dir().join(name));
    make_fifo(&name.0, 0o600)?;
    let reader = FifoOptions::new().open_reader(&name.0)?;
    let writer = FifoOptions::new().open_writer(&name.0)?;
    flow_through((reader, writer), ledger).await
}

fn p65_a_fifo_outlasts_every_fault(on: On) {
    usual("fifo", fifo).sweep(on);
}

/// How many children there are, zombies among them.
fn children() -> usize {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return 0;
    };
    let lists =
        threads.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("children")).ok());
    lists.map(|list| list.split_whitespace().count()).sum()
}

/// A program with children: after each run none is left, but of whom the plan said that somebody else had waited for it.
fn with_children<S>(name: &'static str, program: S) -> Scenario<S> {
    let mut scenario = usual(name, program);
    scenario.has_threads = true;
    scenario.warm_up = keep_a_bell;
    scenario.settle = no_child_stays;
    // What has taken the wait says so by its own words.
    scenario.consequences = &[ErrorKind::NotFound];
    scenario
}

/// The pipe by which a handler rings a loop is there for ever, once there was a listener.
fn keep_a_bell(runtime: &Runtime) {
    let listen = async { drop(signal::signal(Signal::USR1).unwrap()) };
    runtime.block_on(listen).unwrap();
}

fn no_child_stays(runtime: &Runtime, case: Case) {
    let is_thief = case.call == Call::WaitChild && case.fault == Fault::Errno(libc::ECHILD);
    let wait = async {
        // Whom nobody could wait for, the next start takes.
        assert!(Command::new("true").status().await.unwrap().success());
        let mut looks = 0;
        while children() > 0 {
            if is_thief {
                let flags = rustix::process::WaitOptions::NOHANG;
                let _ = rustix::process::wait(flags);
            }
            looks += 1;
            assert!(
                looks < 2000,
                "{case}: {} children are left: {:#}",
                children(),
                mainspring::inspect::snapshot()
            );
            sleep(Duration::from_millis(1)).await;
        }
    };
    runtime.block_on(wait).unwrap();
}

fn succeeded(status: ExitStatus) -> io::Result<()> {
    assert!(status.success(), "{status}");
    Ok(())
}

async fn talk(ledger: &Ledger) -> io::Result<()> {
    let data = pattern(200);
    let flow = ledger.flow("through the child", &data);
    let mut child = Command::new("cat")
        .stdin(Stdio::Piped)
        .stdout(Stdio::Piped)
        .stderr(Stdio::Null)
        .spawn()?;
    let talked = child.communicate(data.clone()).await;
    // What was read before an error is not lost by it.
    ledger.got(flow, child.captured().0);
    let output = talked?;
    ledger.got(flow, &output.stdout);
    succeeded(output.status)
}

fn p65_a_talk_with_a_child_outlasts_every_fault(on: On) {
    let mut scenario = with_children("talk", talk);
    // To a child that does not read to its end, it is none of our business.
    scenario.not_swept = &[(Call::Write, libc::EPIPE)];
    scenario.sweep(on);
}

/// A plan makes a removal from the selector fail as well, which the kernel never does; the pipe of a bell is kept, and so
/// would stay there.
const KEPT: &[(Call, i32)] = &[
    (Call::Control, libc::ENOMEM),
    (Call::Control, libc::ENOSPC),
    (Call::Control, libc::EPERM),
];

fn no_pidfd(plan: Plan) -> Plan {
    plan.from(Call::PidfdOpen, 1, u64::MAX, Fault::Errno(libc::ENOSYS))
}

async fn waited_for(ledger: &Ledger) -> io::Result<()> {
    let flow = ledger.flow("its end", b"7");
    let child = Command::shell("exit 7").spawn()?;
    let code = child.wait().await?.code();
    assert_eq!(code, child.try_wait()?.and_then(|status| status.code()));
    ledger.got(flow, if code == Some(7) { b"7" } else { b"?" });
    Ok(())
}

fn p65_a_child_without_a_descriptor_outlasts_every_fault(on: On) {
    let mut scenario = with_children("without a descriptor", waited_for);
    scenario.base = no_pidfd;
    scenario.not_swept = KEPT;
    scenario.runs_min = 10;
    scenario.sweep(on);
}

async fn stopped(ledger: &Ledger) -> io::Result<()> {
    let flow = ledger.flow("its end", b"15");
    let mut child = Command::new("cat")
        .stdin(Stdio::Piped)
        .stdout(Stdio::Null)
        .spawn()?;
    // With its input it ends, should no signal reach it.
    let stdin = child.stdin.take();
    let stopped = child.stop(Duration::from_secs(3)).await;
    drop(stdin);
    use std::os::unix::process::ExitStatusExt;
    let signal = stopped?.signal().unwrap_or(0);
    ledger.got(flow, signal.to_string().as_bytes());
    Ok(())
}

fn p65_a_child_that_is_stopped_outlasts_every_fault(on: On) {
    let mut scenario = with_children("stopped", stopped);
    scenario.runs_min = 20;
    scenario.sweep(on);
}

async fn dropped(ledger: &Ledger) -> io::Result<()> {
    let flow = ledger.flow("its beginning", b"!");
    let mut child = Command::shell("echo !; exec cat")
        .stdin(Stdio::Piped)
        .stdout(Stdio::Piped)
        .kill_on_drop(true)
        .spawn()?;
    let stdin = child.stdin.take();
    let said = match &child.stdout {
        Some(stdout) => {
            let mut buf = [0; 1];
            let count = stdout.read(&mut buf).await?;
            buf[..count].to_vec()
        }
        None => Vec::new(),
    };
    ledger.got(flow, &said);
    drop(child);
    drop(stdin);
    // Its end is waited for in the background; while that fails, nobody is told, and the next start takes it up.
    for _ in 0..2000 {
        if mainspring::task::all().len() <= 1 {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

fn p65_a_child_that_is_dropped_outlasts_every_fault(on: On) {
    let mut scenario = with_children("dropped", dropped);
    scenario.made_up_for = &[Call::Kill, Call::WaitChild, Call::Signal];
    scenario.sweep(on);
}

async fn pipeline(ledger: &Ledger) -> io::Result<()> {
    let flow = ledger.flow("through the programs", b"tick\n");
    let two = Pipeline::new(Command::shell("echo tick")).pipe(Command::new("cat"));
    let output = two.output().await?;
    ledger.got(flow, &output.stdout);
    assert!(output.success());
    Ok(())
}

fn p65_a_pipeline_outlasts_every_fault(on: On) {
    with_children("pipeline", pipeline).sweep(on);
}

async fn listeners(ledger: &Ledger) -> io::Result<()> {
    let flow = ledger.flow("heard", b"12");
    let mut one = signal::signal(Signal::USR1)?;
    let mut other = signal::signal(Signal::USR1)?;
    let mut third = signal::signal(Signal::USR2)?;
    let sound = async {
        // They wait by now.
        mainspring::yield_to_io().await;
        raise(libc::SIGUSR1);
        Ok(())
    };
    try_join!(one.recv(), other.recv(), sound)?;
    ledger.got(flow, b"1");
    drop((one, other));
    raise(libc::SIGUSR2);
    third.recv().await?;
    ledger.got(flow, b"2");
    Ok(())
}

#[allow(unsafe_code, reason = "raise")]
fn raise(number: i32) {
    // SAFETY: it touches no memory, and somebody listens.
    assert_eq!(unsafe { libc::raise(number) }, 0);
}

#[allow(unsafe_code, reason = "sigaction")]
fn no_handler_stays(_runtime: &Runtime, case: Case) {
    for number in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGCHLD] {
        // SAFETY: a null action only asks; the other is filled by the call.
        let action = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            assert_eq!(libc::sigaction(number, std::ptr::null(), &mut action), 0);
            action.sa_sigaction
        };
        assert_eq!(action, libc::SIG_DFL, "{case}: a handler of {number} stays");
    }
}

fn p65_listeners_of_a_signal_outlast_every_fault(on: On) {
    let mut scenario = usual("listeners", listeners);
    scenario.warm_up = keep_a_bell;
    scenario.settle = no_handler_stays;
    scenario.not_swept = KEPT;
    scenario.runs_min = 10;
    scenario.sweep(on);
}

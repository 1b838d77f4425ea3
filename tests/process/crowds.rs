//! Many children, and a hostile world: few of them as a rule, ten thousand and a thousand at once under `make soak`.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use mainspring::process::{Child, Command, Stdio};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::join_all;

use crate::rig::{On, open_fds, soak};
use crate::starts::children;

on_both! {
    hz_e09_no_child_of_thousands_has_a_descriptor_of_threads_that_open_files,
    hz_e01_a_thousand_children_at_once_are_all_told_of,
    hz_e04_a_thief_for_life_makes_errors_and_no_hang,
    hz_e04_while_sigchld_is_ignored_every_wait_ends,
}

/// Threads that do something until they are told to end.
struct Busy {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn start(count: usize, work: fn()) -> Busy {
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = |_| {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    work();
                }
            })
        };
        let threads = (0..count).map(thread).collect();
        Busy { is_over, threads }
    }

    fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

/// A file, and a copy without close-on-exec, as careless libraries make it.
fn open_carelessly() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let copy = rustix::io::dup(&file).unwrap();
    std::thread::yield_now();
    drop((file, copy));
}

fn hz_e09_no_child_of_thousands_has_a_descriptor_of_threads_that_open_files(on: On) {
    if !cfg!(target_os = "linux") {
        return;
    }
    on.alone(|| {
        let runtime = on.runtime();
        let run = async {
            for _ in 0..soak(100, 10_000) {
                // The shell opens the folder itself, as 3.
                let output = Command::shell("cd /proc/self/fd && echo *").output();
                let output = output.await.unwrap();
                assert_eq!(String::from_utf8_lossy(&output.stdout), "0 1 2 3\n");
            }
        };
        runtime.block_on(async {}).unwrap();
        let before = open_fds();
        let busy = Busy::start(2, open_carelessly);
        runtime.block_on(run).unwrap();
        busy.end();
        assert_eq!(open_fds().len(), before.len());
        assert_eq!(children(), 0);
    });
}

/// As many descriptors as this process may have.
fn raise_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = maximum.unwrap_or(65_536).min(65_536);
    let limit = Rlimit {
        current: Some(most),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    usize::try_from(most).unwrap()
}

fn hz_e01_a_thousand_children_at_once_are_all_told_of(on: On) {
    on.alone(|| {
        // Each has a pipe here, and a descriptor that tells of its end.
        let count = soak(60, 1000).min(raise_limit() / 3);
        let runtime = on.runtime();
        for has_descriptors in [true, false] {
            let run = async {
                let fault = Fault::Errno(libc::ENOSYS);
                let times = if has_descriptors { 0 } else { u64::MAX };
                let guard = Plan::new().from(Call::PidfdOpen, 1, times, fault).install();
                let start = |_| Command::new("cat").stdin(Stdio::Piped).spawn().unwrap();
                let mut all: Vec<Child> = (0..count).map(start).collect();
                drop(guard);
                assert!(children() >= count || !cfg!(target_os = "linux"));
                // All of them end here.
                all.iter_mut().for_each(|child| child.stdin = None);
                let statuses = join_all(all.iter().map(Child::wait)).await;
                assert!(statuses.iter().all(|it| it.as_ref().unwrap().success()));
            };
            runtime.block_on(run).unwrap();
            assert_eq!(children(), 0);
        }
    });
}

/// Waits for whoever has ended, whosever child it is.
fn steal() {
    let flags = rustix::process::WaitOptions::NOHANG;
    // Nobody, as a rule.
    let _ = rustix::process::wait(flags);
    std::thread::yield_now();
}

/// Starts children one by one and three at a time: each wait gives an end, or says that it was taken away.
async fn waits_end() -> usize {
    let mut stolen = 0;
    let count = soak(40, 3000);
    for round in 0..count / 4 {
        let many = if round % 2 == 0 { 3 } else { 5 };
        let start = |_| Command::new("true").spawn().unwrap();
        let all: Vec<Child> = (0..many).map(start).collect();
        for result in join_all(all.iter().map(Child::wait)).await {
            match result {
                Ok(status) => assert!(status.success()),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                    stolen += 1;
                }
            }
        }
    }
    stolen
}

fn hz_e04_a_thief_for_life_makes_errors_and_no_hang(on: On) {
    on.alone(|| {
        let busy = Busy::start(1, steal);
        let runtime = on.runtime();
        for times in [0, u64::MAX] {
            let fault = Fault::Errno(libc::ENOSYS);
            let guard = Plan::new().from(Call::PidfdOpen, 1, times, fault).install();
            let stolen = runtime.block_on(waits_end()).unwrap();
            drop(guard);
            println!("stolen: {stolen}");
        }
        busy.end();
        assert_eq!(children(), 0);
    });
}

#[allow(unsafe_code, reason = "sigaction")]
fn ignore_sigchld() {
    // SAFETY: a whole action, of a process in which nobody else waits for children.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_IGN;
        assert_eq!(
            libc::sigaction(libc::SIGCHLD, &action, std::ptr::null_mut()),
            0
        );
    }
}

fn hz_e04_while_sigchld_is_ignored_every_wait_ends(on: On) {
    on.alone(|| {
        ignore_sigchld();
        let runtime = on.runtime();
        // The system waits for them by itself.
        let lost = runtime.block_on(waits_end()).unwrap();
        assert!(lost > 0);
        // Where SIGCHLD tells of the end, somebody listens to it, so it is not ignored.
        let fault = Fault::Errno(libc::ENOSYS);
        let guard = Plan::new()
            .from(Call::PidfdOpen, 1, u64::MAX, fault)
            .install();
        runtime.block_on(waits_end()).unwrap();
        drop(guard);
        assert_eq!(children(), 0);
    });
}

//! For tests: a fork while another thread holds something.
//!
//! *Alone.* The child has a copy of every descriptor of this process, also of other tests', which would find a pipe that does not end. So a
//! test that forks runs in a process of its own ([`is_alone`]).
//!
//! # Invariants
//!
//! - **HELD-1** The child runs what it is given and leaves by `_exit`: nothing of the parent's is dropped there. It is killed if it
//!   hangs.
#![expect(unsafe_code, reason = "fork, waitpid and _exit")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::mpsc;

/// How long a child may take, in seconds; then it is killed, and the test fails.
const LIMIT_S: u32 = 20;

/// Set in the process of a test that is alone.
const ALONE: &str = "MAINSPRING_TEST_ALONE";

/// Whether no other test runs in this process. Or else this one was run in another by now, and has passed there.
pub(crate) fn is_alone() -> bool {
    let thread = std::thread::current();
    // Of a thread that has no test's name there is one alone.
    let name = thread.name().filter(|name| *name != "main");
    let (Some(name), None) = (name, std::env::var_os(ALONE)) else {
        return true;
    };
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args([name, "--exact", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Forks while another thread has what `hold` gives, and runs `child` there, which must come to its end.
///
/// The child does nothing but what is to be tested, and what the C library's own locks allow.
pub(crate) fn while_held<G>(hold: impl FnOnce() -> G + Send, child: impl FnOnce()) {
    let is_named = std::thread::current().name() != Some("main");
    assert!(
        !is_named || std::env::var_os(ALONE).is_some(),
        "ask `is_alone` first"
    );
    let (tell, is_held) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let held = hold();
            tell.send(()).unwrap();
            // Until the other end is dropped.
            let _ = is_released.recv();
            drop(held);
        });
        is_held.recv().unwrap();
        let status = fork(child);
        drop(release);
        assert!(libc::WIFEXITED(status), "the child hangs: {status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 0, "a claim of the child failed");
    });
}

/// Runs `child` in a child, and waits for its end.
fn fork(child: impl FnOnce()) -> i32 {
    // SAFETY: HELD-1; what it is given needs no lock of another thread's but that which is tested.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: HELD-1; it touches no memory.
        unsafe { libc::alarm(LIMIT_S) };
        let code = match catch_unwind(AssertUnwindSafe(child)) {
            Ok(()) => 0,
            Err(_) => 101,
        };
        // SAFETY: HELD-1; it ends this process at once.
        unsafe { libc::_exit(code) };
    }
    assert!(pid > 0, "{}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: the status lives for the length of the call.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 {
        let error = std::io::Error::last_os_error();
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted, "{error}");
    }
    status
}

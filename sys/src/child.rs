//! Child processes: started without a copy of the parent, watched by a descriptor, signalled and reaped.
//!
//! *Role.* `mainspring::process` is made of it. Nothing here waits: [`spawn`] returns when the program runs, or says why it
//! does not, and [`Process::try_wait`] tells whether it has ended.
//!
//! *How a program is started.* On Linux by `clone(CLONE_VM | CLONE_VFORK)`: the child borrows the parent's memory, on a
//! stack of its own, until it has become the program; no page table is copied, so the time does not grow with the
//! parent. On macOS by `posix_spawn`, unless more was asked than that can do; elsewhere by `fork`. Everything that allocates is done before, for between the two only async-signal-safe
//! calls are allowed: another thread may hold any lock (hz_e13).
//!
//! ```text
//!   Spec ─► Plan (pointers only) ─► clone ─► child: signals, session, ids, folder, descriptors, exec
//!                                     │                                                │ a step fails
//!                                     └── parent goes on when the program runs ◄───────┴► step and errno
//! ```
//!
//! *Why not `posix_spawn` everywhere.* It has no user, groups, umask, limits or death signal, and says nothing of which step failed.
//!
//! *What a child inherits.* Descriptors 0, 1 and 2 and those it is given; all others are closed by its exec, also those that
//! another thread opened without close-on-exec, where the kernel can do that at once (`close_range`, Linux 5.11,
//! FreeBSD 13). An empty signal mask, and the default for every signal (hz_e12).

mod exec;
mod left;
mod orphan;
mod process;
mod start;
mod table;
mod watch;

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::fault::{self, Call};

pub use left::{leave, take_left};
pub use orphan::{become_subreaper, try_wait_orphan};
pub use process::{Process, Target, Usage};
pub use watch::watches_by_descriptor;

#[cfg(test)]
mod tests;

/// How often an exec is tried again that says ETXTBSY, a millisecond apart: another thread's child may hold the program
/// file open for writing until its own exec (hz_e09).
const BUSY_TRIES_MAX: u32 = 10;

/// Which step on the way to the program failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Step {
    /// The process could not be made.
    Fork = 1,
    /// A new session, or group.
    Session,
    /// The groups, the group, the user.
    Ids,
    /// Limits of resources.
    Limits,
    /// The folder to begin in.
    Folder,
    /// The descriptors.
    Descriptors,
    /// The terminal that controls the session.
    Terminal,
    /// The signal that comes when the parent dies.
    DeathSignal,
    /// The program itself.
    Exec,
}

impl Step {
    const ALL: [Step; 9] = [
        Step::Fork,
        Step::Session,
        Step::Ids,
        Step::Limits,
        Step::Folder,
        Step::Descriptors,
        Step::Terminal,
        Step::DeathSignal,
        Step::Exec,
    ];

    fn from_number(number: i32) -> Step {
        let found = Step::ALL.into_iter().find(|step| *step as i32 == number);
        found.unwrap_or(Step::Exec)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Fork => "the process could not be made",
            Step::Session => "the session or process group could not be made",
            Step::Ids => "the user, group or groups could not be set",
            Step::Limits => "a resource limit could not be set",
            Step::Folder => "the working directory could not be entered",
            Step::Descriptors => "a descriptor could not be handed over",
            Step::Terminal => "the terminal could not be made the controlling one",
            Step::DeathSignal => "the parent-death signal could not be set",
            Step::Exec => "the program could not be executed",
        })
    }
}

/// Why a program did not start.
#[derive(Debug)]
pub struct SpawnError {
    /// At which step.
    pub step: Step,
    /// What the system said there.
    pub error: io::Error,
}

/// A resource and its limits, soft and hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// `RLIMIT_…`, as the system numbers it.
    pub resource: i32,
    /// What is enforced.
    pub soft: u64,
    /// What the soft one may be raised to.
    pub hard: u64,
}

/// What is to be started, and how. Everything is owned, so that nothing need be made between fork and exec.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The paths to try, in order: one, or a name in each folder of PATH.
    pub candidates: Vec<CString>,
    /// The arguments, the name first.
    pub argv: Vec<CString>,
    /// `NAME=value` each; `None` is the parent's own.
    pub envp: Option<Vec<CString>>,
    /// The folder to begin in.
    pub folder: Option<CString>,
    /// A session of its own.
    pub is_session: bool,
    /// Its standard input becomes the terminal that controls the new session.
    pub takes_terminal: bool,
    /// The process group to join; 0 is a new one.
    pub group: Option<i32>,
    /// Whether what is left of the group that it leads is killed when it has ended.
    pub takes_group: bool,
    /// The user.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
    /// The supplementary groups. `None`: those of the parent, or none if the user changes and the parent may say so.
    pub groups: Option<Vec<u32>>,
    /// Permissions that new files do not get.
    pub umask: Option<u32>,
    /// The signal that it gets when the thread that started it ends.
    pub death_signal: Option<i32>,
    /// Limits of resources.
    pub limits: Vec<Limit>,
}

impl Spec {
    /// Finds the paths to try for `program`: itself if it has a slash, else in each folder of `path`.
    ///
    /// # Errors
    /// `InvalidInput` if the name is empty or holds a 0 byte.
    pub fn set_program(&mut self, program: &OsStr, path: Option<&OsStr>) -> io::Result<()> {
        if program.is_empty() {
            return Err(invalid("the program has no name"));
        }
        if program.as_bytes().contains(&b'/') {
            self.candidates = vec![c_string(program)?];
            return Ok(());
        }
        let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
        let folders = path.as_bytes().split(|byte| *byte == b':');
        let candidates = folders.map(|folder| {
            let folder: &[u8] = if folder.is_empty() { b"." } else { folder };
            let mut whole = OsString::from_vec(folder.to_vec());
            whole.push("/");
            whole.push(program);
            c_string(&whole)
        });
        self.candidates = candidates.collect::<io::Result<_>>()?;
        Ok(())
    }
}

/// `text` as the system takes it.
///
/// # Errors
/// `InvalidInput` if it holds a 0 byte.
pub fn c_string(text: &OsStr) -> io::Result<CString> {
    let refuse =
        |_| invalid("a 0 byte cannot be part of a program's name, arguments or environment");
    CString::new(text.as_bytes()).map_err(refuse)
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Starts a program. `fds` are the descriptors it gets, each under its number; those of 0, 1 and 2 that are not among them
/// are the parent's, or `/dev/null` if the parent has none.
///
/// # Errors
/// Whatever kept it from running, with the step; no process and no descriptor is left then.
pub fn spawn(spec: &Spec, fds: &[(RawFd, BorrowedFd<'_>)]) -> Result<Process, SpawnError> {
    let failed = |step| move |error| SpawnError { step, error };
    fault::check(Call::Spawn, 0).map_err(failed(Step::Fork))?;
    let wants_pidfd = fault::check(Call::PidfdOpen, 0).is_ok();
    let plan = exec::Plan::new(spec, fds);
    let mut tries = 0;
    loop {
        let starting = table::begin_start();
        let failure = match start::start(&plan, wants_pidfd) {
            Ok((pid, pidfd)) => return Ok(Process::new(pid, pidfd, spec.takes_group)),
            Err(failure) => failure,
        };
        let is_busy = failure.error.raw_os_error() == Some(libc::ETXTBSY);
        if !is_busy || tries == BUSY_TRIES_MAX {
            return Err(failure);
        }
        tries += 1;
        drop(starting);
        rest_a_millisecond();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "for who holds the file there is nothing to await"
)]
fn rest_a_millisecond() {
    std::thread::sleep(std::time::Duration::from_millis(1));
}

/// `/dev/null`, for reading and writing.
///
/// # Errors
/// What `open` says: EMFILE, for example.
pub fn open_null() -> io::Result<std::os::fd::OwnedFd> {
    loop {
        match fault::check(Call::OpenFile, 0) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // Goes on by itself when it is interrupted.
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    Ok(file.into())
}

/// The environment of this process, as a child would get it, with what `change` makes of it.
///
/// # Errors
/// `InvalidInput` if a name or value holds a 0 byte, or a name is empty or has a `=`.
pub fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> io::Result<Vec<CString>> {
    let entries = variables.map(|(name, value)| {
        if name.is_empty() || name.as_bytes()[1..].contains(&b'=') {
            return Err(invalid(
                "the name of an environment variable is empty or has a `=`",
            ));
        }
        let mut entry = name;
        entry.push("=");
        entry.push(value);
        c_string(&entry)
    });
    entries.collect()
}

/// The text of a C string, for messages.
#[must_use]
pub fn text_of(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}

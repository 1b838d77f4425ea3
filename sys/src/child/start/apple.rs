//! The start of a child on macOS by `posix_spawn`, for what it can be told.
//!
//! *Why.* It copies no page tables, and `POSIX_SPAWN_CLOEXEC_DEFAULT` closes whatever the child was not given at once, also what another
//! thread opened a moment ago: after a fork, descriptors can only be closed one by one.
//!
//! *Why not always.* It knows no user, groups, umask, limits or controlling terminal; a folder and a session only since macOS 10.15,
//! before which the functions are not there. Those go by `fork`. It says an errno and not at which step; [`step_of`] guesses.
//!
//! # Invariants
//!
//! - **APPLE-1** Attributes and actions are used from `init` to `destroy`, which the drop of their owner calls; both are copied by each
//!   call, so nothing that they were told needs to live on.
#![expect(unsafe_code, reason = "posix_spawn")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::super::exec::{Plan, errno};
use super::super::{SpawnError, Step};

// SAFETY: `posix_spawn_file_actions_addinherit_np(3)`, since macOS 10.7.
unsafe extern "C" {
    fn posix_spawn_file_actions_addinherit_np(
        actions: *mut libc::posix_spawn_file_actions_t,
        fd: libc::c_int,
    ) -> libc::c_int;
}

/// From spawn.h.
const POSIX_SPAWN_CLOEXEC_DEFAULT: libc::c_int = 0x4000;

/// Starts the program: its pid. `None`: it needs what only a fork can do.
pub(super) fn start(plan: &Plan<'_>) -> Option<Result<i32, SpawnError>> {
    let spec = plan.spec;
    let is_plain = spec.folder.is_none()
        && !spec.is_session
        && !spec.takes_terminal
        && spec.uid.is_none()
        && spec.gid.is_none()
        && spec.groups.is_none()
        && spec.umask.is_none()
        && spec.death_signal.is_none()
        && spec.limits.is_empty();
    is_plain.then(|| spawn(plan))
}

fn spawn(plan: &Plan<'_>) -> Result<i32, SpawnError> {
    let failed = |step| move |error| SpawnError { step, error };
    let attributes = Attributes::new(plan).map_err(failed(Step::Session))?;
    let mut actions = Actions::new().map_err(failed(Step::Descriptors))?;
    let _copies = actions.place(plan).map_err(failed(Step::Descriptors))?;
    let mut refused = None;
    for path in &plan.spec.candidates {
        let mut pid = 0;
        // SAFETY: APPLE-1; EXEC-2: both arrays end with null, and their strings live.
        let code = unsafe {
            libc::posix_spawn(
                &mut pid,
                path.as_ptr(),
                &actions.0,
                &attributes.0,
                plan.argv.as_ptr().cast(),
                plan.envp().cast(),
            )
        };
        let error = SpawnError {
            step: step_of(code),
            error: io::Error::from_raw_os_error(code),
        };
        match code {
            0 => return Ok(pid),
            // As a shell does: look further, but remember that there was one.
            libc::EACCES => refused = Some(error),
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| SpawnError {
        step: Step::Exec,
        error: io::Error::from_raw_os_error(libc::ENOENT),
    }))
}

/// What has failed, as far as the errno tells.
fn step_of(code: i32) -> Step {
    match code {
        libc::EAGAIN | libc::ENOMEM => Step::Fork,
        libc::EBADF | libc::EMFILE => Step::Descriptors,
        libc::EPERM | libc::ESRCH => Step::Session,
        _ => Step::Exec,
    }
}

fn check(code: libc::c_int) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Signals, and the group.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(plan: &Plan<'_>) -> io::Result<Attributes> {
        let mut attributes = MaybeUninit::uninit();
        // SAFETY: APPLE-1; sets of the plan's.
        unsafe {
            check(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            let mut attributes = Attributes(attributes.assume_init());
            let mut flags = POSIX_SPAWN_CLOEXEC_DEFAULT
                | libc::POSIX_SPAWN_SETSIGDEF
                | libc::POSIX_SPAWN_SETSIGMASK;
            check(libc::posix_spawnattr_setsigdefault(
                &mut attributes.0,
                &plan.all_signals,
            ))?;
            check(libc::posix_spawnattr_setsigmask(
                &mut attributes.0,
                &plan.no_signals,
            ))?;
            if let Some(group) = plan.spec.group {
                flags |= libc::POSIX_SPAWN_SETPGROUP;
                check(libc::posix_spawnattr_setpgroup(&mut attributes.0, group))?;
            }
            let flags = flags as libc::c_short;
            check(libc::posix_spawnattr_setflags(&mut attributes.0, flags))?;
            Ok(attributes)
        }
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: APPLE-1.
        unsafe { libc::posix_spawnattr_destroy(&mut self.0) };
    }
}

/// What becomes of the descriptors.
struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> io::Result<Actions> {
        let mut actions = MaybeUninit::uninit();
        // SAFETY: APPLE-1.
        unsafe {
            check(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            Ok(Actions(actions.assume_init()))
        }
    }

    /// Each descriptor under its number; 0, 1 and 2 that nobody named stay as they are, or are `/dev/null` if they are not there. What is returned must stay open
    /// until the start: a descriptor whose number another one gets goes by a copy above all numbers.
    fn place(&mut self, plan: &Plan<'_>) -> io::Result<Vec<OwnedFd>> {
        let above = plan.kept.last().copied().unwrap_or(2) + 1;
        let mut copies = Vec::new();
        for &(to, from) in &plan.fds {
            if to == from {
                self.inherit(to)?;
                continue;
            }
            let mut source = from;
            if plan.kept.contains(&from) {
                let copy = duplicate(from, above)?;
                source = copy.as_raw_fd();
                copies.push(copy);
            }
            // SAFETY: APPLE-1.
            let code = unsafe { libc::posix_spawn_file_actions_adddup2(&mut self.0, source, to) };
            check(code)?;
        }
        for number in 0..3 {
            if plan.fds.iter().any(|(to, _)| *to == number) {
                continue;
            }
            match is_open(number) {
                true => self.inherit(number)?,
                false => self.open_null(number)?,
            }
        }
        Ok(copies)
    }

    /// A program that has no descriptor 1 gets it with the first file it opens, and writes its output there (hz_e11).
    fn open_null(&mut self, number: RawFd) -> io::Result<()> {
        let (path, flags) = (c"/dev/null".as_ptr(), libc::O_RDWR);
        // SAFETY: APPLE-1, and a string of the program's.
        let code =
            unsafe { libc::posix_spawn_file_actions_addopen(&mut self.0, number, path, flags, 0) };
        check(code)
    }

    fn inherit(&mut self, number: RawFd) -> io::Result<()> {
        // SAFETY: APPLE-1.
        check(unsafe { posix_spawn_file_actions_addinherit_np(&mut self.0, number) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: APPLE-1.
        unsafe { libc::posix_spawn_file_actions_destroy(&mut self.0) };
    }
}

fn is_open(number: RawFd) -> bool {
    // SAFETY: it touches no memory.
    unsafe { libc::fcntl(number, libc::F_GETFD) != -1 }
}

fn duplicate(from: RawFd, above: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call touches no memory; the new number is nobody else's.
    unsafe {
        match libc::fcntl(from, libc::F_DUPFD_CLOEXEC, above) {
            -1 => Err(io::Error::from_raw_os_error(errno())),
            number => Ok(OwnedFd::from_raw_fd(number)),
        }
    }
}

//! The handler: what happens at a signal, and how it comes into force and goes.
//!
//! # Invariants
//!
//! - **SIG-1** The handler allocates nothing, takes no lock, and leaves `errno` as it was: it reads and writes atomics in static
//!   memory, and makes system calls that are async-signal-safe.
//! - **SIG-2** What it calls of the program's (the handler before ours) was in force for the same signal, with the same
//!   `SA_SIGINFO`, until ours took its place.
//! - **SIG-3** Dispositions are changed under `CHANGING` only; by the handler only as the process ends.
//! - **SIG-4** `LAST_WORDS` is 0 or a `fn()` that keeps SIG-1.
//! - **SIG-5** `Slot::found` is null or came from a box; only who has `CHANGING` reads, replaces or frees what it points to.
//!
//! *Last words.* A signal that is *guarded* ends the process, as it would without us, but what must be put right before is put
//! right first: a terminal's modes. While somebody listens to the signal it ends nothing, and there is nothing to put right.
//!
//! *After a fork.* The child has the parent's bells. Its handler sees that it is another process, and rings none of them
//! (hz_f04); the handler before ours is called all the same. A thread of the parent's may have been changing something: its lock
//! is not the child's ([`PerProcess`]), and what it guards is atomics, each step of which leaves something that a child can begin
//! with: what was found is kept before ours comes into force, and forgotten after it is in force again.
#![expect(unsafe_code, reason = "sigaction, and what a handler may do")]

use std::io;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
use std::sync::{Mutex, MutexGuard};

use super::Signal;
use super::bell;
use crate::fault::{self, Call};
use crate::fork::PerProcess;

/// The highest number that is served.
pub(super) const NUMBER_MAX: i32 = 64;
pub(super) const SLOTS: usize = NUMBER_MAX as usize + 1;

/// So many of the last senders are kept for each signal.
const SENDERS_KEPT: usize = 16;

/// Who sent a signal, as far as the system says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// The process that sent it; 0 if the kernel did.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// `si_code`: `SI_USER` for `kill`, and others.
    pub code: i32,
}

/// Who sent one of the last signals. `number` is 0 while it is being written, else the signal's number in order, plus 1.
struct Entry {
    number: AtomicU64,
    pid: AtomicI32,
    uid: AtomicU32,
    code: AtomicI32,
}

struct Slot {
    count: AtomicU64,
    senders: [Entry; SENDERS_KEPT],
    /// How many listen to it, and how many guard it.
    listeners: AtomicUsize,
    guards: AtomicUsize,
    /// The handler before ours, if it was one; 0 if there is nobody to call.
    before: AtomicUsize,
    before_flags: AtomicI32,
    /// What was in force before ours, to be put back (SIG-5).
    found: AtomicPtr<libc::sigaction>,
    /// From the signal with this number on the process ends by it; see [`SecondEnds`](super::SecondEnds).
    fatal_from: AtomicU64,
}

#[expect(
    clippy::declare_interior_mutable_const,
    reason = "the seed of an array of statics"
)]
const ENTRY: Entry = Entry {
    number: AtomicU64::new(0),
    pid: AtomicI32::new(0),
    uid: AtomicU32::new(0),
    code: AtomicI32::new(0),
};

#[expect(
    clippy::declare_interior_mutable_const,
    reason = "the seed of an array of statics"
)]
const SLOT: Slot = Slot {
    count: AtomicU64::new(0),
    senders: [ENTRY; SENDERS_KEPT],
    listeners: AtomicUsize::new(0),
    guards: AtomicUsize::new(0),
    before: AtomicUsize::new(0),
    before_flags: AtomicI32::new(0),
    found: AtomicPtr::new(null_mut()),
    fatal_from: AtomicU64::new(u64::MAX),
};

static SIGNALS: [Slot; SLOTS] = [SLOT; SLOTS];

/// The process whose bells they are.
pub(super) static OWNER: AtomicI32 = AtomicI32::new(0);

/// Held by who brings a handler into force, or puts back what was there (SIG-3).
static CHANGING: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));

/// What ours is installed with: the program's own blocking calls go on after it (hz_f07), and it runs on the stack for
/// signals, if there is one.
const FLAGS: i32 = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;

extern "C" fn on_signal(number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = errno_location();
    // SAFETY: the calling thread's errno, which lives as long as the thread.
    let saved = unsafe { *errno };
    // SAFETY: `getpid` has no preconditions.
    let is_owner = OWNER.load(Relaxed) == unsafe { libc::getpid() };
    if let Some(slot) = SIGNALS.get(usize::try_from(number).unwrap_or(SLOTS)) {
        // Before anybody is woken: a listener that has heard this signal may be gone before the handler ends.
        let is_end = slot.guards.load(Acquire) > 0 && slot.listeners.load(Acquire) == 0;
        let mut is_fatal = false;
        if is_owner {
            // SAFETY: the kernel's own, valid while the handler runs.
            let order = note(slot, unsafe { info.as_ref() });
            is_fatal = order >= slot.fatal_from.load(Acquire);
            bell::ring_all(number);
        }
        if is_end {
            say_last_words();
        }
        call_before(slot, number, info, context);
        if is_fatal {
            die_of(Signal::from_number(number));
        }
        if is_end && slot.before.load(Acquire) == 0 {
            fall_back(number);
        }
    }
    // SAFETY: the same errno, of the same thread.
    unsafe { *errno = saved };
}

/// What is called before a guarded signal ends the process; 0 if there is nothing.
static LAST_WORDS: AtomicUsize = AtomicUsize::new(0);

/// What is called before a guarded signal ends the process.
///
/// # Safety
/// `words` must do only what a signal handler may (SIG-4).
pub(crate) unsafe fn set_last_words(words: fn()) {
    LAST_WORDS.store(words as usize, Release);
}

fn say_last_words() {
    let words = LAST_WORDS.load(Acquire);
    if words != 0 {
        // SAFETY: SIG-4.
        unsafe { std::mem::transmute::<usize, fn()>(words)() };
    }
}

/// The signal's own default takes over as soon as the handler, during which the signal is held back, has returned: where the
/// signal came from, so that a dump of memory shows the right place.
fn fall_back(number: i32) {
    // SAFETY: an all-zero action is the default; neither call touches other memory.
    unsafe {
        let action: libc::sigaction = zeroed();
        libc::sigaction(number, &action, null_mut());
        libc::raise(number);
    }
}

/// Counts the signal, and keeps who sent it. Its number in the order of coming, from 0.
fn note(slot: &Slot, info: Option<&libc::siginfo_t>) -> u64 {
    let number = slot.count.fetch_add(1, Relaxed);
    let entry = &slot.senders[number as usize % SENDERS_KEPT];
    entry.number.store(0, Relaxed);
    std::sync::atomic::fence(Release);
    if let Some(info) = info {
        // SAFETY: fields of a siginfo that the kernel filled; where it says nothing of a sender they are zero.
        let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
        entry.pid.store(pid, Relaxed);
        entry.uid.store(uid, Relaxed);
        entry.code.store(info.si_code, Relaxed);
    }
    entry.number.store(number + 1, Release);
    number
}

/// From the signal with this number on the process ends by it; `None`: by none.
pub(super) fn set_fatal_from(signal: Signal, number: Option<u64>) {
    if let Some(slot) = slot_of(signal) {
        slot.fatal_from.store(number.unwrap_or(u64::MAX), Release);
    }
}

/// SIG-2: the handler that was in force before ours.
fn call_before(slot: &Slot, number: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = slot.before.load(Acquire);
    if before == 0 {
        return;
    }
    // SAFETY: SIG-2; which of the two types it has says the flag that it was installed with.
    unsafe {
        if slot.before_flags.load(Relaxed) & libc::SA_SIGINFO != 0 {
            type Full = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
            std::mem::transmute::<usize, Full>(before)(number, info, context);
        } else {
            std::mem::transmute::<usize, extern "C" fn(i32)>(before)(number);
        }
    }
}

/// How often the signal came to this process since somebody listened to it first.
#[must_use]
pub fn count(signal: Signal) -> u64 {
    slot_of(signal).map_or(0, |slot| slot.count.load(Acquire))
}

/// Who sent the signal with this number in the order of coming, from 0; `None` if that was too long ago.
#[must_use]
pub fn sender(signal: Signal, number: u64) -> Option<Sender> {
    let entry = &slot_of(signal)?.senders[number as usize % SENDERS_KEPT];
    if entry.number.load(Acquire) != number + 1 {
        return None;
    }
    let sender = Sender {
        pid: entry.pid.load(Relaxed),
        uid: entry.uid.load(Relaxed),
        code: entry.code.load(Relaxed),
    };
    std::sync::atomic::fence(Acquire);
    (entry.number.load(Relaxed) == number + 1).then_some(sender)
}

fn slot_of(signal: Signal) -> Option<&'static Slot> {
    SIGNALS.get(usize::try_from(signal.number()).ok()?)
}

/// In the child of a fork: its bells become its own, and ring again. Elsewhere it does nothing.
///
/// # Errors
/// EMFILE, ENFILE; it may be tried again.
pub fn after_fork() -> io::Result<()> {
    // SAFETY: `getpid` has no preconditions.
    let own = unsafe { libc::getpid() };
    let owner = OWNER.load(Relaxed);
    if owner != 0 && owner != own {
        bell::replace_all()?;
        OWNER.store(own, Relaxed);
    }
    Ok(())
}

/// One more who listens; the first brings the handler into force.
pub(super) fn begin(signal: Signal) -> io::Result<()> {
    signal.check_can_be_caught()?;
    after_fork()?;
    let changing = CHANGING.lock();
    install_first(signal, &changing)?;
    slot_at(signal).listeners.fetch_add(1, Release);
    Ok(())
}

fn slot_at(signal: Signal) -> &'static Slot {
    &SIGNALS[signal.number() as usize]
}

impl Slot {
    fn is_needed(&self) -> bool {
        self.listeners.load(Acquire) + self.guards.load(Acquire) > 0
    }

    /// What was in force before ours.
    fn found(&self, _changing: &MutexGuard<'_, ()>) -> Option<libc::sigaction> {
        // SAFETY: SIG-5, and the lock is held.
        unsafe { self.found.load(Acquire).as_ref().copied() }
    }

    fn set_found(&self, found: Option<libc::sigaction>, _changing: &MutexGuard<'_, ()>) {
        let new = found.map_or(null_mut(), |found| Box::into_raw(Box::new(found)));
        let old = self.found.swap(new, AcqRel);
        if !old.is_null() {
            // SAFETY: SIG-5, and the lock is held.
            drop(unsafe { Box::from_raw(old) });
        }
    }
}

/// Brings the handler into force, unless it is.
fn install_first(signal: Signal, changing: &MutexGuard<'_, ()>) -> io::Result<()> {
    if !slot_at(signal).is_needed() {
        // SAFETY: it has no preconditions.
        OWNER.store(unsafe { libc::getpid() }, Relaxed);
        install(signal, changing)?;
    }
    Ok(())
}

/// Guards a signal whose end is the process's: those that are not the default's, of which the program takes care itself, are
/// left alone, unless they say that the program went wrong. Says whether it is guarded; then [`unguard`] it.
///
/// # Errors
/// What `sigaction` says.
pub(crate) fn guard(signal: Signal) -> io::Result<bool> {
    after_fork()?;
    let changing = CHANGING.lock();
    let is_fatal = match found_or_current(signal, &changing)?.sa_sigaction {
        libc::SIG_DFL => true,
        libc::SIG_IGN => false,
        _ => signal.is_failure(),
    };
    if is_fatal {
        install_first(signal, &changing)?;
        slot_at(signal).guards.fetch_add(1, Release);
    }
    Ok(is_fatal)
}

/// One guard less.
pub(crate) fn unguard(signal: Signal) {
    let changing = CHANGING.lock();
    slot_at(signal).guards.fetch_sub(1, Release);
    restore_last(signal, &changing);
}

/// One less who listens; after the last, what was in force before ours is again. If somebody has replaced ours
/// meanwhile, theirs stays.
pub(super) fn end(signal: Signal) {
    let changing = CHANGING.lock();
    slot_at(signal).listeners.fetch_sub(1, Release);
    restore_last(signal, &changing);
}

/// Puts back what was before ours, if nobody needs ours any more.
fn restore_last(signal: Signal, changing: &MutexGuard<'_, ()>) {
    let slot = slot_at(signal);
    if slot.is_needed() {
        return;
    }
    if let (Some(found), true) = (slot.found(changing), is_ours(signal)) {
        // SAFETY: what `sigaction` gave us for this signal.
        unsafe { libc::sigaction(signal.number(), &found, null_mut()) };
    }
    slot.set_found(None, changing);
    slot.before.store(0, Release);
}

/// Sends this process the signal.
///
/// # Errors
/// EINVAL for a number that is no signal.
pub fn raise(signal: Signal) -> io::Result<()> {
    // SAFETY: it touches no memory.
    match unsafe { libc::kill(libc::getpid(), signal.number()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Sends this thread the signal: it comes, or waits if the thread blocks it, before this returns.
///
/// # Errors
/// EINVAL for a number that is no signal.
pub fn raise_here(signal: Signal) -> io::Result<()> {
    // SAFETY: the thread that is signalled is the one that asks, so it lives.
    match unsafe { libc::pthread_kill(libc::pthread_self(), signal.number()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Ends this process by the signal, as if nobody had ever listened to it: whoever waits for the process sees why it ended.
/// For a signal whose default is no end, the process exits with 128 and its number.
pub fn die_of(signal: Signal) -> ! {
    say_last_words();
    // SAFETY: an all-zero action is the default; the set is ours.
    unsafe {
        let action: libc::sigaction = zeroed();
        libc::sigaction(signal.number(), &action, null_mut());
        let mut set: libc::sigset_t = zeroed();
        libc::sigaddset(&mut set, signal.number());
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, null_mut());
        libc::kill(libc::getpid(), signal.number());
        libc::_exit(128 + signal.number())
    }
}

/// Whether somebody else's disposition stands where ours was, so that listeners hear nothing.
#[must_use]
pub fn was_replaced(signal: Signal) -> bool {
    is_listened_to(signal) && !is_ours(signal)
}

/// From now on the signal does what it does by default, for who began with it ignored and does not want that: the programs that a
/// shell runs in the background do. While somebody listens to it that changes nothing.
///
/// # Errors
/// EINVAL for a number that is no signal, and for one that nobody can change.
pub fn set_default(signal: Signal) -> io::Result<()> {
    if is_listened_to(signal) {
        return Ok(());
    }
    // SAFETY: an all-zero action is the default.
    match unsafe { libc::sigaction(signal.number(), &zeroed(), null_mut()) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Whether anybody listens to the signal.
#[must_use]
pub fn is_listened_to(signal: Signal) -> bool {
    slot_of(signal).is_some_and(|slot| slot.listeners.load(Acquire) > 0)
}

/// Whether the program ignores the signal, but for who listens to it. What started it may have asked so: `nohup`, or a
/// shell that runs it in the background.
#[must_use]
pub fn is_ignored(signal: Signal) -> bool {
    let changing = CHANGING.lock();
    let action = found_or_current(signal, &changing);
    action.is_ok_and(|action| action.sa_sigaction == libc::SIG_IGN)
}

/// What is in force but for us.
fn found_or_current(signal: Signal, changing: &MutexGuard<'_, ()>) -> io::Result<libc::sigaction> {
    let now = current(signal)?;
    if now.sa_sigaction != on_signal as *const () as usize {
        return Ok(now);
    }
    let found = slot_of(signal).and_then(|slot| slot.found(changing));
    // SAFETY: an all-zero action is the default.
    Ok(found.unwrap_or_else(|| unsafe { zeroed() }))
}

fn is_ours(signal: Signal) -> bool {
    current(signal).is_ok_and(|action| action.sa_sigaction == on_signal as *const () as usize)
}

fn current(signal: Signal) -> io::Result<libc::sigaction> {
    // SAFETY: a null action only asks; the other is filled by the call.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        match libc::sigaction(signal.number(), null(), &mut action) {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(action),
        }
    }
}

fn install(signal: Signal, changing: &MutexGuard<'_, ()>) -> io::Result<()> {
    fault::check(Call::Signal, 0)?;
    // Ours may be in force: somebody put back what he once found, or the process was forked while a thread of the parent's
    // changed it. To call ours from ours would never end.
    let found = found_or_current(signal, changing)?;
    let is_handler = found.sa_sigaction != libc::SIG_DFL && found.sa_sigaction != libc::SIG_IGN;
    let slot = slot_at(signal);
    // Before ours is in force, so that no signal misses it.
    slot.before_flags.store(found.sa_flags, Relaxed);
    let handler = if is_handler { found.sa_sigaction } else { 0 };
    slot.before.store(handler, Release);
    slot.set_found(Some(found), changing);
    // SAFETY: a whole action; its handler keeps SIG-1.
    let done = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = FLAGS;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(signal.number(), &action, null_mut())
    };
    if done == -1 {
        let error = io::Error::last_os_error();
        slot.set_found(None, changing);
        slot.before.store(0, Release);
        return Err(error);
    }
    Ok(())
}

/// As if this thread brought a handler into force.
#[cfg(test)]
pub(super) fn hold_changes() -> MutexGuard<'static, ()> {
    CHANGING.lock()
}

#[cfg(any(target_os = "linux", target_os = "dragonfly"))]
fn errno_location() -> *mut i32 {
    // SAFETY: it has no preconditions.
    unsafe { libc::__errno_location() }
}

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
fn errno_location() -> *mut i32 {
    // SAFETY: it has no preconditions.
    unsafe { libc::__error() }
}

#[cfg(any(target_os = "openbsd", target_os = "netbsd", target_os = "android"))]
fn errno_location() -> *mut i32 {
    // SAFETY: it has no preconditions.
    unsafe { libc::__errno() }
}

#[cfg(target_os = "illumos")]
fn errno_location() -> *mut i32 {
    // SAFETY: it has no preconditions.
    unsafe { libc::___errno() }
}

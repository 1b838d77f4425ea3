//! A task's state: eight loop-only bits, one word for the other threads, and the transitions
//! between them, each of which says what its caller must now do.
//!
//! *Role.* [`super::raw`] runs tasks by these transitions, [`super::waker`] wakes by them,
//! [`super::join`] joins and aborts by them. Nobody else sees a bit.
//!
//! *Model.* The life of a task; each edge names its function.
//!
//! ```text
//!              spawn
//!                │
//!                ▼         (1) transition_to_running          (3) transition_to_done
//!   ┌────────► queued ─────────────────────────► running ──────────────────────────► done
//!   │            ▲                                │   ▲ │                              ▲
//!   │            │ (2) transition_to_queued       │   └─┘ (2) woken by its own poll:   │
//!   │            │     wake, abort                │       running AND queued           │
//!   │          idle ◄─────────────────────────────┘                                    │
//!   │                   (4) transition_to_idle                                         │
//!   └── abort sets ABORTED; (1) or (4) then answers DropFuture, and (3) follows ───────┘
//! ```
//!
//! *Two words.* The bits live in a loop-only `Cell`: a wake on the loop's own thread is a test and a
//! store. Other threads have [`Remote`], an atomic word of its own; no word is written both plainly
//! here and by a read-modify-write there.

use std::sync::atomic::Ordering::AcqRel;

use crate::shim::{AtomicU8, Cell};

/// Stands in the ready queue. Set by whoever links it, cleared as it is popped; a task that is
/// woken ten times before it runs is linked once.
const QUEUED: u8 = 1;
/// Is being polled, or its future is being dropped, right now. An abort meanwhile only marks.
const RUNNING: u8 = 2;
/// The future is gone, for ever. Nothing queues the task any more.
const DONE: u8 = 4;
/// `abort` was called before the task was done. Cleared when a poll that was under way returns
/// `Ready` after all: the result beats the abort. On a done task it *is* the result, and is cleared
/// by whoever takes it.
const ABORTED: u8 = 8;
/// A `JoinHandle` exists. Its drop clears the bit.
const JOINABLE: u8 = 16;
/// The block holds the future's output. Set with DONE, cleared by whoever moves it out.
const OUTPUT: u8 = 32;
/// The block holds a panic's payload. Set with DONE, cleared by whoever moves it out.
const PANIC: u8 = 64;
/// Came out of the inbox since its last poll. [`Remote`] stands until the poll to come takes it down, so
/// that wakes from elsewhere meanwhile do nothing.
const COLLECTED: u8 = 128;

/// A task's loop-only bits. Every method runs on the loop's thread.
#[derive(Debug)]
pub(crate) struct State(Cell<u8>);

/// What the caller of [`State::transition_to_queued`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnWake {
    /// Link the task at the back of the ready queue.
    Push,
    /// It stands there already, or is done.
    Nothing,
}

/// What the caller of [`State::transition_to_running`] must do with the task it popped.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnRun {
    /// Poll its future, then `transition_to_idle` or `transition_to_done`.
    Poll,
    /// The same, after [`Remote::transition_to_polled`].
    PollCollected,
    /// It was aborted: drop its future, then `transition_to_done`.
    DropFuture,
    /// It finished while it stood in the queue: give back the queue's reference.
    Release,
}

/// What the caller of [`State::transition_to_idle`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AfterPoll {
    /// Nothing: a wake will queue it, or has queued it.
    Rest,
    /// It was aborted while it ran: drop its future (RUNNING is still set), then
    /// `transition_to_done`.
    DropFuture,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an output, which stands in the block.
    Output,
    /// With a panic, whose payload stands in the block.
    Panic,
    /// Without either: its future was dropped.
    Aborted,
}

/// What the caller of [`State::transition_to_done`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnDone {
    /// Somebody holds the handle: wake the joiner.
    WakeJoiner,
    /// Nobody can ask for the result any more: drop it, and report it if it is a panic.
    Discard,
}

/// What the caller of [`State::transition_to_aborted`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnAbort {
    /// Link the task: the loop drops the future in its turn.
    Push,
    /// Nothing: it is queued, running or done.
    Nothing,
}

/// What the caller of [`State::transition_to_detached`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnDetach {
    /// Drop the result that nobody fetched, report it if it is a panic, then release the block.
    Discard(Ending),
    /// The result was fetched: release the block.
    Release,
    /// The task goes on: leave it to the loop, and forget who waited for it.
    Leave,
}

impl State {
    /// A task as it is spawned: queued, with a handle.
    #[inline]
    pub(crate) fn new_queued() -> State {
        State(Cell::new(QUEUED | JOINABLE))
    }

    /// A task that another thread made: it waits in the inbox to be adopted, and has no handle.
    pub(crate) fn new_foreign() -> State {
        State(Cell::new(0))
    }

    #[inline]
    fn has(&self, bits: u8) -> bool {
        self.0.get() & bits != 0
    }

    #[inline]
    fn set(&self, bits: u8) {
        self.0.set(self.0.get() | bits);
    }

    #[inline]
    fn clear(&self, bits: u8) {
        self.0.set(self.0.get() & !bits);
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.has(DONE)
    }

    /// Whether it is being polled, or its future is being dropped.
    pub(crate) fn is_running(&self) -> bool {
        self.0.get() & (RUNNING | DONE) == RUNNING
    }

    #[inline]
    pub(crate) fn is_joinable(&self) -> bool {
        self.has(JOINABLE)
    }

    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.has(QUEUED)
    }

    /// Whether it was polled, or came by the inbox, and nothing has woken it since.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        !self.has(QUEUED | RUNNING | DONE | COLLECTED)
    }

    /// Whether it was aborted and is not done yet.
    #[inline]
    pub(crate) fn is_aborted(&self) -> bool {
        self.0.get() & (ABORTED | DONE) == ABORTED
    }

    /// Whether a handle exists and the ready queue has nothing of it: how most tasks end.
    #[inline]
    pub(crate) fn is_joinable_and_not_queued(&self) -> bool {
        self.0.get() & (QUEUED | JOINABLE) == JOINABLE
    }

    /// (2) Woken. A wake during the task's own poll queues it too: exactly one more poll (hz_a19).
    #[inline]
    pub(crate) fn transition_to_queued(&self) -> OnWake {
        if self.has(QUEUED | DONE) {
            return OnWake::Nothing;
        }
        self.set(QUEUED);
        OnWake::Push
    }

    /// (2) Woken from elsewhere, and taken out of the inbox just now.
    pub(crate) fn transition_to_collected(&self) -> OnWake {
        if self.has(DONE) {
            return OnWake::Nothing;
        }
        self.set(COLLECTED);
        self.transition_to_queued()
    }

    /// (1) Popped from the ready queue.
    #[inline]
    pub(crate) fn transition_to_running(&self) -> OnRun {
        let bits = self.0.get();
        if bits & (DONE | ABORTED | COLLECTED) == 0 {
            self.0.set(bits & !QUEUED | RUNNING);
            OnRun::Poll
        } else if bits & DONE != 0 {
            self.0.set(bits & !QUEUED);
            OnRun::Release
        } else {
            self.0.set(bits & !(QUEUED | COLLECTED) | RUNNING);
            if bits & ABORTED != 0 {
                OnRun::DropFuture
            } else {
                OnRun::PollCollected
            }
        }
    }

    /// The loop is ending: the task runs once more, to drop its future.
    pub(crate) fn transition_to_closing(&self) -> OnRun {
        if self.has(DONE) {
            return OnRun::Release;
        }
        self.set(RUNNING | ABORTED);
        OnRun::DropFuture
    }

    /// (4) The poll returned `Pending`.
    #[inline]
    pub(crate) fn transition_to_idle(&self) -> AfterPoll {
        if self.has(ABORTED) {
            return AfterPoll::DropFuture;
        }
        self.clear(RUNNING);
        AfterPoll::Rest
    }

    /// (3) The future is dropped; `ending` says what stands in its place.
    #[inline]
    pub(crate) fn transition_to_done(&self, ending: Ending) -> OnDone {
        let result = match ending {
            Ending::Output => OUTPUT,
            Ending::Panic => PANIC,
            Ending::Aborted => ABORTED,
        };
        let bits = self.0.get();
        self.0.set(bits & !(RUNNING | ABORTED) | DONE | result);
        if bits & JOINABLE != 0 {
            OnDone::WakeJoiner
        } else {
            OnDone::Discard
        }
    }

    /// `abort`: hard, idempotent, and never inside the caller.
    pub(crate) fn transition_to_aborted(&self) -> OnAbort {
        if self.has(DONE) {
            return OnAbort::Nothing;
        }
        let bits = self.0.get();
        self.set(ABORTED);
        if bits & (QUEUED | RUNNING) != 0 {
            return OnAbort::Nothing;
        }
        self.set(QUEUED);
        OnAbort::Push
    }

    /// The handle is gone.
    #[inline]
    pub(crate) fn transition_to_detached(&self) -> OnDetach {
        let bits = self.0.get();
        self.0.set(bits & !JOINABLE);
        if bits & DONE == 0 {
            return OnDetach::Leave;
        }
        if bits & (OUTPUT | PANIC | ABORTED) == 0 {
            return OnDetach::Release;
        }
        match self.take_ending() {
            Some(ending) => OnDetach::Discard(ending),
            None => OnDetach::Release,
        }
    }

    /// Which result stands in the block of a task that is done; the caller moves it out. `None` once it
    /// was taken.
    #[inline]
    pub(crate) fn take_ending(&self) -> Option<Ending> {
        let bits = self.0.get();
        debug_assert_ne!(bits & DONE, 0);
        self.0.set(bits & !(OUTPUT | PANIC | ABORTED));
        ending_of(bits)
    }

    /// How the task ended; `None` while it has not, and once the result was taken.
    pub(crate) fn peek_ending(&self) -> Option<Ending> {
        let bits = self.0.get();
        if bits & DONE == 0 {
            return None;
        }
        ending_of(bits)
    }
}

/// Which result the bits of a task that is done say.
#[inline]
fn ending_of(bits: u8) -> Option<Ending> {
    if bits & OUTPUT != 0 {
        Some(Ending::Output)
    } else if bits & PANIC != 0 {
        Some(Ending::Panic)
    } else if bits & ABORTED != 0 {
        Some(Ending::Aborted)
    } else {
        None
    }
}

/// What the caller of [`Remote::transition_to_notified`] must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum OnRemoteWake {
    /// Take a reference, push the task into the inbox, and ring.
    Push,
    /// It is in the inbox already, or on its way from there to its poll.
    Nothing,
}

/// What other threads may write: whether the task was woken by one of them and not polled since.
#[derive(Debug)]
pub(crate) struct Remote(AtomicU8);

impl Remote {
    #[inline]
    pub(crate) fn new() -> Remote {
        Remote(AtomicU8::new(0))
    }

    /// A task that begins its life in the inbox.
    pub(crate) fn new_notified() -> Remote {
        Remote(AtomicU8::new(1))
    }

    /// A wake from elsewhere. It is a read-modify-write even when the flag stands: its release half
    /// publishes what the waking thread wrote before, to the poll that takes the flag down.
    #[inline]
    pub(crate) fn transition_to_notified(&self) -> OnRemoteWake {
        if self.0.swap(1, AcqRel) == 0 {
            OnRemoteWake::Push
        } else {
            OnRemoteWake::Nothing
        }
    }

    /// About to be polled; everything that was written before a wake is visible from here on.
    #[inline]
    pub(crate) fn transition_to_polled(&self) {
        self.0.swap(0, AcqRel);
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests {
    use super::*;

    #[test]
    fn ten_wakes_before_it_runs_link_a_task_once() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(state.transition_to_idle(), AfterPoll::Rest);
        assert_eq!(state.transition_to_queued(), OnWake::Push);
        for _ in 0..9 {
            assert_eq!(state.transition_to_queued(), OnWake::Nothing);
        }
    }

    #[test]
    fn hz_a19_a_wake_during_its_own_poll_queues_it_once() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(state.transition_to_queued(), OnWake::Push);
        assert_eq!(state.transition_to_queued(), OnWake::Nothing);
        assert_eq!(state.transition_to_idle(), AfterPoll::Rest);
        assert_eq!(state.transition_to_running(), OnRun::Poll);
    }

    #[test]
    fn a_collected_task_takes_the_remote_flag_down_at_its_poll_and_not_if_it_is_dropped() {
        let state = State::new_foreign();
        assert_eq!(state.transition_to_collected(), OnWake::Push);
        assert_eq!(state.transition_to_running(), OnRun::PollCollected);
        assert_eq!(state.transition_to_queued(), OnWake::Push);
        assert_eq!(state.transition_to_idle(), AfterPoll::Rest);
        assert_eq!(state.transition_to_running(), OnRun::Poll, "once");
        assert_eq!(state.transition_to_idle(), AfterPoll::Rest);
        assert_eq!(state.transition_to_aborted(), OnAbort::Push);
        assert_eq!(state.transition_to_collected(), OnWake::Nothing);
        assert_eq!(state.transition_to_running(), OnRun::DropFuture);
    }

    #[test]
    fn a_result_beats_an_abort_that_came_while_it_was_made() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(state.transition_to_aborted(), OnAbort::Nothing);
        assert_eq!(state.transition_to_done(Ending::Output), OnDone::WakeJoiner);
        assert_eq!(state.peek_ending(), Some(Ending::Output), "a look");
        assert_eq!(state.take_ending(), Some(Ending::Output));
        assert_eq!(state.peek_ending(), None, "it was taken");
    }

    #[test]
    fn an_abort_that_is_under_way_is_no_ending_yet() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_aborted(), OnAbort::Nothing);
        assert_eq!(state.peek_ending(), None);
        assert_eq!(state.transition_to_running(), OnRun::DropFuture);
        assert_eq!(
            state.transition_to_done(Ending::Aborted),
            OnDone::WakeJoiner
        );
        assert_eq!(state.peek_ending(), Some(Ending::Aborted));
    }

    #[test]
    fn an_abort_while_running_drops_the_future_after_the_poll_and_while_still_running() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(state.transition_to_aborted(), OnAbort::Nothing);
        assert_eq!(state.transition_to_idle(), AfterPoll::DropFuture);
        assert_eq!(
            state.transition_to_aborted(),
            OnAbort::Nothing,
            "a nested abort only marks"
        );
        assert_eq!(
            state.transition_to_done(Ending::Aborted),
            OnDone::WakeJoiner
        );
    }

    #[test]
    fn hz_a01_a_done_task_is_never_queued_again() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(
            state.transition_to_done(Ending::Aborted),
            OnDone::WakeJoiner
        );
        assert_eq!(state.transition_to_queued(), OnWake::Nothing);
        assert_eq!(state.transition_to_aborted(), OnAbort::Nothing);
    }

    #[test]
    fn a_dropped_handle_discards_the_result_once() {
        let state = State::new_queued();
        assert_eq!(state.transition_to_running(), OnRun::Poll);
        assert_eq!(state.transition_to_done(Ending::Panic), OnDone::WakeJoiner);
        assert_eq!(
            state.transition_to_detached(),
            OnDetach::Discard(Ending::Panic)
        );
        assert_eq!(state.take_ending(), None, "the payload is gone");
    }
}

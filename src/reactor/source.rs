//! A source: a descriptor as the loop sees it, what the kernel said of it, and who waits for more.
//!
//! *Role.* `net` and `io` hold a [`Source`] per descriptor; their operations ask it whether to try, and
//! wait in it. The reactor keeps it while it is registered, and passes on what the kernel reports.
//!
//! *Model.* What the kernel said is remembered in user space, so an operation is tried only where it
//! may succeed:
//!
//! ```text
//!                    WouldBlock, or a short transfer (edge-triggered, not closed)
//!          ┌─────────────────────────────────────────────────┐
//!          │                                                 ▼
//!      ready: try ◄────────────── an event ────────────── empty: wait
//!          ▲                                                 │ first wait of the source's life: add
//!      (a new source)                                        ▼ level-triggered backend: rearm
//!                                                        WaitQueue
//! ```
//!
//! A source begins as ready in every direction and is unknown to the kernel: an operation that
//! succeeds at once costs no registration. `add` comes at the first wait and reports a condition that
//! already holds (B2), so nothing that arrived in between is lost.
//!
//! *Closed is sticky.* After a hang-up a short transfer no longer means "empty": the end of the stream
//! is still to be read, and no further edge will come (hz_c05). Only WouldBlock clears it. Urgent data is
//! the same: a read stops before it, short, and what lies behind is announced already. Therefore an
//! edge-triggered backend is asked for it too.
//!
//! *Residents.* A named future brings a wait node of its own. A poll function of a trait has nowhere to
//! keep one, so each direction has a resident node, made when it is first needed. It serves one waiter at
//! a time; named futures queue beside it.
//!
//! *Cost.* An operation that is ready adds two loads and a store to its system call. A wait adds no
//! system call on an edge-triggered backend.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use mainspring_sys::backend::Triggering;
use mainspring_sys::{Interest, Ready};

use super::Reactor;
use crate::slab::Key;
use crate::task::core::Core;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// One way in which a source can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
    Priority,
}

impl Direction {
    const ALL: [Direction; 3] = [Direction::Read, Direction::Write, Direction::Priority];

    pub(super) fn interest(self) -> Interest {
        match self {
            Direction::Read => Interest::READ,
            Direction::Write => Interest::WRITE,
            Direction::Priority => Interest::PRIORITY,
        }
    }

    /// What a wait node says it waits for.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Direction::Read => Kind::Read,
            Direction::Write => Kind::Write,
            Direction::Priority => Kind::Priority,
        }
    }
}

/// What is known of one direction, and who waits for more.
struct Side {
    is_ready: Cell<bool>,
    /// Nobody said that it is ready: an operation may be tried, a question must be asked.
    is_assumed: Cell<bool>,
    is_closed: Cell<bool>,
    waiters: WaitQueue<()>,
    /// The node of whoever waits through a poll function, and so has no future to keep one in.
    resident: OnceCell<Pin<Box<WaitNode<()>>>>,
}

impl Side {
    fn new(is_ready: bool) -> Side {
        Side {
            is_ready: Cell::new(is_ready),
            is_assumed: Cell::new(is_ready),
            is_closed: Cell::new(false),
            waiters: WaitQueue::new(),
            resident: OnceCell::new(),
        }
    }

    /// Nothing is known: let an operation find out.
    fn assume_ready(&self) {
        self.is_ready.set(true);
        self.is_assumed.set(true);
        self.is_closed.set(false);
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(node) = self.resident.get() {
            let _ = self.waiters.cancel(node.as_ref());
        }
    }
}

/// A descriptor as the loop sees it. Its owner holds it beside the descriptor, calls
/// [`Source::close`] before the descriptor goes, and passes the descriptor to whatever may register.
pub(crate) struct Source {
    sides: [Side; 3],
    /// Set at the first wait, cleared by `close` and by the loop's end.
    home: RefCell<Option<Home>>,
    state: Cell<Registration>,
    /// The loop it is registered with; meaningless before.
    loop_id: Cell<u64>,
    /// The loop that reports its bytes without being asked again, by edges; 0 is none.
    reported_by: Cell<u64>,
    /// Registered with an edge-triggered backend, or not yet registered: then too a short transfer
    /// says "empty", because the registration to come reports what arrived meanwhile (B2).
    is_edge: Cell<bool>,
    /// Exceptional data was reported, and no read met WouldBlock since.
    is_urgent: Cell<bool>,
}

/// Where a source is registered.
struct Home {
    reactor: Rc<Reactor>,
    key: Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Registration {
    /// The kernel does not know it yet.
    None,
    /// Registered.
    Live,
    /// Its loop is gone.
    Orphan,
}

/// What a leaf gets when its loop is gone.
pub(crate) fn loop_is_gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the loop is gone")
}

/// What a leaf gets that must wait where no loop is entered.
pub(crate) fn no_loop() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "no loop is running on this thread; await this inside `mainspring::run`",
    )
}

impl Source {
    pub(crate) fn new() -> Rc<Source> {
        Rc::new(Source {
            // Exceptional data is rare: wait for it before trying.
            sides: [Side::new(true), Side::new(true), Side::new(false)],
            home: RefCell::new(None),
            state: Cell::new(Registration::None),
            loop_id: Cell::new(0),
            reported_by: Cell::new(0),
            is_edge: Cell::new(true),
            is_urgent: Cell::new(false),
        })
    }

    #[inline]
    fn side(&self, direction: Direction) -> &Side {
        &self.sides[direction as usize]
    }

    /// Whether an operation may succeed.
    #[inline]
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        self.side(direction).is_ready.get()
    }

    /// Whether the kernel said that nothing more will come, or go, this way. A hint.
    pub(crate) fn is_closed(&self, direction: Direction) -> bool {
        self.side(direction).is_closed.get()
    }

    /// Who asks whether `direction` is ready is not content with a guess: what nobody reported must be
    /// asked of the selector.
    pub(crate) fn doubt(&self, direction: Direction) {
        let side = self.side(direction);
        if side.is_assumed.replace(false) {
            side.is_ready.set(false);
        }
    }

    /// The operation returned WouldBlock: wait before the next one.
    #[inline]
    pub(crate) fn clear(&self, direction: Direction) {
        let side = self.side(direction);
        side.is_ready.set(false);
        side.is_assumed.set(false);
        side.is_closed.set(false);
        if direction == Direction::Read {
            self.is_urgent.set(false);
        }
    }

    /// The operation moved `done` of `asked` bytes of a *stream socket*. Where the backend will report
    /// the next byte as a new edge, a short transfer means that nothing is left (B5, hz_c05); but a
    /// read also stops at TCP's urgent mark, with bytes left behind it that make no edge any more.
    #[inline]
    pub(crate) fn transferred(&self, direction: Direction, done: usize, asked: usize) {
        let side = self.side(direction);
        let is_short = done > 0 && done < asked;
        if is_short && self.is_edge.get() && !side.is_closed.get() && !self.is_urgent.get() {
            side.is_ready.set(false);
        }
    }

    /// `Ready` once an operation may succeed; else `node` waits for it. `find` gives the reactor to
    /// register with, if this is the first wait. A node that is queued may stay so: its drop cancels.
    ///
    /// # Errors
    /// That the loop is gone, that there is none, or what the selector says of the descriptor.
    #[inline(always)]
    pub(crate) fn poll_ready(
        self: &Rc<Self>,
        direction: Direction,
        fd: BorrowedFd<'_>,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> Poll<io::Result<()>> {
        Core::with_current(|core| {
            let word = fd.as_raw_fd() as u64;
            let side = self.side(direction);
            let is_short = !side.is_ready.get() && self.is_armed(direction, core);
            if is_short && side.waiters.enter(core, node, cx, word).is_some() {
                return Poll::Pending;
            }
            self.poll_ready_in(core, direction, fd, node, cx, find)
        })
    }

    /// [`Source::poll_ready`], the long way.
    #[inline(never)]
    fn poll_ready_in(
        self: &Rc<Self>,
        core: Option<&Core>,
        direction: Direction,
        fd: BorrowedFd<'_>,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> Poll<io::Result<()>> {
        let side = self.side(direction);
        loop {
            if side.is_ready.get() {
                return Poll::Ready(Ok(()));
            }
            if !self.is_armed(direction, core) {
                if let Err(error) = self.arm(direction, fd, node, find) {
                    let _ = side.waiters.cancel(node);
                    return Poll::Ready(Err(error));
                }
            }
            // Woken, but somebody else was quicker: wait again, at the back.
            ready!(side.waiters.poll_in(core, node, cx, fd.as_raw_fd() as u64));
        }
    }

    /// The node for waits through a poll function, of which each direction has one: the latest waker
    /// replaces the one before. `location` is the line on whose behalf it waits.
    pub(crate) fn resident(
        &self,
        direction: Direction,
        location: &'static Location<'static>,
    ) -> Pin<&WaitNode<()>> {
        let make = || Box::pin(WaitNode::new(direction.kind(), location));
        let node = self.side(direction).resident.get_or_init(make).as_ref();
        node.set_location(location);
        node
    }

    /// The future that waits with `node` is dropped.
    #[inline]
    pub(crate) fn cancel(&self, direction: Direction, node: Pin<&WaitNode<()>>) {
        // Every waiter of a direction is woken at once, so nothing needs to be handed on.
        let _ = self.side(direction).waiters.cancel(node);
    }

    /// Whether the kernel will report `direction` without being asked again: one registration for life.
    #[inline]
    fn is_armed(&self, direction: Direction, core: Option<&Core>) -> bool {
        direction != Direction::Priority
            && core.is_some_and(|core| core.id() == self.reported_by.get())
    }

    /// Makes sure that the kernel will report `direction`.
    #[inline(never)]
    fn arm(
        self: &Rc<Self>,
        direction: Direction,
        fd: BorrowedFd<'_>,
        node: Pin<&WaitNode<()>>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> io::Result<()> {
        match self.state.get() {
            Registration::Live => {
                if self.is_elsewhere() {
                    let _ = self.side(direction).waiters.cancel(node);
                    return self.migrate(direction, fd, find);
                }
                let home = self.home.borrow();
                let home = home.as_ref().ok_or_else(loop_is_gone)?;
                home.reactor.rearm(fd, home.key, direction.interest())
            }
            Registration::None => self.register(direction, fd, find),
            Registration::Orphan => Err(loop_is_gone()),
        }
    }

    #[cold]
    fn register(
        self: &Rc<Self>,
        direction: Direction,
        fd: BorrowedFd<'_>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> io::Result<()> {
        let reactor = find().ok_or_else(no_loop)?;
        let added = reactor.add(self, fd, direction);
        // Not registered, so nobody will ever report: the next operation must try for itself.
        let key = added.inspect_err(|_| {
            if direction != Direction::Priority {
                self.side(direction).assume_ready();
            }
        })?;
        self.state.set(Registration::Live);
        self.loop_id.set(current_loop().unwrap_or(0));
        let is_edge = reactor.triggering == Triggering::Edge;
        self.is_edge.set(is_edge);
        self.reported_by
            .set(if is_edge { self.loop_id.get() } else { 0 });
        *self.home.borrow_mut() = Some(Home { reactor, key });
        Ok(())
    }

    /// Whether it is registered with another loop than the one that is entered.
    #[inline]
    fn is_elsewhere(&self) -> bool {
        current_loop().is_some_and(|id| id != self.loop_id.get())
    }

    /// The source's user lives in another loop by now, whose selector must report it: the old one is
    /// not asked while this one runs.
    #[cold]
    fn migrate(
        self: &Rc<Self>,
        direction: Direction,
        fd: BorrowedFd<'_>,
        find: fn() -> Option<Rc<Reactor>>,
    ) -> io::Result<()> {
        if self.has_waiters() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "tasks of another loop wait for this descriptor; one loop at a time",
            ));
        }
        if let Some(Home { reactor, key }) = self.home.take() {
            self.forget_registration();
            reactor.remove(Some(fd), key, false);
        }
        self.register(direction, fd, find)
    }

    fn forget_registration(&self) {
        self.state.set(Registration::None);
        self.is_edge.set(true);
        self.reported_by.set(0);
    }

    /// The owner is about to close `fd`, or to hand it out. `None`: the number is somebody else's by
    /// now, so the kernel must not be asked about it. `is_private` says that the descriptor never left
    /// our types and is closed next, in which case some backends need not be told (B1).
    pub(crate) fn close(&self, fd: Option<BorrowedFd<'_>>, is_private: bool) {
        let home = self.home.borrow_mut().take();
        if let Some(Home { reactor, key }) = home {
            self.forget_registration();
            reactor.remove(fd, key, is_private);
        }
        // Nothing is known of what this number may become.
        for side in &self.sides[..2] {
            side.assume_ready();
        }
        self.wake_all();
    }

    fn wake_all(&self) {
        for side in &self.sides {
            side.waiters.give_all(|| ());
        }
    }

    /// The loop forgets its sources in the child of a fork: whoever waits registers anew, for nothing is known
    /// of what was reported to the parent.
    pub(super) fn forget_loop(&self) {
        let home = self.home.borrow_mut().take();
        drop(home);
        self.forget_registration();
        self.is_urgent.set(false);
        for side in &self.sides {
            side.is_ready.set(false);
            side.is_assumed.set(false);
            side.is_closed.set(false);
        }
        self.wake_all();
    }

    /// The loop is gone.
    pub(super) fn orphan(&self) {
        *self.home.borrow_mut() = None;
        self.state.set(Registration::Orphan);
        self.reported_by.set(0);
        for side in &self.sides {
            side.is_ready.set(false);
            side.is_assumed.set(false);
        }
        self.wake_all();
    }

    /// An event: remembers what it says, then wakes who waits for that.
    #[inline]
    pub(super) fn apply(&self, ready: Ready) {
        const RARE: Ready = Ready::READ_CLOSED
            .union(Ready::WRITE_CLOSED)
            .union(Ready::ERROR)
            .union(Ready::PRIORITY);
        if ready.intersects(RARE) {
            self.note_rare(ready);
        }
        if ready.contains(Ready::READABLE) {
            self.report(Direction::Read);
        }
        if ready.contains(Ready::WRITABLE) {
            self.report(Direction::Write);
        }
    }

    /// The kernel says that `direction` is ready: an operation may be tried, and who waits is woken.
    #[inline(always)]
    fn report(&self, direction: Direction) {
        let side = self.side(direction);
        side.is_ready.set(true);
        side.is_assumed.set(false);
        if !side.waiters.is_empty() {
            side.waiters.give_all(|| ());
        }
    }

    /// A direction that is closed is ready, too: the operation will tell how. Urgent data is noted for
    /// the reads that stop before it.
    #[cold]
    fn note_rare(&self, ready: Ready) {
        if ready.contains(Ready::PRIORITY) {
            self.is_urgent.set(true);
        }
        let closed = [
            Ready::READ_CLOSED | Ready::ERROR,
            Ready::WRITE_CLOSED | Ready::ERROR,
            Ready::ERROR,
        ];
        for (side, (direction, causes)) in self
            .sides
            .iter()
            .zip(Direction::ALL.into_iter().zip(closed))
        {
            let is_closed = ready.intersects(causes);
            if is_closed {
                side.is_closed.set(true);
            }
            if is_closed || direction == Direction::Priority && ready.contains(Ready::PRIORITY) {
                side.is_ready.set(true);
                side.is_assumed.set(false);
                side.waiters.give_all(|| ());
            }
        }
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.sides.iter().any(|side| !side.waiters.is_empty())
    }
}

/// The loop that is entered on this thread, by its number.
#[inline]
fn current_loop() -> Option<u64> {
    Core::with_current(|core| core.map(Core::id))
}

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
//! system call on an edge-triggered backend. 88 bytes with its counts: there is one for each connection that is
//! merely there. What few sources need, residents and who waits for exceptional data, has a piece of its own.

#[cfg(all(test, not(mainspring_loom)))]
mod tests;

use std::cell::{Cell, OnceCell};
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

/// Marks, a bit for each, of one direction or of the whole source.
#[derive(Debug)]
struct Marks(Cell<u8>);

impl Marks {
    #[inline]
    fn has(&self, mark: u8) -> bool {
        self.0.get() & mark != 0
    }

    /// Whether of those in `asked` just `wanted` are set.
    #[inline]
    fn are(&self, asked: u8, wanted: u8) -> bool {
        self.0.get() & asked == wanted
    }

    #[inline]
    fn set(&self, marks: u8) {
        self.0.set(self.0.get() | marks);
    }

    #[inline]
    fn clear(&self, marks: u8) {
        self.0.set(self.0.get() & !marks);
    }
}

/// Of a direction: an operation may be tried.
const READY: u8 = 1;
/// Of a direction: nobody said that it is ready; an operation may be tried, a question must be asked.
const ASSUMED: u8 = 1 << 1;
/// Of a direction: the kernel said that nothing more will come, or go.
const CLOSED: u8 = 1 << 2;
/// Of a direction: the loop that the source is registered with reports it without being asked again, by edges.
const REPORTED: u8 = 1 << 3;

/// Of a source: registered with an edge-triggered backend, or not yet registered: then too a short transfer
/// says "empty", because the registration to come reports what arrived meanwhile (B2).
const EDGE: u8 = 1;
/// Of a source: exceptional data was reported, and no read met WouldBlock since.
const URGENT: u8 = 1 << 1;
/// Of a source: its loop is gone.
const ORPHAN: u8 = 1 << 2;

/// A descriptor as the loop sees it. Its owner holds it beside the descriptor, calls
/// [`Source::close`] before the descriptor goes, and passes the descriptor to whatever may register.
pub(crate) struct Source {
    /// Who waits to read, and who waits to write.
    waiters: [WaitQueue<()>; 2],
    rare: OnceCell<Box<Rare>>,
    /// Set at the first wait, cleared by `close` and by the loop's end.
    home: Cell<Option<Home>>,
    /// The loop it is registered with; meaningless before.
    loop_id: Cell<u64>,
    /// Of each direction.
    sides: [Marks; 3],
    marks: Marks,
}

/// What few sources have.
struct Rare {
    /// Who waits for exceptional data.
    waiters: WaitQueue<()>,
    /// By direction, the node of whoever waits through a poll function, and so has no future to keep one in.
    residents: [OnceCell<Pin<Box<WaitNode<()>>>>; 3],
}

/// Where a source is registered.
struct Home {
    reactor: Rc<Reactor>,
    key: Key,
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
        // Exceptional data is rare: wait for it before trying.
        let sides = [READY | ASSUMED, READY | ASSUMED, 0];
        Rc::new(Source {
            waiters: [WaitQueue::new(), WaitQueue::new()],
            rare: OnceCell::new(),
            home: Cell::new(None),
            loop_id: Cell::new(0),
            sides: sides.map(|marks| Marks(Cell::new(marks))),
            marks: Marks(Cell::new(EDGE)),
        })
    }

    #[inline]
    fn side(&self, direction: Direction) -> &Marks {
        &self.sides[direction as usize]
    }

    #[inline]
    fn waiters(&self, direction: Direction) -> &WaitQueue<()> {
        match direction {
            Direction::Read => &self.waiters[0],
            Direction::Write => &self.waiters[1],
            Direction::Priority => &self.rare().waiters,
        }
    }

    #[inline]
    fn rare(&self) -> &Rare {
        self.rare.get_or_init(|| {
            Box::new(Rare {
                waiters: WaitQueue::new(),
                residents: [const { OnceCell::new() }; 3],
            })
        })
    }

    /// Whether an operation may succeed.
    #[inline]
    pub(crate) fn is_ready(&self, direction: Direction) -> bool {
        self.side(direction).has(READY)
    }

    /// Whether the kernel said that nothing more will come, or go, this way. A hint.
    pub(crate) fn is_closed(&self, direction: Direction) -> bool {
        self.side(direction).has(CLOSED)
    }

    /// Who asks whether `direction` is ready is not content with a guess: what nobody reported must be
    /// asked of the selector.
    pub(crate) fn doubt(&self, direction: Direction) {
        let side = self.side(direction);
        if side.has(ASSUMED) {
            side.clear(READY | ASSUMED);
        }
    }

    /// The operation returned WouldBlock: wait before the next one.
    #[inline]
    pub(crate) fn clear(&self, direction: Direction) {
        self.side(direction).clear(READY | ASSUMED | CLOSED);
        if direction == Direction::Read {
            self.marks.clear(URGENT);
        }
    }

    /// The operation moved `done` of `asked` bytes of a *stream socket*. Where the backend will report
    /// the next byte as a new edge, a short transfer means that nothing is left (B5, hz_c05); but a
    /// read also stops at TCP's urgent mark, with bytes left behind it that make no edge any more.
    #[inline]
    pub(crate) fn transferred(&self, direction: Direction, done: usize, asked: usize) {
        let is_short = done > 0 && done < asked;
        let side = self.side(direction);
        if is_short && !side.has(CLOSED) && self.marks.are(EDGE | URGENT, EDGE) {
            side.clear(READY);
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
            let is_armed = side.are(READY | REPORTED, REPORTED)
                && core.is_some_and(|core| core.id() == self.loop_id.get());
            // Exceptional data takes the long way.
            if let Some(waiters) = self.waiters.get(direction as usize) {
                if is_armed && waiters.enter(core, node, cx, word).is_some() {
                    return Poll::Pending;
                }
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
        let waiters = self.waiters(direction);
        loop {
            if self.is_ready(direction) {
                return Poll::Ready(Ok(()));
            }
            if !self.is_armed(direction, core) {
                if let Err(error) = self.arm(direction, fd, node, find) {
                    let _ = waiters.cancel(node);
                    return Poll::Ready(Err(error));
                }
            }
            // Woken, but somebody else was quicker: wait again, at the back.
            ready!(waiters.poll_in(core, node, cx, fd.as_raw_fd() as u64));
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
        let resident = &self.rare().residents[direction as usize];
        let node = resident.get_or_init(make).as_ref();
        node.set_location(location);
        node
    }

    /// The future that waits with `node` is dropped.
    #[inline]
    pub(crate) fn cancel(&self, direction: Direction, node: Pin<&WaitNode<()>>) {
        // Every waiter of a direction is woken at once, so nothing needs to be handed on.
        let _ = self.waiters(direction).cancel(node);
    }

    /// Whether the kernel will report `direction` without being asked again: one registration for life.
    #[inline]
    fn is_armed(&self, direction: Direction, core: Option<&Core>) -> bool {
        self.side(direction).has(REPORTED)
            && core.is_some_and(|core| core.id() == self.loop_id.get())
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
        let Some(home) = self.home.take() else {
            if self.marks.has(ORPHAN) {
                return Err(loop_is_gone());
            }
            return self.register(direction, fd, find);
        };
        let reactor = Rc::clone(&home.reactor);
        let key = home.key;
        self.home.set(Some(home));
        if self.is_elsewhere() {
            let _ = self.waiters(direction).cancel(node);
            return self.migrate(direction, fd, find);
        }
        reactor.rearm(fd, key, direction.interest())
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
                self.assume_ready(direction);
            }
        })?;
        self.loop_id.set(current_loop().unwrap_or(0));
        match reactor.triggering {
            Triggering::Edge => {
                self.marks.set(EDGE);
                self.sides[..2].iter().for_each(|side| side.set(REPORTED));
            }
            Triggering::Level => self.marks.clear(EDGE),
        }
        self.home.set(Some(Home { reactor, key }));
        Ok(())
    }

    /// Nothing is known: let an operation find out.
    fn assume_ready(&self, direction: Direction) {
        let side = self.side(direction);
        side.set(READY | ASSUMED);
        side.clear(CLOSED);
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
        self.marks.set(EDGE);
        self.sides.iter().for_each(|side| side.clear(REPORTED));
    }

    /// The owner is about to close `fd`, or to hand it out. `None`: the number is somebody else's by
    /// now, so the kernel must not be asked about it. `is_private` says that the descriptor never left
    /// our types and is closed next, in which case some backends need not be told (B1).
    pub(crate) fn close(&self, fd: Option<BorrowedFd<'_>>, is_private: bool) {
        if let Some(Home { reactor, key }) = self.home.take() {
            self.forget_registration();
            reactor.remove(fd, key, is_private);
        }
        // Nothing is known of what this number may become.
        self.assume_ready(Direction::Read);
        self.assume_ready(Direction::Write);
        self.wake_all();
    }

    fn wake_all(&self) {
        for waiters in &self.waiters {
            waiters.give_all(|| ());
        }
        if let Some(rare) = self.rare.get() {
            rare.waiters.give_all(|| ());
        }
    }

    /// The loop forgets its sources in the child of a fork: whoever waits registers anew, for nothing is known
    /// of what was reported to the parent.
    pub(super) fn forget_loop(&self) {
        drop(self.home.take());
        self.forget_registration();
        self.marks.clear(URGENT);
        for side in &self.sides {
            side.clear(READY | ASSUMED | CLOSED);
        }
        self.wake_all();
    }

    /// The loop is gone.
    pub(super) fn orphan(&self) {
        drop(self.home.take());
        self.marks.set(ORPHAN);
        for side in &self.sides {
            side.clear(READY | ASSUMED | REPORTED);
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
        side.set(READY);
        side.clear(ASSUMED);
        let waiters = self.waiters(direction);
        if !waiters.is_empty() {
            waiters.give_all(|| ());
        }
    }

    /// A direction that is closed is ready, too: the operation will tell how. Urgent data is noted for
    /// the reads that stop before it.
    #[cold]
    fn note_rare(&self, ready: Ready) {
        if ready.contains(Ready::PRIORITY) {
            self.marks.set(URGENT);
        }
        let closed = [
            Ready::READ_CLOSED | Ready::ERROR,
            Ready::WRITE_CLOSED | Ready::ERROR,
            Ready::ERROR,
        ];
        for (direction, causes) in Direction::ALL.into_iter().zip(closed) {
            let is_closed = ready.intersects(causes);
            if is_closed {
                self.side(direction).set(CLOSED);
            }
            let is_noted = direction == Direction::Priority && ready.contains(Ready::PRIORITY);
            if is_closed || is_noted {
                self.side(direction).set(READY);
                self.side(direction).clear(ASSUMED);
                match direction {
                    Direction::Priority if self.rare.get().is_none() => {}
                    _ => self.waiters(direction).give_all(|| ()),
                }
            }
        }
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.waiters.iter().any(|waiters| !waiters.is_empty())
            || self.rare.get().is_some_and(|rare| !rare.waiters.is_empty())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let Some(rare) = self.rare.get() else { return };
        for direction in Direction::ALL {
            if let Some(node) = rare.residents[direction as usize].get() {
                let _ = self.waiters(direction).cancel(node.as_ref());
            }
        }
    }
}

/// The loop that is entered on this thread, by its number.
#[inline]
fn current_loop() -> Option<u64> {
    Core::with_current(|core| core.map(Core::id))
}

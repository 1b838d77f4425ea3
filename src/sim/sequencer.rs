//! `Sequencer`: a fixed order of steps across tasks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::pin::{pinned, pinned_in_drop};
use crate::task::resource::Tag;
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// Gives numbered turns in their order, whichever tasks take them: for a test that wants one of the many ways in
/// which tasks may run.
///
/// Turn 0 is the first. A turn lasts until its guard is dropped; then the next number has its turn, as soon as somebody
/// asks for it. A clone is the same sequencer.
///
/// ```
/// use mainspring::{sim::Sequencer, spawn};
/// use std::{cell::RefCell, rc::Rc};
///
/// mainspring::run(async {
///     let (steps, log) = (Sequencer::new(), Rc::new(RefCell::new(Vec::new())));
///     let (inner, inner_log) = (steps.clone(), Rc::clone(&log));
///     let other = spawn(async move {
///         let _turn = inner.turn(1).await;
///         inner_log.borrow_mut().push("b");
///     });
///     for (number, name) in [(0, "a"), (2, "c")] {
///         let _turn = steps.turn(number).await;
///         log.borrow_mut().push(name);
///     }
///     other.await.unwrap();
///     assert_eq!(*log.borrow(), ["a", "b", "c"]);
/// })
/// .unwrap();
/// ```
#[derive(Clone)]
pub struct Sequencer(Rc<Shared>);

struct Shared {
    next: Cell<u64>,
    /// The numbers that somebody waits for or has.
    taken: RefCell<BTreeSet<u64>>,
    waiters: WaitQueue<()>,
    tag: Tag,
}

impl Sequencer {
    /// A sequence whose first turn is 0.
    #[must_use]
    #[track_caller]
    pub fn new() -> Sequencer {
        Sequencer(Rc::new(Shared {
            next: Cell::new(0),
            taken: RefCell::new(BTreeSet::new()),
            waiters: WaitQueue::new(),
            tag: Tag::new(Location::caller()),
        }))
    }

    /// Waits until all turns with a lower number are over.
    ///
    /// # Cancel safety
    /// Safe: the number can be asked for again.
    ///
    /// # Panics
    /// If that number's turn is over, or somebody else has it or waits for it.
    #[track_caller]
    pub fn turn(&self, number: u64) -> TurnWait {
        let shared = Rc::clone(&self.0);
        let is_new = number >= shared.next.get() && shared.taken.borrow_mut().insert(number);
        assert!(is_new, "turn {number} of this Sequencer was taken before");
        TurnWait {
            shared,
            number,
            has_turn: Cell::new(false),
            node: WaitNode::new(Kind::Sequence, Location::caller()),
        }
    }
}

impl Default for Sequencer {
    #[track_caller]
    fn default() -> Sequencer {
        Sequencer::new()
    }
}

impl fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequencer")
            .field("next", &self.0.next.get())
            .finish_non_exhaustive()
    }
}

/// Waits for its turn. Made by [`Sequencer::turn`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TurnWait {
    shared: Rc<Shared>,
    number: u64,
    /// The guard has the number now.
    has_turn: Cell<bool>,
    node: WaitNode<()>,
}

impl Future for TurnWait {
    type Output = Turn;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        let this = self.as_ref();
        assert!(
            !this.has_turn.get(),
            "a TurnWait was polled again after it had its turn"
        );
        let shared = &this.shared;
        while shared.next.get() != this.number {
            let node = pinned!(this, node);
            if shared
                .waiters
                .poll(node, cx, shared.tag.number())
                .is_pending()
            {
                return Poll::Pending;
            }
        }
        let turn = Turn {
            shared: Rc::clone(shared),
            number: this.number,
        };
        this.has_turn.set(true);
        Poll::Ready(turn)
    }
}

impl Drop for TurnWait {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        self.shared.waiters.cancel(node);
        if !self.has_turn.get() {
            self.shared.taken.borrow_mut().remove(&self.number);
        }
    }
}

impl fmt::Debug for TurnWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnWait")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// A turn, until it is dropped. Made by [`Sequencer::turn`].
#[must_use = "the turn is over when the guard is dropped"]
pub struct Turn {
    shared: Rc<Shared>,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.taken.borrow_mut().remove(&self.number);
        self.shared.next.set(self.number + 1);
        self.shared.waiters.give_all(|| ());
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.number).finish()
    }
}

//! `Woken`: which of many children was woken since it was last polled.
//!
//! *Role.* One that waits for a thousand others and polls them all at each wake does a million polls. Here
//! each child has a waker of its own, which notes the child's place and passes the wake on.
//!
//! *Model.*
//!
//! ```text
//!     child's waker ──► noted (under a mutex, once per child and poll) ──► the parent's waker, once per batch
//!     parent's poll ──► the batch: what was noted, in the order of places ──► each child polled once
//! ```
//!
//! What is noted while a batch is polled is for the next one, and has woken the parent already.
//!
//! *Cost.* One allocation per child, when it is first polled; a wake is an atomic swap and, for the first since
//! the child's last poll, a lock that nobody holds. The wakers are good on any thread.
//!
//! *The price.* The parent's waker stands where any thread may reach it, so a loop can't prove that a task
//! which waits here will never go on: it does not report that deadlock.
//!
//! *User code* (the parent's waker, which may be a foreign one) never runs under the mutex.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::AcqRel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};

/// Up to so many children it costs less to poll them all.
pub(super) const FEW: usize = 16;

/// See the module's header.
#[derive(Debug)]
pub(super) struct Woken {
    shared: Arc<Shared>,
    children: Vec<(Arc<Child>, Waker)>,
    /// The places to be polled now, the next one last.
    batch: Vec<usize>,
    /// The batch is left from an earlier poll: what was noted since follows it in this one.
    is_left_over: bool,
}

#[derive(Debug)]
struct Shared(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    places: Vec<usize>,
    /// Whom to wake at the first note; taken out by it.
    parent: Option<Waker>,
}

#[derive(Debug)]
struct Child {
    place: usize,
    is_noted: AtomicBool,
    shared: Arc<Shared>,
}

impl Shared {
    /// No user code runs under the lock, so it can't be poisoned.
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Child {
    fn wake(self: Arc<Child>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Child>) {
        // A read-modify-write also when it is noted already: it publishes what was written before the wake.
        if self.is_noted.swap(true, AcqRel) {
            return;
        }
        let mut noted = self.shared.lock();
        noted.places.push(self.place);
        let parent = noted.parent.take();
        drop(noted);
        if let Some(parent) = parent {
            parent.wake();
        }
    }
}

impl Woken {
    /// For so many children, each of which is to be polled at first.
    pub(super) fn new(count: usize) -> Woken {
        let shared = Arc::new(Shared(Mutex::default()));
        let child = |place| {
            let child = Arc::new(Child {
                place,
                is_noted: AtomicBool::new(true),
                shared: Arc::clone(&shared),
            });
            let waker = Waker::from(Arc::clone(&child));
            (child, waker)
        };
        Woken {
            children: (0..count).map(child).collect(),
            batch: (0..count).rev().collect(),
            is_left_over: false,
            shared,
        }
    }

    /// A poll begins: whoever is noted from now on wakes `cx`.
    pub(super) fn begin(&mut self, cx: &Context<'_>) {
        let earlier = self.shared.lock().parent.take();
        let waker = match earlier {
            Some(earlier) if earlier.will_wake(cx.waker()) => earlier,
            earlier => {
                drop(earlier);
                cx.waker().clone()
            }
        };
        let displaced = self.shared.lock().parent.replace(waker);
        drop(displaced);
        self.is_left_over = self.has_more();
        if !self.is_left_over {
            self.fill();
        }
    }

    /// What was noted becomes the batch, in the order of places.
    fn fill(&mut self) {
        std::mem::swap(&mut self.batch, &mut self.shared.lock().places);
        self.batch.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The place of the next child to be polled, if any is left in this poll.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.batch.is_empty() && self.is_left_over {
            self.is_left_over = false;
            self.fill();
        }
        let place = self.batch.pop()?;
        self.children[place].0.is_noted.swap(false, AcqRel);
        Some(place)
    }

    /// Whether children are left for a later poll: nobody's wake will tell.
    pub(super) fn has_more(&self) -> bool {
        self.is_left_over || !self.batch.is_empty()
    }

    pub(super) fn waker(&self, place: usize) -> &Waker {
        &self.children[place].1
    }
}

impl Drop for Woken {
    /// A waker that a stranger keeps must not keep the parent.
    fn drop(&mut self) {
        let parent = self.shared.lock().parent.take();
        drop(parent);
    }
}

//! `watch`: the latest value, for whoever looks: earlier ones that nobody looked at are gone.
//!
//! *Model.* The value stands in a counted block, and each change makes a new one. Who looks gets a share of
//! the block that is there: it may be kept as long as one likes, over an `await` too, and no sender waits for
//! it or fails because of it.
//!
//! ```text
//!     Sender ── send ──► value, version 7 ◄── seen: 7  Receiver    nothing new
//!                                         ◄── seen: 4  Receiver    `changed` is ready
//! ```
//!
//! *Cost.* One allocation per change. A look clones a pointer. A change in place costs a clone of the value.
//!
//! *Why not a borrow.* A guard that is held over an `await` would make the next `send` panic, or wait.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::pin::{Plain, pinned, pinned_beside, pinned_in_drop};
use crate::task::core::Core;
use crate::task::resource::{Peer, Tag};
use crate::task::wait::{Kind, WaitNode, WaitQueue};

pub use super::{RecvError, SendError};

/// A sender and a receiver that has seen the value.
#[track_caller]
pub(super) fn ends<T>(initial: T) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        value: RefCell::new(Rc::new(initial)),
        version: Cell::new(0),
        sender_count: Cell::new(1),
        receiver_count: Cell::new(1),
        changed: WaitQueue::new(),
        closed: WaitQueue::new(),
        tag: Tag::new(Location::caller()),
    });
    let sender = Sender {
        shared: Rc::clone(&shared),
    };
    (sender, Receiver { shared, seen: 0 })
}

struct Shared<T> {
    value: RefCell<Rc<T>>,
    /// How often it was changed.
    version: Cell<u64>,
    sender_count: Cell<usize>,
    receiver_count: Cell<usize>,
    changed: WaitQueue<()>,
    /// Who waits until nobody looks.
    closed: WaitQueue<()>,
    tag: Tag,
}

impl<T> Shared<T> {
    fn look(&self) -> Value<T> {
        Value(Rc::clone(&self.value.borrow()))
    }

    fn put(&self, value: T) {
        let earlier = self.value.replace(Rc::new(value));
        self.version.set(self.version.get() + 1);
        self.note_peer();
        self.changed.give_all(|| ());
        drop(earlier);
    }

    /// The one who changed it, or looked: who waits may wait for this task.
    fn note_peer(&self) {
        let task = Core::with_current(|core| core.and_then(Core::current_task));
        if let Some(task) = task {
            self.tag.set_peer(Peer::last_seen(task.id()));
        }
    }

    fn is_closed(&self) -> bool {
        self.receiver_count.get() == 0
    }

    /// Ready when `is_over` says something; `node` waits for it in `line`.
    fn poll<R>(
        &self,
        line: &WaitQueue<()>,
        node: Pin<&WaitNode<()>>,
        cx: &Context<'_>,
        mut is_over: impl FnMut() -> Option<R>,
    ) -> Poll<R> {
        loop {
            if let Some(answer) = is_over() {
                let _ = line.cancel(node);
                return Poll::Ready(answer);
            }
            if line.poll(node, cx, self.tag.number()).is_pending() {
                break;
            }
        }
        // A waker's clone may have changed the value before we stood in the line.
        match is_over() {
            Some(answer) => {
                let _ = line.cancel(node);
                Poll::Ready(answer)
            }
            None => Poll::Pending,
        }
    }
}

/// The value as it was when it was looked at. It may be kept.
pub struct Value<T>(Rc<T>);

impl<T> Deref for Value<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Value<T> {
        Value(Rc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end that changes the value. A clone changes the same one. Made by [`watch`](super::watch()).
///
/// ```compile_fail
/// let (sender, _receiver) = mainspring::channel::watch(1);
/// std::thread::spawn(move || sender.send(2));
/// ```
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Puts `value` in the place of the one that is there, and wakes who waits for a change.
    ///
    /// # Errors
    /// The value comes back, and nothing changes, if there is no receiver. [`Sender::set`] does it all the same.
    ///
    /// ```
    /// use mainspring::channel;
    /// let (sender, receiver) = channel::watch(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// drop(receiver);
    /// assert!(sender.send(3).is_err());
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.shared.is_closed() {
            return Err(SendError(value));
        }
        self.shared.put(value);
        Ok(())
    }

    /// As [`Sender::send`], also for receivers that come later.
    pub fn set(&self, value: T) {
        self.shared.put(value);
    }

    /// Changes the value: `modify` gets a clone, which then takes its place. If it panics, nothing has changed.
    ///
    /// ```
    /// use mainspring::channel;
    /// let (sender, receiver) = channel::watch(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow(), [1, 2]);
    /// ```
    pub fn send_modify(&self, modify: impl FnOnce(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value if `modify` says `true`: it gets a clone, which then takes its place.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        let mut value = T::clone(&self.borrow());
        let is_modified = modify(&mut value);
        if is_modified {
            self.shared.put(value);
        }
        is_modified
    }

    /// The value that is there.
    #[must_use]
    pub fn borrow(&self) -> Value<T> {
        self.shared.look()
    }

    /// A receiver that has seen the value that is there.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        self.shared
            .receiver_count
            .set(self.shared.receiver_count.get() + 1);
        Receiver {
            shared: Rc::clone(&self.shared),
            seen: self.shared.version.get(),
        }
    }

    /// Whether there is no receiver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.shared.receiver_count.get()
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    /// Safe.
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed {
            shared: &self.shared,
            node: WaitNode::new(Kind::Closed, Location::caller()),
        }
    }

    /// The figures of the channel.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            changes: self.shared.version.get(),
            senders: self.shared.sender_count.get(),
            receivers: self.shared.receiver_count.get(),
            waiting_receivers: self.shared.changed.count(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        let count = &self.shared.sender_count;
        count.set(count.get() + 1);
        Sender {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let left = self.shared.sender_count.get() - 1;
        self.shared.sender_count.set(left);
        if left == 0 {
            self.shared.changed.give_all(|| ());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("value", &self.borrow())
            .finish_non_exhaustive()
    }
}

/// The end that looks. A clone has seen what this one has. Made by [`watch`](super::watch()).
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
    /// The version that was seen last.
    seen: u64,
}

impl<T> Receiver<T> {
    /// The value that is there. It counts as unseen, if it was.
    #[must_use]
    pub fn borrow(&self) -> Value<T> {
        self.shared.look()
    }

    /// The value that is there, which is seen now.
    #[must_use]
    pub fn borrow_and_update(&mut self) -> Value<T> {
        self.seen = self.shared.version.get();
        self.shared.look()
    }

    /// Whether there is a value that was not seen.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.seen != self.shared.version.get()
    }

    /// Waits for a value that was not seen, which then counts as seen.
    ///
    /// # Cancel safety
    /// Safe: a value counts as seen only in the poll that says so.
    ///
    /// # Errors
    /// If the senders are gone, and the last value was seen.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = channel::watch("starting");
    /// mainspring::spawn(async move { sender.send("ready") });
    /// receiver.changed().await.unwrap();
    /// assert_eq!(*receiver.borrow(), "ready");
    /// assert!(receiver.changed().await.is_err());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed {
            receiver: self,
            node: WaitNode::new(Kind::Watch, Location::caller()),
        }
    }

    /// Waits until the value is one for which `wanted` says `true`, beginning with the one that is there, and
    /// returns it.
    ///
    /// # Cancel safety
    /// Safe: it can simply be called again.
    ///
    /// # Errors
    /// If the senders are gone, and the last value is not wanted.
    ///
    /// ```
    /// use mainspring::channel;
    /// # mainspring::run(async {
    /// let (sender, mut receiver) = channel::watch(0);
    /// mainspring::spawn(async move {
    ///     for value in 1..10 {
    ///         sender.send(value).unwrap();
    ///         mainspring::yield_now().await;
    ///     }
    /// });
    /// assert_eq!(*receiver.wait_for(|value| *value > 3).await.unwrap(), 4);
    /// # drop(receiver);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, wanted: F) -> WaitFor<'_, T, F> {
        WaitFor {
            receiver: self,
            test: Plain(Test {
                wanted,
                tried: None,
            }),
            node: WaitNode::new(Kind::Watch, Location::caller()),
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        let count = &self.shared.receiver_count;
        count.set(count.get() + 1);
        Receiver {
            shared: Rc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = self.shared.receiver_count.get() - 1;
        self.shared.receiver_count.set(left);
        if left == 0 {
            self.shared.closed.give_all(|| ());
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("value", &self.borrow())
            .field("has_changed", &self.has_changed())
            .finish_non_exhaustive()
    }
}

/// Waits for a change. Made by [`Receiver::changed`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Changed<'a, T> {
    receiver: &'a mut Receiver<T>,
    node: WaitNode<()>,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), RecvError>> {
        let (node, receiver) = pinned_beside!(self, node, receiver);
        let Receiver { shared, seen } = &mut **receiver;
        let shared = &**shared;
        shared.poll(&shared.changed, node, cx, || {
            let version = shared.version.get();
            if *seen != version {
                *seen = version;
                return Some(Ok(()));
            }
            (shared.sender_count.get() == 0).then_some(Err(RecvError))
        })
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        let _ = self.receiver.shared.changed.cancel(node);
    }
}

/// What is waited for, and up to which version it was looked for.
struct Test<F> {
    wanted: F,
    tried: Option<u64>,
}

/// Waits for a value. Made by [`Receiver::wait_for`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct WaitFor<'a, T, F> {
    receiver: &'a mut Receiver<T>,
    test: Plain<Test<F>>,
    node: WaitNode<()>,
}

impl<T, F: FnMut(&T) -> bool> Future for WaitFor<'_, T, F> {
    type Output = Result<Value<T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let shared = Rc::clone(&self.receiver.shared);
        let (node, test) = pinned_beside!(self.as_mut(), node, test);
        let test = &mut test.0;
        let found = shared.poll(&shared.changed, node, cx, || {
            let version = shared.version.get();
            if test.tried != Some(version) {
                test.tried = Some(version);
                let value = shared.look();
                if (test.wanted)(&value) {
                    return Some(Ok((value, version)));
                }
            }
            (shared.sender_count.get() == 0).then_some(Err(RecvError))
        });
        found.map(|found| {
            let (value, version) = found?;
            let (_, receiver) = pinned_beside!(self, node, receiver);
            receiver.seen = version;
            Ok(value)
        })
    }
}

impl<T, F> Drop for WaitFor<'_, T, F> {
    fn drop(&mut self) {
        let node = pinned_in_drop!(self, node);
        let _ = self.receiver.shared.changed.cancel(node);
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").finish_non_exhaustive()
    }
}

/// Waits until nobody looks. Made by [`Sender::closed`].
///
/// # Cancel safety
/// Safe.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Closed<'a, T> {
    shared: &'a Shared<T>,
    node: WaitNode<()>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_ref();
        let shared = this.shared;
        shared.poll(&shared.closed, pinned!(this, node), cx, || {
            shared.is_closed().then_some(())
        })
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        let _ = self.shared.closed.cancel(pinned_in_drop!(self, node));
    }
}

super::show_future! { Changed, Closed }

/// What a watched value is and was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How often it was changed.
    pub changes: u64,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many of them wait for a change.
    pub waiting_receivers: usize,
}

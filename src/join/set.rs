//! `JoinSet`: tasks that come and go, and their results as they end.
//!
//! *Model.* Each member's future stands in its block together with a note to its set, whose drop says that the
//! future is gone: returned, panicked, aborted, or dropped with its loop.
//!
//! ```text
//!     spawn ──► members (a handle each, in spawn order) ◄── remove ── join_next
//!                                                                        ▲
//!     member's future dropped ──► its number into `done` ──► wakes ──────┘
//! ```
//!
//! *Cost.* O(1) for each member, whatever the size; nobody looks at members that have not ended. No allocation
//! beyond the task's own and the growth of two tables.
//!
//! *Why not wait in the join slots.* A slot wakes, and does not say whose it is.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::members::Members;
use super::spawned::NO_LOOP;
use crate::pin::{Plain, pinned_beside, pinned_in_drop, pinned_mut};
use crate::task::abort::AbortHandle;
use crate::task::budget::poll_spend;
use crate::task::join::{self, JoinError, JoinHandle, TaskId};
use crate::task::record::SpawnMeta;
use crate::task::resource::{Roll, Tag};
use crate::task::wait::{Kind, WaitNode, WaitQueue};

/// Tasks of one type of output, whose results are fetched in the order in which they end.
///
/// Dropping the set aborts its tasks; [`JoinSet::detach_all`] lets them go on. A result that is not fetched stays
/// until it is, or until the set is dropped; a panic that was never fetched is reported then, as of any task.
///
/// ```
/// use mainspring::task::JoinSet;
/// use mainspring::yield_now;
/// mainspring::run(async {
///     let mut set = JoinSet::new();
///     for steps in [5, 1, 3] {
///         set.spawn(async move {
///             for _ in 0..steps {
///                 yield_now().await;
///             }
///             steps
///         });
///     }
///     let mut order = Vec::new();
///     while let Some(result) = set.join_next().await {
///         order.push(result.unwrap());
///     }
///     assert_eq!(order, [1, 3, 5]);
/// })
/// .unwrap();
/// ```
///
/// Like its handles it stays on one thread:
///
/// ```compile_fail,E0277
/// let set = mainspring::task::JoinSet::<u8>::new();
/// std::thread::spawn(move || set.len());
/// ```
pub struct JoinSet<T> {
    members: Members<JoinHandle<T>>,
    ends: Rc<Ends>,
}

/// Where the members say that they have ended.
struct Ends {
    /// Numbers of members, in the order of their ends.
    done: RefCell<VecDeque<u32>>,
    /// Whether nobody will ask any more.
    is_closed: Cell<bool>,
    waiters: WaitQueue<()>,
    tag: Tag,
    /// The members that are not joined, for who asks why a task waits.
    roll: Roll,
}

impl Ends {
    fn new(made_at: &'static Location<'static>) -> Rc<Ends> {
        Rc::new(Ends {
            done: RefCell::default(),
            is_closed: Cell::new(false),
            waiters: WaitQueue::new(),
            tag: Tag::new(made_at),
            roll: Roll::new(),
        })
    }

    fn pop(&self) -> Option<u32> {
        self.done.borrow_mut().pop_front()
    }

    fn is_empty(&self) -> bool {
        self.done.borrow().is_empty()
    }
}

/// A member's future, with the note beside it. The future goes first.
struct Member<F> {
    future: F,
    _note: Note,
}

impl<F: Future> Future for Member<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        pinned_mut!(self, future).poll(cx)
    }
}

/// Tells the set, as it is dropped, that a member's future is gone.
struct Note {
    ends: Rc<Ends>,
    key: u32,
}

impl Drop for Note {
    fn drop(&mut self) {
        if self.ends.is_closed.get() {
            return;
        }
        self.ends.done.borrow_mut().push_back(self.key);
        // One of them at most can be polled; others were forgotten.
        self.ends.waiters.give_all(|| ());
    }
}

impl<T> JoinSet<T> {
    /// A set without tasks.
    #[must_use]
    #[track_caller]
    pub fn new() -> JoinSet<T> {
        JoinSet {
            members: Members::new(),
            ends: Ends::new(Location::caller()),
        }
    }

    /// Starts a task of the set, as [`spawn`](crate::spawn()) does. What it returns aborts the task, and may be
    /// dropped.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let key = self.add(future, SpawnMeta::at(Location::caller()));
        self.member(key).abort_handle()
    }

    /// Starts a task of the set with a name, as [`TaskBuilder`](crate::TaskBuilder) does.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn spawn_named<F>(&mut self, name: impl Into<String>, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let name = name.into().into_boxed_str();
        let meta = SpawnMeta::named(Some(name), Location::caller());
        let key = self.add(future, meta);
        self.member(key).abort_handle()
    }

    /// Starts a task, and says under which number the set has it.
    #[track_caller]
    pub(super) fn add<F>(&mut self, future: F, meta: SpawnMeta) -> u32
    where
        F: Future<Output = T> + 'static,
    {
        let note = Note {
            ends: Rc::clone(&self.ends),
            key: self.members.next_key(),
        };
        // In a loop that is closing the member has ended before this returns, and its number stands in `done`.
        let member = Member {
            future,
            _note: note,
        };
        match join::spawn_current(member, meta) {
            Some(handle) => {
                let id = handle.id().as_u64();
                let key = self.members.push(handle);
                self.ends.roll.set(key, id);
                key
            }
            None => {
                self.ends.done.borrow_mut().pop_back();
                panic!("{NO_LOOP}");
            }
        }
    }

    /// The member of this number, which has not been joined.
    pub(super) fn member(&self, key: u32) -> &JoinHandle<T> {
        self.members
            .find(key)
            .expect("a member stays until it is joined")
    }

    /// How many tasks have not been joined: those that run, and those whose result was not fetched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether all tasks have been joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits for the next task to end, and takes its result; `None` if there is none left. Those that ended
    /// already come at once, in the order in which they ended.
    ///
    /// # Cancel safety
    /// Safe: a result is taken in the poll that returns it.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext {
            inner: self.join_next_with_id(),
        }
    }

    /// As [`JoinSet::join_next`], and says which task it was.
    ///
    /// # Cancel safety
    /// Safe: a result is taken in the poll that returns it.
    #[track_caller]
    pub fn join_next_with_id(&mut self) -> JoinNextWithId<'_, T> {
        JoinNextWithId {
            node: WaitNode::new(Kind::Tasks, Location::caller()),
            set: Plain(self),
            is_over: Plain(false),
        }
    }

    /// The result of the task that ended first of those that are not joined, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_next().map(|(_, handle)| result_of(handle).1)
    }

    /// Takes out who ended first: its number, and its handle with the result.
    fn try_next(&mut self) -> Option<(u32, JoinHandle<T>)> {
        let key = self.ends.pop()?;
        if !self.member(key).is_finished() {
            // Its future is gone, and it is about to say so: we are called from within.
            self.ends.done.borrow_mut().push_front(key);
            return None;
        }
        self.ends.roll.set(key, 0);
        Some((key, self.members.remove(key)?))
    }

    /// As [`JoinSet::try_next`], once there is one; `None` if there will be none.
    fn poll_next(
        &mut self,
        node: Pin<&WaitNode<()>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(u32, JoinHandle<T>)>> {
        loop {
            if !self.ends.is_empty() {
                ready!(poll_spend(cx));
                if let Some(next) = self.try_next() {
                    return Poll::Ready(Some(next));
                }
                let first = self.ends.done.borrow().front().copied();
                if let Some(first) = first {
                    self.member(first).set_joiner(cx.waker());
                    return Poll::Pending;
                }
            }
            if self.is_empty() {
                return Poll::Ready(None);
            }
            let tag = &self.ends.tag;
            let is_woken = self.ends.waiters.poll(node, cx, tag.number()).is_ready();
            // A foreign waker's clone may have led a member to its end before we stood in the line.
            if !is_woken && self.ends.is_empty() {
                tag.set_roll(&self.ends.roll);
                return Poll::Pending;
            }
        }
    }

    /// Aborts all tasks, in spawn order. They are joined as if they had ended by themselves.
    pub fn abort_all(&self) {
        for handle in self.members.iter() {
            handle.abort();
        }
    }

    /// Aborts all tasks, and waits until the future of each is gone. Results are dropped, and panics are reported.
    ///
    /// # Cancel safety
    /// Safe: the call made again waits for those that are left.
    #[track_caller]
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        self.abort_all();
        Shutdown {
            next: self.join_next_with_id(),
        }
    }

    /// Lets all tasks go on without the set, as if their handles had been dropped.
    #[track_caller]
    pub fn detach_all(&mut self) {
        let ends = Ends::new(Location::caller());
        std::mem::replace(&mut self.ends, ends).is_closed.set(true);
        self.members.take().for_each(drop);
    }

    /// The ids of the tasks that are not joined, in spawn order.
    pub fn ids(&self) -> impl Iterator<Item = TaskId> {
        self.members.iter().map(JoinHandle::id)
    }
}

/// Who it was, and what came of it. The handle is of a member that has ended.
pub(super) fn result_of<T>(mut handle: JoinHandle<T>) -> (TaskId, Result<T, JoinError>) {
    let result = handle.take();
    (handle.id(), result.expect("nobody takes it but the set"))
}

impl<T> Default for JoinSet<T> {
    #[track_caller]
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.ends.is_closed.set(true);
        for handle in self.members.take() {
            handle.abort();
        }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// Waits for the next task of a set to end. Made by [`JoinSet::join_next`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinNext<'a, T> {
    inner: JoinNextWithId<'a, T>,
}

impl<T> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let next = ready!(pinned_mut!(self, inner).poll_keyed(cx));
        Poll::Ready(next.map(|(_, handle)| result_of(handle).1))
    }
}

/// Waits for the next task of a set to end. Made by [`JoinSet::join_next_with_id`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinNextWithId<'a, T> {
    set: Plain<&'a mut JoinSet<T>>,
    is_over: Plain<bool>,
    node: WaitNode<()>,
}

impl<T> JoinNextWithId<'_, T> {
    pub(super) fn poll_keyed(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(u32, JoinHandle<T>)>> {
        assert!(
            !self.is_over.0,
            "a join_next was polled again after it had returned a result"
        );
        let (node, set) = pinned_beside!(self.as_mut(), node, set);
        let next = ready!(set.0.poll_next(node, cx));
        *pinned_mut!(self, is_over).get() = true;
        Poll::Ready(next)
    }
}

impl<T> JoinNextWithId<'_, T> {
    /// Waits for one more.
    pub(super) fn go_on(self: Pin<&mut Self>) {
        *pinned_mut!(self, is_over).get() = false;
    }
}

impl<T> Future for JoinNextWithId<'_, T> {
    type Output = Option<(TaskId, Result<T, JoinError>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let next = ready!(self.poll_keyed(cx));
        Poll::Ready(next.map(|(_, handle)| result_of(handle)))
    }
}

impl<T> Drop for JoinNextWithId<'_, T> {
    fn drop(&mut self) {
        // What was handed over is only the word to look again.
        let _ = self.set.0.ends.waiters.cancel(pinned_in_drop!(self, node));
    }
}

/// Waits for the tasks of a set to be gone. Made by [`JoinSet::shutdown`].
#[must_use = "the tasks are aborted already; this waits until they are gone"]
pub struct Shutdown<'a, T> {
    next: JoinNextWithId<'a, T>,
}

impl<T> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let next = pinned_mut!(self.as_mut(), next);
        let (node, set) = pinned_beside!(next, node, set);
        // Results that were not taken go with their handles, which report the panics.
        while ready!(set.0.poll_next(node, cx)).is_some() {}
        Poll::Ready(())
    }
}

impl<T> fmt::Debug for JoinNext<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinNext").field(&self.inner.set.0).finish()
    }
}

impl<T> fmt::Debug for JoinNextWithId<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinNextWithId").field(&self.set.0).finish()
    }
}

impl<T> fmt::Debug for Shutdown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shutdown").field(&self.next.set.0).finish()
    }
}

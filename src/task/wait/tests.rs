//! The wait node's rules: hand-off, cancel, forgetting, moving, re-entrance; run under ASan too.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use proptest::prelude::*;

use super::*;

/// The smallest primitive over a `WaitQueue`: a box of items that waits when it is empty.
struct Mailbox {
    items: RefCell<VecDeque<u32>>,
    waiters: WaitQueue<u32>,
}

impl Mailbox {
    fn new() -> Mailbox {
        Mailbox {
            items: RefCell::default(),
            waiters: WaitQueue::new(),
        }
    }

    fn put(&self, item: u32) {
        if let Err(item) = self.waiters.give(item) {
            self.items.borrow_mut().push_back(item);
        }
    }

    fn put_back(&self, item: u32) {
        if let Err(item) = self.waiters.give(item) {
            self.items.borrow_mut().push_front(item);
        }
    }

    #[track_caller]
    fn take(&self) -> Take<'_> {
        Take {
            mailbox: self,
            node: WaitNode::new(Kind::Read, Location::caller()),
        }
    }
}

struct Take<'a> {
    mailbox: &'a Mailbox,
    node: WaitNode<u32>,
}

impl Future for Take<'_> {
    type Output = u32;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        if !self.node.is_queued() {
            let item = self.mailbox.items.borrow_mut().pop_front();
            if let Some(item) = item {
                return Poll::Ready(item);
            }
        }
        let waiters = &self.mailbox.waiters;
        waiters.poll(crate::pin::pinned!(self.as_ref(), node), cx, 0)
    }
}

impl Drop for Take<'_> {
    fn drop(&mut self) {
        let mailbox = self.mailbox;
        if let Some(item) = mailbox
            .waiters
            .cancel(crate::pin::pinned_in_drop!(self, node))
        {
            mailbox.put_back(item);
        }
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn waiters_are_served_in_the_order_in_which_they_began_to_wait() {
    let mailbox = Mailbox::new();
    let mut takes: Vec<_> = (0..5).map(|_| Box::pin(mailbox.take())).collect();
    for take in &mut takes {
        assert!(poll_once(take.as_mut(), Waker::noop()).is_pending());
    }
    for item in 0..5 {
        mailbox.put(item);
    }
    for (index, take) in takes.iter_mut().enumerate() {
        assert_eq!(
            poll_once(take.as_mut(), Waker::noop()),
            Poll::Ready(index as u32)
        );
    }
}

#[test]
fn what_was_handed_over_comes_back_to_the_front_when_the_future_is_dropped() {
    let mailbox = Mailbox::new();
    let mut first = Box::pin(mailbox.take());
    assert!(poll_once(first.as_mut(), Waker::noop()).is_pending());
    mailbox.put(1);
    mailbox.put(2);
    drop(first);
    let second = pin!(mailbox.take());
    assert_eq!(poll_once(second, Waker::noop()), Poll::Ready(1));
}

#[test]
fn hz_h09_only_the_last_waker_is_kept_and_the_earlier_one_is_dropped() {
    let mailbox = Mailbox::new();
    let (a, b) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut take = Box::pin(mailbox.take());
    assert!(poll_once(take.as_mut(), &a.clone().into()).is_pending());
    assert!(poll_once(take.as_mut(), &b.clone().into()).is_pending());
    assert_eq!(Arc::strong_count(&a), 1);
    mailbox.put(1);
    assert_eq!(
        (a.0.load(Ordering::Relaxed), b.0.load(Ordering::Relaxed)),
        (0, 1)
    );
    assert_eq!(Arc::strong_count(&b), 1);
}

#[test]
fn a_forgotten_waiter_s_queue_may_move_and_die() {
    let mut mailbox = Box::new(Mailbox::new());
    for _ in 0..3 {
        let mut take = Box::pin(mailbox.take());
        assert!(poll_once(take.as_mut(), Waker::noop()).is_pending());
        std::mem::forget(take);
    }
    // Moved with three nodes linked, ...
    let moved = Box::new(std::mem::replace(&mut *mailbox, Mailbox::new()));
    drop(mailbox);
    // ... used, ...
    let mut take = Box::pin(moved.take());
    assert!(poll_once(take.as_mut(), Waker::noop()).is_pending());
    for item in 0..3 {
        moved.put(item); // the forgotten ones swallow these
    }
    moved.put(7);
    assert_eq!(poll_once(take.as_mut(), Waker::noop()), Poll::Ready(7));
    drop(take);
    let mut again = Box::pin(moved.take());
    assert!(poll_once(again.as_mut(), Waker::noop()).is_pending());
    std::mem::forget(again);
    // ... and dropped with one.
    drop(moved);
}

#[test]
fn a_forgotten_future_of_a_finished_task_keeps_no_pointer_to_it() {
    let mailbox = Rc::new(Mailbox::new());
    let inner = Rc::clone(&mailbox);
    crate::run(async move {
        let task_box = Rc::clone(&inner);
        let handle = crate::spawn(async move {
            let leaked: &'static Mailbox = Box::leak(Box::new(Mailbox::new()));
            let mut take = Box::pin(leaked.take());
            let _ = poll_fn(|cx| Poll::Ready(take.as_mut().poll(cx))).await;
            std::mem::forget(take);
            task_box.put(1);
            leaked
        });
        let leaked = handle.await.unwrap();
        // The task's block is free by now, and may be another task's: nothing must be woken.
        let other = crate::spawn(std::future::pending::<()>());
        leaked.put(5);
        assert!(!other.is_finished());
        other.abort();
    })
    .unwrap();
}

#[test]
fn a_future_that_moves_to_another_task_wakes_that_one() {
    crate::run(async {
        let mailbox: &'static Mailbox = Box::leak(Box::new(Mailbox::new()));
        let mut take = Box::pin(mailbox.take());
        let first = crate::spawn(async move {
            let polled = poll_fn(|cx| Poll::Ready(take.as_mut().poll(cx))).await;
            assert!(polled.is_pending());
            Some(take)
        });
        let take = first.await.unwrap().unwrap();
        let second = crate::spawn(take);
        crate::yield_now().await;
        crate::yield_now().await;
        mailbox.put(9);
        assert_eq!(second.await.unwrap(), 9);
    })
    .unwrap();
}

#[test]
fn a_foreign_waker_around_ours_is_cloned_and_called() {
    crate::run(async {
        let mailbox = Mailbox::new();
        let mut take = Box::pin(mailbox.take());
        let count = Arc::new(Count::default());
        assert!(poll_once(take.as_mut(), &count.clone().into()).is_pending());
        mailbox.put(3);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(take.await, 3);
    })
    .unwrap();
}

thread_local! {
    static REENTER: RefCell<Option<Rc<Mailbox>>> = const { RefCell::new(None) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// A waker that uses the same mailbox from clone, wake and drop.
fn reentrant_waker() -> Waker {
    fn reenter() {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        let mailbox = REENTER.with(|reenter| reenter.borrow().clone());
        if let Some(mailbox) = mailbox {
            let mut take = Box::pin(mailbox.take());
            let _ = poll_once(take.as_mut(), Waker::noop());
        }
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            reenter();
            RawWaker::new(data, &VTABLE)
        },
        |_| reenter(),
        |_| reenter(),
        |_| reenter(),
    );
    // SAFETY: the functions ignore the data and may be called anywhere.
    unsafe { Waker::new(std::ptr::null(), &VTABLE) }
}

#[test]
fn hz_a11_a_waker_that_re_enters_its_primitive_from_clone_wake_and_drop_finds_it_whole() {
    let mailbox = Rc::new(Mailbox::new());
    REENTER.with(|reenter| *reenter.borrow_mut() = Some(Rc::clone(&mailbox)));
    let mut takes: Vec<_> = (0..4).map(|_| Box::pin(mailbox.take())).collect();
    for take in &mut takes {
        assert!(poll_once(take.as_mut(), &reentrant_waker()).is_pending());
    }
    mailbox.put(1);
    drop(takes.pop());
    mailbox.put(2);
    let polls = takes
        .iter_mut()
        .map(|take| poll_once(take.as_mut(), &reentrant_waker()));
    assert_eq!(polls.filter(Poll::is_ready).count(), 2);
    assert!(CALLS.with(Cell::get) >= 8);
    REENTER.with(|reenter| *reenter.borrow_mut() = None);
}

thread_local! {
    static HOOK: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
}

/// A waker that runs the hook, once, as it is cloned or as it wakes.
fn hooked_waker() -> Waker {
    fn run_hook() {
        if let Some(hook) = HOOK.take() {
            hook();
        }
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| {
            run_hook();
            RawWaker::new(data, &VTABLE)
        },
        |_| run_hook(),
        |_| run_hook(),
        |_| (),
    );
    // SAFETY: the functions ignore the data and may be called anywhere.
    unsafe { Waker::new(std::ptr::null(), &VTABLE) }
}

#[test]
fn what_a_waker_s_clone_led_to_is_not_waited_for() {
    let mailbox = Rc::new(Mailbox::new());
    let mut take = Box::pin(mailbox.take());
    assert!(poll_once(take.as_mut(), Waker::noop()).is_pending());
    let sender = Rc::clone(&mailbox);
    HOOK.set(Some(Box::new(move || sender.put(7))));
    assert_eq!(
        poll_once(take.as_mut(), &hooked_waker()),
        Poll::Ready(7),
        "nobody would wake it again"
    );
}

#[test]
fn who_polls_from_its_own_wake_finds_what_was_handed_over() {
    let queue = Rc::new(WaitQueue::<u32>::new());
    let node = Rc::pin(WaitNode::new(Kind::Read, Location::caller()));
    let poll = |waker| queue.poll(node.as_ref(), &Context::from_waker(waker), 0);
    assert!(poll(&hooked_waker()).is_pending());
    let found = Rc::new(Cell::new(None));
    let (queue_too, node_too, finder) = (Rc::clone(&queue), node.clone(), Rc::clone(&found));
    HOOK.set(Some(Box::new(move || {
        let cx = Context::from_waker(Waker::noop());
        finder.set(Some(queue_too.poll(node_too.as_ref(), &cx, 0)));
    })));
    assert_eq!(queue.give(5), Ok(()));
    assert_eq!(found.take(), Some(Poll::Ready(5)));
}

#[test]
fn hz_a10_a_waker_that_panics_leaves_the_others_to_be_woken() {
    fn boom() -> ! {
        std::panic::resume_unwind(Box::new("a waker's own panic"))
    }
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |data| RawWaker::new(data, &VTABLE),
        |_| boom(),
        |_| boom(),
        |_| (),
    );
    for bad in 0..5 {
        let queue = WaitQueue::<()>::new();
        let mut nodes: Vec<_> = (0..5)
            .map(|_| Box::pin(WaitNode::new(Kind::Read, Location::caller())))
            .collect();
        let count = Arc::new(Count::default());
        for (index, node) in nodes.iter().enumerate() {
            let good: Waker = count.clone().into();
            // SAFETY: the functions ignore the data and may be called anywhere.
            let panics = unsafe { Waker::new(std::ptr::null(), &VTABLE) };
            let waker = if index == bad { panics } else { good };
            assert!(
                queue
                    .poll(node.as_ref(), &Context::from_waker(&waker), 0)
                    .is_pending()
            );
        }
        queue.give_all(|| ());
        assert_eq!(count.0.load(Ordering::Relaxed), 4);
        assert!(queue.is_empty());
        for node in nodes.drain(..) {
            assert_eq!(queue.cancel(node.as_ref()), Some(()));
        }
    }
}

#[test]
fn give_all_serves_those_who_wait_now_and_not_those_who_join_meanwhile() {
    struct Rejoin(Arc<Count>);
    impl Wake for Rejoin {
        fn wake(self: Arc<Self>) {
            self.0.0.fetch_add(1, Ordering::Relaxed);
            let mailbox = REENTER.with(|reenter| reenter.borrow().clone()).unwrap();
            let mut take = Box::pin(mailbox.take());
            let _ = poll_once(take.as_mut(), Waker::noop());
            std::mem::forget(take);
        }
    }
    let mailbox = Rc::new(Mailbox::new());
    REENTER.with(|reenter| *reenter.borrow_mut() = Some(Rc::clone(&mailbox)));
    let count = Arc::new(Count::default());
    let mut takes: Vec<_> = (0..3).map(|_| Box::pin(mailbox.take())).collect();
    for take in &mut takes {
        let waker = Arc::new(Rejoin(Arc::clone(&count))).into();
        assert!(poll_once(take.as_mut(), &waker).is_pending());
    }
    mailbox.waiters.give_all(|| 1);
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
    for _ in 0..3 {
        assert_eq!(
            mailbox.waiters.give(9),
            Ok(()),
            "the three that joined still wait"
        );
    }
    assert_eq!(mailbox.waiters.give(9), Err(9));
    REENTER.with(|reenter| *reenter.borrow_mut() = None);
}

#[test]
fn a_nested_give_all_serves_everybody_once() {
    struct Nest;
    impl Wake for Nest {
        fn wake(self: Arc<Self>) {
            let mailbox = REENTER.with(|reenter| reenter.borrow().clone()).unwrap();
            mailbox.waiters.give_all(|| 2);
        }
    }
    let mailbox = Rc::new(Mailbox::new());
    REENTER.with(|reenter| *reenter.borrow_mut() = Some(Rc::clone(&mailbox)));
    let mut takes: Vec<_> = (0..4).map(|_| Box::pin(mailbox.take())).collect();
    for take in &mut takes {
        assert!(poll_once(take.as_mut(), &Arc::new(Nest).into()).is_pending());
    }
    mailbox.waiters.give_all(|| 1);
    assert!(mailbox.waiters.is_empty());
    for take in &mut takes {
        assert!(poll_once(take.as_mut(), Waker::noop()).is_ready());
    }
    REENTER.with(|reenter| *reenter.borrow_mut() = None);
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32),
    Poll(usize),
    Drop(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..1000u32).prop_map(Step::Put),
        (0..6usize).prop_map(Step::Poll),
        (0..6usize).prop_map(Step::Drop),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// hz_h01: no item is lost or doubled, and an item and a waiter never coexist at rest.
    #[test]
    fn hz_h01_no_cancelled_waiter_swallows_an_item(steps in steps()) {
        let mailbox = Mailbox::new();
        let mut takes: Vec<Option<Pin<Box<Take<'_>>>>> = (0..6).map(|_| None).collect();
        let (mut put, mut taken) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Put(item) => {
                    put.push(item);
                    mailbox.put(item);
                }
                Step::Poll(index) => {
                    let take = takes[index].get_or_insert_with(|| Box::pin(mailbox.take()));
                    if let Poll::Ready(item) = poll_once(take.as_mut(), Waker::noop()) {
                        taken.push(item);
                        takes[index] = None;
                    }
                }
                Step::Drop(index) => takes[index] = None,
            }
            prop_assert!(mailbox.items.borrow().is_empty() || mailbox.waiters.is_empty());
        }
        drop(takes);
        taken.extend(mailbox.items.borrow().iter());
        put.sort_unstable();
        taken.sort_unstable();
        prop_assert_eq!(put, taken);
    }
}

#[test]
fn what_lies_in_a_slot_is_dropped_once_whoever_leaves_it_there() {
    let value = Rc::new(());
    let node = WaitNode::new(Kind::Read, Location::caller());
    node.put(Rc::clone(&value));
    node.put(Rc::clone(&value));
    assert_eq!(
        Rc::strong_count(&value),
        2,
        "the second in place of the first"
    );
    assert!(!node.is_idle());
    drop(node.fetch());
    assert!(node.fetch().is_none() && node.is_idle());
    assert_eq!(Rc::strong_count(&value), 1);
    node.put(Rc::clone(&value));
    drop(node);
    assert_eq!(Rc::strong_count(&value), 1);
}

#[cfg(feature = "inspect")]
#[test]
fn a_wait_node_is_72_bytes() {
    assert_eq!(size_of::<Waiter>(), 72);
    assert_eq!(size_of::<WaitNode<()>>(), 72);
}

#[test]
fn nothing_but_the_state_is_written_before_the_first_wait() {
    let node = Waiter::new(Kind::Timer, Location::caller());
    assert!(node.is_new());
    assert!(!node.is_linked());
}

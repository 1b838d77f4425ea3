//! What has gone wrong with the channels of others.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use mainspring::channel::{self, Receiver, Sender};
use mainspring::stream::StreamExt;
use mainspring::{run, spawn, yield_now};

use crate::rig::{Counting, Ledger, hooked, poll};

/// Polls once, with the waker of the task that runs.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn hz_h02_a_forgotten_receiver_keeps_one_item_and_holds_up_nobody() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        let mut forgotten = Box::pin(receiver.recv());
        assert!(poll_once(forgotten.as_mut()).await.is_pending());
        std::mem::forget(forgotten);
        for item in 0..3 {
            sender.send(item).await.unwrap();
            if item > 0 {
                assert_eq!(receiver.recv().await, Some(item));
            }
        }
    })
    .unwrap();
}

#[test]
fn hz_h02_a_forgotten_sender_s_item_comes_in_its_turn_and_it_holds_up_nobody() {
    run(async {
        let (sender, receiver) = channel::bounded(1);
        sender.send(0).await.unwrap();
        let mut forgotten = Box::pin(sender.send(1));
        assert!(poll_once(forgotten.as_mut()).await.is_pending());
        std::mem::forget(forgotten);
        let other = sender.clone();
        spawn(async move { other.send(2).await.unwrap() });
        yield_now().await;
        for item in 0..3 {
            assert_eq!(receiver.recv().await, Some(item));
        }
    })
    .unwrap();
}

/// Nodes of forgotten futures outlive what they stand in, and the other way round; for ASan.
#[test]
fn hz_h02_forget_then_move_then_drop() {
    for kind in 0..3 {
        for is_sender_first in [false, true] {
            run(async {
                let ledger = Ledger::default();
                let (sender, receiver) = match kind {
                    0 => channel::bounded(1),
                    1 => channel::rendezvous(),
                    _ => channel::bounded_priority(1),
                };
                let forget = async |future: Pin<Box<dyn Future<Output = ()> + '_>>| {
                    let mut future = future;
                    assert!(poll_once(future.as_mut()).await.is_pending());
                    std::mem::forget(future);
                };
                forget(Box::pin(async { drop(receiver.recv().await) })).await;
                forget(Box::pin(async { sender.closed().await })).await;
                drop(sender.try_send(ledger.item(0)));
                drop(sender.try_send(ledger.item(1)));
                forget(Box::pin(async { drop(sender.send(ledger.item(2)).await) })).await;
                forget(Box::pin(async { drop(sender.reserve().await) })).await;
                forget(Box::pin(async { sender.join().await.unwrap() })).await;
                let (sender, receiver) = (Box::new(sender), Box::new(receiver));
                yield_now().await;
                if is_sender_first {
                    drop(sender);
                    while receiver.try_recv().is_ok() {}
                    drop(receiver);
                } else {
                    drop(receiver);
                    assert!(sender.is_closed());
                    drop(sender);
                }
                yield_now().await;
            })
            .unwrap();
        }
    }
}

#[test]
fn hz_h05_a_send_wakes_one_and_a_close_wakes_all() {
    let (sender, receiver) = channel::unbounded();
    let wakers: Vec<_> = (0..3).map(|_| Counting::new()).collect();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(receiver.recv())).collect();
    for (future, (_, waker)) in waiting.iter_mut().zip(&wakers) {
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    let counts = || {
        wakers
            .iter()
            .map(|(counting, _)| counting.count())
            .collect::<Vec<_>>()
    };
    sender.try_send('a').unwrap();
    assert_eq!(counts(), [1, 0, 0]);
    sender.close();
    assert_eq!(counts(), [1, 1, 1]);
    let got: Vec<_> = waiting
        .iter_mut()
        .map(|future| poll(future.as_mut()))
        .collect();
    assert_eq!(
        got,
        [Poll::Ready(Some('a')), Poll::Ready(None), Poll::Ready(None)]
    );
}

/// One program with everything under way at once, cut off at any step.
fn cut_at(cut: usize, is_sender_first: bool) -> (usize, bool) {
    let ledger = Ledger::default();
    let is_done = Rc::new(Cell::new(false));
    let inner = ledger.clone();
    let done = Rc::clone(&is_done);
    run(async move {
        let (sender, receiver) = channel::bounded(2);
        let weak = sender.downgrade();
        let step = Rc::new(Cell::new(0));
        let mut tasks = Vec::new();
        for offset in 0..2 {
            let (sender, ledger, step) = (sender.clone(), inner.clone(), Rc::clone(&step));
            tasks.push(spawn(async move {
                for item in 0..5 {
                    step.set(step.get() + 1);
                    if item % 2 == offset {
                        drop(sender.send(ledger.item(item)).await);
                    } else if let Ok(permit) = sender.reserve().await {
                        yield_now().await;
                        drop(permit.send(ledger.item(item)));
                    }
                }
            }));
        }
        for _ in 0..2 {
            let (receiver, step) = (receiver.clone(), Rc::clone(&step));
            tasks.push(spawn(async move {
                while let Some(item) = receiver.recv().await {
                    step.set(step.get() + 1);
                    yield_now().await;
                    drop(item);
                }
            }));
        }
        while step.get() < cut && !tasks.iter().all(|task| task.is_finished()) {
            yield_now().await;
            if step.get() >= 20 && sender.is_empty() {
                done.set(true);
                break;
            }
        }
        let (first, second) = if is_sender_first {
            (0..2, 2..4)
        } else {
            (2..4, 0..2)
        };
        for task in tasks[first].iter().chain(&tasks[second]) {
            task.abort();
        }
        if is_sender_first {
            drop(sender);
            drop(receiver);
        } else {
            drop(receiver);
            drop(sender);
        }
        for task in tasks {
            let _ = task.await;
        }
        assert!(weak.upgrade().is_none());
    })
    .unwrap();
    assert_eq!(
        ledger.alive(),
        0,
        "cut at {cut}, sender first: {is_sender_first}"
    );
    (ledger.made(), is_done.get())
}

#[test]
fn hz_h07_either_side_dropped_at_each_step_drops_every_item_once() {
    for is_sender_first in [false, true] {
        let cuts = (0..).map(|cut| cut_at(cut, is_sender_first));
        let mut made = Vec::new();
        for (count, is_done) in cuts {
            made.push(count);
            if is_done {
                break;
            }
        }
        assert!(made.len() > 10 && made.last() == Some(&10), "{made:?}");
    }
}

#[test]
fn hz_h09_only_the_last_waker_is_called_and_earlier_ones_are_let_go() {
    let (sender, receiver) = channel::bounded(1);
    let (a, waker_a) = Counting::new();
    let (b, waker_b) = Counting::new();
    let held = Arc::strong_count(&a);
    let mut waiting = pin!(receiver.recv());
    for waker in [&waker_a, &waker_b] {
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&a), held);
    sender.try_send(1).unwrap();
    assert_eq!((a.count(), b.count()), (0, 1));
    assert_eq!(poll(waiting.as_mut()), Poll::Ready(Some(1)));

    sender.try_send(2).unwrap();
    let mut sending = pin!(sender.send(3));
    for waker in [&waker_b, &waker_a] {
        assert!(
            sending
                .as_mut()
                .poll(&mut Context::from_waker(waker))
                .is_pending()
        );
    }
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!((a.count(), b.count()), (1, 1));
    assert_eq!(poll(sending.as_mut()), Poll::Ready(Ok(())));
}

/// How often anybody is woken when so many receivers queue, every third is dropped, and the others are served.
fn wakes_of(count: usize) -> usize {
    let (sender, receiver) = channel::unbounded();
    let (counter, waker) = Counting::new();
    let mut waiting: Vec<_> = (0..count).map(|_| Box::pin(receiver.recv())).collect();
    for future in &mut waiting {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    let mut index = 0;
    waiting.retain(|_| {
        index += 1;
        index % 3 != 0
    });
    for item in 0..waiting.len() {
        sender.try_send(item).unwrap();
    }
    // All are dropped with their items, the first one first.
    drop(waiting);
    assert_eq!(receiver.try_recv(), Ok(0), "what came back is in order");
    assert_eq!(receiver.try_recv(), Ok(1));
    counter.count()
}

/// How long this thread has run on a processor, in nanoseconds, where the system says so. Who else runs meanwhile
/// does not count.
fn processor_ns() -> Option<u64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn hz_h12_the_work_grows_with_the_waiters_and_not_with_their_square() {
    // One wake for each who is served, none for who left: no send wakes a herd.
    let time = |times: usize, count: usize| {
        let before = processor_ns();
        for _ in 0..times {
            assert_eq!(wakes_of(count), count / 3 * 2);
        }
        Some(processor_ns()? - before?)
    };
    // As many waiters, in twenty channels or in one: by their square it is twenty times the work.
    if let (Some(apart), Some(together)) = (time(20, 3000), time(1, 60_000)) {
        let jitter_ns = 20_000_000;
        assert!(
            together < 6 * apart + jitter_ns,
            "{apart} ns apart, {together} ns together"
        );
    }
}

#[test]
fn hz_h13_what_is_always_ready_lets_others_run_and_no_branch_starves() {
    run(async {
        let (sender, receiver) = channel::unbounded();
        for item in 0..1000 {
            sender.try_send(item).unwrap();
        }
        let turns = Rc::new(Cell::new(0));
        let others = Rc::clone(&turns);
        spawn(async move {
            loop {
                others.set(others.get() + 1);
                yield_now().await;
            }
        });
        // Two branches that are always ready, polled in turn within one task.
        let (first, second) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
        let branch = async |got: &RefCell<Vec<i32>>| {
            for _ in 0..500 {
                let item = receiver.recv().await.unwrap();
                got.borrow_mut().push(item);
            }
        };
        let (mut one, mut two) = (pin!(branch(&first)), pin!(branch(&second)));
        let mut ends = [false; 2];
        poll_fn(|cx| {
            ends[0] = ends[0] || one.as_mut().poll(cx).is_ready();
            ends[1] = ends[1] || two.as_mut().poll(cx).is_ready();
            if ends == [true; 2] {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        // 128 operations per poll.
        assert!((7..12).contains(&turns.get()), "{}", turns.get());
        assert_eq!((first.borrow().len(), second.borrow().len()), (500, 500));
    })
    .unwrap();
}

#[test]
fn a_send_that_is_always_ready_spends_the_budget_too() {
    run(async {
        let (sender, _receiver) = channel::unbounded();
        let turns = Rc::new(Cell::new(0));
        let others = Rc::clone(&turns);
        spawn(async move {
            loop {
                others.set(others.get() + 1);
                yield_now().await;
            }
        });
        for item in 0..1000 {
            sender.send(item).await.unwrap();
        }
        assert!((7..9).contains(&turns.get()), "{}", turns.get());
        assert_eq!(sender.len(), 1000);
    })
    .unwrap();
}

/// What a stranger's waker may do to the channel it waits for.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Send,
    Receive,
    Close,
    CloseNow,
    Panic,
}

#[test]
fn a_foreign_waker_may_use_the_channel_it_waits_for_and_may_panic() {
    for capacity in [0, 1, usize::MAX] {
        for deed in [
            Deed::Send,
            Deed::Receive,
            Deed::Close,
            Deed::CloseNow,
            Deed::Panic,
        ] {
            for moment in ["clone", "wake", "drop"] {
                with_hooked_waker(capacity, deed, moment);
            }
        }
    }
}

fn with_hooked_waker(capacity: usize, deed: Deed, moment: &'static str) {
    let ledger = Ledger::default();
    let (sender, receiver) = match capacity {
        0 => channel::rendezvous(),
        usize::MAX => channel::unbounded(),
        _ => channel::bounded(capacity),
    };
    let ends = Rc::new(RefCell::new(Some((
        sender.clone(),
        receiver.clone(),
        ledger.clone(),
    ))));
    let hook = {
        let ends = Rc::clone(&ends);
        move |what| {
            let ends = ends.borrow().clone();
            let Some((sender, receiver, ledger)) = ends.filter(|_| what == moment) else {
                return;
            };
            match deed {
                Deed::Send => drop(sender.try_send(ledger.item(77))),
                Deed::Receive => drop(receiver.try_recv()),
                Deed::Close => sender.close(),
                Deed::CloseNow => drop(sender.close_now()),
                Deed::Panic => panic!("a stranger's waker panics at its {moment}"),
            }
        }
    };
    let waker = hooked::waker(hook);
    // A panic of the clone comes out of the poll, and any other is contained: after each call, all is whole.
    let attempt = |call: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(call)));
    let cx = &mut Context::from_waker(&waker);
    let mut calls: Vec<Pin<Box<dyn Future<Output = ()>>>> = Vec::new();
    for index in 0..6 {
        let (sends, receiver, ledger) = (sender.clone(), receiver.clone(), ledger.clone());
        let mut call: Pin<Box<dyn Future<Output = ()>>> = match index % 3 {
            0 => Box::pin(async move { drop(receiver.recv().await) }),
            1 => Box::pin(async move { drop(sends.send(ledger.item(index)).await) }),
            _ => Box::pin(async move { drop(sends.reserve_owned().await) }),
        };
        attempt(&mut || {
            let _ = call.as_mut().poll(cx);
        });
        calls.push(call);
        whole(&sender);
    }
    attempt(&mut || drop(sender.try_send(ledger.item(8))));
    whole(&sender);
    attempt(&mut || drop(receiver.try_recv()));
    whole(&sender);
    for call in calls {
        attempt(&mut || drop(sender.try_send(ledger.item(9))));
        drop(call);
        whole(&sender);
    }
    ends.borrow_mut().take();
    drop((sender, receiver, waker));
    assert_eq!(
        ledger.alive(),
        0,
        "{deed:?} at {moment}, capacity {capacity}"
    );
}

/// At rest, nobody waits for what is there.
fn whole<T>(sender: &Sender<T>) {
    let now = sender.statistics();
    assert!(now.len == 0 || now.waiting_receivers == 0, "{now:?}");
    let room = match now.capacity {
        Some(0) => now.waiting_receivers.saturating_sub(now.permits),
        Some(capacity) => capacity.saturating_sub(now.len + now.permits),
        None => usize::MAX,
    };
    assert!(room == 0 || now.waiting_senders == 0, "{now:?}");
}

/// An item whose drop receives and sends again.
struct Restless {
    ends: Option<(Sender<Restless>, Receiver<Restless>)>,
    drops: Rc<Cell<u32>>,
}

impl Drop for Restless {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        if let Some((sender, receiver)) = self.ends.take() {
            drop(receiver.try_recv());
            let drops = Rc::clone(&self.drops);
            drop(sender.try_send(Restless { ends: None, drops }));
        }
    }
}

#[test]
fn an_item_s_drop_may_use_the_channel_it_was_in() {
    let drops = Rc::new(Cell::new(0));
    let item = |ends| {
        let drops = Rc::clone(&drops);
        Restless { ends, drops }
    };
    let (sender, receiver) = channel::unbounded();
    for _ in 0..3 {
        let ends = Some((sender.clone(), receiver.clone()));
        sender.try_send(item(ends)).ok().unwrap();
    }
    assert_eq!(sender.close_now().len(), 3);
    assert_eq!(drops.get(), 6);

    // The last receiver goes with items in the channel that know its sender.
    drops.set(0);
    let (sender, receiver) = channel::unbounded();
    for _ in 0..3 {
        sender.try_send(item(None)).ok().unwrap();
    }
    drop(receiver);
    assert_eq!((drops.get(), sender.is_closed()), (3, true));
}

thread_local! {
    /// What `Ord` of a [`Moody`] does when it is called next.
    static MOOD: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

/// An item whose comparison may run anything.
#[derive(Debug, PartialEq, Eq)]
struct Moody(u32);

impl PartialOrd for Moody {
    fn partial_cmp(&self, other: &Moody) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moody {
    fn cmp(&self, other: &Moody) -> Ordering {
        if let Some(mood) = MOOD.take() {
            mood();
        }
        self.0.cmp(&other.0)
    }
}

#[test]
fn an_ord_that_panics_loses_no_item() {
    let (sender, receiver) = channel::priority();
    for item in [5, 3, 8, 1, 9, 2] {
        sender.try_send(Moody(item)).unwrap();
    }
    let mut got = Vec::new();
    while !sender.is_empty() {
        MOOD.set(Some(Box::new(|| panic!("not now"))));
        let failed = catch_unwind(AssertUnwindSafe(|| receiver.try_recv()));
        // The last one is compared with nobody.
        assert_eq!(failed.is_err(), MOOD.take().is_none());
        if let Ok(item) = failed {
            got.extend(item);
        } else {
            got.push(receiver.try_recv().unwrap());
        }
    }
    let got: Vec<_> = got.iter().map(|item| item.0).collect();
    assert_eq!(got, [1, 2, 3, 5, 8, 9]);
}

#[test]
fn an_ord_that_uses_its_channel_loses_no_item_and_no_wake() {
    let (sender, receiver) = channel::priority();
    for item in [5, 3, 8] {
        sender.try_send(Moody(item)).unwrap();
    }
    let (counting, waker) = Counting::new();
    let waiting = Rc::new(RefCell::new(None));
    MOOD.set(Some(Box::new({
        let (sender, receiver, waiting) = (sender.clone(), receiver.clone(), Rc::clone(&waiting));
        move || {
            sender.try_send(Moody(4)).unwrap();
            assert_eq!(receiver.try_recv(), Ok(Moody(4)));
            assert!(receiver.try_recv().is_err(), "the others are on loan");
            sender.try_send(Moody(1)).unwrap();
            assert_eq!(receiver.try_recv(), Ok(Moody(1)));
            let mut call: Pin<Box<dyn Future<Output = _>>> =
                Box::pin(async move { receiver.recv().await });
            assert!(
                call.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            waiting.replace(Some(call));
        }
    })));
    assert_eq!(receiver.try_recv(), Ok(Moody(3)));
    // Who came to wait meanwhile was handed the next one.
    assert_eq!((counting.count(), sender.len()), (1, 1));
    let mut call = waiting.take().unwrap();
    assert_eq!(poll(call.as_mut()), Poll::Ready(Some(Moody(5))));
    assert_eq!(receiver.try_recv(), Ok(Moody(8)));
}

#[test]
fn an_end_that_a_task_of_another_run_left_is_usable() {
    let (sender, mut receiver) = channel::unbounded();
    run(async {
        assert!(poll_once(pin!(receiver.next()).as_mut()).await.is_pending());
    })
    .unwrap();
    run(async {
        sender.send(1).await.unwrap();
        assert_eq!(receiver.next().await, Some(1));
        assert_eq!(receiver.len(), 0);
    })
    .unwrap();
}

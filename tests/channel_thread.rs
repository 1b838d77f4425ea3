//! Channels between a loop and other threads: order, wakes, ends, and what is refused.
#![cfg(feature = "sim")]

use std::collections::HashMap;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use mainspring::channel::thread::{self as channel, RecvTimeoutError, SendTimeoutError};
use mainspring::channel::{RecvError, SendError, TryRecvError, TrySendError};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::stream::StreamExt;
use mainspring::time::timeout;
use mainspring::{Runtime, run, spawn, yield_now};

/// What takes so long never comes.
const LOST: Duration = Duration::from_secs(60);
/// Long enough to be noticed.
const SHORT: Duration = Duration::from_millis(5);

/// 10^5 messages in `make test`; under `make soak` a hundred times as many.
fn messages() -> u64 {
    if std::env::var_os("MAINSPRING_SOAK").is_some() {
        10_000_000
    } else {
        100_000
    }
}

fn panic_text(result: thread::Result<()>) -> String {
    let payload = result.expect_err("it panics");
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap()
}

/// A waker that counts its wakes, and panics at them if told to.
#[derive(Default)]
struct Counted {
    wakes: AtomicUsize,
    panics: bool,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        assert!(!self.panics, "a stranger's waker panics");
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F, waker: &Arc<Counted>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(waker));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// Says on which thread it was dropped.
struct Traced(mpsc::Sender<ThreadId>);

impl Drop for Traced {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

/// Sends numbers from several threads to a loop; says how often the threads rang, and how often the loop
/// asked its selector.
fn flood(threads: u64, each: u64, capacity: Option<usize>) -> (u64, u64) {
    run(async move {
        let (sender, mut receiver) = match capacity {
            Some(capacity) => channel::bounded(capacity),
            None => channel::unbounded(),
        };
        let senders: Vec<_> = (0..threads)
            .map(|thread| {
                let sender = sender.clone();
                thread::spawn(move || {
                    let _counts = Plan::new().install();
                    for number in 0..each {
                        sender.send_blocking((thread, number)).unwrap();
                    }
                    drop(sender);
                    count_of(Call::Notify)
                })
            })
            .collect();
        drop(sender);
        let _counts = Plan::new().install();
        let mut next = HashMap::new();
        while let Some((thread, number)) = receiver.recv().await {
            let expected = next.entry(thread).or_insert(0);
            assert_eq!(number, *expected, "of thread {thread}");
            *expected += 1;
        }
        let waits = count_of(Call::Wait);
        assert!((0..threads).all(|thread| next[&thread] == each));
        let rings = senders.into_iter().map(|thread| thread.join().unwrap());
        (rings.sum(), waits)
    })
    .unwrap()
}

#[test]
fn p40_items_of_each_thread_come_in_order_and_ring_a_sleep_once() {
    let (rings, waits) = flood(4, messages() / 4, None);
    assert!(rings <= waits, "{rings} rings of {waits} sleeps");
}

#[test]
fn hz_a20_a_bounded_channel_loses_no_wake_on_either_side() {
    let (rings, waits) = flood(3, messages() / 15, Some(2));
    assert!(rings <= waits, "{rings} rings of {waits} sleeps");
    flood(1, messages() / 10, Some(1));
}

#[test]
fn p40_the_loop_hands_out_work_and_every_item_is_done_once() {
    let each = messages() / 4;
    let sums = run(async move {
        let (sender, receiver) = channel::bounded_to_thread(16);
        let workers: Vec<_> = (0..3)
            .map(|_| receiver.clone())
            .map(|receiver| {
                thread::spawn(move || {
                    let (mut sum, mut last) = (0, None);
                    while let Some(number) = receiver.recv_blocking() {
                        assert!(last < Some(number), "each sees a part of the sequence");
                        last = Some(number);
                        sum += number;
                    }
                    sum
                })
            })
            .collect();
        drop(receiver);
        for number in 0..each {
            sender.send(number).await.unwrap();
        }
        drop(sender);
        workers.into_iter().map(|w| w.join().unwrap()).sum::<u64>()
    })
    .unwrap();
    assert_eq!(sums, each * (each - 1) / 2);
}

#[test]
fn p40_what_is_sent_before_the_receiver_looks_wakes_it_once() {
    let (sender, mut receiver) = channel::unbounded();
    let waker = Arc::new(Counted::default());
    let mut recv = receiver.recv();
    assert!(poll_once(&mut recv, &waker).is_pending());
    for number in 0..100 {
        sender.try_send(number).unwrap();
    }
    assert_eq!(waker.wakes.load(SeqCst), 1);
    assert_eq!(poll_once(&mut recv, &waker), Poll::Ready(Some(0)));
    drop(recv);
    for number in 1..100 {
        assert_eq!(receiver.try_recv(), Ok(number));
    }
    sender.try_send(100).unwrap();
    assert_eq!(waker.wakes.load(SeqCst), 1, "nobody waits");
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn p40_senders_that_wait_for_room_are_served_in_order_and_nobody_passes_them() {
    let (sender, mut receiver) = channel::bounded(1);
    sender.try_send(0).unwrap();
    let waker = Arc::new(Counted::default());
    let mut first = sender.send(1);
    let mut second = sender.send(2);
    let mut third = sender.send(3);
    assert!(poll_once(&mut first, &waker).is_pending());
    assert!(poll_once(&mut second, &waker).is_pending());
    assert!(poll_once(&mut third, &waker).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(waker.wakes.load(SeqCst), 1);
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)), "promised");
    assert!(poll_once(&mut second, &waker).is_pending());
    // The first gives up what it was promised: it goes to the second.
    drop(first);
    assert_eq!(waker.wakes.load(SeqCst), 2);
    assert_eq!(poll_once(&mut second, &waker), Poll::Ready(Ok(())));
    assert!(poll_once(&mut third, &waker).is_pending());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(poll_once(&mut third, &waker), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(3));
    drop((second, third));
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn p40_far_receivers_are_served_in_order_and_a_dropped_one_passes_its_item_on() {
    let (sender, receiver) = channel::unbounded_to_thread();
    let waker = Arc::new(Counted::default());
    let (mut first, mut second) = (receiver.recv(), receiver.recv());
    assert!(poll_once(&mut first, &waker).is_pending());
    assert!(poll_once(&mut second, &waker).is_pending());
    sender.try_send('a').unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "promised");
    assert!(poll_once(&mut second, &waker).is_pending());
    drop(first);
    assert_eq!(waker.wakes.load(SeqCst), 2);
    assert_eq!(poll_once(&mut second, &waker), Poll::Ready(Some('a')));
    drop((second, sender));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn a_line_of_many_that_give_up_stays_short_and_in_order() {
    let (sender, mut receiver) = channel::bounded(1);
    sender.try_send(0).unwrap();
    let waker = Arc::new(Counted::default());
    let mut first = sender.send(1);
    assert!(poll_once(&mut first, &waker).is_pending());
    let mut last = None;
    for round in 0..1000 {
        let mut impatient = sender.send(2);
        assert!(poll_once(&mut impatient, &waker).is_pending());
        if round == 500 {
            last = Some(impatient);
        }
    }
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(poll_once(&mut first, &waker), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(
        poll_once(last.as_mut().unwrap(), &waker),
        Poll::Ready(Ok(()))
    );
    assert_eq!(receiver.try_recv(), Ok(2));
    drop((first, last));
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn p40_what_a_thread_waits_for_has_a_limit() {
    let (sender, mut receiver) = channel::bounded(1);
    sender.try_send(1).unwrap();
    assert_eq!(
        sender.send_timeout(2, SHORT),
        Err(SendTimeoutError::Timeout(2))
    );
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(sender.send_timeout(3, Duration::ZERO), Ok(()));
    drop(receiver);
    assert_eq!(
        sender.send_timeout(4, Duration::MAX),
        Err(SendTimeoutError::Closed(4))
    );

    let (sender, receiver) = channel::unbounded_to_thread();
    let nothing = Err(RecvTimeoutError::Timeout);
    assert_eq!(receiver.recv_timeout(SHORT), nothing);
    assert_eq!(receiver.recv_timeout(Duration::ZERO), nothing);
    sender.try_send(5).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(5));
    drop(sender);
    let ended = Err(RecvTimeoutError::Closed);
    assert_eq!(receiver.recv_timeout(Duration::MAX), ended);
}

#[test]
fn p40_a_thread_with_a_limit_is_woken_before_it() {
    run(async {
        let (sender, receiver) = channel::bounded_to_thread(1);
        let thread = thread::spawn(move || {
            let got = receiver.recv_timeout(LOST);
            assert_eq!(receiver.recv_timeout(LOST), Err(RecvTimeoutError::Closed));
            got
        });
        sender.send(1).await.unwrap();
        drop(sender);
        assert_eq!(thread.join().unwrap(), Ok(1));

        let (sender, mut receiver) = channel::bounded(1);
        let thread = thread::spawn(move || {
            sender.send_timeout(1, LOST).unwrap();
            sender.send_timeout(2, LOST).unwrap();
        });
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, Some(2));
        thread.join().unwrap();
    })
    .unwrap();
}

#[test]
fn p40_blocking_calls_on_a_loops_thread_are_refused_in_one_sentence() {
    let (far_sender, mut receiver) = channel::bounded(1);
    let (sender, far_receiver) = channel::unbounded_to_thread::<u32>();
    run(async {
        let calls: [(&str, &dyn Fn()); 4] = [
            ("FarSender::send_blocking", &|| {
                let _ = far_sender.send_blocking(1);
            }),
            ("FarSender::send_timeout", &|| {
                let _ = far_sender.send_timeout(1, SHORT);
            }),
            ("FarReceiver::recv_blocking", &|| {
                let _ = far_receiver.recv_blocking();
            }),
            ("FarReceiver::recv_timeout", &|| {
                let _ = far_receiver.recv_timeout(SHORT);
            }),
        ];
        for (name, call) in calls {
            let text = panic_text(catch_unwind(AssertUnwindSafe(call)));
            assert_eq!(
                text,
                format!(
                    "{name} would block the loop that runs on this thread; there it is awaited instead"
                )
            );
        }
        // Nothing was changed, and the far halves can be awaited here too.
        far_sender.send(2).await.unwrap();
        assert_eq!(receiver.recv().await, Some(2));
        sender.try_send(3).unwrap();
        assert_eq!(far_receiver.recv().await, Some(3));
    })
    .unwrap();
    far_sender.send_blocking(4).unwrap();
    assert_eq!(receiver.try_recv(), Ok(4));
}

#[test]
fn p40_the_refusal_names_the_callers_line() {
    let (tell, told) = mpsc::channel();
    let earlier = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let line = info.location().map(|place| place.file().to_owned());
        let _ = tell.send(line);
    }));
    let (sender, _receiver) = channel::unbounded();
    let refused =
        run(async { catch_unwind(AssertUnwindSafe(|| sender.send_blocking(1))).is_err() });
    std::panic::set_hook(earlier);
    assert!(refused.unwrap());
    let files: Vec<_> = told.try_iter().flatten().collect();
    assert!(files.iter().any(|file| file == file!()), "{files:?}");
}

#[test]
fn p40_close_lets_nothing_in_and_everything_out() {
    let (sender, mut receiver) = channel::bounded(2);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    let waker = Arc::new(Counted::default());
    let mut waiting = sender.send(3);
    assert!(poll_once(&mut waiting, &waker).is_pending());
    receiver.close();
    assert!(receiver.is_closed() && sender.is_closed());
    assert_eq!(waker.wakes.load(SeqCst), 1);
    assert_eq!(
        poll_once(&mut waiting, &waker),
        Poll::Ready(Err(SendError(3)))
    );
    assert_eq!(sender.try_send(4), Err(TrySendError::Closed(4)));
    assert_eq!(sender.send_blocking(5), Err(SendError(5)));
    run(async {
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.recv().await, None);
        assert_eq!(receiver.recv().await, None);
    })
    .unwrap();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn p40_the_last_sender_that_goes_ends_a_wait() {
    run(async {
        let (sender, mut receiver) = channel::unbounded::<u32>();
        let thread = thread::spawn(move || drop((sender.clone(), sender)));
        let end = timeout(LOST, receiver.recv()).await;
        assert_eq!(end.expect("a wake was lost"), None);
        thread.join().unwrap();

        let (sender, receiver) = channel::unbounded_to_thread::<u32>();
        let threads = [receiver.clone(), receiver]
            .map(|receiver| thread::spawn(move || receiver.recv_blocking()));
        let clone = sender.clone();
        drop(sender);
        drop(clone);
        assert_eq!(threads.map(|thread| thread.join().unwrap()), [None, None]);
    })
    .unwrap();
}

#[test]
fn p40_the_receivers_end_fails_who_waits_for_room_and_gives_the_item_back() {
    let (sender, mut receiver) = channel::bounded(1);
    sender.try_send("first").unwrap();
    let (ready, is_ready) = mpsc::channel();
    let threads = [1, 2].map(|_| {
        let (sender, ready) = (sender.clone(), ready.clone());
        thread::spawn(move || {
            ready.send(()).unwrap();
            sender.send_blocking("second")
        })
    });
    is_ready.recv().unwrap();
    is_ready.recv().unwrap();
    run(async {
        assert_eq!(receiver.recv().await, Some("first"));
        drop(receiver);
    })
    .unwrap();
    let failed = threads.map(|thread| thread.join().unwrap());
    let given_back = failed
        .iter()
        .filter(|end| **end == Err(SendError("second")));
    assert!(given_back.count() >= 1, "there was room for one at most");
}

#[test]
fn hz_a06_items_in_flight_are_dropped_once_where_the_last_receiver_goes() {
    let here = thread::current().id();
    let (say, said) = mpsc::channel();
    // In the channel and in the receiver's own batch.
    let (sender, mut receiver) = channel::unbounded();
    for _ in 0..3 {
        sender.try_send(Traced(say.clone())).unwrap();
    }
    drop(receiver.try_recv().unwrap());
    sender.try_send(Traced(say.clone())).unwrap();
    let thread = thread::spawn(move || drop(sender));
    thread.join().unwrap();
    assert_eq!(said.try_iter().count(), 1, "the one that was received");
    drop(receiver);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [here; 3]);

    let (sender, receiver) = channel::unbounded_to_thread();
    sender.try_send(Traced(say.clone())).unwrap();
    let thread = thread::spawn(move || {
        drop(receiver);
        thread::current().id()
    });
    let there = thread.join().unwrap();
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [there]);
    assert!(sender.try_send(Traced(say.clone())).is_err());
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [here]);
}

#[test]
fn p40_a_channel_outlives_its_loop_and_says_so() {
    let runtime = Runtime::new().unwrap();
    let (sender, mut receiver) = channel::bounded(1);
    let (back, far_back) = channel::bounded_to_thread::<u32>(1);
    drop(runtime.spawn(async move {
        let _back = back;
        while receiver.recv().await.is_some() {}
    }));
    runtime.tick().unwrap();
    sender.send_blocking(1).unwrap();
    let threads = (
        thread::spawn(move || while sender.send_blocking(2).is_ok() {}),
        thread::spawn(move || far_back.recv_blocking()),
    );
    drop(runtime);
    threads.0.join().unwrap();
    assert_eq!(threads.1.join().unwrap(), None);
}

#[test]
fn p40_two_loops_on_two_threads_talk() {
    let count = messages() / 20;
    let (there, mut questions) = channel::bounded(4);
    let (hand, take) = mpsc::channel();
    let other = thread::spawn(move || {
        run(async move {
            let (answers, far_answers) = channel::unbounded();
            hand.send(answers).unwrap();
            let mut far_answers = far_answers;
            let mut sum = 0;
            for number in 0..count {
                there.send(number).await.unwrap();
                sum += far_answers.recv().await.unwrap();
            }
            sum
        })
        .unwrap()
    });
    let answers: channel::FarSender<u64> = take.recv().unwrap();
    run(async move {
        while let Some(number) = questions.recv().await {
            answers.send(2 * number).await.unwrap();
        }
    })
    .unwrap();
    assert_eq!(other.join().unwrap(), count * (count - 1));
}

#[test]
fn hz_a10_a_strangers_waker_that_panics_neither_poisons_nor_keeps_others_asleep() {
    let (sender, receiver) = channel::unbounded_to_thread();
    let bad = Arc::new(Counted {
        panics: true,
        ..Counted::default()
    });
    let good = Arc::new(Counted::default());
    let (mut first, mut second) = (receiver.recv(), receiver.recv());
    assert!(poll_once(&mut first, &bad).is_pending());
    assert!(poll_once(&mut second, &good).is_pending());
    sender.try_send(1).unwrap();
    drop(sender);
    assert_eq!(bad.wakes.load(SeqCst), 1);
    assert_eq!(good.wakes.load(SeqCst), 1);
    assert_eq!(poll_once(&mut second, &good), Poll::Ready(None));
    assert_eq!(poll_once(&mut first, &good), Poll::Ready(Some(1)));
}

/// A waker that sends on the channel while it is woken, or dropped.
struct Sends(channel::FarSender<u32>);

impl Wake for Sends {
    fn wake(self: Arc<Self>) {
        self.0.try_send(self.0.len() as u32).unwrap();
    }
}

impl Drop for Sends {
    fn drop(&mut self) {
        let _ = self.0.try_send(99);
    }
}

#[test]
fn hz_a11_wakers_run_while_no_lock_is_held() {
    let (sender, mut receiver) = channel::unbounded();
    let waker = Waker::from(Arc::new(Sends(sender.clone())));
    {
        let mut recv = pin!(receiver.recv());
        let mut cx = Context::from_waker(&waker);
        assert!(recv.as_mut().poll(&mut cx).is_pending());
        sender.try_send(7).unwrap();
        assert_eq!(recv.as_mut().poll(&mut cx), Poll::Ready(Some(7)));
    }
    assert_eq!(receiver.try_recv(), Ok(1), "sent by the waker");
    drop(waker);
    assert_eq!(receiver.try_recv(), Ok(99), "sent by its drop");
}

#[test]
fn hz_a22_sends_go_on_while_the_loop_is_stuck_in_a_poll() {
    run(async {
        let (sender, mut receiver) = channel::unbounded();
        let thread = thread::spawn(move || {
            (0..100_000).for_each(|number| sender.try_send(number).unwrap());
        });
        // One poll, which ends only once every send has returned.
        thread.join().unwrap();
        let mut buffer = Vec::new();
        assert_eq!(receiver.recv_many(&mut buffer, usize::MAX).await, 100_000);
        assert!(buffer.iter().copied().eq(0..100_000));
    })
    .unwrap();
}

#[test]
fn p40_a_loop_that_waits_for_a_thread_sleeps_and_looks_again_when_that_is_gone() {
    let proof = catch_unwind(|| {
        run(async {
            let (sender, mut receiver) = channel::unbounded();
            let thread = thread::spawn(move || {
                sender.send_blocking(1).unwrap();
                sender.send_blocking(2).unwrap();
            });
            // While the sender lives this is no deadlock, though no timer and no descriptor is there.
            assert_eq!(receiver.recv().await, Some(1));
            assert_eq!(receiver.recv().await, Some(2));
            assert_eq!(receiver.recv().await, None);
            thread.join().unwrap();
            // Wakers of this task went to another thread, and came to their end there.
            pending::<()>().await;
        })
        .unwrap();
    });
    let text = panic_text(proof);
    assert!(text.starts_with("deadlock"), "{text}");
}

#[test]
fn p40_a_task_that_waits_for_room_on_a_gone_thread_is_told() {
    let proof = catch_unwind(|| {
        run(async {
            let (sender, receiver) = channel::bounded_to_thread(1);
            sender.send(1).await.unwrap();
            let thread = thread::spawn(move || drop(receiver));
            assert_eq!(sender.send(2).await, Err(SendError(2)));
            thread.join().unwrap();
            pending::<()>().await;
        })
        .unwrap();
    });
    assert!(panic_text(proof).starts_with("deadlock"));
}

#[test]
fn a_receiver_is_a_stream() {
    let sum = run(async {
        let (sender, receiver) = channel::bounded(3);
        let thread = thread::spawn(move || (1..=10).for_each(|n| sender.send_blocking(n).unwrap()));
        let sum = receiver
            .map(|number: u32| 2 * number)
            .fold(0, |sum, n| sum + n)
            .await;
        thread.join().unwrap();
        sum
    });
    assert_eq!(sum.unwrap(), 110);
}

#[test]
fn a_busy_channel_lets_others_run() {
    run(async {
        let (sender, mut receiver) = channel::unbounded();
        (0..10_000).for_each(|n| sender.try_send(n).unwrap());
        let turns = std::rc::Rc::new(std::cell::Cell::new(0));
        let counter = std::rc::Rc::clone(&turns);
        let other = spawn(async move {
            loop {
                counter.set(counter.get() + 1);
                yield_now().await;
            }
        });
        for _ in 0..10_000 {
            receiver.recv().await.unwrap();
        }
        assert!(turns.get() >= 10_000 / 128, "{} turns", turns.get());
        other.abort();
    })
    .unwrap();
}

#[test]
fn hz_h02_a_forgotten_receive_does_no_harm() {
    run(async {
        let (sender, receiver) = channel::unbounded();
        let mut receiver = Box::new(receiver);
        {
            let mut recv = Box::pin(receiver.recv());
            poll_fn(|cx| {
                assert!(recv.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            std::mem::forget(recv);
        }
        let mut moved = *receiver;
        let thread = thread::spawn(move || {
            sender.send_blocking(1).unwrap();
            sender.send_blocking(2).unwrap();
        });
        assert_eq!(moved.recv().await, Some(1));
        assert_eq!(moved.recv().await, Some(2));
        thread.join().unwrap();
    })
    .unwrap();
}

#[test]
fn hz_h02_a_forgotten_send_outlives_its_channel() {
    let (sender, receiver) = channel::bounded_to_thread(1);
    let runtime = Runtime::new().unwrap();
    sender.try_send(Box::new(1)).unwrap();
    let sender: &'static _ = Box::leak(Box::new(sender));
    let task = runtime.spawn(async move {
        let mut send = Box::pin(sender.send(Box::new(2)));
        poll_fn(|cx| {
            assert!(send.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        std::mem::forget(send);
        pending::<()>().await;
    });
    runtime.tick().unwrap();
    drop(receiver);
    runtime.tick().unwrap();
    drop(task);
    drop(runtime);
    assert!(sender.try_send(Box::new(3)).is_err());
}

#[test]
fn a_channel_without_room_is_refused() {
    let refused = catch_unwind(|| drop(channel::bounded::<u32>(0)));
    assert!(panic_text(refused).contains("could never be sent to"));
    let refused = catch_unwind(|| drop(channel::bounded_to_thread::<u32>(0)));
    assert!(panic_text(refused).contains("could never be sent to"));
}

#[test]
fn p40_a_oneshot_brings_its_value_or_says_that_none_comes() {
    run(async {
        let (sender, receiver) = channel::oneshot();
        let thread = thread::spawn(move || sender.send(1));
        let value = timeout(LOST, receiver).await;
        assert_eq!(value.expect("a wake was lost"), Ok(1));
        assert_eq!(thread.join().unwrap(), Ok(()));

        let (sender, mut receiver) = channel::oneshot::<u32>();
        let thread = thread::spawn(move || drop(sender));
        let value = timeout(LOST, &mut receiver).await;
        assert_eq!(value.expect("a wake was lost"), Err(RecvError));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
        thread.join().unwrap();

        let (sender, receiver) = channel::oneshot_to_thread();
        let thread = thread::spawn(move || receiver.recv_blocking());
        sender.send(2).unwrap();
        assert_eq!(thread.join().unwrap(), Ok(2));

        // The far end can be awaited as well.
        let (sender, receiver) = channel::oneshot_to_thread();
        let thread = thread::spawn(move || sender.send(3));
        assert_eq!(receiver.await, Ok(3));
        thread.join().unwrap().unwrap();
    })
    .unwrap();
}

#[test]
fn p40_a_oneshot_that_is_closed_or_dropped_gives_the_value_back() {
    let (sender, mut receiver) = channel::oneshot();
    assert!(!sender.is_closed());
    receiver.close();
    assert!(sender.is_closed());
    assert_eq!(sender.send(1), Err(SendError(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, receiver) = channel::oneshot_to_thread();
    drop(receiver);
    assert_eq!(sender.send(2), Err(SendError(2)));

    // What was sent before the close is received.
    let (sender, mut receiver) = channel::oneshot_to_thread();
    sender.send(3).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(3));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let here = thread::current().id();
    let (say, said) = mpsc::channel();
    let (sender, receiver) = channel::oneshot();
    let thread = thread::spawn(move || sender.send(Traced(say)).is_ok());
    assert!(thread.join().unwrap());
    drop(receiver);
    assert_eq!(said.try_iter().collect::<Vec<_>>(), [here]);
}

#[test]
fn p40_a_oneshot_s_far_end_blocks_no_longer_than_it_was_told_and_never_a_loop() {
    let (sender, mut receiver) = channel::oneshot_to_thread();
    let late = Err(RecvTimeoutError::Timeout);
    assert_eq!(receiver.recv_timeout(SHORT), late);
    let (receiver, refused) = run(async move {
        let refused = catch_unwind(AssertUnwindSafe(|| receiver.recv_timeout(SHORT).is_ok()));
        (receiver, panic_text(refused.map(drop)))
    })
    .unwrap();
    assert!(refused.starts_with("FarOneReceiver::recv_timeout would block"));
    let mut receiver = receiver;
    sender.send(1).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::ZERO), Ok(1));
    assert_eq!(receiver.recv_timeout(LOST), Err(RecvTimeoutError::Closed));
}

#[test]
fn hz_h09_a_oneshot_wakes_the_latest_of_its_waiters() {
    let (sender, mut receiver) = channel::oneshot();
    let wakers = [Arc::new(Counted::default()), Arc::new(Counted::default())];
    assert!(poll_once(&mut receiver, &wakers[0]).is_pending());
    assert!(poll_once(&mut receiver, &wakers[1]).is_pending());
    assert_eq!(Arc::strong_count(&wakers[0]), 1);
    sender.send(1).unwrap();
    assert_eq!(wakers.each_ref().map(|w| w.wakes.load(SeqCst)), [0, 1]);
    assert_eq!(poll_once(&mut receiver, &wakers[1]), Poll::Ready(Ok(1)));
}

#[test]
fn p40_the_joins_of_remote_work_refuse_on_the_thread_of_any_loop() {
    let (own, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    for runtime in [&own, &other] {
        let handle = runtime.handle();
        // Its result is there: a join that does not refuse says so, and waits for nobody.
        let work = handle.spawn(async {}).unwrap();
        runtime.tick().unwrap();
        own.block_on(async {
            let refused = catch_unwind(AssertUnwindSafe(|| drop(work.join())));
            assert!(panic_text(refused).starts_with("RemoteJoin::join would block"));
            let mut work = handle.spawn(async {}).unwrap();
            let refused = catch_unwind(AssertUnwindSafe(|| drop(work.join_timeout(LOST))));
            assert!(panic_text(refused).starts_with("RemoteJoin::join_timeout would block"));
        })
        .unwrap();
    }
}

#[test]
fn p40_a_thread_calls_and_runs_on_a_loop_and_gets_the_payload_back_when_that_is_gone() {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.handle();
    let here = thread::current().id();
    let thread = thread::spawn(move || {
        let ran = handle.run_blocking(async { thread::current().id() });
        let called = handle.call(|| thread::current().id()).unwrap().join();
        let mut panics = handle.call(|| panic!("a call that fails")).unwrap();
        let failed = panics.join_timeout(LOST).expect("in time");
        assert!(failed.is_err_and(|error: mainspring::JoinError| error.is_panic()));
        (handle, [ran, called].map(Result::unwrap))
    });
    let (handle, threads) = runtime
        .block_on(async {
            while !thread.is_finished() {
                mainspring::yield_to_io().await;
            }
            let refused = mainspring::current_handle().unwrap();
            let refused = catch_unwind(AssertUnwindSafe(|| refused.run_blocking(async {}).is_ok()));
            assert!(panic_text(refused.map(drop)).starts_with("Handle::run_blocking would block"));
            thread.join().unwrap()
        })
        .unwrap();
    assert_eq!(threads, [here; 2]);
    drop(runtime);
    let payload = String::from("comes back");
    let Err(mainspring::Closed(call)) = handle.call(move || payload) else {
        panic!("the loop is gone");
    };
    assert_eq!(call(), "comes back");
    assert!(handle.run_blocking(async {}).is_err_and(|e| e.is_aborted()));
}

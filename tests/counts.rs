//! What the hot path costs, in system calls and allocations: counted, not timed.
#![cfg(feature = "sim")]
#![expect(
    unsafe_code,
    reason = "an allocator that counts can only be written so"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mainspring::net::{ConnectTarget, TcpListener, TcpStream, UnixStream};
use mainspring::sim::fault::{Call, Plan, count_of};
use mainspring::time::{Sleep, sleep, timeout};
use mainspring::{AbortOnDrop, JoinHandle, Runtime, spawn, yield_now, yield_to_io};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of this
// thread, without a destructor, so counting allocates nothing and works until the thread's end.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the promises of `GlobalAlloc::alloc`, which are passed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises hold for the system's allocator too.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the promises of `GlobalAlloc::dealloc`, which are passed on.
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `alloc` above, and so from the system's allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const HOUR: Duration = Duration::from_secs(3600);

/// How many allocations this thread made so far.
fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// How often each call is made from here on, on this thread; and the allocations.
struct Counts {
    _plan: mainspring::sim::fault::PlanGuard,
    allocations: u64,
}

impl Counts {
    fn start() -> Counts {
        let plan = Plan::new().install();
        Counts {
            _plan: plan,
            allocations: allocations(),
        }
    }

    fn allocations(&self) -> u64 {
        allocations() - self.allocations
    }
}

fn assert_no_calls_but(allowed: &[Call]) {
    use Call::*;
    let all = [
        Open,
        Wait,
        Control,
        Notify,
        ClockGet,
        Socket,
        Accept,
        Connect,
        Bind,
        Listen,
        Recv,
        Send,
        Read,
        Write,
        Shutdown,
        SocketOption,
        ThreadStart,
        Resolve,
    ];
    for call in all.into_iter().filter(|call| !allowed.contains(call)) {
        assert_eq!(count_of(call), 0, "{call:?}");
    }
}

/// Round trips of one byte between two tasks of one loop: counts those after the warm-up.
macro_rules! echo_round_trips {
    ($client:expr, $server:expr) => {{
        const ROUNDS: u64 = 100;
        let (client, server) = ($client, $server);
        let echo = spawn(async move {
            let mut buf = [0; 64];
            loop {
                let count = server.read(&mut buf).await.unwrap();
                if count == 0 {
                    return;
                }
                assert_eq!(server.write(&buf[..count]).await.unwrap(), count);
            }
        });
        let mut buf = [0; 64];
        let mut counts = None;
        for round in 0..10 + ROUNDS {
            if round == 10 {
                counts = Some(Counts::start());
            }
            assert_eq!(client.write(b"x").await.unwrap(), 1);
            assert_eq!(client.read(&mut buf).await.unwrap(), 1);
        }
        let allocated = counts.expect("the warm-up is over").allocations();
        assert_eq!(allocated, 0, "an echo round trip allocates nothing");
        assert_eq!(count_of(Call::Send), 2 * ROUNDS);
        assert_no_calls_but(&[Call::Wait, Call::Recv, Call::Send]);
        // At most one wait for each direction of a round trip.
        assert!(count_of(Call::Wait) <= 2 * ROUNDS);
        let reads = count_of(Call::Recv);
        drop(client);
        echo.await.unwrap();
        reads / ROUNDS
    }};
}

#[test]
fn the_counts_are_of_the_backend_that_was_asked_for() {
    let has_better = cfg!(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly"
    ));
    let is_poll = cfg!(mainspring_backend = "poll") || !has_better;
    assert_eq!(Runtime::new().unwrap().backend_name() == "poll", is_poll);
}

/// An edge-triggered selector reports the next byte by itself, so a short read says that nothing is
/// left; poll(2) does not, and the read is made once more.
fn reads_per_round_trip(runtime: &Runtime) -> u64 {
    if runtime.backend_name() == "poll" {
        4
    } else {
        2
    }
}

#[test]
fn an_echo_round_trip_over_tcp_is_a_recv_and_a_send_for_each_side() {
    let runtime = Runtime::new().unwrap();
    let reads = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        echo_round_trips!(client, server)
    });
    assert_eq!(reads.unwrap(), reads_per_round_trip(&runtime));
}

/// Connects, after which nobody else has a wait: the allocations, and whether the calls are those of one socket.
async fn connect_and_count(target: impl ConnectTarget, listener: &TcpListener) -> u64 {
    let counts = Counts::start();
    let client = TcpStream::connect(target).await.unwrap();
    let allocations = counts.allocations();
    assert_eq!((count_of(Call::Socket), count_of(Call::Connect)), (1, 1));
    assert_eq!(count_of(Call::Resolve) + count_of(Call::Bind), 0);
    drop((listener.accept().await.unwrap(), client));
    allocations
}

#[test]
fn a_connect_to_an_address_pays_for_no_name_and_no_race() {
    let runtime = Runtime::new().unwrap();
    let counted = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let text = addr.to_string();
        // The first registration makes room for more.
        connect_and_count(addr, &listener).await;
        let by_address = connect_and_count(addr, &listener).await;
        let by_words = connect_and_count(text.as_str(), &listener).await;
        (by_address, by_words)
    });
    // The source of the socket.
    assert_eq!(counted.unwrap(), (1, 1));
}

/// A short read of a Unix socket stops behind a message that carried descriptors, too. Linux tells which it was.
#[test]
fn an_echo_round_trip_over_a_unix_socket_is_a_recv_and_a_send_for_each_side() {
    let runtime = Runtime::new().unwrap();
    let reads = runtime.block_on(async {
        let (client, server) = UnixStream::pair().unwrap();
        echo_round_trips!(client, server)
    });
    let is_told = cfg!(any(target_os = "linux", target_os = "android"));
    let expected = if is_told {
        reads_per_round_trip(&runtime)
    } else {
        4
    };
    assert_eq!(reads.unwrap(), expected);
}

/// The clock is read once, for the wheel's start, and on most systems without entering the kernel.
#[test]
fn p05_a_run_that_never_waits_makes_no_system_call() {
    let _counts = Counts::start();
    let answer = mainspring::run(async {
        let handle = spawn(async { yield_now().await });
        yield_to_io().await;
        handle.await.unwrap();
        42
    });
    assert_eq!(answer.unwrap(), 42);
    assert_eq!(count_of(Call::ClockGet), 1);
    assert_no_calls_but(&[Call::ClockGet]);
}

#[test]
fn the_first_wait_opens_the_selector_and_no_later_one() {
    let _counts = Counts::start();
    mainspring::run(async {
        sleep(Duration::from_micros(1)).await;
        // Its own object, where it has one, and the notifier's, which may be an event of the former.
        assert!((1..=2).contains(&count_of(Call::Open)));
        let opened = count_of(Call::Open);
        let (left, right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0]).await });
        sleep(Duration::from_micros(1)).await;
        right.write_all(b"x").await.unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), 1);
        assert_eq!(count_of(Call::Open), opened);
    })
    .unwrap();
}

#[test]
fn hz_b16_an_idle_loop_is_blocked_in_one_wait() {
    // Not a bound on time: so long the loop has to be idle, at least.
    const IDLE: Duration = Duration::from_secs(3);
    mainspring::run(async {
        let (left, _right) = UnixStream::pair().unwrap();
        let reader = spawn(async move { left.read(&mut [0]).await }).abort_on_drop();
        let timer = spawn(sleep(HOUR)).abort_on_drop();
        yield_to_io().await;
        let counts = Counts::start();
        let mut thread = None;
        poll_fn(|cx| match thread {
            None => {
                let waker = cx.waker().clone();
                thread = Some(std::thread::spawn(move || {
                    // Nobody sends: this is a span of time and nothing else.
                    let (_sender, receiver) = mpsc::channel::<()>();
                    let _ = receiver.recv_timeout(IDLE);
                    waker.wake();
                }));
                Poll::Pending
            }
            Some(_) => Poll::Ready(()),
        })
        .await;
        assert!(count_of(Call::Wait) <= 2);
        assert!(count_of(Call::ClockGet) <= 2);
        assert_no_calls_but(&[Call::Wait, Call::ClockGet]);
        drop((counts, reader, timer));
        thread.unwrap().join().unwrap();
    })
    .unwrap();
}

/// Spawns tasks, all alive at once, and joins them; says what the spawns and what the joins allocated.
async fn spawn_and_join(handles: &mut Vec<JoinHandle<usize>>) -> (u64, u64) {
    let count = handles.capacity();
    let before = allocations();
    for number in 0..count {
        handles.push(spawn(async move {
            yield_now().await;
            number
        }));
    }
    let spawned = allocations() - before;
    for (number, handle) in handles.drain(..).enumerate() {
        assert_eq!(handle.await.unwrap(), number);
    }
    (spawned, allocations() - before - spawned)
}

#[test]
fn a_spawn_is_at_most_one_allocation_and_none_if_a_block_is_recycled() {
    // Fewer than a chunk holds: their blocks are cut from one allocation.
    const TASKS: usize = 100;
    mainspring::run(async {
        let mut handles = Vec::with_capacity(TASKS);
        let (fresh, recycled) = if cfg!(mainspring_malloc) {
            (TASKS as u64, TASKS as u64)
        } else {
            (1, 0)
        };
        assert_eq!(spawn_and_join(&mut handles).await, (fresh, 0));
        for _ in 0..5 {
            assert_eq!(spawn_and_join(&mut handles).await, (recycled, 0));
        }
    })
    .unwrap();
}

#[test]
fn a_sleep_allocates_nothing() {
    mainspring::run(async {
        sleep(Duration::from_micros(1)).await;
        let counts = Counts::start();
        for us in 0..100 {
            sleep(Duration::from_micros(us)).await;
            let _ = timeout(Duration::from_micros(us), std::future::pending::<()>()).await;
            let _ = timeout(HOUR, yield_now()).await;
        }
        assert_eq!(counts.allocations(), 0);
        // Nothing is registered: the wait is the only other call.
        assert_no_calls_but(&[Call::Wait, Call::ClockGet]);
    })
    .unwrap();
}

#[test]
fn waiting_and_waking_allocate_nothing() {
    let runtime = Runtime::new().unwrap();
    let slot = Rc::new(RefCell::new(None::<Waker>));
    let polls = Rc::new(Cell::new(0));
    let (inner, counter) = (Rc::clone(&slot), Rc::clone(&polls));
    drop(runtime.spawn(poll_fn(move |cx| {
        counter.set(counter.get() + 1);
        *inner.borrow_mut() = Some(cx.waker().clone());
        Poll::<()>::Pending
    })));
    runtime.tick().unwrap();
    let counts = Counts::start();
    runtime
        .block_on(async {
            for _ in 0..100 {
                slot.borrow().as_ref().unwrap().wake_by_ref();
                yield_now().await;
            }
        })
        .unwrap();
    assert!(counts.allocations() <= 1, "the main task's own block");
    assert_eq!(polls.get(), 101);
    assert_no_calls_but(&[]);
}

/// A hundred tasks that wait for everything in turn, and go on.
async fn wait_in_lines(shared: &Rc<Lines>, tasks: &mut Vec<JoinHandle<()>>) {
    let guard = shared.mutex.lock().await;
    for _ in 0..100 {
        let shared = Rc::clone(shared);
        tasks.push(spawn(async move {
            *shared.mutex.lock().await += 1;
            drop(shared.lock.write().await);
            drop(shared.semaphore.acquire().await);
            shared.event.wait().await;
            shared.notify.notified().await;
        }));
    }
    yield_now().await;
    drop(guard);
    while shared.event.statistics().waiters < tasks.len() {
        yield_now().await;
    }
    shared.event.set();
    shared.event.clear();
    yield_now().await;
    shared.notify.notify_all();
    for task in tasks.drain(..) {
        task.await.unwrap();
    }
}

#[derive(Default)]
struct Lines {
    mutex: mainspring::sync::Mutex<u32>,
    lock: mainspring::sync::RwLock<u32>,
    semaphore: OnePermit,
    event: mainspring::sync::Event,
    notify: mainspring::sync::Notify,
}

/// A semaphore of one.
struct OnePermit(mainspring::sync::Semaphore);

impl Default for OnePermit {
    fn default() -> OnePermit {
        OnePermit(mainspring::sync::Semaphore::new(1))
    }
}

impl std::ops::Deref for OnePermit {
    type Target = mainspring::sync::Semaphore;

    fn deref(&self) -> &mainspring::sync::Semaphore {
        &self.0
    }
}

// A line has no memory of its own, so a burst of waiters leaves none behind.
#[test]
fn hz_h11_a_wait_for_a_primitive_allocates_nothing_after_its_first() {
    mainspring::run(async {
        let shared = Rc::new(Lines::default());
        let mut tasks = Vec::with_capacity(100);
        wait_in_lines(&shared, &mut tasks).await;
        let counts = Counts::start();
        wait_in_lines(&shared, &mut tasks).await;
        // Those of the tasks, where their blocks are not recycled.
        let blocks = if cfg!(mainspring_malloc) { 100 } else { 0 };
        assert_eq!(counts.allocations(), blocks);
        assert_eq!(*shared.mutex.lock().await, 200);
    })
    .unwrap();
}

#[test]
fn sleeps_and_timeouts_read_no_clock_of_their_own() {
    mainspring::run(async {
        let mut sleeps: Vec<_> = (0..1000).map(|_| Box::pin(sleep(HOUR))).collect();
        let _counts = Counts::start();
        let mut cx = Context::from_waker(Waker::noop());
        for sleep in &mut sleeps {
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
        }
        for _ in 0..1000 {
            assert!(pin!(timeout(HOUR, ready(1))).poll(&mut cx).is_ready());
            assert!(
                pin!(timeout(HOUR, std::future::pending::<()>()))
                    .poll(&mut cx)
                    .is_pending()
            );
        }
        drop(sleeps);
        assert_no_calls_but(&[]);
    })
    .unwrap();
}

#[test]
fn a_turn_reads_the_clock_once_however_many_timers_there_are() {
    let runtime = Runtime::new().unwrap();
    for _ in 0..100 {
        drop(runtime.spawn(sleep(HOUR)));
    }
    runtime.tick().unwrap();
    let _counts = Counts::start();
    for ticks in 1..=10 {
        runtime.tick().unwrap();
        assert_eq!(count_of(Call::ClockGet), ticks);
    }
    assert_no_calls_but(&[Call::ClockGet]);
}

#[test]
fn a_loop_that_sleeps_is_rung_once_however_many_wake_it() {
    let runtime = Runtime::new().unwrap();
    let wakers = Rc::new(RefCell::new(Vec::new()));
    for _ in 0..10 {
        let wakers = Rc::clone(&wakers);
        drop(runtime.spawn(poll_fn(move |cx| {
            wakers.borrow_mut().push(cx.waker().clone());
            Poll::<()>::Pending
        })));
    }
    runtime.tick().unwrap();
    let wakers = wakers.take();
    std::thread::spawn(move || {
        let _counts = Counts::start();
        for waker in &wakers {
            waker.wake_by_ref();
            waker.wake_by_ref();
        }
        assert_eq!(count_of(Call::Notify), 1);
        assert_no_calls_but(&[Call::Notify]);
    })
    .join()
    .unwrap();
    assert_eq!(runtime.tick().unwrap().polls, 10);
}

#[test]
fn the_sizes_that_users_pay_for() {
    assert_eq!(size_of::<JoinHandle<[u8; 100]>>(), 8);
    assert_eq!(size_of::<Option<JoinHandle<()>>>(), 8);
    assert_eq!(size_of::<AbortOnDrop<()>>(), 8);
    assert!(size_of::<Sleep>() <= 112, "{}", size_of::<Sleep>());
    assert_eq!(size_of::<mainspring_sys::Fd>(), 4);
    assert_eq!(size_of::<Option<mainspring_sys::Fd>>(), 4);
    assert_eq!(size_of::<mainspring::time::Instant>(), 8);
}

#[test]
fn warm_datagrams_and_batches_allocate_nothing() {
    use mainspring::net::UdpSocket;
    use mainspring::net::udp::{ReceiveBatch, SendBatch};
    mainspring::run(async {
        let addr = "127.0.0.1:0".parse().unwrap();
        let (near, far) = (
            UdpSocket::bind(addr).unwrap(),
            UdpSocket::bind(addr).unwrap(),
        );
        let to = near.local_addr().unwrap();
        let (mut outgoing, mut incoming) = (SendBatch::new(32, 8), ReceiveBatch::new(32, 8));
        let mut buf = [0; 8];
        let mut counts = None;
        for round in 0..12 {
            if round == 2 {
                counts = Some(Counts::start());
            }
            far.send_to(b"single", to).await.unwrap();
            assert_eq!(near.recv_from(&mut buf).await.unwrap().0.len, 6);
            for _ in 0..32 {
                outgoing.push(b"in batch", Some(to));
            }
            assert_eq!(far.send_many(&mut outgoing).await.unwrap(), 32);
            assert_eq!(near.recv_many(&mut incoming).await.unwrap(), 32);
        }
        assert_eq!(counts.unwrap().allocations(), 0);
        assert_eq!((count_of(Call::Send), count_of(Call::Recv)), (10, 10));
        if cfg!(any(target_os = "linux", target_os = "freebsd")) {
            assert_eq!(
                (count_of(Call::SendMany), count_of(Call::RecvMany)),
                (10, 10)
            );
        }
    })
    .unwrap();
}

//! Several loops that are started and ended together, each on its own thread and processor.
#![cfg(feature = "sim")]

use std::cell::Cell;
use std::collections::HashSet;
use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mainspring::net::TcpStream;
use mainspring::time::{sleep, timeout};
use mainspring::workers::{Worker, WorkerFailure, Workers};
use mainspring::{BackendKind, JoinHandle, spawn, spawn_blocking, workers};
use mainspring_sys::affinity;
use mainspring_sys::fault::{Call, Fault, Plan, count_of};

/// Real time: threads take a moment.
const LONG: Duration = Duration::from_secs(10);

const EAGAIN: i32 = rustix::io::Errno::AGAIN.raw_os_error();
const EMFILE: i32 = rustix::io::Errno::MFILE.raw_os_error();

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn p64_each_worker_has_a_thread_and_a_loop_and_outputs_come_by_index() {
    let borrowed = String::from("what workers may borrow");
    let outputs = workers(4, |worker| {
        let borrowed = &borrowed;
        async move {
            // Not `Send`, and not asked to be.
            let local = Rc::new(Cell::new(0));
            let task: JoinHandle<()> = spawn({
                let local = Rc::clone(&local);
                async move { local.set(7) }
            });
            task.await.unwrap();
            // The later ones end first.
            sleep(Duration::from_millis(8 - 2 * worker.index() as u64)).await;
            assert_eq!((worker.count(), local.get()), (4, 7));
            let name = thread::current().name().map(str::to_owned);
            assert_eq!(name, Some(format!("worker-{}", worker.index())));
            io::Result::Ok((worker.index(), thread::current().id(), borrowed.len()))
        }
    })
    .unwrap();
    assert!(outputs.iter().map(|(index, ..)| *index).eq(0..4));
    let threads: HashSet<_> = outputs.iter().map(|(_, id, _)| *id).collect();
    assert_eq!(threads.len(), 4);
}

#[test]
fn p64_the_end_of_one_says_nothing_to_the_others() {
    let ended = AtomicUsize::new(0);
    let outputs = workers(3, |worker| {
        let ended = &ended;
        async move {
            while ended.load(Ordering::SeqCst) < worker.index() {
                sleep(Duration::from_millis(1)).await;
            }
            assert!(!worker.stopping().is_cancelled());
            ended.fetch_add(1, Ordering::SeqCst);
            io::Result::Ok(())
        }
    });
    assert_eq!(outputs.unwrap().len(), 3);
}

/// Counts the drops of futures that were cut.
struct CountsDrop<'a>(&'a AtomicUsize);

impl Drop for CountsDrop<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn p64_the_first_error_cuts_the_others_and_all_is_told() {
    let drops = AtomicUsize::new(0);
    let error = workers(4, |worker| {
        let drops = &drops;
        async move {
            if worker.index() == 0 {
                return Ok("done before");
            }
            let _counted = CountsDrop(drops);
            if worker.index() == 2 {
                sleep(Duration::from_millis(5)).await;
                return Err("the cause");
            }
            pending().await
        }
    })
    .unwrap_err();
    assert_eq!(drops.load(Ordering::SeqCst), 3);
    assert_eq!(
        error.to_string(),
        "worker 2 failed: the cause (2 more did not return)"
    );
    let (index, cause) = &error.failures[0];
    assert!(
        matches!(cause, WorkerFailure::Error("the cause")),
        "{cause:?}"
    );
    assert_eq!(*index, 2);
    let cut: HashSet<_> = error.failures[1..]
        .iter()
        .map(|(index, _)| *index)
        .collect();
    assert_eq!(cut, HashSet::from([1, 3]));
    assert!(matches!(error.failures[1].1, WorkerFailure::Cut));
    assert_eq!(error.outputs, [Some("done before"), None, None, None]);
}

#[test]
fn p64_a_panic_is_carried_to_the_caller() {
    let error = workers(2, |worker| async move {
        if worker.index() == 1 {
            panic!("one of two");
        }
        pending::<io::Result<()>>().await
    })
    .unwrap_err();
    match &error.failures[0] {
        (1, WorkerFailure::Panicked(error)) => {
            assert!(error.to_string().contains("one of two"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(error.failures.len(), 2);
}

#[test]
fn p64_stop_all_asks_first_and_cuts_who_takes_too_long() {
    let error = workers(3, |worker| async move {
        let stopping = worker.stopping();
        match worker.index() {
            0 => worker.stop_all(Duration::from_millis(20)),
            1 => {}
            _ => pending().await,
        }
        stopping.cancelled().await;
        io::Result::Ok(worker.index())
    })
    .unwrap_err();
    assert_eq!(error.outputs, [Some(0), Some(1), None]);
    assert!(matches!(error.failures[..], [(2, WorkerFailure::Cut)]));
}

#[test]
fn p64_stop_all_with_time_enough_is_no_failure() {
    let outputs = workers(3, |worker| async move {
        if worker.index() == 1 {
            worker.stop_all(LONG);
            // The earlier end counts, and that is this one.
            worker.stop_all(Duration::MAX);
        }
        let reason = worker.stopping().cancelled().await;
        io::Result::Ok(reason.to_string())
    });
    for reason in outputs.unwrap() {
        assert!(reason.contains("worker 1 stopped all"), "{reason}");
    }
}

#[test]
fn hz_g03_without_a_thread_no_worker_runs_and_those_there_are_end() {
    let ran = AtomicUsize::new(0);
    for nth in 1..=3 {
        let plan = Plan::new()
            .at(Call::ThreadStart, nth, Fault::Errno(EAGAIN))
            .install();
        let error = workers(3, |_| {
            ran.fetch_add(1, Ordering::SeqCst);
            async { io::Result::Ok(()) }
        })
        .unwrap_err();
        drop(plan);
        match &error.failures[..] {
            [(index, WorkerFailure::Start(error))] => {
                assert_eq!(*index as u64, nth - 1);
                assert_eq!(error.raw_os_error(), Some(EAGAIN));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(error.outputs.len(), 3);
        assert!(
            error.to_string().contains("could not be started"),
            "{error}"
        );
    }
    assert_eq!(ran.load(Ordering::SeqCst), 0);
}

#[test]
fn p64_without_a_selector_no_worker_runs() {
    use rustix::io::Errno;
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
        let errno = errno.raw_os_error();
        for failing in 0..3 {
            // Each of the calls that open something, in turn.
            for nth in 1.. {
                let ran = AtomicUsize::new(0);
                let outputs = Workers::new(3)
                    .builder(move |index, builder| {
                        if index == failing {
                            // For as long as the thread lives.
                            let plan = Plan::new().at(Call::Open, nth, Fault::Errno(errno));
                            std::mem::forget(plan.install());
                        }
                        builder
                    })
                    .run(|worker| {
                        ran.fetch_add(1, Ordering::SeqCst);
                        let is_met = worker.index() == failing && count_of(Call::Open) >= nth;
                        async move { io::Result::Ok(is_met) }
                    });
                let error = match outputs {
                    Ok(are_met) => {
                        assert_eq!(ran.into_inner(), 3);
                        if are_met.contains(&true) {
                            // There was another way.
                            continue;
                        }
                        assert!(nth > 1, "nothing was opened");
                        break;
                    }
                    Err(error) => error,
                };
                match &error.failures[..] {
                    [(index, WorkerFailure::Start(error))] if *index == failing => {
                        assert_eq!(error.raw_os_error(), Some(errno));
                    }
                    other => panic!("{other:?}"),
                }
                assert_eq!(ran.into_inner(), 0);
            }
        }
    }
}

#[test]
fn p64_a_hook_that_panics_is_told_and_no_worker_runs() {
    let error = Workers::new(2)
        .builder(|index, builder| {
            assert_eq!(index, 0, "the hook's own panic");
            builder
        })
        .run(|_| async { io::Result::Ok(()) })
        .unwrap_err();
    assert!(matches!(
        error.failures[..],
        [(1, WorkerFailure::Panicked(_))]
    ));
    assert_eq!(error.outputs, [None, None]);
}

#[test]
fn p64_a_selector_that_fails_ends_all() {
    let error = workers(2, |worker| async move {
        if worker.index() == 1 {
            let plan = Plan::new().from(Call::Wait, 1, u64::MAX, Fault::Errno(EMFILE));
            std::mem::forget(plan.install());
        }
        pending::<io::Result<()>>().await
    })
    .unwrap_err();
    assert!(
        matches!(error.failures[0], (1, WorkerFailure::Loop(_))),
        "{error}"
    );
}

#[test]
fn hz_g01_a_job_that_is_stuck_holds_up_the_end_no_longer_than_was_said() {
    let (release, is_released) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(Some(is_released));
    let outputs = Workers::new(2)
        .builder(|_, builder| builder.blocking_shutdown_timeout(Duration::from_millis(10)))
        .run(|worker| {
            let gate = &gate;
            async move {
                if worker.index() == 0 {
                    let gate = gate.lock().unwrap().take().unwrap();
                    let (started, has_started) = mainspring::channel::thread::oneshot();
                    drop(spawn_blocking(move || {
                        started.send(()).unwrap();
                        gate.recv()
                    }));
                    has_started.await.unwrap();
                }
                io::Result::Ok(())
            }
        });
    // It returned, though the job has not.
    assert_eq!(outputs.unwrap().len(), 2);
    drop(release);
}

#[test]
fn p64_threads_are_held_on_processors_and_their_pools_are_not() {
    let Ok(all) = affinity::allowed() else {
        let outputs = workers(
            1,
            |worker| async move { io::Result::Ok(worker.processor()) },
        );
        assert_eq!(outputs.unwrap(), [None]);
        return;
    };
    let count = all.len() + 1;
    let outputs = workers(count, |worker| async move {
        let own = affinity::allowed().unwrap();
        let pool = spawn_blocking(|| affinity::allowed().unwrap())
            .await
            .unwrap();
        io::Result::Ok((worker.processor(), own, pool))
    })
    .unwrap();
    for (index, (processor, own, pool)) in outputs.into_iter().enumerate() {
        assert_eq!(processor, Some(all[index % all.len()]));
        assert_eq!(own, [all[index % all.len()]]);
        assert_eq!(pool, all);
    }
    let free = Workers::new(1)
        .pinned(false)
        .run(|worker| async move { io::Result::Ok((worker.processor(), affinity::allowed()?)) });
    assert_eq!(free.unwrap(), [(None, all.clone())]);
    assert_eq!(affinity::allowed().unwrap(), all, "the caller's own");
    // A hook of the pool's threads does not take the place of that.
    let hooked = Workers::new(1)
        .builder(|_, builder| builder.on_thread_start(|| {}))
        .run(|_| async {
            let job = spawn_blocking(|| affinity::allowed().unwrap());
            io::Result::Ok(job.await.unwrap())
        });
    assert_eq!(hooked.unwrap()[0], all);
    // On another backend, too.
    let other = Workers::new(1)
        .builder(|_, builder| builder.backend(BackendKind::Poll))
        .run(|worker| async move { io::Result::Ok(worker.processor().is_some()) });
    assert_eq!(other.unwrap(), [true]);
}

/// What each of these calls may say, at each place until there is no such call any more: nobody runs, or all do.
#[test]
fn p64_whatever_fails_on_the_way_no_worker_runs_or_all_do() {
    use rustix::io::Errno;
    let sweeps: [(Call, &[Errno], bool); 2] = [
        (
            Call::ThreadStart,
            &[Errno::AGAIN, Errno::NOMEM, Errno::PERM],
            true,
        ),
        // It runs where the system likes.
        (
            Call::Affinity,
            &[Errno::FAULT, Errno::INVAL, Errno::PERM, Errno::SRCH],
            false,
        ),
    ];
    for (call, errnos, is_fatal) in sweeps {
        for errno in errnos {
            let errno = errno.raw_os_error();
            for nth in 1.. {
                let ran = AtomicUsize::new(0);
                let plan = Plan::new().at(call, nth, Fault::Errno(errno)).install();
                let outputs = workers(3, |worker| {
                    ran.fetch_add(1, Ordering::SeqCst);
                    async move { io::Result::Ok(worker.processor()) }
                });
                let is_met = count_of(call) >= nth;
                drop(plan);
                let ran = ran.into_inner();
                match outputs {
                    Ok(processors) => {
                        assert!(
                            !(is_met && is_fatal),
                            "{call:?} {errno} {nth}: nobody was told"
                        );
                        let are_held = processors.iter().all(Option::is_some);
                        assert!(!(is_met && are_held), "{call:?} {errno} {nth}");
                        assert_eq!(ran, 3);
                    }
                    Err(error) => {
                        assert!(is_met && is_fatal, "{call:?} {errno} {nth}: {error}");
                        let WorkerFailure::Start(told) = &error.failures[0].1 else {
                            panic!("{error:?}");
                        };
                        assert_eq!((told.raw_os_error(), ran), (Some(errno), 0));
                    }
                }
                if !is_met {
                    break;
                }
            }
        }
    }
}

async fn echo(stream: TcpStream) -> io::Result<()> {
    let mut buf = [0; 64];
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok(()),
            count => stream.write_all(&buf[..count]).await?,
        }
    }
}

/// One round trip over each of so many connections, from a plain thread.
fn clients(addr: SocketAddr, count: usize) {
    for index in 0..count {
        let mut stream = StdStream::connect(addr).unwrap();
        let text = format!("client {index}");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, text.as_bytes());
    }
}

#[test]
fn p64_one_acceptor_hands_connections_over_to_the_others() {
    const CONNECTIONS: usize = 12;
    let mut all = Workers::new(3);
    let addr = all.listen(loopback()).unwrap();
    let served = all.run_with_hand_over(4, |worker: Worker, mut connections| async move {
        let listener = worker.take_listeners().remove(0);
        let mut count = 0;
        if worker.index() == 0 {
            let own = mainspring::net::TcpListener::bind(loopback())?;
            let addr = own.local_addr()?;
            drop(listener);
            let thread = thread::spawn(move || clients(addr, CONNECTIONS));
            for index in 0..CONNECTIONS {
                let (stream, _) = own.accept().await?;
                let fd = OwnedFd::from(stream.into_std());
                connections.send_to(1 + index % 2, fd).await.unwrap();
            }
            spawn_blocking(move || thread.join().unwrap())
                .await
                .unwrap();
        } else {
            connections.finish();
            while let Some(fd) = connections.recv().await {
                let stream = TcpStream::from_std(std::net::TcpStream::from(fd))?;
                timeout(LONG, echo(stream))
                    .await
                    .expect("its client is there")?;
                count += 1;
            }
        }
        io::Result::Ok(count)
    });
    assert!(addr.port() != 0);
    assert_eq!(served.unwrap(), [0, CONNECTIONS / 2, CONNECTIONS / 2]);
}

#[test]
fn p64_what_is_handed_to_a_worker_that_has_ended_comes_back() {
    let outputs = Workers::new(2).run_with_hand_over(1, |worker, mut items| async move {
        if worker.index() == 1 {
            return io::Result::Ok(None);
        }
        assert_eq!(items.recv().await, None, "the other has ended");
        Ok(Some(items.send_to(1, 5).await.unwrap_err().0))
    });
    assert_eq!(outputs.unwrap(), [Some(5), None]);
}

#[test]
fn p64_every_worker_has_a_listener_of_one_port_and_all_are_served() {
    const CONNECTIONS: usize = 64;
    let mut all = Workers::new(2);
    let addr = all.listen(loopback()).unwrap();
    let served = all.run(|worker| async move {
        let mut listeners = worker.take_listeners();
        assert!(worker.take_listeners().is_empty(), "given out once");
        let listener = listeners.pop().unwrap();
        assert_eq!(listener.local_addr()?, addr);
        if worker.index() == 0 {
            let worker = worker.clone();
            drop(spawn(async move {
                spawn_blocking(move || clients(addr, CONNECTIONS))
                    .await
                    .unwrap();
                worker.stop_all(LONG);
            }));
        }
        let stopping = worker.stopping();
        let mut count = 0;
        while let Ok(accepted) = stopping.run_until_cancelled(listener.accept()).await {
            echo(accepted?.0).await?;
            count += 1;
        }
        io::Result::Ok(count)
    });
    let served = served.unwrap();
    assert_eq!(served.iter().sum::<usize>(), CONNECTIONS);
    if mainspring_sys::socket::option::REUSE_PORT_SPREADS {
        // Each connection goes to either with the same chance: 2^-63 that one gets none.
        assert!(served.iter().all(|count| *count > 0), "{served:?}");
    }
}

#[test]
fn p64_an_address_in_use_is_an_error_before_anything_runs() {
    let taken = std::net::TcpListener::bind(loopback()).unwrap();
    let error = Workers::new(2)
        .listen(taken.local_addr().unwrap())
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn p64_a_handle_sends_work_to_each_loop() {
    let answered = AtomicUsize::new(0);
    let outputs = workers(3, |worker| {
        let answered = &answered;
        async move {
            let next = &worker.handles()[(worker.index() + 1) % 3];
            let there = next
                .spawn_with(|| async { thread::current().id() })
                .unwrap();
            assert_ne!(there.await.unwrap(), thread::current().id());
            // A loop that had ended would not answer: the last one ends all.
            if answered.fetch_add(1, Ordering::SeqCst) == 2 {
                worker.stop_all(LONG);
            }
            worker.stopping().cancelled().await;
            io::Result::Ok(())
        }
    });
    assert_eq!(outputs.unwrap().len(), 3);
}

#[test]
fn p64_inside_a_loop_it_would_block_and_says_so() {
    let panic = std::panic::catch_unwind(|| {
        mainspring::run(async {
            let _ = workers(1, |_| async { io::Result::Ok(()) });
        })
    });
    let payload = panic.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("workers would block the loop"), "{text}");
}

//! Masks of threads, and the kernel's own queue of signals.

use std::time::Duration;

use mainspring::signal::{self, Signal, SignalSet};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::{inspect, spawn, spawn_blocking, task, yield_now};
use mainspring_sys::signal as sys;

use crate::raw;
use crate::rig::{On, open_fds};

on_both! {
    a_masked_signal_does_not_wake_a_loop_that_sleeps,
    a_guard_restores_what_was_blocked_and_delivers_what_waited,
    threads_of_the_pool_block_what_they_are_told,
    a_queue_gives_what_came_and_who_sent_it,
    real_time_signals_queue_with_their_values,
    what_a_queue_has_not_given_comes_when_it_goes,
    a_wait_for_a_queue_names_its_line,
    a_queue_survives_its_faults,
}

/// How many waits a loop makes that does nothing while its thread is sent `count` signals, or until so many were handled if
/// they are not masked; and whether a handler ran.
fn waits_under_signals(on: On, mask: SignalSet, count: u32) -> (u64, bool) {
    let runtime = on.builder().mask_while_waiting(mask).build().unwrap();
    raw::install_counter(Signal::USR1, false);
    let before = raw::counted();
    let target = raw::this_thread();
    let handle = runtime.handle();
    let guard = Plan::new().install();
    let sender = std::thread::spawn(move || {
        let mut sent = 0;
        let done = |sent| match mask.is_empty() {
            true => raw::counted() - before,
            false => sent,
        };
        while done(sent) < count {
            target.signal(Signal::USR1);
            sent += 1;
            // So that it comes to sleep in between.
            std::thread::yield_now();
        }
        drop(handle.spawn_with(|| async { task::stop() }));
    });
    runtime.run_forever().unwrap();
    let waits = count_of(Call::Wait);
    sender.join().unwrap();
    drop(guard);
    (waits as u64, raw::counted() > before)
}

fn a_masked_signal_does_not_wake_a_loop_that_sleeps(on: On) {
    on.alone(|| {
        // On a busy machine they come together, and are one.
        let ends_waits = (0..100).any(|_| waits_under_signals(on, SignalSet::new(), 500).0 > 5);
        assert!(ends_waits, "each signal that comes in a wait ends it");
        let (waits, is_handled) = waits_under_signals(on, Signal::USR1.into(), 2000);
        // One for the stop, and what comes before the first sleep. In a real storm there are others.
        let most = if cfg!(mainspring_storm) { 1000 } else { 4 };
        assert!(waits <= most, "{waits}");
        assert!(is_handled, "it comes when the loop is awake");
        assert!(!SignalSet::blocked().contains(Signal::USR1));
    });
}

fn a_guard_restores_what_was_blocked_and_delivers_what_waited(on: On) {
    on.alone(|| {
        raw::install_counter(Signal::USR1, false);
        let (one, both) = (
            SignalSet::from(Signal::USR1),
            SignalSet::all().without(Signal::HUP),
        );
        assert!(!SignalSet::blocked().contains(Signal::USR1));
        let outer = one.block();
        let inner = both.block();
        let blocked = SignalSet::blocked();
        assert!(blocked.contains(Signal::USR2) && !blocked.contains(Signal::HUP));
        assert!(!blocked.contains(Signal::SEGV), "a fault is never blocked");
        sys::raise_here(Signal::USR1).unwrap();
        drop(inner);
        assert!(
            SignalSet::blocked().contains(Signal::USR1),
            "the outer one's"
        );
        assert!(!SignalSet::blocked().contains(Signal::USR2));
        assert_eq!(raw::counted(), 0);
        drop(outer);
        assert_eq!(raw::counted(), 1);
        assert_eq!(SignalSet::blocked(), SignalSet::new());
        assert_eq!(format!("{one:?}"), r#"{"SIGUSR1"}"#);
    });
}

fn threads_of_the_pool_block_what_they_are_told(on: On) {
    on.alone(|| {
        let set = SignalSet::from(Signal::USR1);
        let blocked = |set: SignalSet| {
            let runtime = on.builder().blocking_mask(set).build().unwrap();
            let job = async { spawn_blocking(SignalSet::blocked).await.unwrap() };
            runtime.block_on(job).unwrap()
        };
        assert_eq!(blocked(set), set);
        assert_eq!(blocked(SignalSet::new()), SignalSet::new());
        // What the loop's thread blocks, its pool blocks too.
        let guard = SignalSet::from(Signal::HUP).block();
        assert_eq!(blocked(set), set.with(Signal::HUP));
        drop(guard);
        let all = blocked(SignalSet::all());
        assert!(all.contains(Signal::TERM) && !all.contains(Signal::FPE));
    });
}

/// As [`On::alone`], in a process that blocks the signals on all of its threads from its beginning on.
fn alone_with_blocked(on: On, set: SignalSet, body: impl FnOnce()) {
    if on.is_alone() {
        return body();
    }
    let mut command = on.command_alone();
    raw::begin_with_blocked(&mut command, set);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let has_passed = output.status.success() && said.contains("1 passed");
    assert!(has_passed, "{}: {said}", output.status);
}

/// Whether the system has a queue; if not, it says so.
fn has_queue() -> bool {
    match signal::queue(Signal::USR1.into()) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
            false
        }
    }
}

fn a_queue_gives_what_came_and_who_sent_it(on: On) {
    let set = SignalSet::from(Signal::USR1).with(Signal::TERM);
    alone_with_blocked(on, set, || {
        if !has_queue() {
            return;
        }
        on.runtime()
            .block_on(async {
                let mut queue = signal::queue(set).unwrap();
                assert_eq!(queue.set(), set);
                assert!(queue.try_recv().unwrap().is_none());
                let sender = spawn(async {
                    for signal in [Signal::USR1, Signal::TERM, Signal::USR1] {
                        mainspring::yield_to_io().await;
                        sys::raise(signal).unwrap();
                        yield_now().await;
                    }
                });
                let mut seen = Vec::new();
                for _ in 0..3 {
                    let queued = queue.recv().await.unwrap();
                    assert_eq!((queued.count, queued.value), (1, None));
                    let pid = queued.sender.map(|sender| sender.pid.unsigned_abs());
                    let own = cfg!(target_os = "linux").then(std::process::id);
                    assert_eq!(pid, own);
                    seen.push(queued.signal);
                }
                assert_eq!(seen, [Signal::USR1, Signal::TERM, Signal::USR1]);
                sender.await.unwrap();
                assert!(queue.try_recv().unwrap().is_none());
                drop(queue);
                assert_eq!(SignalSet::blocked(), set, "as it was before");
            })
            .unwrap();
        for signal in [Signal::KILL, Signal::SEGV] {
            let refused = signal::queue(signal.into()).unwrap_err();
            assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
        }
        assert!(signal::queue(SignalSet::new()).is_err());
    });
}

fn real_time_signals_queue_with_their_values(on: On) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let real_time = Signal::from_number(40);
    alone_with_blocked(on, real_time.into(), || {
        on.runtime()
            .block_on(async {
                let mut queue = signal::queue(real_time.into()).unwrap();
                for value in 0..100 {
                    raw::send_value(real_time, value);
                }
                for value in 0..100 {
                    let queued = queue.recv().await.unwrap();
                    assert_eq!(queued.value, Some(value), "none is merged, in their order");
                }
                assert!(queue.try_recv().unwrap().is_none());
            })
            .unwrap();
    });
}

fn what_a_queue_has_not_given_comes_when_it_goes(on: On) {
    on.alone(|| {
        if !has_queue() {
            return;
        }
        raw::install_counter(Signal::USR1, true);
        on.runtime()
            .block_on(async {
                let mut queue = signal::queue(Signal::USR1.into()).unwrap();
                sys::raise_here(Signal::USR1).unwrap();
                assert_eq!(queue.recv().await.unwrap().signal, Signal::USR1);
                sys::raise_here(Signal::USR1).unwrap();
                assert_eq!(raw::counted(), 0);
                drop(queue);
                assert_eq!(raw::counted(), 1, "not the one that was taken");
                assert_eq!(SignalSet::blocked(), SignalSet::new());
            })
            .unwrap();
    });
}

fn a_wait_for_a_queue_names_its_line(on: On) {
    on.alone(|| {
        if !has_queue() {
            return;
        }
        on.runtime()
            .block_on(async {
                let mut queue = signal::queue(Signal::USR1.into()).unwrap();
                let line = line!() + 1;
                let task = spawn(async move { queue.recv().await.map(drop) });
                yield_now().await;
                let text = format!("{:#}", inspect::snapshot());
                let place = format!("tests/signal/masks.rs:{line}");
                assert!(text.contains(&place), "{text}");
                task.abort();
            })
            .unwrap();
    });
}

fn a_queue_survives_its_faults(on: On) {
    on.alone(|| {
        if !has_queue() {
            return;
        }
        let runtime = on.runtime();
        runtime.block_on(yield_now()).unwrap();
        let before = open_fds();
        runtime
            .block_on(async {
                let errno = |errno: rustix::io::Errno| Fault::Errno(errno.raw_os_error());
                let set = SignalSet::from(Signal::USR1);
                let guard = Plan::new()
                    .at(Call::Signal, 1, errno(rustix::io::Errno::MFILE))
                    .install();
                assert!(signal::queue(set).is_err());
                drop(guard);
                assert!(!SignalSet::blocked().contains(Signal::USR1));
                let mut queue = signal::queue(set).unwrap();
                sys::raise_here(Signal::USR1).unwrap();
                let guard = Plan::new()
                    .at(Call::Signal, 1, errno(rustix::io::Errno::AGAIN))
                    .at(Call::Signal, 2, errno(rustix::io::Errno::IO))
                    .install();
                // What it said first was not so, and the selector is not asked for ever.
                let failed = mainspring::time::timeout(Duration::from_millis(50), queue.recv());
                drop(failed.await);
                drop(guard);
                let taken = queue.try_recv().unwrap();
                assert_eq!(taken.unwrap().signal, Signal::USR1, "nothing was lost");
            })
            .unwrap();
        drop(runtime);
        let _again = on.runtime();
        assert!(open_fds().len() <= before.len());
    });
}

//! Signals, at the level of their users, on both backends; each test in a process of its own, whose handlers they are.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;
#[path = "signal/ctrl_c.rs"]
mod ctrl_c;
#[path = "signal/masks.rs"]
mod masks;
#[path = "signal/raw.rs"]
mod raw;

use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mainspring::signal::{self, Signal};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::stream::StreamExt;
use mainspring::{inspect, spawn, yield_now};
use mainspring_sys::signal as sys;
use rig::{On, open_fds};

on_both! {
    every_listener_hears_a_signal_and_who_sent_it,
    p57_hz_f01_a_handler_that_was_there_is_called_too_and_is_there_again_afterwards,
    hz_f01_a_handler_that_replaced_ours_stays,
    hz_f01_an_ignored_signal_is_ignored_again,
    p57_hz_f02_of_a_hundred_thousand_signals_the_last_is_seen,
    hz_f03_a_storm_while_threads_allocate_changes_no_errno,
    hz_f04_a_signal_to_a_forked_child_wakes_no_parent,
    hz_f05_two_loops_listen_and_one_leaves,
    hz_f06_every_number_is_heard_or_refused,
    hz_f07_a_read_that_blocks_elsewhere_is_not_disturbed,
    a_stream_and_a_wait_for_one_hear_it,
    a_wait_names_the_signal_and_its_line,
    a_fault_leaves_nothing_behind,
}

fn every_listener_hears_a_signal_and_who_sent_it(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                let mut listeners: Vec<_> = (0..3)
                    .map(|_| signal::signal(Signal::USR1).unwrap())
                    .collect();
                let mut other = signal::signal(Signal::WINCH).unwrap();
                raw::raise(Signal::USR1);
                for listener in &mut listeners {
                    let received = listener.recv().await.unwrap();
                    assert_eq!((received.signal, received.count), (Signal::USR1, 1));
                    let sender = received.sender.unwrap();
                    assert_eq!(sender.pid.unsigned_abs(), std::process::id());
                    assert!(listener.try_recv().is_none());
                }
                assert!(other.try_recv().is_none());
            })
            .unwrap();
    });
}

fn p57_hz_f01_a_handler_that_was_there_is_called_too_and_is_there_again_afterwards(on: On) {
    on.alone(|| {
        for with_info in [false, true] {
            raw::install_counter(Signal::HUP, with_info);
            let before = raw::disposition(Signal::HUP);
            let runtime = on.runtime();
            runtime
                .block_on(async {
                    let mut listener = signal::signal(Signal::HUP).unwrap();
                    let counted = raw::counted();
                    raw::raise(Signal::HUP);
                    listener.recv().await.unwrap();
                    // It comes after ours, on a thread that may be another one.
                    let mut looks = 0;
                    while raw::counted() == counted && looks < 1_000_000 {
                        std::thread::yield_now();
                        looks += 1;
                    }
                    assert_eq!(raw::counted(), counted + 1, "the program's own handler");
                    assert_ne!(raw::disposition(Signal::HUP), before);
                })
                .unwrap();
            assert_eq!(raw::disposition(Signal::HUP), before);
        }
    });
}

fn hz_f01_a_handler_that_replaced_ours_stays(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                let listener = signal::signal(Signal::HUP).unwrap();
                assert!(!sys::was_replaced(Signal::HUP));
                raw::install_counter(Signal::HUP, false);
                assert!(sys::was_replaced(Signal::HUP));
                let theirs = raw::disposition(Signal::HUP);
                drop(listener);
                assert_eq!(raw::disposition(Signal::HUP), theirs);
            })
            .unwrap();
    });
}

fn hz_f01_an_ignored_signal_is_ignored_again(on: On) {
    on.alone(|| {
        raw::ignore(Signal::HUP);
        let ignored = raw::disposition(Signal::HUP);
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::HUP).unwrap();
                raw::raise(Signal::HUP);
                listener.recv().await.unwrap();
            })
            .unwrap();
        assert_eq!(raw::disposition(Signal::HUP), ignored);
        raw::kill_self(Signal::HUP);
    });
}

fn p57_hz_f02_of_a_hundred_thousand_signals_the_last_is_seen(on: On) {
    on.alone(|| {
        // One that is still on its way to a thread when the listener goes would end the process by default.
        raw::ignore(Signal::USR1);
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::USR1).unwrap();
                let is_last = Arc::new(AtomicBool::new(false));
                let tells = Arc::clone(&is_last);
                let sender = std::thread::spawn(move || {
                    for _ in 0..100_000 {
                        raw::kill_self(Signal::USR1);
                    }
                    tells.store(true, Ordering::SeqCst);
                    raw::raise(Signal::USR1);
                    sys::count(Signal::USR1)
                });
                let mut heard = 0;
                while !is_last.load(Ordering::SeqCst) {
                    heard += listener.recv().await.unwrap().count;
                }
                let sent = sender.join().unwrap();
                heard += listener.try_recv().map_or(0, |received| received.count);
                // One that was on its way may have come since the sender looked.
                assert!(heard >= sent && sent > 0, "{heard} of {sent}");
            })
            .unwrap();
    });
}

fn hz_f03_a_storm_while_threads_allocate_changes_no_errno(on: On) {
    on.alone(|| {
        // One that is still on its way to a thread when the listener goes would end the process by default.
        raw::ignore(Signal::USR1);
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::USR1).unwrap();
                let is_over = Arc::new(AtomicBool::new(false));
                let (stop, stop_too) = (Arc::clone(&is_over), Arc::clone(&is_over));
                let hammer = std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let all: Vec<_> = (1..100).map(|len| vec![0u8; len * 13]).collect();
                        drop(all);
                        let error = std::fs::File::open("/no/such/file").unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::NotFound, "errno is as it was");
                    }
                });
                let storm = std::thread::spawn(move || {
                    while !stop_too.load(Ordering::Relaxed) {
                        raw::kill_self(Signal::USR1);
                    }
                });
                let mut heard = 0;
                while heard < 200 {
                    heard += listener.recv().await.unwrap().count;
                }
                is_over.store(true, Ordering::Relaxed);
                hammer.join().unwrap();
                storm.join().unwrap();
            })
            .unwrap();
    });
}

fn hz_f04_a_signal_to_a_forked_child_wakes_no_parent(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::USR1).unwrap();
                let before = sys::count(Signal::USR1);
                assert!(
                    raw::fork_child_that_raises(Signal::USR1),
                    "it lives on, and exits"
                );
                yield_now().await;
                assert!(listener.try_recv().is_none());
                assert_eq!(sys::count(Signal::USR1), before);
                // The parent hears its own as ever.
                raw::raise(Signal::USR1);
                assert_eq!(listener.recv().await.unwrap().count, 1);
            })
            .unwrap();
    });
}

fn hz_f05_two_loops_listen_and_one_leaves(on: On) {
    on.alone(|| {
        let (tell, told) = std::sync::mpsc::channel();
        let stays = std::thread::spawn(move || {
            on.runtime()
                .block_on(async move {
                    let mut listener = signal::signal(Signal::USR2).unwrap();
                    tell.send(()).unwrap();
                    let mut heard = 0;
                    while heard < 3 {
                        heard += listener.recv().await.unwrap().count;
                        tell.send(()).unwrap();
                    }
                })
                .unwrap();
        });
        told.recv().unwrap();
        // A listener goes with its runtime, a task and all.
        for _ in 0..2 {
            let runtime = on.runtime();
            runtime
                .block_on(async {
                    let mut listener = signal::signal(Signal::USR2).unwrap();
                    let mut forgotten = signal::signal(Signal::USR2).unwrap();
                    drop(spawn(async move { forgotten.recv().await.map(drop) }));
                    yield_now().await;
                    raw::raise(Signal::USR2);
                    listener.recv().await.unwrap();
                })
                .unwrap();
            told.recv().unwrap();
        }
        raw::raise(Signal::USR2);
        told.recv().unwrap();
        stays.join().unwrap();
    });
}

fn hz_f06_every_number_is_heard_or_refused(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                for number in -1..=66 {
                    let signal = Signal::from_number(number);
                    match signal::signal(signal) {
                        Ok(_) => assert!(signal.check_can_be_caught().is_ok(), "{signal}"),
                        // The C library keeps two of the real-time signals to itself.
                        Err(error) if matches!(number, 32 | 33) => {
                            assert_eq!(error.kind(), ErrorKind::InvalidInput);
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{signal}");
                            assert!(signal.check_can_be_caught().is_err(), "{signal}: {error}");
                        }
                    }
                }
                if cfg!(target_os = "linux") {
                    let mut real_time = signal::signal(Signal::from_number(40)).unwrap();
                    raw::raise(Signal::from_number(40));
                    assert_eq!(real_time.recv().await.unwrap().count, 1);
                }
            })
            .unwrap();
    });
}

fn hz_f07_a_read_that_blocks_elsewhere_is_not_disturbed(on: On) {
    if cfg!(mainspring_storm) {
        // The storm's own handler has no SA_RESTART, and disturbs it.
        return;
    }
    on.alone(|| {
        let (mut near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let reader = std::thread::spawn(move || {
            // One read: std's `read` would tell of EINTR.
            let mut buf = [0; 4];
            near.read(&mut buf).map(|count| buf[..count].to_vec())
        });
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::USR1).unwrap();
                let mut heard = 0;
                while heard < 500 {
                    raw::signal_thread(&reader, Signal::USR1);
                    heard += listener.recv().await.unwrap().count;
                }
            })
            .unwrap();
        far.write_all(b"tick").unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), b"tick");
    });
}

fn a_stream_and_a_wait_for_one_hear_it(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::INT).unwrap();
                let once = signal::ctrl_c();
                let task = spawn(once);
                yield_now().await;
                raw::raise(Signal::INT);
                assert_eq!(task.await.unwrap().unwrap().signal, Signal::INT);
                assert_eq!(listener.next().await.unwrap().unwrap().count, 1);
                let refused = signal::once(Signal::KILL).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::InvalidInput);
                // What came before a wait began is not its own.
                let late = signal::once(Signal::INT);
                let late = mainspring::time::timeout(Duration::from_millis(1), late).await;
                assert!(late.is_err());
            })
            .unwrap();
    });
}

fn a_wait_names_the_signal_and_its_line(on: On) {
    on.alone(|| {
        on.runtime()
            .block_on(async {
                let mut listener = signal::signal(Signal::TERM).unwrap();
                let line = line!() + 1;
                let task = spawn(async move { listener.recv().await.map(drop) });
                yield_now().await;
                let text = format!("{:#}", inspect::snapshot());
                assert!(text.contains("SIGTERM"), "{text}");
                assert!(text.contains(&format!("tests/signal.rs:{line}")), "{text}");
                task.abort();
            })
            .unwrap();
    });
}

fn a_fault_leaves_nothing_behind(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        runtime
            .block_on(async { drop(signal::signal(Signal::USR1)) })
            .unwrap();
        let (before, disposition) = (open_fds(), raw::disposition(Signal::USR1));
        runtime
            .block_on(async {
                for nth in 1..=2 {
                    let fault = Fault::Errno(rustix::io::Errno::MFILE.raw_os_error());
                    let guard = Plan::new().at(Call::Signal, nth, fault).install();
                    assert!(signal::signal(Signal::USR1).is_err(), "{nth}");
                    drop(guard);
                    assert_eq!(raw::disposition(Signal::USR1), disposition);
                }
                assert!(signal::signal(Signal::USR1).is_ok());
            })
            .unwrap();
        assert_eq!(open_fds(), before);
    });
}

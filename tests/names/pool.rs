//! Look-ups of the system's resolver: which threads they take, what its answers become, and their drop.
//!
//! The fault plan belongs to a thread, so a hook lays one down on each thread of the pool.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Waker};

use mainspring::net::{ResolveError, ResolveErrorKind, lookup, lookup_addr};
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::blocking::{Class, JobBuilder, statistics};
use mainspring::{JoinHandle, Runtime};

use crate::rig::{On, turns};

on_both! {
    hz_g07_a_hundred_look_ups_that_hang_leave_threads_to_files,
    hz_g10_what_the_system_answers_is_told,
    hz_g10_a_look_up_that_is_dropped_in_the_queue_never_begins,
    hz_g10_a_look_up_that_is_dropped_while_it_runs_ends_on_its_thread,
    hz_g10_a_look_up_that_is_dropped_with_its_answer_leaves_nothing,
    a_loop_that_ends_drops_its_look_ups,
}

/// A loop on whose pool's threads look-ups meet `fault`, each time.
fn failing(on: On, fault: Fault) -> Runtime {
    let builder = on.builder().on_thread_start(move || {
        let plan = Plan::new().from(Call::Resolve, 1, u64::MAX, fault);
        // For as long as the thread lives.
        std::mem::forget(plan.install());
    });
    builder.build().unwrap()
}

/// Jobs that take all the threads there are for names, until their senders go.
fn fill(count: usize) -> Vec<(JoinHandle<()>, Sender<()>)> {
    let job = || {
        let (open, closed) = channel::<()>();
        let job = JobBuilder::new().class(Class::Names);
        let job = job.spawn(move || {
            let _ = closed.recv();
        });
        (job, open)
    };
    let jobs = (0..count).map(|_| job()).collect();
    while statistics().unwrap().class(Class::Names).running < count {
        std::thread::yield_now();
    }
    jobs
}

fn hz_g07_a_hundred_look_ups_that_hang_leave_threads_to_files(on: On) {
    on.run(async {
        let limit = statistics().unwrap().class(Class::Names).limit;
        assert_eq!(limit, 4, "half of eight");
        let slow = fill(limit);
        let look_ups: Vec<_> = (0..100)
            .map(|port| mainspring::spawn(lookup("localhost", port)))
            .collect();
        mainspring::yield_now().await;
        let names = statistics().unwrap().class(Class::Names);
        assert_eq!((names.queued, names.running), (100, limit));
        for _ in 0..100 {
            let file = JobBuilder::new().class(Class::Files);
            let len = file.spawn(|| std::fs::metadata("Cargo.toml").map(|it| it.len()));
            assert!(len.await.unwrap().unwrap() > 0);
        }
        // Not one of them has come to its turn meanwhile.
        let names = statistics().unwrap().class(Class::Names);
        assert_eq!((names.queued, names.finished), (100, 0));
        for (job, open) in slow {
            drop(open);
            job.await.unwrap();
        }
        for look_up in look_ups {
            assert!(!look_up.await.unwrap().unwrap().is_empty());
        }
    });
}

fn hz_g10_what_the_system_answers_is_told(on: On) {
    for (code, kind, io_kind) in [
        (
            libc::EAI_AGAIN,
            ResolveErrorKind::TryAgain,
            ErrorKind::Other,
        ),
        (
            libc::EAI_NONAME,
            ResolveErrorKind::NoAddress,
            ErrorKind::NotFound,
        ),
        (libc::EAI_FAIL, ResolveErrorKind::Failed, ErrorKind::Other),
        (
            libc::EAI_MEMORY,
            ResolveErrorKind::OutOfMemory,
            ErrorKind::OutOfMemory,
        ),
    ] {
        let runtime = failing(on, Fault::Errno(code));
        let error = runtime
            .block_on(lookup("localhost", 80))
            .unwrap()
            .unwrap_err();
        assert_eq!(error.kind(), io_kind);
        let inside: &ResolveError = error.get_ref().unwrap().downcast_ref().unwrap();
        assert_eq!((inside.kind(), inside.code()), (kind, Some(code)));
        let loopback = SocketAddr::from(([127, 0, 0, 1], 80));
        let reverse = runtime.block_on(lookup_addr(loopback)).unwrap();
        assert_eq!(reverse.unwrap_err().kind(), io_kind);
    }
    let runtime = failing(on, Fault::Errno(libc::EAI_SYSTEM));
    let error = runtime
        .block_on(lookup("localhost", 80))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
    let runtime = failing(on, Fault::Short(0));
    let error = runtime
        .block_on(lookup("localhost", 80))
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

fn hz_g10_a_look_up_that_is_dropped_in_the_queue_never_begins(on: On) {
    on.run(async {
        let limit = statistics().unwrap().class(Class::Names).limit;
        let slow = fill(limit);
        {
            let mut look_up = pin!(lookup("localhost", 1));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(look_up.as_mut().poll(&mut cx).is_pending());
            assert_eq!(statistics().unwrap().class(Class::Names).queued, 1);
        }
        // The abort takes effect in the loop's next turn.
        turns(1).await;
        let names = statistics().unwrap().class(Class::Names);
        assert_eq!((names.queued, names.aborted), (0, 1));
        for (job, open) in slow {
            drop(open);
            job.await.unwrap();
        }
        assert_eq!(statistics().unwrap().class(Class::Names).aborted, 1);
    });
}

/// Returns when the thread that looked up has come back for the next job.
fn await_the_threads() {
    loop {
        let pool = statistics().unwrap();
        if pool.queued + pool.running == 0 {
            return;
        }
        std::thread::yield_now();
    }
}

fn hz_g10_a_look_up_that_is_dropped_while_it_runs_ends_on_its_thread(on: On) {
    // Nothing but the thread's own hook can hold a look-up: it is on its way when the hook ends.
    let (open, closed) = channel::<()>();
    let closed = std::sync::Mutex::new(closed);
    let builder = on.builder().on_thread_start(move || {
        let _ = closed.lock().unwrap().recv();
    });
    let runtime = builder.build().unwrap();
    let dropped = async {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..20 {
            let mut look_up = Box::pin(lookup("localhost", 1));
            assert!(look_up.as_mut().poll(&mut cx).is_pending());
            open.send(()).ok();
            drop(look_up);
            turns(1).await;
            await_the_threads();
        }
        drop(open);
        let pool = statistics().unwrap();
        assert_eq!(pool.finished + pool.aborted, 20);
        assert!(!lookup("localhost", 2).await.unwrap().is_empty());
    };
    runtime.block_on(dropped).unwrap();
}

fn hz_g10_a_look_up_that_is_dropped_with_its_answer_leaves_nothing(on: On) {
    on.run(async {
        let mut cx = Context::from_waker(Waker::noop());
        let mut look_up = Box::pin(lookup("localhost", 1));
        assert!(look_up.as_mut().poll(&mut cx).is_pending());
        await_the_threads();
        // Once with the answer in the job, once with it in the task.
        drop(look_up);
        let mut look_up = Box::pin(lookup("localhost", 1));
        assert!(look_up.as_mut().poll(&mut cx).is_pending());
        await_the_threads();
        turns(2).await;
        drop(look_up);
        turns(2).await;
        assert_eq!(statistics().unwrap().finished, 2);
    });
}

fn a_loop_that_ends_drops_its_look_ups(on: On) {
    let runtime = on.runtime();
    let tasks: Vec<_> = (0..50)
        .map(|port| runtime.spawn(lookup("localhost", port)))
        .collect();
    runtime.tick().unwrap();
    drop(runtime);
    for task in tasks {
        assert!(task.is_finished());
    }
    let mut cx = Context::from_waker(Waker::noop());
    let polled = pin!(lookup("localhost", 1)).poll(&mut cx);
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

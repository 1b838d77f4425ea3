//! Threads: when they start, how many there are, when they end, and what they are told.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use mainspring::task::blocking::{Class, JobBuilder, statistics};
use mainspring::{Builder, Runtime, spawn_blocking};

use crate::rig::{Held, alone, thread_count, threads, wait_until};

#[test]
fn p30_no_thread_is_started_before_the_first_job_and_they_go_when_idle() {
    let name = "threads::p30_no_thread_is_started_before_the_first_job_and_they_go_when_idle";
    if alone(name).is_some() {
        return;
    }
    let before = thread_count();
    let builder = Builder::new().blocking_idle_timeout(Duration::from_millis(1));
    let runtime = builder.build().unwrap();
    let handle = runtime.handle();
    runtime
        .block_on(async {
            mainspring::spawn(async {}).await.unwrap();
            assert_eq!(statistics().unwrap().started, 0);
            assert_eq!(thread_count(), before);
            let (work, held) = Held::new();
            let job = spawn_blocking(work);
            held.wait_until_begun();
            assert_eq!(statistics().unwrap().threads, 1);
            assert_eq!(thread_count(), before.map(|count| count + 1));
            drop(held);
            job.await.unwrap();
        })
        .unwrap();
    wait_until(&handle, |statistics| statistics.threads == 0);
    let statistics = handle.blocking_statistics();
    assert_eq!((statistics.started, statistics.retired), (1, 1));
    // The thread itself goes a moment after it was counted out.
    while thread_count() != before {
        thread::yield_now();
    }
}

#[test]
fn p41_a_thread_is_started_only_if_none_idles() {
    mainspring::run(async {
        for _ in 0..50 {
            spawn_blocking(|| ()).await.unwrap();
            while statistics().unwrap().idle == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(statistics().unwrap().started, 1);
    })
    .unwrap();
}

#[test]
fn p41_there_are_never_more_threads_than_were_allowed() {
    let runtime = threads(3).build().unwrap();
    let (now, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    runtime
        .block_on(async {
            let jobs: Vec<_> = (0..500)
                .map(|_| {
                    let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                    spawn_blocking(move || {
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                        thread::yield_now();
                        now.fetch_sub(1, SeqCst);
                    })
                })
                .collect();
            for job in jobs {
                job.await.unwrap();
            }
            assert!(most.load(SeqCst) <= 3, "{most:?}");
            assert!(statistics().unwrap().started <= 3);
        })
        .unwrap();
}

#[test]
fn p41_eight_threads_at_most_are_the_default_and_all_of_them_come() {
    let runtime = Runtime::new().unwrap();
    let held: Vec<Held> = (0..9)
        .map(|_| {
            let (work, held) = Held::new();
            drop(runtime.handle().spawn_blocking(work).unwrap());
            held
        })
        .collect();
    held[..8].iter().for_each(Held::wait_until_begun);
    let statistics = runtime.blocking_statistics();
    assert_eq!((statistics.threads, statistics.idle), (8, 0));
    assert_eq!((statistics.running, statistics.queued), (8, 1));
    drop(held);
}

#[test]
fn p41_a_class_takes_no_more_threads_than_its_limit_and_others_pass_it_by() {
    let builder = threads(4).blocking_class_max(Class::User, 1);
    let runtime = builder.build().unwrap();
    runtime
        .block_on(async {
            let (work, held) = Held::new();
            let running = spawn_blocking(work);
            held.wait_until_begun();
            let waiting = spawn_blocking(|| ());
            for class in [Class::Files, Class::Names] {
                JobBuilder::new().class(class).spawn(|| ()).await.unwrap();
            }
            let user = statistics().unwrap().class(Class::User);
            assert_eq!((user.limit, user.running, user.queued), (1, 1, 1));
            drop(held);
            running.await.unwrap();
            waiting.await.unwrap();
        })
        .unwrap();
}

#[test]
fn threads_have_the_name_and_the_stack_that_the_builder_said() {
    let builder = Builder::new()
        .blocking_thread_name("spring")
        .blocking_stack_size(32 << 20);
    let runtime = builder.build().unwrap();
    let name = runtime
        .block_on(async {
            spawn_blocking(|| {
                // More than std gives by default.
                let stack = std::hint::black_box([1_u8; 8 << 20]);
                assert_eq!(stack[stack.len() / 2], 1);
                thread::current().name().map(str::to_owned)
            })
            .await
            .unwrap()
        })
        .unwrap();
    assert_eq!(name.as_deref(), Some("spring-1"));
}

#[test]
fn hooks_are_called_on_each_thread_at_its_start_and_its_end() {
    let (starts, stops) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (start, stop) = (Arc::clone(&starts), Arc::clone(&stops));
    let builder = threads(2)
        .blocking_shutdown_timeout(Duration::from_secs(60))
        .on_thread_start(move || {
            assert!(thread::current().name().is_some());
            start.fetch_add(1, SeqCst);
        })
        .on_thread_stop(move || {
            stop.fetch_add(1, SeqCst);
            panic!("a hook that fails takes no thread out of the counts");
        });
    let runtime = builder.build().unwrap();
    let held: Vec<Held> = (0..2)
        .map(|_| {
            let (work, held) = Held::new();
            drop(runtime.handle().spawn_blocking(work).unwrap());
            held
        })
        .collect();
    held.iter().for_each(Held::wait_until_begun);
    assert_eq!((starts.load(SeqCst), stops.load(SeqCst)), (2, 0));
    let handle = runtime.handle();
    drop(held);
    drop(runtime);
    assert_eq!((starts.load(SeqCst), stops.load(SeqCst)), (2, 2));
    assert_eq!(handle.blocking_statistics().threads, 0);
}

#[test]
#[should_panic(expected = "jobs would wait for ever for no threads")]
fn no_threads_are_no_pool() {
    let _ = threads(0);
}

#[test]
#[should_panic(expected = "jobs would wait for ever for their turn")]
fn no_jobs_are_no_class() {
    let _ = Builder::new().blocking_class_max(Class::Files, 0);
}

//! Hazards of group G that are about many jobs, or none that can run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::task::blocking::{Class, JobBuilder, is_aborted, statistics};
use mainspring::{Builder, Handle, Runtime, spawn_blocking, yield_now};

use crate::rig::{Held, alone, soak, thread_count, threads, wait_until};

/// What Linux says when there are no more threads.
const EAGAIN: i32 = 11;

#[test]
fn hz_g03_without_a_thread_and_without_hope_a_job_fails_clearly() {
    mainspring::run(async {
        let plan = Plan::new().at(Call::ThreadStart, 1, Fault::Errno(EAGAIN));
        let guard = plan.install();
        let error = spawn_blocking(|| ()).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no thread, and none could be started"),
            "{text}"
        );
        let failed = statistics().unwrap();
        assert_eq!((failed.threads, failed.start_failures), (0, 1));
        assert_eq!((failed.queued, failed.started), (0, 0));
        // The next one may have more luck.
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(statistics().unwrap().threads, 1);
        drop(guard);
    })
    .unwrap();
}

#[test]
fn hz_g03_a_job_that_was_sent_fails_as_clearly() {
    let runtime = Runtime::new().unwrap();
    let guard = Plan::new()
        .at(Call::ThreadStart, 1, Fault::Errno(EAGAIN))
        .install();
    let error = runtime.handle().spawn_blocking(|| ()).unwrap().join();
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("no thread, and none could be started"),
        "{text}"
    );
    drop(guard);
}

#[test]
fn hz_g03_without_a_thread_a_job_waits_for_one_that_lives() {
    mainspring::run(async {
        let (work, held) = Held::new();
        let first = spawn_blocking(work);
        held.wait_until_begun();
        let guard = Plan::new()
            .at(Call::ThreadStart, 1, Fault::Errno(EAGAIN))
            .install();
        let second = spawn_blocking(|| 7);
        drop(guard);
        let waiting = statistics().unwrap();
        assert_eq!((waiting.threads, waiting.start_failures), (1, 1));
        assert_eq!(waiting.queued, 1);
        drop(held);
        assert_eq!(second.await.unwrap(), 7);
        first.await.unwrap();
    })
    .unwrap();
}

#[test]
fn hz_g04_threads_that_idle_out_at_once_lose_no_job() {
    let runtime = threads(2)
        .blocking_idle_timeout(Duration::ZERO)
        .build()
        .unwrap();
    let jobs = soak(2_000, 10_000_000);
    runtime
        .block_on(async {
            let mut under_way = VecDeque::new();
            for i in 0..jobs {
                under_way.push_back((i, spawn_blocking(move || i)));
                // One at a time, a few, many: each meets the threads at another moment.
                while under_way.len() > i % 7 {
                    let (i, job) = under_way.pop_front().unwrap();
                    assert_eq!(job.await.unwrap(), i);
                }
            }
        })
        .unwrap();
}

/// Numbers without a pattern, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1);
        (self.0 >> 33) % end
    }
}

#[test]
fn hz_g05_the_counts_are_those_of_the_threads_that_live() {
    if alone("hazards::hz_g05_the_counts_are_those_of_the_threads_that_live").is_some() {
        return;
    }
    let before = thread_count();
    let alive = Arc::new(AtomicUsize::new(0));
    let (start, stop) = (Arc::clone(&alive), Arc::clone(&alive));
    let runtime = threads(5)
        .blocking_idle_timeout(Duration::from_millis(1))
        .on_thread_start(move || {
            let _ = start.fetch_add(1, SeqCst);
        })
        .on_thread_stop(move || {
            let _ = stop.fetch_sub(1, SeqCst);
        })
        .build()
        .unwrap();
    let handle = runtime.handle();
    let rounds = soak(300, 100_000);
    runtime
        .block_on(async {
            let mut random = Random(5);
            let mut under_way = Vec::new();
            for _ in 0..rounds {
                for _ in 0..random.below(12) {
                    let class = Class::ALL[random.below(3) as usize];
                    let spins = random.below(2_000);
                    let work = move || (0..spins).for_each(|_| std::hint::spin_loop());
                    under_way.push(JobBuilder::new().class(class).spawn(work));
                }
                check(&handle, 5);
                match random.below(4) {
                    0 => {
                        for job in under_way.drain(..) {
                            job.await.unwrap();
                        }
                    }
                    1 => {
                        if let Some(job) = under_way.pop() {
                            job.abort();
                            let _ = job.await;
                        }
                    }
                    2 => mainspring::time::sleep(Duration::from_micros(random.below(1_500))).await,
                    _ => yield_now().await,
                }
            }
            for job in under_way {
                job.await.unwrap();
            }
        })
        .unwrap();
    wait_until(&handle, |statistics| statistics.threads == 0);
    assert_eq!(alive.load(SeqCst), 0);
    let end = handle.blocking_statistics();
    assert_eq!((end.idle, end.running, end.queued), (0, 0, 0));
    assert!(end.retired > 1, "some idled out on the way");
    while thread_count() != before {
        thread::yield_now();
    }
}

/// What holds at every moment.
fn check(handle: &Handle, threads_max: usize) {
    let now = handle.blocking_statistics();
    assert_eq!(now.threads as u64, now.started - now.retired, "{now:?}");
    assert!(now.threads <= threads_max, "{now:?}");
    assert!(now.idle + now.running <= now.threads, "{now:?}");
    for class in Class::ALL {
        assert!(
            now.class(class).running <= now.class(class).limit,
            "{now:?}"
        );
    }
}

/// A job that sends a job that sends a job, and joins it.
fn nest(handle: &Handle, depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let inner = handle.clone();
    let sent = handle.spawn_blocking(move || nest(&inner, depth - 1));
    sent.unwrap().join().unwrap() + 1
}

#[test]
fn hz_g06_jobs_that_join_jobs_of_their_own_pool_never_stand_still() {
    let runtime = threads(1).build().unwrap();
    let handle = runtime.handle();
    let outer = handle.clone();
    let job = handle.spawn_blocking(move || nest(&outer, 30)).unwrap();
    assert_eq!(job.join().unwrap(), 30);
    assert_eq!(handle.blocking_statistics().started, 1);
    assert_eq!(handle.blocking_statistics().queued, 0);
}

#[test]
fn hz_g06_nor_do_many_of_them_at_the_cap() {
    let runtime = threads(2).build().unwrap();
    runtime
        .block_on(async {
            let handle = mainspring::current_handle().unwrap();
            let jobs: Vec<_> = (0..20)
                .map(|_| {
                    let handle = handle.clone();
                    spawn_blocking(move || nest(&handle, 3))
                })
                .collect();
            for job in jobs {
                assert_eq!(job.await.unwrap(), 3);
            }
            assert!(statistics().unwrap().started <= 2);
        })
        .unwrap();
}

#[test]
fn hz_g06_a_panic_in_a_job_that_runs_in_place_is_the_joiner_s_to_see() {
    let runtime = threads(1).build().unwrap();
    let handle = runtime.handle();
    let inner = handle.clone();
    let job = handle.spawn_blocking(move || {
        let sent = inner.spawn_blocking(|| -> u8 { panic!("inside") });
        let error = sent.unwrap().join().unwrap_err();
        (error.is_panic(), is_aborted())
    });
    assert_eq!(job.unwrap().join().unwrap(), (true, false));
}

#[test]
fn hz_g06_jobs_that_wait_in_other_ways_stand_still_and_the_statistics_show_it() {
    let runtime = threads(1).build().unwrap();
    let handle = runtime.handle();
    let (sender, receiver) = channel();
    let first = handle.spawn_blocking(move || {
        // Waits for a job that comes after it, as it must not; but it looks at its flag.
        while !is_aborted() {
            if let Ok(value) = receiver.try_recv() {
                return Some(value);
            }
            thread::yield_now();
        }
        None
    });
    let second = handle.spawn_blocking(move || sender.send(1).unwrap());
    wait_until(&handle, |statistics| statistics.running == 1);
    let stuck = handle.blocking_statistics();
    assert_eq!((stuck.threads, stuck.queued), (1, 1));
    let first: mainspring::RemoteJoin<Option<i32>> = first.unwrap();
    first.abort();
    assert_eq!(first.join().unwrap(), None);
    let _ = second.unwrap().join();
}

/// The resolver stub: half a minute per name is for ever here.
#[test]
fn hz_g07_a_hundred_slow_names_leave_threads_to_files() {
    let runtime = Builder::new()
        .blocking_shutdown_timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let handle = runtime.handle();
    let held: Vec<Held> = (0..100)
        .map(|_| {
            let (work, held) = Held::new();
            let name = JobBuilder::new().class(Class::Names);
            drop(name.send(&handle, work).unwrap());
            held
        })
        .collect();
    runtime
        .block_on(async {
            for class in [Class::Files, Class::User] {
                let job = JobBuilder::new().class(class);
                job.spawn(|| ()).await.unwrap();
            }
            let names = statistics().unwrap().class(Class::Names);
            assert_eq!((names.limit, names.running, names.queued), (4, 4, 96));
        })
        .unwrap();
    drop(held);
}

#[test]
fn hz_g08_a_sent_job_that_was_aborted_before_it_began_never_runs() {
    let runtime = threads(1).build().unwrap();
    let handle = runtime.handle();
    let (work, held) = Held::new();
    let first = handle.spawn_blocking(work).unwrap();
    held.wait_until_begun();
    let second = handle
        .spawn_blocking(|| -> u8 { unreachable!("it was aborted") })
        .unwrap();
    second.abort();
    assert!(second.is_finished());
    assert!(second.join().unwrap_err().is_aborted());
    drop(held);
    first.join().unwrap();
    assert_eq!(handle.blocking_statistics().aborted, 1);
}

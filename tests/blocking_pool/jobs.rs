//! Jobs as tasks: results, panics, aborts, names, and what the loop makes of them.

use std::panic::Location;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use mainspring::sim::fault::{Call, count_of};
use mainspring::task::blocking::{
    Aborted, Class, JobBuilder, check_aborted, is_aborted, statistics,
};
use mainspring::time::{now, sleep, timeout};
use mainspring::{Runtime, current_handle, spawn, spawn_blocking, yield_now};

use crate::rig::{Drops, Held, spin_for, threads};

#[test]
fn a_job_runs_on_another_thread_and_its_handle_gives_the_result() {
    mainspring::run(async {
        let here = thread::current().id();
        let there = spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_ne!(here, there);
    })
    .unwrap();
}

#[test]
fn a_job_begins_while_its_caller_goes_on_without_a_wait() {
    mainspring::run(async {
        let (sender, receiver) = channel();
        let _job = spawn_blocking(move || sender.send(7).unwrap());
        // The loop's thread blocks here: nothing but the call above can have started the job.
        assert_eq!(receiver.recv().unwrap(), 7);
    })
    .unwrap();
}

#[test]
fn a_job_s_handle_is_like_any_task_s() {
    mainspring::run(async {
        let line = Location::caller().line() + 1;
        let job = JobBuilder::new().name("look").spawn(|| 5);
        assert_eq!(job.name().as_deref(), Some("look"));
        assert_eq!(job.spawned_at().map(Location::line), Some(line));
        assert!(!job.is_finished());
        let other = spawn_blocking(|| 6);
        assert_ne!(job.id(), other.id());
        assert_eq!(job.await.unwrap() + other.await.unwrap(), 11);
    })
    .unwrap();
}

#[test]
fn hz_g02_a_panic_reaches_the_awaiter_and_the_thread_lives_on() {
    let runtime = threads(1).build().unwrap();
    let test = async {
        let worker = spawn_blocking(|| thread::current().id()).await.unwrap();
        let line = Location::caller().line() + 1;
        let job = spawn_blocking(|| -> u8 { panic!("spring broken") });
        let error = job.await.unwrap_err();
        assert!(error.is_panic());
        let text = error.to_string();
        let place = format!("{}:{line}", file!());
        assert!(
            text.contains("spring broken") && text.contains(&place),
            "{text}"
        );
        let payload = error.into_panic().unwrap();
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"spring broken"));
        let same = spawn_blocking(|| thread::current().id()).await.unwrap();
        assert_eq!(same, worker);
        assert_eq!(statistics().unwrap().threads, 1);
    };
    runtime.block_on(test).unwrap();
}

#[test]
fn hz_g02_a_panic_that_nobody_awaits_is_reported_with_the_line() {
    let Some(text) =
        crate::rig::alone("jobs::hz_g02_a_panic_that_nobody_awaits_is_reported_with_the_line")
    else {
        mainspring::run(async {
            println!("line {}", Location::caller().line() + 1);
            drop(spawn_blocking(|| panic!("broken quietly")));
            let (work, held) = Held::new();
            let last = spawn_blocking(move || {
                work();
                panic!("broken late")
            });
            held.wait_until_begun();
            last.abort();
            last.await.unwrap_err();
            drop(held);
            let sent = current_handle()
                .unwrap()
                .spawn_blocking(|| panic!("broken afar"));
            drop(sent);
            while statistics().unwrap().finished < 3 {
                yield_now().await;
            }
            // The task of the first fetches its panic.
            mainspring::yield_to_io().await;
        })
        .unwrap();
        return;
    };
    for (what, message) in [
        ("task ", "broken quietly"),
        ("a job (submitted at", "broken late"),
        ("work (sent at", "broken afar"),
    ] {
        let report = |line: &&str| {
            line.contains("nobody awaits it") && line.contains(what) && line.ends_with(message)
        };
        let line = text
            .lines()
            .find(report)
            .unwrap_or_else(|| panic!("{text}"));
        assert!(line.contains(file!()), "{line}");
    }
}

#[test]
fn p42_a_job_aborted_before_it_began_never_runs_and_is_dropped_on_the_loop_s_thread() {
    let runtime = threads(1).build().unwrap();
    runtime
        .block_on(async {
            let (work, held) = Held::new();
            let first = spawn_blocking(work);
            held.wait_until_begun();
            let drops = Drops::default();
            let guard = drops.guard();
            let second = spawn_blocking(move || -> u8 {
                let _guard = guard;
                unreachable!("it was aborted")
            });
            second.abort();
            assert!(drops.all().is_empty(), "never inside `abort`");
            assert!(second.await.unwrap_err().is_aborted());
            assert_eq!(drops.all(), [thread::current().id()]);
            drop(held);
            first.await.unwrap();
            let statistics = statistics().unwrap();
            assert_eq!((statistics.queued, statistics.aborted), (0, 1));
        })
        .unwrap();
}

#[test]
fn p42_a_job_aborted_while_it_runs_is_told_and_its_result_dropped() {
    mainspring::run(async {
        let (begin, begun) = channel();
        let (end, ended) = channel();
        let drops = Drops::default();
        let guard = drops.guard();
        let job = spawn_blocking(move || {
            assert_eq!(check_aborted(), Ok(()));
            begin.send(()).unwrap();
            while !is_aborted() {
                thread::yield_now();
            }
            end.send(check_aborted()).unwrap();
            guard
        });
        begun.recv().unwrap();
        job.abort();
        assert!(job.await.map(drop).unwrap_err().is_aborted());
        assert_eq!(ended.recv().unwrap(), Err(Aborted));
        while drops.all().is_empty() {
            yield_now().await;
        }
        assert_ne!(drops.all(), [thread::current().id()]);
        assert!(!is_aborted(), "this is no thread of a pool");
        // The flag was that job's alone.
        assert!(!spawn_blocking(is_aborted).await.unwrap());
    })
    .unwrap();
}

#[test]
fn p42_a_dropped_handle_leaves_the_job_to_itself() {
    mainspring::run(async {
        let (sender, receiver) = channel();
        let (work, held) = Held::new();
        let job = spawn_blocking(move || {
            work();
            sender.send(is_aborted()).unwrap();
        });
        drop(job);
        held.wait_until_begun();
        drop(held);
        assert!(!receiver.recv().unwrap());
    })
    .unwrap();
}

#[test]
fn a_result_that_nobody_fetched_is_dropped_once() {
    let drops = Drops::default();
    mainspring::run(async {
        let guard = drops.guard();
        let job = spawn_blocking(move || guard);
        while statistics().unwrap().finished == 0 {
            thread::yield_now();
        }
        drop(job);
        assert!(drops.all().is_empty(), "its task has not run");
        mainspring::yield_to_io().await;
        assert_eq!(drops.all(), [thread::current().id()]);
    })
    .unwrap();
}

#[test]
fn a_manual_clock_stands_still_while_a_job_is_awaited() {
    mainspring::sim::run(1, async {
        let start = now();
        // Long enough for a loop that would jump to have done so.
        let job = spawn_blocking(|| {
            spin_for(Duration::from_millis(5));
            7
        });
        let result = timeout(Duration::from_secs(3600), job).await;
        assert_eq!(result.expect("no time has passed").unwrap(), 7);
        assert_eq!(now(), start);
        // And goes on afterwards.
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(now() - start, Duration::from_secs(3600));
    });
}

#[test]
fn a_manual_clock_does_not_wait_for_a_job_that_was_abandoned() {
    mainspring::sim::run(2, async {
        let (work, held) = Held::new();
        let job = spawn_blocking(work);
        held.wait_until_begun();
        job.abort();
        job.await.unwrap_err();
        sleep(Duration::from_secs(3600)).await;
        drop(held);
    });
}

#[test]
fn p21_a_job_that_waits_or_runs_may_end_a_wait_so_that_is_no_deadlock() {
    let runtime = threads(1).build().unwrap();
    runtime
        .block_on(async {
            let work = || {
                spin_for(Duration::from_millis(2));
            };
            let running = spawn_blocking(work);
            let queued = spawn_blocking(|| ());
            let other = spawn(async move {
                queued.await.unwrap();
            });
            other.await.unwrap();
            running.await.unwrap();
        })
        .unwrap();
}

#[test]
#[should_panic(expected = "deadlock")]
fn p21_an_abandoned_job_wakes_nobody_so_that_is_one() {
    let runtime = Runtime::new().unwrap();
    let (work, held) = Held::new();
    let _ = runtime.block_on(async {
        let job = spawn_blocking(work);
        held.wait_until_begun();
        job.abort();
        job.await.unwrap_err();
        std::future::pending::<()>().await;
    });
}

#[test]
fn many_ends_of_jobs_ring_a_loop_that_is_awake_not_at_all_and_one_that_sleeps_once() {
    let runtime = threads(1).build().unwrap();
    runtime
        .block_on(async {
            // So that there is a bell.
            spawn_blocking(|| ()).await.unwrap();
            let rings = || count_of(Call::Notify);
            let before = spawn_blocking(rings).await.unwrap();
            let jobs: Vec<_> = (0..100).map(|i| spawn_blocking(move || i)).collect();
            let (sender, receiver) = channel();
            let last = spawn_blocking(move || sender.send(rings()).unwrap());
            // The loop blocks here, awake.
            let after = receiver.recv().unwrap();
            // The end of the job that counted first comes after its count.
            assert!(after - before <= 1, "{before} to {after}");
            for (i, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.await.unwrap(), i);
            }
            last.await.unwrap();
        })
        .unwrap();
}

#[test]
fn a_job_has_a_class() {
    mainspring::run(async {
        for class in Class::ALL {
            JobBuilder::new().class(class).spawn(|| ()).await.unwrap();
            while statistics().unwrap().class(class).finished == 0 {
                thread::yield_now();
            }
        }
        let handle = current_handle().unwrap();
        let sent = JobBuilder::new().class(Class::Names).send(&handle, || 3);
        assert_eq!(sent.unwrap().await.unwrap(), 3);
        while statistics().unwrap().class(Class::Names).finished < 2 {
            thread::yield_now();
        }
        assert_eq!(statistics().unwrap().finished, 4);
    })
    .unwrap();
}

#[test]
#[should_panic(expected = "spawn_blocking must be called inside a running loop")]
fn without_a_loop_it_panics_in_one_sentence() {
    spawn_blocking(|| ());
}

//! `wait`, `gather`, and what is asked of a handle without awaiting it.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use mainspring::task::{Ended, JoinError, Until, Waited, gather, join_all, spawn_many, wait};
use mainspring::time::{now, sleep, timeout};
use mainspring::{JoinHandle, Runtime, sim, spawn, yield_now};

use crate::rig::{Gate, MS, after, counted, yields};

fn waited(done: &[usize], pending: &[usize]) -> Waited {
    Waited {
        done: done.to_vec(),
        pending: pending.to_vec(),
    }
}

fn broken<T: 'static>(ms: u32) -> JoinHandle<T> {
    spawn(async move {
        sleep(ms * MS).await;
        std::panic::resume_unwind(Box::new("broken"))
    })
}

#[test]
fn wait_says_who_has_ended_in_the_order_of_the_handles_and_takes_nothing() {
    sim::run(1, async {
        for others in [0, 40] {
            let start = now();
            let mut tasks = vec![
                spawn(after(5, 0)),
                spawn(after(2, 1)),
                broken(3),
                spawn(after(2, 3)),
            ];
            tasks.extend((0..others).map(|_| spawn(after(9, 4))));
            let rest: Vec<usize> = (4..tasks.len()).collect();
            let pending = |first: &[usize]| [first, &rest].concat();

            let first = wait(&mut tasks, Until::First).await;
            assert_eq!(first, waited(&[1, 3], &pending(&[0, 2])));
            assert_eq!(now() - start, 2 * MS);
            let again = wait(&mut tasks, Until::First).await;
            assert_eq!((again, now() - start), (first, 2 * MS), "at once");
            let failed = wait(&mut tasks, Until::FirstError).await;
            assert_eq!(failed, waited(&[1, 2, 3], &pending(&[0])));
            assert_eq!(now() - start, 3 * MS);
            let all = wait(&mut tasks, Until::All).await;
            assert_eq!(all, waited(&(0..tasks.len()).collect::<Vec<_>>(), &[]));
            let results = join_all(tasks).await;
            assert!(matches!(results[..4], [Ok(0), Ok(1), Err(_), Ok(3)]));
        }
    });
}

#[test]
fn first_error_waits_for_all_if_none_fails_and_nothing_is_waited_for_at_once() {
    sim::run(1, async {
        for until in [Until::First, Until::FirstError, Until::All] {
            assert_eq!(wait::<()>(&mut [], until).await, Waited::default());
        }
        for count in [3, 30] {
            let mut tasks: Vec<_> = (0..count).map(|n| spawn(after(n, n))).collect();
            let all = wait(&mut tasks, Until::FirstError).await;
            assert_eq!((all.done.len(), all.pending.len()), (count as usize, 0));
            let mut aborted: Vec<_> = (0..count).map(|_| spawn(pending::<()>())).collect();
            aborted[1].abort();
            assert_eq!(wait(&mut aborted, Until::FirstError).await.done, [1]);
        }
    });
}

#[test]
fn a_wait_that_is_dropped_cancels_nothing_and_nobody_is_woken_for_it() {
    sim::run(1, async {
        for (count, until) in [
            (3, Until::First),
            (30, Until::First),
            (3, Until::All),
            (30, Until::All),
        ] {
            let gates: Vec<Gate> = (0..count).map(|_| Gate::default()).collect();
            let mut tasks: Vec<_> = gates.iter().map(|gate| spawn(gate.wait())).collect();
            assert!(timeout(MS, wait(&mut tasks, until)).await.is_err());
            let polls: Rc<Cell<usize>> = Rc::default();
            let opens = async {
                gates.iter().for_each(Gate::open);
                sleep(MS).await;
            };
            counted(Rc::clone(&polls), opens).await;
            assert_eq!(polls.get(), 2, "{count} {until:?}");
            for task in tasks {
                task.await.unwrap();
            }
        }
    });
}

/// How many polls of the waiter it costs to wait for so many, one of which ends per tick.
fn polls_of_wait(count: usize, until: Until) -> usize {
    let polls: Rc<Cell<usize>> = Rc::default();
    sim::run(1, async {
        let mut tasks = spawn_many((0..count).map(|n| yields(n, ())));
        counted(Rc::clone(&polls), wait(&mut tasks, until)).await;
    });
    polls.get()
}

#[test]
fn hz_h12_a_wait_costs_one_poll_per_end_at_most() {
    for count in [10, 100, 1000] {
        assert_eq!(polls_of_wait(count, Until::First), 2);
        assert!(polls_of_wait(count, Until::FirstError) <= count + 2);
        assert!(polls_of_wait(count, Until::All) <= count + 2);
    }
    // Ten thousand that end at once: the time is theirs, not the waiter's.
    sim::run(1, async {
        let mut tasks = spawn_many((0..10_000).map(|_| yields(3, ())));
        let polls: Rc<Cell<usize>> = Rc::default();
        counted(Rc::clone(&polls), wait(&mut tasks, Until::FirstError)).await;
        assert!(polls.get() < 100, "{}", polls.get());
    });
}

#[test]
fn gather_gives_outputs_in_order_and_at_the_first_error_the_others_go_on() {
    sim::run(1, async {
        for others in [0, 40] {
            let tasks = (0..others + 3).map(|n| spawn(after((7 * n) % 5, n)));
            assert_eq!(
                gather(tasks).await.unwrap(),
                (0..others + 3).collect::<Vec<_>>()
            );

            let done: Rc<Cell<u32>> = Rc::default();
            let work = || {
                let done = Rc::clone(&done);
                spawn(async move {
                    sleep(5 * MS).await;
                    done.set(done.get() + 1);
                })
            };
            let mut tasks: Vec<_> = (0..others + 2).map(|_| work()).collect();
            tasks.insert(1, broken(2));
            let start = now();
            let error = gather(tasks).await.unwrap_err();
            assert_eq!((error.is_panic(), now() - start), (true, 2 * MS));
            sleep(10 * MS).await;
            assert_eq!(done.get(), others + 2, "detached, they went on");

            let tasks: Vec<_> = (0..others + 2).map(|_| work()).collect();
            assert!(timeout(MS, gather(tasks)).await.is_err());
            sleep(10 * MS).await;
            assert_eq!(done.get(), others + 2, "aborted, they did not");
        }
        assert_eq!(gather::<u8>([]).await.unwrap(), []);
    });
}

#[test]
fn of_two_errors_at_once_gather_returns_the_first_of_the_arguments() {
    sim::run(1, async {
        let aborted = spawn(pending::<()>());
        let (one, two) = (broken(0), broken(0));
        aborted.abort();
        let error = gather([aborted, one, two]).await.unwrap_err();
        assert!(error.is_aborted());
    });
}

#[test]
fn an_outcome_is_seen_and_not_taken() {
    sim::run(1, async {
        let mut ok = spawn(async { 5 });
        let mut panicked = broken::<()>(0);
        let mut aborted = spawn(pending::<()>());
        assert_eq!(
            (ok.outcome(), panicked.outcome(), aborted.outcome()),
            (None, None, None)
        );
        aborted.abort();
        assert_eq!(aborted.outcome(), None, "the loop drops it in its turn");
        sleep(MS).await;
        for _ in 0..2 {
            assert_eq!(ok.outcome(), Some(Ended::Output));
            assert_eq!(panicked.outcome(), Some(Ended::Panic));
            assert_eq!(aborted.outcome(), Some(Ended::Aborted));
        }
        assert_eq!((&mut ok).await.unwrap(), 5);
        assert!((&mut panicked).await.unwrap_err().is_panic());
        assert!((&mut aborted).await.unwrap_err().is_aborted());
        assert_eq!(
            (ok.outcome(), panicked.outcome(), aborted.outcome()),
            (None, None, None)
        );
        assert!(ok.is_finished());
    });
}

#[test]
fn an_abort_handle_aborts_a_task_that_was_detached_and_outlives_task_and_loop() {
    let runtime = Runtime::new().unwrap();
    let ran: Rc<Cell<bool>> = Rc::default();
    let (abort, late) = runtime
        .block_on(async {
            let says = Rc::clone(&ran);
            let task = spawn(async move {
                yields(3, ()).await;
                says.set(true);
            });
            let abort = task.abort_handle();
            assert_eq!(abort.id(), task.id());
            drop(task);
            yield_now().await;
            abort.clone().abort();
            assert!(!abort.is_finished());
            yields(5, ()).await;
            assert!(abort.is_finished());
            let late = spawn(pending::<()>()).abort_handle();
            (abort, late)
        })
        .unwrap();
    assert!(!ran.get());
    late.abort();
    drop(runtime);
    assert!(late.is_finished());
    abort.abort();
    late.abort();
    drop((abort.clone(), abort, late));
}

/// Note 14: what a timeout drops is the waiting.
#[test]
fn a_timeout_over_a_handle_drops_the_waiting_only() {
    sim::run(1, async {
        let mut task = spawn(after(5, "done"));
        assert!(timeout(MS, &mut task).await.is_err());
        assert_eq!(timeout(10 * MS, &mut task).await.unwrap().unwrap(), "done");
        let ran: Rc<Cell<bool>> = Rc::default();
        let says = Rc::clone(&ran);
        let task = spawn(async move {
            sleep(5 * MS).await;
            says.set(true);
        });
        assert!(
            timeout(MS, task).await.is_err(),
            "the handle is dropped: that detaches"
        );
        sleep(10 * MS).await;
        assert!(ran.get());
        let task = spawn(after(5, ()));
        let abort = task.abort_handle();
        assert!(
            timeout(MS, task.abort_on_drop()).await.is_err(),
            "and this aborts"
        );
        yield_now().await;
        assert!(abort.is_finished());
    });
}

/// Note 15: a shield is a task of one's own.
#[test]
fn work_that_is_spawned_is_shielded_from_the_drop_of_its_caller() {
    sim::run(1, async {
        let saved: Rc<Cell<u32>> = Rc::default();
        let caller = |shielded: bool| {
            let saved = Rc::clone(&saved);
            async move {
                let save = async move {
                    sleep(3 * MS).await;
                    saved.set(saved.get() + 1);
                };
                if shielded {
                    spawn(save).await.unwrap();
                } else {
                    save.await;
                }
            }
        };
        assert!(timeout(MS, caller(false)).await.is_err());
        sleep(10 * MS).await;
        assert_eq!(saved.get(), 0);
        assert!(timeout(MS, caller(true)).await.is_err());
        sleep(10 * MS).await;
        assert_eq!(saved.get(), 1);
    });
}

#[test]
fn an_error_says_what_it_was() {
    sim::run(1, async {
        let error: JoinError = broken::<()>(0).await.unwrap_err();
        assert_eq!(error.to_string(), "the task panicked: broken");
    });
}

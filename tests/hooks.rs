//! Hooks: what they are told, in which order, and that nothing depends on them.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

use mainspring::sim::{Clock, ManualClock};
use mainspring::task::{TaskState, spawn_eager};
use mainspring::time::{Instant, sleep};
use mainspring::{Builder, FailurePolicy, Runtime, TaskBuilder, TaskId, spawn, yield_now};

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn push(&self, entry: impl ToString) {
        self.0.borrow_mut().push(entry.to_string());
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.borrow_mut()).join(" ")
    }
}

fn manual(builder: Builder) -> Runtime {
    let clock = ManualClock::starting_at(Instant::from_ns(1_000_000_000));
    builder.clock(Clock::Manual(clock)).build().unwrap()
}

#[test]
fn the_hooks_of_a_tick_in_one_golden_order() {
    let log = Log::default();
    let names: Rc<RefCell<Vec<TaskId>>> = Rc::default();
    let number = |names: &Rc<RefCell<Vec<TaskId>>>, id: TaskId| {
        names
            .borrow()
            .iter()
            .position(|known| *known == id)
            .unwrap()
    };
    let [l1, l2, l3, l4, l5, l6, l7] = std::array::from_fn(|_| log.clone());
    let (n1, n2, n3, n4) = (names.clone(), names.clone(), names.clone(), names);
    let runtime = manual(
        Builder::new()
            .on_task_spawn(move |task| {
                n1.borrow_mut().push(task.id());
                l1.push(format!("spawn{}", number(&n1, task.id())));
            })
            .on_task_end(move |task| {
                assert_eq!(task.state(), TaskState::Done);
                l2.push(format!("end{}", number(&n2, task.id())));
            })
            .before_poll(move |id| l3.push(format!("poll{}", number(&n3, id))))
            .after_poll(move |id| l4.push(format!("polled{}", number(&n4, id))))
            .before_wait(move || l5.push("wait"))
            .after_wait(move |events| l6.push(format!("waited({events})")))
            .on_tick(move |stats| l7.push(format!("tick({})", stats.polls))),
    );
    let inner = log.clone();
    runtime
        .block_on(async move {
            let task = spawn(async move {
                inner.push("works");
                sleep(MS).await;
            });
            task.await.unwrap();
        })
        .unwrap();
    assert_eq!(
        log.take(),
        "spawn0 poll0 spawn1 polled0 tick(1) \
         poll1 works polled1 wait waited(0) tick(1) wait waited(0) tick(0) \
         poll1 end1 polled1 tick(1) poll0 end0 polled0 wait waited(0) tick(1)"
    );
}

#[test]
fn an_eager_task_is_told_inside_of_its_spawner() {
    let log = Log::default();
    let [l1, l2, l3, l4] = std::array::from_fn(|_| log.clone());
    let runtime = Builder::new()
        .on_task_spawn(move |_| l1.push("spawn"))
        .on_task_end(move |_| l2.push("end"))
        .before_poll(move |_| l3.push("poll"))
        .after_poll(move |_| l4.push("polled"))
        .build()
        .unwrap();
    runtime
        .block_on(async { drop(spawn_eager(async {})) })
        .unwrap();
    assert_eq!(log.take(), "spawn poll spawn poll end polled end polled");
}

#[test]
fn what_a_hook_wakes_before_a_wait_keeps_the_loop_from_sleeping() {
    let runtime = Rc::new(Cell::new(0));
    let count = Rc::clone(&runtime);
    let runtime = Builder::new()
        .before_wait(move || {
            count.set(count.get() + 1);
            if count.get() == 3 {
                drop(spawn(async { mainspring::task::stop() }));
            }
        })
        .build()
        .unwrap();
    let _handle = runtime.handle();
    drop(runtime.spawn(async {
        for _ in 0..5 {
            mainspring::yield_to_io().await;
        }
        pending::<()>().await;
    }));
    // It would sleep for ever: nobody else stops it.
    runtime.run_forever().unwrap();
}

#[test]
fn each_end_is_told_once_however_it_comes_about() {
    let ends = Rc::new(RefCell::new(Vec::new()));
    let inner = Rc::clone(&ends);
    let runtime = manual(
        Builder::new()
            .on_failure(FailurePolicy::Ignore)
            .on_task_end(move |task| {
                inner
                    .borrow_mut()
                    .push(task.name().unwrap_or("main").to_string());
            }),
    );
    let named = |name: &str| TaskBuilder::new().name(name);
    runtime
        .block_on(async {
            let aborted = named("aborted").spawn(pending::<()>());
            drop(named("panicked").spawn(async { panic!("as it should") }));
            drop(named("done").spawn(async {}));
            drop(named("left").spawn(pending::<()>()));
            yield_now().await;
            aborted.abort();
            yield_now().await;
        })
        .unwrap();
    assert_eq!(ends.take(), ["panicked", "done", "aborted", "main"]);
    drop(runtime);
    assert_eq!(ends.take(), ["left"]);
}

#[test]
fn a_hook_that_panics_is_a_failure_and_changes_nothing_else() {
    let failures = Log::default();
    let log = Log::default();
    let [f1, l1, l2] = [failures.clone(), log.clone(), log.clone()];
    let policy = FailurePolicy::Call(Box::new(move |failure| f1.push(failure)));
    let builder = Builder::new().on_failure(policy);
    let runtime = manual(
        builder
            .on_task_spawn(|_| panic!("spawn"))
            .on_task_spawn(move |_| l1.push("second"))
            .on_task_end(|_| panic!("end"))
            .before_poll(|_| panic!("before"))
            .after_poll(|_| panic!("after"))
            .before_wait(|| panic!("wait"))
            .after_wait(|_| panic!("waited"))
            .on_tick(move |_| {
                l2.push("tick");
                panic!("tick")
            }),
    );
    assert_eq!(runtime.block_on(async { 7 }).unwrap(), 7);
    assert_eq!(log.take(), "second tick");
    let told = ["spawn", "before", "end", "after", "wait", "waited", "tick"];
    let lines: Vec<String> = told
        .iter()
        .map(|what| format!("a hook panicked: {what}"))
        .collect();
    assert_eq!(failures.take(), lines.join(" "));
}

#[test]
fn what_a_hook_spawns_is_told_to_no_hook_and_runs() {
    let spawns = Rc::new(Cell::new(0));
    let has_run = Rc::new(Cell::new(0));
    let (count, ran) = (Rc::clone(&spawns), Rc::clone(&has_run));
    let runtime = Builder::new()
        .on_task_spawn(move |_| {
            count.set(count.get() + 1);
            let ran = Rc::clone(&ran);
            drop(spawn(async move { ran.set(ran.get() + 1) }));
        })
        .build()
        .unwrap();
    runtime
        .block_on(async {
            drop(spawn(async {}));
            yield_now().await;
            yield_now().await;
        })
        .unwrap();
    assert_eq!((spawns.get(), has_run.get()), (2, 2));
}

#[test]
fn hooks_are_told_of_tasks_from_outside_and_from_other_threads() {
    let spawns = Rc::new(Cell::new(0));
    let ends = Rc::new(Cell::new(0));
    let (up, down) = (Rc::clone(&spawns), Rc::clone(&ends));
    let runtime = Builder::new()
        .on_task_spawn(move |_| up.set(up.get() + 1))
        .on_task_end(move |_| down.set(down.get() + 1))
        .build()
        .unwrap();
    let outside = runtime.spawn(async {});
    let handle = runtime.handle();
    let sent = std::thread::spawn(move || handle.spawn(async {}).unwrap());
    let sent = sent.join().unwrap();
    runtime
        .block_on(async move {
            outside.await.unwrap();
            sent.await.unwrap();
        })
        .unwrap();
    assert_eq!(spawns.get(), 3);
    runtime.tick().unwrap();
    assert_eq!(ends.get(), 3);
}

#[test]
fn hooks_go_with_the_runtime_after_its_tasks() {
    struct Says(Log);
    impl Drop for Says {
        fn drop(&mut self) {
            self.0.push("hook dropped");
        }
    }
    let log = Log::default();
    let says = Says(log.clone());
    let inner = log.clone();
    let runtime = Builder::new()
        .on_task_end(move |_| {
            let _says = &says;
            inner.push("end");
        })
        .build()
        .unwrap();
    drop(runtime.spawn(pending::<()>()));
    // What outlives the loop keeps its block, and no hooks.
    let _handle = runtime.handle();
    drop(runtime);
    assert_eq!(log.take(), "end hook dropped");
}

#[test]
fn children_of_a_scope_are_told_about_and_listed_as_other_tasks_are() {
    mainspring::task_local! {
        static REQUEST: u32;
    }
    let log = Log::default();
    let polls: Rc<RefCell<Vec<TaskId>>> = Rc::default();
    let (polled, counted) = (Rc::clone(&polls), polls);
    let [l1, l2] = std::array::from_fn(|_| log.clone());
    let runtime = Builder::new()
        .on_task_spawn(move |_| l1.push("spawn"))
        .on_task_end(move |task| {
            let polls = counted.borrow();
            let polls = polls.iter().filter(|id| **id == task.id()).count();
            assert_eq!(polls as u32, task.polls());
            l2.push(format!("end:{}:{polls}", task.name().unwrap_or("-")));
        })
        .before_poll(move |id| polled.borrow_mut().push(id))
        .build()
        .unwrap();
    let inner = log.clone();
    runtime
        .block_on(async move {
            let scope = mainspring::task::scope(async |scope| {
                REQUEST.set(7);
                drop(scope.spawn(async {
                    mainspring::task::set_name("child");
                    assert_eq!(REQUEST.get(), 7);
                    yield_now().await;
                    let all = mainspring::task::all();
                    assert_eq!(all.len(), 3);
                    assert_eq!(all[1].name(), Some("child"));
                    assert!(all.is_sorted_by_key(|task| task.id()));
                }));
                drop(spawn(pending::<()>()));
            });
            scope.await.unwrap();
            inner.push("main");
        })
        .unwrap();
    assert_eq!(log.take(), "spawn spawn spawn end:child:2 main end:-:3");
}

//! How children end: waited for, signalled, dropped, taken away by others.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use mainspring::process::{Child, Command, Signal, Stdio, try_wait_orphan};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::{inspect, spawn, yield_now};

use crate::rig::{On, open_fds};
use crate::starts::{child_pids, children};

on_both! {
    an_end_is_told_as_often_as_it_is_asked_for,
    hz_e15_waits_and_kills_in_all_orders_agree,
    hz_e02_no_signal_goes_to_a_number_that_was_waited_for,
    hz_e03_nothing_stays_a_zombie_whoever_drops_what,
    hz_e03_a_child_dropped_where_no_loop_runs_is_waited_for_by_the_next_one,
    hz_e03_a_child_whose_task_dies_with_the_loop_is_left_to_the_next_one,
    hz_e04_a_thief_makes_an_error_and_no_hang,
    hz_e05_without_a_descriptor_of_the_child_its_end_is_told_by_sigchld,
    hz_e05_the_end_of_another_child_is_no_reason_to_spin,
    hz_e01_children_that_end_at_once_are_all_told_of,
    p55_an_end_does_not_wait_for_the_pipes,
    stop_asks_and_then_ends,
    stop_group_asks_all_and_then_ends_all,
    hz_e02_what_is_left_of_a_group_ends_before_its_number_is_free,
    a_child_that_is_killed_on_drop_ends,
    a_wait_names_the_child_and_its_line,
}

fn sleeper() -> Command {
    Command::new("sleep").arg("60")
}

fn an_end_is_told_as_often_as_it_is_asked_for(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        let before = open_fds();
        runtime
            .block_on(async {
                let child = Command::shell("exit 7").spawn().unwrap();
                let waits = mainspring::join!(child.wait(), child.wait());
                assert_eq!(
                    (waits.0.unwrap().code(), waits.1.unwrap().code()),
                    (Some(7), Some(7))
                );
                assert_eq!(child.wait().await.unwrap().code(), Some(7));
                assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
                assert!(child.usage().unwrap().max_resident > 0);
            })
            .unwrap();
        drop(runtime);
        // The loop's own are gone too.
        assert!(open_fds().len() <= before.len());
        assert_eq!(children(), 0);
    });
}

fn hz_e15_waits_and_kills_in_all_orders_agree(on: On) {
    on.runtime()
        .block_on(async {
            for order in 0..4 {
                let child = sleeper().spawn().unwrap();
                if order & 1 != 0 {
                    assert!(child.try_wait().unwrap().is_none());
                }
                let other = async {
                    yield_now().await;
                    child.kill().unwrap();
                };
                let (first, ()) = mainspring::join!(child.wait(), other);
                if order & 2 != 0 {
                    assert!(child.kill().is_err());
                }
                let statuses = [first.unwrap(), child.wait().await.unwrap()];
                assert!(statuses.iter().all(|status| status.signal() == Some(9)));
                assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(9));
            }
        })
        .unwrap();
}

fn hz_e02_no_signal_goes_to_a_number_that_was_waited_for(on: On) {
    on.runtime()
        .block_on(async {
            let child = Command::new("true").spawn().unwrap();
            child.wait().await.unwrap();
            let guard = Plan::new().install();
            for result in [
                child.kill(),
                child.terminate(),
                child.signal(Signal::USR1),
                child.kill_group(),
            ] {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
            }
            assert!(child.stop(Duration::ZERO).await.unwrap().success());
            assert_eq!(count_of(Call::Kill), 0, "the kernel was not asked");
            drop(guard);
        })
        .unwrap();
}

fn hz_e03_nothing_stays_a_zombie_whoever_drops_what(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        runtime
            .block_on(async {
                // Dropped before its end; after a wait that was dropped; killed on drop.
                drop(Command::new("true").spawn().unwrap());
                let child = sleeper().spawn().unwrap();
                drop(child.wait());
                child.kill().unwrap();
                drop(child);
                drop(sleeper().kill_on_drop(true).spawn().unwrap());
                while children() > 0 {
                    mainspring::time::sleep(Duration::from_millis(1)).await;
                }
                // It outlives the loop.
                drop(sleeper().spawn().unwrap());
            })
            .unwrap();
        drop(runtime);
        assert_eq!(children(), 1);
        for pid in child_pids() {
            std::process::Command::new("kill")
                .args(["-9", &pid])
                .status()
                .unwrap();
        }
        // It is found at the next start.
        let runtime = on.runtime();
        runtime
            .block_on(async {
                while children() > 0 {
                    assert!(Command::new("true").status().await.unwrap().success());
                }
            })
            .unwrap();
    });
}

/// Ends with its input.
fn reader() -> Command {
    Command::new("cat").stdin(Stdio::Piped).stdout(Stdio::Null)
}

fn hz_e03_a_child_dropped_where_no_loop_runs_is_waited_for_by_the_next_one(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        let start = async { reader().spawn().unwrap() };
        let mut child = runtime.block_on(start).unwrap();
        let stdin = child.stdin.take();
        drop(child);
        drop(runtime);
        assert_eq!(children(), 1);
        // One that ends after another loop took it, without another start.
        on.runtime()
            .block_on(async move {
                assert!(Command::new("true").status().await.unwrap().success());
                assert_eq!(children(), 1);
                drop(stdin);
                while children() > 0 {
                    mainspring::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .unwrap();
    });
}

fn hz_e03_a_child_whose_task_dies_with_the_loop_is_left_to_the_next_one(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        let stdin = runtime
            .block_on(async {
                let mut child = reader().spawn().unwrap();
                let stdin = child.stdin.take();
                drop(spawn(async move { child.wait().await.map(drop) }));
                yield_now().await;
                stdin
            })
            .unwrap();
        drop(runtime);
        drop(stdin);
        assert_eq!(children(), 1);
        on.runtime()
            .block_on(async {
                while children() > 0 {
                    // The drop of one that has ended looks for others, too.
                    drop(Command::new("true").spawn().unwrap());
                    mainspring::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .unwrap();
    });
}

fn hz_e04_a_thief_makes_an_error_and_no_hang(on: On) {
    on.alone(|| {
        let runtime = on.runtime();
        runtime
            .block_on(async {
                let child = Command::shell("read line")
                    .stdin(Stdio::Piped)
                    .spawn()
                    .unwrap();
                let thief = std::thread::spawn(|| {
                    rustix::process::wait(rustix::process::WaitOptions::empty()).is_ok()
                });
                let mut child = child;
                let kept = child.stdin.take();
                drop(kept);
                let result = child.wait().await;
                // The thief may have lost the race; the two of us agree either way.
                match (result, thief.join().unwrap()) {
                    (Ok(status), is_stolen) => assert!(status.code().is_some() && !is_stolen),
                    (Err(error), is_stolen) => {
                        assert!(is_stolen);
                        assert_eq!(error.kind(), ErrorKind::NotFound);
                        assert!(error.to_string().contains("SIGCHLD is ignored"), "{error}");
                        assert!(child.try_wait().is_err() && child.kill().is_err());
                    }
                }
            })
            .unwrap();
    });
}

fn hz_e05_without_a_descriptor_of_the_child_its_end_is_told_by_sigchld(on: On) {
    on.alone(|| {
        let no_pidfd = Fault::Errno(rustix::io::Errno::NOSYS.raw_os_error());
        let runtime = on.runtime();
        runtime
            .block_on(async {
                let mut tasks = Vec::new();
                for number in 0..20 {
                    let guard = Plan::new().at(Call::PidfdOpen, 1, no_pidfd).install();
                    let child = Command::shell(format!("exit {number}")).spawn().unwrap();
                    drop(guard);
                    tasks.push(spawn(async move { child.wait().await.unwrap().code() }));
                }
                for (number, task) in tasks.into_iter().enumerate() {
                    assert_eq!(task.await.unwrap(), Some(number as i32));
                }
            })
            .unwrap();
        assert_eq!(children(), 0);
    });
}

fn hz_e05_the_end_of_another_child_is_no_reason_to_spin(on: On) {
    on.alone(|| {
        let no_pidfd = Fault::Errno(libc::ENOSYS);
        let runtime = on.runtime();
        runtime
            .block_on(async {
                let guard = Plan::new().from(Call::PidfdOpen, 1, 2, no_pidfd).install();
                let mut long = reader().spawn().unwrap();
                let stdin = long.stdin.take();
                let mut short = reader().spawn().unwrap();
                let ends = async {
                    mainspring::yield_to_io().await;
                    drop(short.stdin.take());
                    assert!(short.wait().await.unwrap().success());
                    // It was told of both, and that is all it was asked about.
                    mainspring::time::sleep(Duration::from_millis(20)).await;
                    assert!(count_of(Call::WaitChild) < 30);
                    drop(stdin);
                };
                // Two wait for the same one, and neither hears for the other.
                let (one, other, ()) = mainspring::join!(long.wait(), long.wait(), ends);
                assert!(one.unwrap().success() && other.unwrap().success());
                drop(guard);
            })
            .unwrap();
    });
}

fn hz_e01_children_that_end_at_once_are_all_told_of(on: On) {
    on.alone(|| {
        let count = 100;
        let loops: Vec<_> = (0..2)
            .map(|_| {
                std::thread::spawn(move || {
                    on.runtime()
                        .block_on(async {
                            let start = || Command::new("cat").stdin(Stdio::Piped).spawn().unwrap();
                            let mut all: Vec<Child> = (0..count).map(|_| start()).collect();
                            // All of them end here.
                            all.iter_mut().for_each(|child| child.stdin = None);
                            let waits = all.iter().map(Child::wait);
                            let statuses = mainspring::task::join_all(waits).await;
                            assert!(statuses.iter().all(|it| it.as_ref().unwrap().success()));
                        })
                        .unwrap();
                })
            })
            .collect();
        loops.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(children(), 0);
    });
}

fn p55_an_end_does_not_wait_for_the_pipes(on: On) {
    on.runtime()
        .block_on(async {
            let command = Command::shell("sleep 60 & echo $!").stdout(Stdio::Piped);
            let mut child = command.spawn().unwrap();
            assert!(child.wait().await.unwrap().success());
            let out = child.stdout.take().unwrap();
            let mut buf = [0; 32];
            let count = out.read(&mut buf).await.unwrap();
            let sleeper = String::from_utf8_lossy(&buf[..count]);
            Command::new("kill")
                .arg(sleeper.trim())
                .status()
                .await
                .unwrap();
        })
        .unwrap();
}

fn stop_asks_and_then_ends(on: On) {
    on.runtime()
        .block_on(async {
            let polite = sleeper().spawn().unwrap();
            let status = polite.stop(Duration::from_secs(60)).await.unwrap();
            assert_eq!(status.signal(), Some(Signal::TERM.number()));
            let deaf = Command::shell("trap '' TERM; echo ready; while :; do sleep 1; done");
            let deaf = deaf.stdout(Stdio::Piped).process_group(0).spawn().unwrap();
            // It is deaf by now.
            deaf.stdout
                .as_ref()
                .unwrap()
                .read(&mut [0; 8])
                .await
                .unwrap();
            let status = deaf.stop(Duration::from_millis(10)).await.unwrap();
            assert_eq!(status.signal(), Some(Signal::KILL.number()));
        })
        .unwrap();
}

fn stop_group_asks_all_and_then_ends_all(on: On) {
    // The pipe closes when the last of a group has ended.
    let group = |traps: &str| {
        // Who was forked and is no program yet would take the signal for its parent's trap, and lose it.
        let sleeper = "sh -c 'echo ready; exec sleep 60'";
        let script = format!("trap '{traps}' TERM; {sleeper} & while :; do wait; done");
        Command::shell(script).stdout(Stdio::Piped).process_group(0)
    };
    on.run(async {
        for (traps, grace, signal) in [
            ("exit 3", Duration::from_secs(60), None),
            ("", Duration::from_millis(10), Some(Signal::KILL.number())),
        ] {
            let mut leader = group(traps).spawn().unwrap();
            let out = leader.stdout.take().unwrap();
            assert_eq!(out.read(&mut [0; 16]).await.unwrap(), 6, "its trap is set");
            let status = leader.stop_group(grace).await.unwrap();
            assert_eq!(status.signal(), signal, "{status}");
            assert_eq!(out.read(&mut [0; 16]).await.unwrap(), 0);
        }
        // One that leads none.
        let child = sleeper().kill_on_drop(true).spawn().unwrap();
        assert!(child.stop_group(Duration::ZERO).await.is_err());
    });
}

fn hz_e02_what_is_left_of_a_group_ends_before_its_number_is_free(on: On) {
    on.alone(|| {
        on.run(async {
            // The sleeper has the pipe; its leader ends at once.
            let start = |kills| {
                let command = Command::shell("sleep 60 & exit 3").process_group(0);
                let command = command.stdout(Stdio::Piped).kill_group_at_end(kills);
                let mut child = command.spawn().unwrap();
                let out = child.stdout.take().unwrap();
                (child, out)
            };
            let (child, out) = start(true);
            assert_eq!(child.wait().await.unwrap().code(), Some(3));
            assert_eq!(out.read(&mut [0; 8]).await.unwrap(), 0);
            assert!(child.usage().is_some());
            let (child, out) = start(true);
            drop(child);
            assert_eq!(out.read(&mut [0; 8]).await.unwrap(), 0);
            // A search for orphans reaps it, and does the same.
            let (child, out) = start(true);
            while child.signal(Signal::from_number(0)).is_ok() {
                assert_eq!(try_wait_orphan(|_| false).unwrap(), None);
                yield_now().await;
            }
            assert_eq!(out.read(&mut [0; 8]).await.unwrap(), 0);
        });
        assert_eq!(children(), 0);
    });
}

fn a_child_that_is_killed_on_drop_ends(on: On) {
    on.runtime()
        .block_on(async {
            let command = Command::shell("echo started; exec sleep 60").stdout(Stdio::Piped);
            let mut child = command.kill_on_drop(true).spawn().unwrap();
            let out = child.stdout.take().unwrap();
            assert_eq!(out.read(&mut [0; 16]).await.unwrap(), 8);
            drop(child);
            assert_eq!(
                out.read(&mut [0; 16]).await.unwrap(),
                0,
                "its end of the pipe is gone"
            );
        })
        .unwrap();
}

fn a_wait_names_the_child_and_its_line(on: On) {
    on.runtime()
        .block_on(async {
            let child = sleeper().kill_on_drop(true).spawn().unwrap();
            let id = child.id();
            let line = line!() + 1;
            let task = spawn(async move { child.wait().await.map(drop) });
            yield_now().await;
            let text = format!("{:#}", inspect::snapshot());
            assert!(
                text.contains(&format!("child process {id} to end")),
                "{text}"
            );
            assert!(
                text.contains(&format!("tests/process/ends.rs:{line}")),
                "{text}"
            );
            task.abort();
        })
        .unwrap();
}

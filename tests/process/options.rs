//! What a program gets beside arguments and streams: user and groups, limits, a signal at its parent's death; and what
//! it used. Each test asks for what this user may have; what only root may, a thread that is nobody is refused.

use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use mainspring::pipe;
use mainspring::process::{Command, Limit, Signal, Stdio};

use crate::rig::{On, open_fds};
use crate::starts::children;

on_both! {
    the_user_the_group_and_the_groups_are_those_that_were_said,
    a_user_who_may_not_change_is_told_so_and_nothing_is_left,
    the_folder_is_entered_as_the_user_that_was_said,
    a_limit_is_the_child_s_and_not_ours,
    a_limit_that_may_not_be_raised_is_an_error_of_the_start,
    a_limit_of_descriptors_leaves_room_to_place_them,
    a_program_that_goes_over_its_limit_is_ended_by_the_signal_for_it,
    a_child_hears_that_the_thread_that_started_it_ended,
    what_a_child_used_is_told_and_grows_with_it,
    an_end_of_a_pipe_goes_to_a_child_that_does_not_expect_it_to_be_non_blocking,
}

/// Whoever runs these tests: root may be anybody.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What the program says, in words.
fn words(on: On, command: Command) -> Vec<String> {
    let output = on.runtime().block_on(command.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {errors}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Runs `body` on a thread that is nobody, if this process is root on Linux, where threads have users of their own; else here.
fn as_a_plain_user(body: impl FnOnce() + Send) {
    if !is_root() {
        return body();
    }
    std::thread::scope(|scope| {
        let body = || {
            if become_nobody() {
                body();
            }
        };
        scope.spawn(body).join().unwrap();
    });
}

/// For this thread alone. Where that cannot be, nothing changes, and the answer is no.
#[cfg(target_os = "linux")]
#[allow(
    unsafe_code,
    reason = "the C library would change the user of all threads"
)]
fn become_nobody() -> bool {
    // SAFETY: the call touches no memory, and no other thread.
    unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn become_nobody() -> bool {
    false
}

fn the_user_the_group_and_the_groups_are_those_that_were_said(on: On) {
    let script = "id -u; id -g; id -G";
    if is_root() {
        let command = Command::shell(script).uid(NOBODY).gid(65533);
        // Not those of root: they were dropped.
        assert_eq!(words(on, command), ["65534", "65533", "65533"]);
        let command = Command::shell(script)
            .uid(NOBODY)
            .gid(65533)
            .groups([7, 65533, 65531]);
        let said = words(on, command);
        assert_eq!(said[..2], ["65534", "65533"]);
        let mut groups = said[2..].to_vec();
        groups.sort();
        assert_eq!(groups, ["65531", "65533", "7"]);
        // It could not come back.
        let command = Command::shell("echo $(id -u); kill -0 1 2>&1 || echo may not").uid(NOBODY);
        assert_eq!(
            words(on, command).first().map(String::as_str),
            Some("65534")
        );
    }
    // What one is, one may be said to be.
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let said = words(on, Command::shell(script).uid(user).gid(group));
    assert_eq!(said[..2], [user.to_string(), group.to_string()]);
}

fn a_user_who_may_not_change_is_told_so_and_nothing_is_left(on: On) {
    on.alone(|| {
        as_a_plain_user(|| {
            let runtime = on.runtime();
            let before = open_fds();
            runtime
                .block_on(async {
                    for command in [
                        Command::new("true").uid(0),
                        Command::new("true").gid(12),
                        Command::new("true").groups([12]),
                    ] {
                        let error = command.stdout(Stdio::Piped).spawn().unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                        assert!(error.to_string().contains("user, group"), "{error}");
                    }
                })
                .unwrap();
            assert_eq!(open_fds(), before);
            assert_eq!(children(), 0);
        });
    });
}

fn the_folder_is_entered_as_the_user_that_was_said(on: On) {
    if !is_root() {
        return;
    }
    let name = format!("mainspring-private-{}-{}", std::process::id(), on.name());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    let error = on
        .runtime()
        .block_on(async {
            let command = Command::new("true").current_dir(&folder);
            command.uid(NOBODY).spawn().unwrap_err()
        })
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("mainspring-private"), "{error}");
    std::fs::remove_dir(&folder).unwrap();
}

/// A limit of a resource, by the name that the C library has for it.
fn limit(resource: impl TryInto<i32>, soft: u64, hard: u64) -> Limit {
    let resource = resource.try_into().ok().unwrap();
    Limit {
        resource,
        soft,
        hard,
    }
}

fn a_limit_is_the_child_s_and_not_ours(on: On) {
    let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let command = Command::shell("ulimit -S -n; ulimit -H -n; ulimit -S -c")
        .limit(limit(libc::RLIMIT_NOFILE, 40, 50))
        .limit(limit(libc::RLIMIT_CORE, 0, 0));
    assert_eq!(words(on, command), ["40", "50", "0"]);
    let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert_eq!((now.current, now.maximum), (ours.current, ours.maximum));
}

fn a_limit_that_may_not_be_raised_is_an_error_of_the_start(on: On) {
    let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let Some(hard) = ours.maximum else { return };
    as_a_plain_user(|| {
        let more = limit(libc::RLIMIT_NOFILE, 64, hard + 1);
        let wrong = limit(libc::RLIMIT_NOFILE, 64, 32);
        on.runtime()
            .block_on(async {
                let command = Command::new("true").limit(more);
                let error = command.spawn().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                assert!(error.to_string().contains("limit"), "{error}");
                let error = Command::new("true").limit(wrong).spawn().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            })
            .unwrap();
    });
}

fn a_limit_of_descriptors_leaves_room_to_place_them(on: On) {
    // Three pipes are on their way through higher numbers than the limit allows the program.
    let command =
        Command::shell("ulimit -n")
            .stdin(Stdio::Null)
            .limit(limit(libc::RLIMIT_NOFILE, 4, 4));
    assert_eq!(words(on, command), ["4"]);
}

fn a_program_that_goes_over_its_limit_is_ended_by_the_signal_for_it(on: On) {
    let name = format!("mainspring-long-{}-{}", std::process::id(), on.name());
    let file = std::env::temp_dir().join(name);
    let command = Command::new("dd")
        .args(["if=/dev/zero", "bs=8192", "count=2"])
        .arg(format!("of={}", file.display()))
        .limit(limit(libc::RLIMIT_FSIZE, 4096, 4096))
        .limit(limit(libc::RLIMIT_CORE, 0, 0));
    let output = on.runtime().block_on(command.output()).unwrap().unwrap();
    // By the default for it, which the child has.
    assert_eq!(output.status.signal(), Some(libc::SIGXFSZ), "{output:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 4096);
    std::fs::remove_file(&file).unwrap();
}

fn a_child_hears_that_the_thread_that_started_it_ended(on: On) {
    if !cfg!(any(target_os = "linux", target_os = "freebsd")) {
        let command = Command::new("true").death_signal(Signal::TERM);
        let error = on
            .runtime()
            .block_on(async { command.spawn().unwrap_err() })
            .unwrap();
        assert!(error.to_string().contains("parent-death"), "{error}");
        return;
    }
    if cfg!(target_os = "freebsd") {
        // It counts the end of the process there.
        return;
    }
    on.alone(|| {
        let users = if is_root() {
            vec![None, Some(NOBODY)]
        } else {
            vec![None]
        };
        for user in users {
            let (reader, writer) = pipe::pipe().unwrap();
            let mut reader = std::fs::File::from(reader.into_blocking_fd().unwrap());
            let script =
                "trap 'echo told; kill $!; exit' USR1; sleep 60 >/dev/null & echo started; wait";
            let mut command = Command::shell(script)
                .stdout(writer)
                .death_signal(Signal::USR1);
            if let Some(user) = user {
                command = command.uid(user);
            }
            let mut text = [0; 8];
            std::thread::scope(|scope| {
                let start = || {
                    on.runtime()
                        .block_on(async { drop(command.spawn().unwrap()) })
                        .unwrap();
                    reader.read_exact(&mut text).unwrap();
                };
                scope.spawn(start).join().unwrap();
            });
            assert_eq!(&text, b"started\n");
            let mut rest = String::new();
            reader.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "told\n");
        }
    });
}

fn what_a_child_used_is_told_and_grows_with_it(on: On) {
    on.runtime()
        .block_on(async {
            let small = Command::new("true").spawn().unwrap();
            assert_eq!(small.usage(), None, "it has not been waited for");
            small.wait().await.unwrap();
            // 32 MiB at once, and a pass over them.
            let large = Command::new("dd")
                .args(["if=/dev/zero", "of=/dev/null", "bs=33554432", "count=1"])
                .stderr(Stdio::Null)
                .spawn()
                .unwrap();
            large.wait().await.unwrap();
            let (small, large) = (small.usage().unwrap(), large.usage().unwrap());
            assert!(large.max_resident >= 32 << 20, "{large:?}");
            let time = |usage: mainspring::process::Usage| usage.user_time + usage.system_time;
            assert!(time(large) > time(small), "{small:?} {large:?}");
            assert!(time(large) < Duration::from_secs(60), "{large:?}");
            assert!(
                large.minor_faults > small.minor_faults,
                "{small:?} {large:?}"
            );
        })
        .unwrap();
}

fn an_end_of_a_pipe_goes_to_a_child_that_does_not_expect_it_to_be_non_blocking(on: On) {
    on.runtime()
        .block_on(async {
            let (reader, writer) = pipe::pipe().unwrap();
            let (out, theirs) = pipe::pipe().unwrap();
            let child = Command::new("cat")
                .stdin(reader)
                .stdout(theirs)
                .spawn()
                .unwrap();
            // It waits for its first byte, and for room: a program that did not ask for it would end with EAGAIN.
            let feed = async {
                let all = crate::rig::pattern(1 << 20);
                writer.write_all(&all[..1]).await.unwrap();
                writer.write_all(&all[1..]).await.unwrap();
                drop(writer);
            };
            let listen = async {
                let (mut len, mut buf) = (0, vec![0; 4096]);
                loop {
                    match out.read(&mut buf).await.unwrap() {
                        0 => break len,
                        count => len += count,
                    }
                }
            };
            let (status, len) = mainspring::join!(
                async {
                    feed.await;
                    child.wait().await.unwrap()
                },
                listen
            );
            assert!(status.success(), "{status}");
            assert_eq!(len, 1 << 20);
        })
        .unwrap();
}

//! What is said to a child, and what it says.

use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use mainspring::io::LimitExceeded;
use mainspring::process::{Command, Stdio};

use crate::rig::{On, pattern};

on_both! {
    hz_e06_ten_mebibytes_both_ways_do_not_deadlock,
    hz_e06_ten_mebibytes_to_both_outputs_do_not_deadlock,
    hz_e08_a_child_that_does_not_read_its_input_is_no_error_and_no_hang,
    hz_e07_a_grandchild_that_keeps_the_pipe_keeps_nobody_waiting,
    hz_e14_output_does_not_kill_early_and_a_talk_that_was_dropped_goes_on,
    more_than_the_limit_is_an_error_after_which_nothing_is_lost,
}

/// 10 MiB, 2 in a debug build: what counts is that it is much more than pipes hold.
const MUCH: usize = if cfg!(debug_assertions) {
    2 << 20
} else {
    10 << 20
};

fn piped(command: Command) -> Command {
    command
        .stdin(Stdio::Piped)
        .stdout(Stdio::Piped)
        .stderr(Stdio::Piped)
}

fn hz_e06_ten_mebibytes_both_ways_do_not_deadlock(on: On) {
    let runtime = on.runtime();
    let sent = pattern(MUCH);
    let output = runtime.block_on(async {
        let mut child = piped(Command::new("cat")).spawn().unwrap();
        child.communicate(sent.clone()).await
    });
    let output = output.unwrap().unwrap();
    assert!(output.stdout == sent && output.is_complete);
    assert!(output.status.success());
}

fn hz_e06_ten_mebibytes_to_both_outputs_do_not_deadlock(on: On) {
    let script = format!("head -c {MUCH} /dev/zero; head -c {MUCH} /dev/zero >&2; cat");
    let runtime = on.runtime();
    let output = runtime.block_on(async {
        let mut child = piped(Command::shell(script)).spawn().unwrap();
        child.communicate(pattern(MUCH)).await
    });
    let output = output.unwrap().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (2 * MUCH, MUCH));
}

fn hz_e08_a_child_that_does_not_read_its_input_is_no_error_and_no_hang(on: On) {
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let mut child = piped(Command::new("true")).spawn().unwrap();
            let output = child.communicate(pattern(MUCH)).await.unwrap();
            assert!(output.status.success() && output.stdout.is_empty());
            // By hand, it is EPIPE.
            let mut child = piped(Command::new("true")).spawn().unwrap();
            let stdin = child.stdin.take().unwrap();
            let error = stdin.write_all(&pattern(MUCH)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert!(child.wait().await.unwrap().success());
        })
        .unwrap();
}

fn hz_e07_a_grandchild_that_keeps_the_pipe_keeps_nobody_waiting(on: On) {
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let script = "sleep 60 & echo $!";
            let mut child = piped(Command::shell(script)).spawn().unwrap();
            let talk = child
                .communicate(Vec::new())
                .after_end(Duration::from_millis(20));
            let output = talk.await.unwrap();
            assert!(output.status.success() && !output.is_complete);
            let sleeper = String::from_utf8(output.stdout).unwrap();
            Command::new("kill")
                .arg(sleeper.trim())
                .status()
                .await
                .unwrap();
        })
        .unwrap();
}

fn hz_e14_output_does_not_kill_early_and_a_talk_that_was_dropped_goes_on(on: On) {
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let command = Command::shell("read line; echo $line; head -c 300000 /dev/zero; cat");
            let mut child = piped(command).spawn().unwrap();
            let input = [b"tick\n".to_vec(), pattern(200_000)].concat();
            {
                let mut talk = pin!(child.communicate(input));
                // Until something was said; then it is dropped in the middle.
                std::future::poll_fn(|cx| {
                    assert!(talk.as_mut().poll(cx).is_pending());
                    match format!("{talk:?}").contains("stdout: 0") {
                        true => Poll::Pending,
                        false => Poll::Ready(()),
                    }
                })
                .await;
            }
            assert!(child.captured().0.starts_with(b"tick\n"));
            let output = child.communicate(Vec::new()).await.unwrap();
            assert_eq!(output.stdout.len(), 5 + 300_000 + 200_000);
            assert!(output.stdout.ends_with(&pattern(200_000)[199_000..]));
            let output = Command::shell("sleep 0.05; echo late")
                .output()
                .await
                .unwrap();
            assert_eq!(output.stdout, b"late\n");
        })
        .unwrap();
}

use std::future::Future as _;

fn more_than_the_limit_is_an_error_after_which_nothing_is_lost(on: On) {
    let runtime = on.runtime();
    runtime
        .block_on(async {
            let mut child = piped(Command::shell("head -c 5000 /dev/zero"))
                .spawn()
                .unwrap();
            let error = child.communicate(Vec::new()).limit(4096).await.unwrap_err();
            let inner = error
                .get_ref()
                .unwrap()
                .downcast_ref::<LimitExceeded>()
                .unwrap();
            assert_eq!(inner.limit, 4096);
            let output = child.communicate(Vec::new()).await.unwrap();
            assert_eq!(output.stdout.len(), 5000);
        })
        .unwrap();
}

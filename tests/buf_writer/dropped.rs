//! What a debug build says of a writer that is dropped before it is flushed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use mainspring::io::{AsyncWriteExt, BufStream, BufWriter};

use super::gate::gate;
use super::slow::{finish, poll_once};

/// Set in the process that a test started for itself: the test's name.
const ALONE: &str = "MAINSPRING_TEST_ALONE";

/// What `body` says on standard error, in a process of its own; `None` in that process.
fn said(test: &str, body: impl FnOnce()) -> Option<Vec<String>> {
    let name = format!("dropped::{test}");
    if std::env::var_os(ALONE).is_some_and(|test| test == *name) {
        body();
        return None;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--test-threads=1"])
        .env(ALONE, &name)
        .output()
        .unwrap();
    let passed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && passed.contains("1 passed"),
        "{passed}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    let ours = said.lines().filter(|line| line.starts_with("mainspring: "));
    Some(ours.map(str::to_string).collect())
}

/// One line, in a debug build.
#[track_caller]
fn assert_warned(said: &[String], line: u32, bytes: usize) {
    let expected = format!("mainspring: the BufWriter made at {}:{line}:", file!());
    let rest = format!(" was dropped with {bytes} bytes that were never flushed");
    if cfg!(debug_assertions) {
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&expected), "{said:?} is not {expected}");
        assert!(said[0].ends_with(&rest), "{said:?} is not {rest}");
    } else {
        assert!(said.is_empty(), "{said:?}");
    }
}

/// The line on which [`lose_a_writer`] makes its writer.
const WRITER_LINE: u32 = line!() + 3;

fn lose_a_writer() {
    let mut writer = BufWriter::new(Vec::new());
    finish(writer.write_all(b"lost")).unwrap();
}

/// The line on which [`lose_a_stream`] makes its stream.
const STREAM_LINE: u32 = line!() + 3;

fn lose_a_stream() {
    let mut stream = BufStream::over(std::io::Cursor::new(Vec::new()));
    finish(stream.write_all(b"lost!")).unwrap();
    // What is taken out of it is lost in the same way.
    drop(stream.into_inner().into_inner());
}

#[test]
fn hz_i04_a_writer_that_is_dropped_unflushed_says_where_it_was_made_and_what_is_lost() {
    let test = "hz_i04_a_writer_that_is_dropped_unflushed_says_where_it_was_made_and_what_is_lost";
    if let Some(said) = said(test, lose_a_writer) {
        assert_warned(&said, WRITER_LINE, 4);
    }
}

#[test]
fn hz_i04_a_stream_that_is_dropped_unflushed_says_so_too() {
    let test = "hz_i04_a_stream_that_is_dropped_unflushed_says_so_too";
    if let Some(said) = said(test, lose_a_stream) {
        assert_warned(&said, STREAM_LINE, 5);
    }
}

#[test]
fn hz_i04_whoever_flushed_closed_failed_or_panicked_hears_nothing() {
    let test = "hz_i04_whoever_flushed_closed_failed_or_panicked_hears_nothing";
    let body = || {
        let mut flushed = BufWriter::new(Vec::new());
        finish(flushed.write_all(b"tick")).unwrap();
        finish(flushed.flush()).unwrap();

        let mut closed = BufWriter::new(Vec::new());
        finish(closed.write_all(b"tick")).unwrap();
        finish(closed.close()).unwrap();

        let (below, keeper) = gate();
        let mut failed = BufWriter::new(below);
        finish(failed.write_all(b"tick")).unwrap();
        keeper.fail(Some(std::io::ErrorKind::ConnectionReset));
        finish(failed.close()).unwrap_err();

        let mut taken_apart = BufWriter::new(Vec::new());
        finish(taken_apart.write_all(b"tick")).unwrap();
        assert_eq!(taken_apart.into_parts(), (Vec::new(), b"tick".to_vec()));

        let mut refused = BufWriter::with_marks(1, 2, gate().0);
        assert!(poll_once(refused.write_all(b"tick")).is_pending());

        let panics = AssertUnwindSafe(|| {
            let mut writer = BufWriter::new(Vec::new());
            finish(writer.write_all(b"tick")).unwrap();
            panic!("the reason");
        });
        assert!(catch_unwind(panics).is_err());
    };
    if let Some(said) = said(test, body) {
        assert!(said.is_empty(), "{said:?}");
    }
}

/// The error that a drop would have swallowed.
#[test]
fn hz_i04_a_close_tells_the_error_that_a_drop_would_swallow() {
    let (below, keeper) = gate();
    let mut writer = BufWriter::new(below);
    finish(writer.write_all(b"tick")).unwrap();
    keeper.fail(Some(std::io::ErrorKind::StorageFull));
    let error = finish(writer.close()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(writer.unsent(), 4);
    // With room again, nothing was lost.
    keeper.fail(None);
    keeper.allow(4);
    finish(writer.close()).unwrap();
    assert_eq!(
        (&keeper.inside().taken[..], keeper.inside().closes),
        (&b"tick"[..], 1)
    );
}

//! Waits for jobs of the blocking pool, dropped at each of their waits.

use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};

use mainspring::task::blocking::statistics;
use mainspring::{JoinHandle, RemoteJoin, current_handle, spawn_blocking};

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_job_that_is_joined_gives_its_result_once,
    a_job_that_was_sent_gives_its_result_once,
}

/// A job's handle, and what came out of it.
struct Job<H> {
    handle: H,
    results: Vec<u32>,
}

/// The job ends when this side lets it.
type Far = Option<Sender<()>>;

fn job<H>(start: impl FnOnce(Box<dyn FnOnce() -> u32 + Send>) -> H) -> (Job<H>, Far) {
    let (open, closed) = channel::<()>();
    let handle = start(Box::new(move || {
        let _ = closed.recv();
        7
    }));
    let results = Vec::new();
    (Job { handle, results }, Some(open))
}

/// Returns when the loop has been told of the end.
fn let_it_end(far: &mut Far) {
    *far = None;
    while statistics().unwrap().finished == 0 {
        std::thread::yield_now();
    }
}

// cancels: JoinHandle
fn a_job_that_is_joined_gives_its_result_once(on: On) {
    let setup = || job(|work| spawn_blocking(work));
    let waits = Case::new(on, setup).world(let_it_end).others_wait().safe(
        async |job: &mut Job<JoinHandle<u32>>| {
            if job.results.is_empty() {
                let result = Pin::new(&mut job.handle).await;
                job.results.push(result.unwrap());
            }
        },
        async |job, _| assert_eq!(job.results, [7]),
    );
    assert_eq!(waits, 1);
}

// cancels: RemoteJoin
fn a_job_that_was_sent_gives_its_result_once(on: On) {
    let setup = || job(|work| current_handle().unwrap().spawn_blocking(work).unwrap());
    let waits = Case::new(on, setup).world(let_it_end).others_wait().safe(
        async |job: &mut Job<RemoteJoin<u32>>| {
            if job.results.is_empty() {
                let result = Pin::new(&mut job.handle).await;
                job.results.push(result.unwrap());
            }
        },
        async |job, _| assert_eq!(job.results, [7]),
    );
    assert_eq!(waits, 1);
}

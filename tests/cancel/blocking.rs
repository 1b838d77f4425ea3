//! Waits for jobs of the blocking pool, dropped at each of their waits.

use std::io::Read;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};

use mainspring::io::{AsyncReadExt, ReadOnPool, read_on_pool};
use mainspring::task::blocking::statistics;
use mainspring::{JoinHandle, RemoteJoin, current_handle, spawn_blocking};

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    a_job_that_is_joined_gives_its_result_once,
    a_job_that_was_sent_gives_its_result_once,
    a_read_on_the_pool_takes_no_bytes_that_it_does_not_return,
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

/// Reads what comes through a channel.
struct Fed(Receiver<[u8; 3]>);

impl Read for Fed {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.0.recv().expect("the far side is there");
        buf[..3].copy_from_slice(&bytes);
        Ok(3)
    }
}

// cancels: AsyncReadExt::read
fn a_read_on_the_pool_takes_no_bytes_that_it_does_not_return(on: On) {
    let setup = || {
        let (feed, fed) = channel();
        ((read_on_pool(Fed(fed)), Vec::new()), (feed, 0_u8))
    };
    let waits = Case::new(on, setup)
        .world(|(feed, calls): &mut (Sender<[u8; 3]>, u8)| {
            feed.send([*calls; 3]).unwrap();
            *calls += 1;
            while statistics().unwrap().finished < u64::from(*calls) {
                std::thread::yield_now();
            }
        })
        .others_wait()
        .safe(
            async |(reader, got): &mut (ReadOnPool<Fed>, Vec<u8>)| {
                while got.len() < 9 {
                    let mut buf = [0; 2];
                    let count = reader.read(&mut buf).await.unwrap();
                    got.extend_from_slice(&buf[..count]);
                }
            },
            async |(_, got), _| assert_eq!(got[..], [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        );
    assert_eq!(waits, 3);
}

//! From threads to the loop: a handle sends futures there, and brings their results back.
//!
//! ```text
//! cargo run --example threads_to_loop
//! ```

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use mainspring::time::sleep;
use mainspring::{Handle, Runtime};

const WORKERS: usize = 3;

/// What the tasks of the loop share. It needs no lock: they run on one thread, one at a time.
#[derive(Default)]
struct Board {
    results: Vec<u64>,
    reader: Option<Waker>,
}

thread_local! {
    static BOARD: RefCell<Board> = RefCell::default();
}

/// Runs on the loop's thread.
fn post(result: u64) {
    let reader = BOARD.with_borrow_mut(|board| {
        board.results.push(result);
        board.reader.take()
    });
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// Runs on a thread of its own, which may block.
fn work(handle: &Handle, number: u64) {
    // A future that is `Send` travels as it is. If the loop sleeps, this wakes it.
    let doubled = handle.spawn(async move { number * 2 });
    let doubled = doubled
        .expect("the loop runs")
        .join()
        .expect("the task comes to its end");

    // One that waits for anything of the loop's, or holds an `Rc`, is not `Send`. It is made on the
    // loop's thread: only the closure travels.
    let posted = handle.spawn_with(move || async move {
        let shared = Rc::new(doubled);
        sleep(Duration::from_millis(5)).await;
        post(*shared);
    });
    posted
        .expect("the loop runs")
        .join()
        .expect("the task comes to its end");
}

fn main() -> std::io::Result<()> {
    let runtime = Runtime::new()?;
    let workers: Vec<_> = (1..=WORKERS as u64)
        .map(|number| {
            let handle = runtime.handle();
            thread::spawn(move || work(&handle, number))
        })
        .collect();

    // While a handle exists the loop waits: somebody may send something.
    let mut results = runtime.block_on(poll_fn(|cx| {
        BOARD.with_borrow_mut(|board| {
            if board.results.len() == WORKERS {
                return Poll::Ready(std::mem::take(&mut board.results));
            }
            board.reader = Some(cx.waker().clone());
            Poll::Pending
        })
    }))?;
    results.sort_unstable();
    println!("results {results:?}");

    // The loop is gone after this line. A worker that is still in `join` learns it there.
    runtime.shutdown(Duration::from_secs(1))?;
    for worker in workers {
        worker.join().expect("no worker panics");
    }
    println!("all threads are done");
    Ok(())
}

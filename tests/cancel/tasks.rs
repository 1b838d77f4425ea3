//! Yields and joins, dropped at each of their waits.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use mainspring::time::sleep;
use mainspring::{
    AbortOnDrop, JoinHandle, TaskBuilder, current_handle, spawn, yield_now, yield_to_io,
};

use crate::everywhere::Case;
use crate::rig::{On, turns};

/// How long a joined task takes.
const WORK: Duration = Duration::from_millis(3);

everywhere! {
    a_yield_can_be_made_again,
    a_yield_to_io_can_be_made_again,
    a_join_gives_the_output_once,
    a_join_from_a_handle_gives_the_output_once,
    a_handle_that_aborts_on_drop_is_joined_by_reference,
    the_drop_of_a_handle_that_aborts_drops_the_task,
}

// cancels: yield_now
fn a_yield_can_be_made_again(on: On) {
    let waits = Case::new(on, || (0, ())).safe(
        async |yields| {
            while *yields < 5 {
                yield_now().await;
                *yields += 1;
            }
        },
        async |yields, ()| assert_eq!(*yields, 5),
    );
    assert_eq!(waits, 5);
}

// cancels: yield_to_io
fn a_yield_to_io_can_be_made_again(on: On) {
    let waits = Case::new(on, || (0, ())).safe(
        async |yields| {
            while *yields < 5 {
                yield_to_io().await;
                *yields += 1;
            }
        },
        async |yields, ()| assert_eq!(*yields, 5),
    );
    assert_eq!(waits, 5);
}

/// A task's handle, and what came out of it.
struct Joined<H> {
    handle: H,
    outputs: Vec<u32>,
}

impl<H> Joined<H> {
    fn new(handle: H) -> Joined<H> {
        let outputs = Vec::new();
        Joined { handle, outputs }
    }
}

async fn work(output: u32) -> u32 {
    sleep(WORK).await;
    output
}

// cancels: JoinHandle
fn a_join_gives_the_output_once(on: On) {
    let setup = || {
        let handles = [spawn(work(1)), TaskBuilder::new().spawn(work(2))];
        (handles.map(Joined::new), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |tasks: &mut [Joined<JoinHandle<u32>>; 2]| {
            for task in tasks {
                if task.outputs.is_empty() {
                    task.outputs.push(Pin::new(&mut task.handle).await.unwrap());
                }
            }
        },
        async |[one, two], ()| {
            assert_eq!((&one.outputs[..], &two.outputs[..]), (&[1][..], &[2][..]))
        },
    );
    assert_eq!(waits, 1, "both tasks end at the same time");
}

// cancels: RemoteJoin
fn a_join_from_a_handle_gives_the_output_once(on: On) {
    let setup = || {
        let sent = current_handle().unwrap().spawn_with(|| work(3));
        (Joined::new(sent.unwrap()), ())
    };
    let waits = Case::new(on, setup).others_wait().safe(
        async |task| {
            if task.outputs.is_empty() {
                task.outputs.push(Pin::new(&mut task.handle).await.unwrap());
            }
        },
        async |task, ()| assert_eq!(task.outputs, [3]),
    );
    assert_eq!(waits, 1);
}

// cancels: JoinHandle
fn a_handle_that_aborts_on_drop_is_joined_by_reference(on: On) {
    let setup = || (Joined::new(spawn(work(4)).abort_on_drop()), ());
    let waits = Case::new(on, setup).others_wait().safe(
        async |task| {
            if task.outputs.is_empty() {
                task.outputs.push(Pin::new(&mut task.handle).await.unwrap());
            }
        },
        async |task, ()| assert_eq!(task.outputs, [4]),
    );
    assert_eq!(waits, 1);
}

/// A task that says by its drop that its future is gone.
struct Doomed {
    handle: Option<AbortOnDrop<()>>,
    is_alive: Rc<Cell<bool>>,
}

struct SaysDrop(Rc<Cell<bool>>);

impl Drop for SaysDrop {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

// cancels: AbortOnDrop
fn the_drop_of_a_handle_that_aborts_drops_the_task(on: On) {
    let setup = || {
        let is_alive = Rc::new(Cell::new(true));
        let says_drop = SaysDrop(Rc::clone(&is_alive));
        let task = spawn(async move {
            let _says_drop = says_drop;
            sleep(WORK).await;
        });
        let handle = Some(task.abort_on_drop());
        (Doomed { handle, is_alive }, ())
    };
    let waits = Case::new(on, setup).not_safe(
        async |task| task.handle.take().unwrap().await.unwrap(),
        async |task, ()| {
            turns(1).await;
            assert!(!task.is_alive.get());
        },
    );
    assert_eq!(waits, 1);
}

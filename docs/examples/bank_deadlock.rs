//! Two transfers in opposite directions, each of which locks its own account first: a deadlock.
//!
//! Nothing is ready, no timer runs, nobody waits for a descriptor, and no waker is held by anyone unknown. So
//! nothing can ever happen again, and the loop knows: `run` panics and says who waits for whom.
//!
//! ```text
//! cargo run --example bank_deadlock
//! ```

use std::rc::Rc;

use mainspring::sync::Mutex;
use mainspring::task::TaskBuilder;
use mainspring::{JoinHandle, yield_now};

type Account = Rc<Mutex<i64>>;

fn transfer(name: &str, from: &Account, to: &Account, amount: i64) -> JoinHandle<()> {
    let (from, to) = (Rc::clone(from), Rc::clone(to));
    TaskBuilder::new().name(name).spawn(async move {
        let mut from = from.lock().await;
        // Whatever is awaited here lets the other transfer take its first lock.
        yield_now().await;
        let mut to = to.lock().await;
        *from -= amount;
        *to += amount;
    })
}

async fn bank() {
    let (anna, ben) = (Rc::new(Mutex::new(100)), Rc::new(Mutex::new(100)));
    let there = transfer("anna to ben", &anna, &ben, 30);
    let back = transfer("ben to anna", &ben, &anna, 50);
    there.await.expect("it does not panic");
    back.await.expect("it does not panic");
    println!("anna {:?}, ben {:?}", anna.lock().await, ben.lock().await);
}

fn main() {
    // The report is the panic's message. It is printed below, and need not be printed twice.
    std::panic::set_hook(Box::new(|_| {}));
    let Err(report) = std::panic::catch_unwind(|| mainspring::run(bank())) else {
        return;
    };
    match report.downcast_ref::<String>() {
        Some(text) => println!("{text}"),
        None => std::panic::resume_unwind(report),
    }
}

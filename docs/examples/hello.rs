//! Three tasks on one thread: each says that it starts, waits, and says that it is done.
//!
//! ```text
//! cargo run --example hello
//! ```

use std::time::Duration;

use mainspring::time::sleep;

async fn greet(name: &str) {
    println!("start {name}");
    // The task waits, the thread does not: the loop runs the other tasks meanwhile.
    sleep(Duration::from_millis(50)).await;
    println!("done {name}");
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        // A spawned task is polled in a later tick. Its handle is awaited like any future.
        let handles = ["a", "b", "c"].map(|name| mainspring::spawn(greet(name)));
        for handle in handles {
            handle.await.expect("no task panics or is aborted here");
        }
    })
}

//! Producers and consumers: work goes through a channel with room for two items, and its end is awaited.
//!
//! ```text
//! cargo run --example producer_consumer
//! ```

use mainspring::{channel, spawn, yield_now};

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        let (sender, receiver) = channel::bounded(2);
        let producers: Vec<_> = ["a", "b"]
            .map(|name| {
                let sender = sender.clone();
                spawn(async move {
                    for number in 1..=3 {
                        // Waits while there is no room: a slow consumer slows the producers down.
                        if sender.send(format!("{name}{number}")).await.is_err() {
                            return;
                        }
                    }
                })
            })
            .into();
        let consumers: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                spawn(async move {
                    let mut done = 0;
                    while let Some(_item) = receiver.recv().await {
                        yield_now().await;
                        receiver.task_done();
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        drop(receiver);
        for producer in producers {
            producer.await.expect("it does not panic");
        }
        sender.join().await.expect("the consumers are there");
        println!("all {} items are done", sender.statistics().sent);
        // With the last sender gone, the consumers come to their end.
        drop(sender);
        let mut total = 0;
        for consumer in consumers {
            total += consumer.await.expect("it does not panic");
        }
        println!("two consumers did {total}");
    })
}

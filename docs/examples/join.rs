//! Several at once: all of them, the first of them, whichever comes next, and a set that grows.
//!
//! ```text
//! cargo run --example join
//! ```

use std::time::Duration;

use mainspring::task::{JoinSet, gather, spawn_many};
use mainspring::time::{interval, sleep};
use mainspring::{join, race, select, spawn, try_join};

const STEP: Duration = Duration::from_millis(10);

/// As a server that is asked: `steps` later it answers.
async fn ask(server: &str, steps: u32) -> String {
    sleep(steps * STEP).await;
    format!("{server}'s answer")
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        // All of them, in one task: they may borrow, and their outputs may be of different types.
        let names = ["anna".to_string(), "bert".to_string()];
        let (first, second, ()) = join!(ask(&names[0], 2), ask(&names[1], 1), sleep(STEP));
        println!("join: {first}, {second}");

        // All of them, or the first error; then the others are dropped where they stand.
        let slow = async { Ok::<_, String>(ask("slow", 1000).await) };
        let broken = async { Err::<(), _>(ask("broken", 1).await) };
        println!("try_join: {:?}", try_join!(slow, broken));

        // The first of them.
        println!("race: {}", race!(ask("tortoise", 1000), ask("hare", 1)));

        // Whichever comes next, again and again. The task is given by reference, so it goes on from round
        // to round; the handlers may break out of the loop.
        let mut download = spawn(ask("download", 5));
        let mut ticks = interval(2 * STEP);
        let mut rounds = 0;
        let answer = loop {
            select! {
                answer = &mut download => break answer,
                _ = ticks.tick() => rounds += 1,
            }
        };
        let answer = answer.expect("it neither panics nor is aborted");
        println!("select: {answer}, after some rounds: {}", rounds > 1);

        // Tasks whose results are fetched as they end. Dropping the set would abort them.
        let mut set = JoinSet::new();
        for steps in [3, 1, 2] {
            set.spawn(async move {
                sleep(steps * STEP).await;
                steps
            });
        }
        while let Some(result) = set.join_next().await {
            println!("a task of the set ended: {:?}", result.ok());
        }

        // Tasks whose results are wanted in the order in which they were started.
        let tasks = spawn_many((1..4).map(|number| async move { number * number }));
        println!("gather: {:?}", gather(tasks).await.ok());
    })
}

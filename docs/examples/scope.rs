//! A scope: children that borrow, the first failure that ends the rest, and an end that is asked for.
//!
//! ```text
//! cargo run --example scope
//! ```

use std::time::Duration;

use mainspring::task::{ScopeError, scope, try_scope};
use mainspring::time::sleep;

/// As a page that is fetched: so many milliseconds, and maybe an error.
async fn fetch(page: &str, ms: u64) -> Result<usize, String> {
    sleep(Duration::from_millis(ms)).await;
    if page.is_empty() {
        return Err("a page without a name".to_string());
    }
    Ok(page.len())
}

fn main() -> std::io::Result<()> {
    mainspring::run(async {
        // Children borrow what lives outside of the scope, mutably too: no `Rc`, no `RefCell`, no clones.
        let pages = ["index", "about", "contact"];
        let mut lengths = [0; 3];
        scope(async |s| {
            for ((page, length), ms) in pages.iter().zip(&mut lengths).zip([30, 10, 20]) {
                s.spawn(async move {
                    if let Ok(fetched) = fetch(page, ms).await {
                        *length = fetched;
                    }
                });
            }
        })
        .await
        .expect("nobody cancels it");
        println!("borrowing: {lengths:?}");

        // The first error ends the others where they stand, and comes out.
        let result = try_scope(async |s| {
            s.spawn_fallible(fetch("slow", 60_000));
            s.spawn_fallible(fetch("", 5));
            Ok(())
        });
        match result.await {
            Err(ScopeError::Failed(errors)) => println!("fail-fast: {errors:?}"),
            other => println!("unexpected: {other:?}"),
        }

        // Asked to end, a child may await its clean-up; what is left when the grace is over is dropped.
        let result = scope(async |s| {
            s.set_grace(Duration::from_millis(50));
            s.set_timeout(Duration::from_millis(10));
            let asked = s.clone();
            s.spawn(async move {
                let reason = asked.cancelled().await;
                sleep(Duration::from_millis(5)).await;
                println!("grace: saved the work, because {reason}");
            });
            s.spawn(std::future::pending::<()>());
        });
        println!("grace: {}", result.await.unwrap_err());
    })
}

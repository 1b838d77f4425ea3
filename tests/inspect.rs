//! Seeing inside: snapshots, `why`, reports, metrics; and promises P43 and P44.
#![cfg(all(feature = "sim", feature = "inspect"))]

#[path = "inspect/anywhere.rs"]
mod anywhere;
#[path = "inspect/histogram.rs"]
mod histogram;
#[path = "inspect/leaves.rs"]
mod leaves;
#[path = "inspect/metrics.rs"]
mod metrics;
#[path = "inspect/primitives.rs"]
mod primitives;
#[path = "inspect/reports.rs"]
mod reports;
#[path = "inspect/table.rs"]
mod table;
#[path = "inspect/why.rs"]
mod why;

use mainspring::inspect::Snapshot;
use mainspring::{TaskId, yield_now};

/// Lets every task run that is ready, and what those make ready.
async fn settle() {
    for _ in 0..4 {
        yield_now().await;
    }
}

/// The text of a snapshot, with its tasks numbered from 1 on, in spawn order.
fn numbered(snapshot: &Snapshot, text: String) -> String {
    let ids: Vec<TaskId> = snapshot.tasks().iter().map(|task| task.id()).collect();
    numbered_by(&ids, text)
}

/// The text with each place in `file` as how many lines it lies below line `base`.
fn relative(text: &str, file: &str, base: u32) -> String {
    let path = format!("tests/inspect/{file}:");
    let mut parts = text.split(&path);
    let mut relative = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_digit = |c: char| c.is_ascii_digit();
        let (line, rest) = part.split_once(':').expect("a column follows");
        let line: u32 = line.parse().expect("it is a number");
        let rest = rest.trim_start_matches(is_digit);
        relative.push_str(&format!("+{}{rest}", line - base));
    }
    relative
}

/// The same, by the ids. Numbers keep the width that the columns were made for.
fn numbered_by(ids: &[TaskId], mut text: String) -> String {
    for (index, id) in ids.iter().enumerate() {
        let id = id.to_string();
        // In a column the place of the longer number is kept, so that the text stays aligned.
        let padded = format!("{:<width$}", index + 1, width = id.len());
        text = text.replace(&format!("{id}  "), &format!("{padded}  "));
        text = text.replace(&id, &(index + 1).to_string());
    }
    text
}

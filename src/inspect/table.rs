//! The text of a snapshot: a table with aligned columns, or a tree.
//!
//! *Model.* Cells first, widths from them, then lines. The last column is never padded.

use std::collections::HashMap;
use std::fmt::{self, Write};

use super::Target;
use super::snapshot::{Snapshot, Task, Wait};
use crate::event_loop::Short;
use crate::task::info::TaskState;

/// What a task waits for that nothing can wake.
const LOST: &str = "nothing, and nobody has a waker of it";
/// Between two columns.
const GAP: &str = "  ";

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if f.alternate() {
            tree(self)
        } else {
            table(self)
        };
        f.write_str(text.trim_end_matches('\n'))
    }
}

/// What stands in a line of the table, and in the heading.
type Row = Vec<String>;

fn table(snapshot: &Snapshot) -> String {
    let has_busy = snapshot.has_times && snapshot.tasks().iter().any(|t| t.busy().is_some());
    let mut headings = vec!["id", "name", "state"];
    if snapshot.has_times {
        headings.push("for");
    }
    headings.push("polls");
    if has_busy {
        headings.push("busy");
    }
    headings.extend(["woken by", "waits for", "at"]);
    let mut rows: Vec<Row> = vec![headings.into_iter().map(str::to_owned).collect()];
    for task in snapshot.tasks() {
        let mut waits = task.waits().iter();
        rows.push(row(snapshot, has_busy, Some(task), waits.next()));
        rows.extend(waits.map(|wait| row(snapshot, has_busy, None, Some(wait))));
    }
    align(&rows)
}

/// A task with its first wait, or a further wait of the task above.
fn row(snapshot: &Snapshot, has_busy: bool, task: Option<&Task>, wait: Option<&Wait>) -> Row {
    let of_task = |f: &dyn Fn(&Task) -> String| task.map_or_else(String::new, f);
    let mut row = vec![
        of_task(&|task| task.id().to_string()),
        of_task(&|task| task.name().unwrap_or("-").to_owned()),
        of_task(&state),
    ];
    if snapshot.has_times {
        let age = wait.and_then(Wait::age);
        row.push(age.map_or_else(String::new, |age| age.to_string()));
    }
    row.push(of_task(&|task| task.polls().to_string()));
    if has_busy {
        row.push(of_task(&|task| {
            task.busy()
                .map_or_else(String::new, |busy| Short(busy).to_string())
        }));
    }
    row.push(of_task(&|task| task.woken_by().to_string()));
    row.push(match wait {
        Some(wait) => target(snapshot, wait),
        None if task.is_some_and(Task::is_lost) => LOST.to_owned(),
        None => "-".to_owned(),
    });
    let line = wait.and_then(Wait::location);
    row.push(line.map_or_else(|| "-".to_owned(), ToString::to_string));
    row
}

fn state(task: &Task) -> String {
    let state = match task.state() {
        _ if task.is_aborted() => "aborted",
        _ if task.is_lost() => "lost",
        TaskState::Ready => "ready",
        TaskState::Running => "running",
        TaskState::Waiting => "waiting",
        TaskState::Done => "done",
    };
    state.to_owned()
}

/// A timer says how long it has still to go: its deadline means nothing to people.
fn target(snapshot: &Snapshot, wait: &Wait) -> String {
    match (wait.target(), wait.left) {
        (Target::Timer(Some(_)), Some(left)) if snapshot.has_times => {
            format!("a timer due in {}", Short(left))
        }
        (Target::Timer(Some(_)), _) => "a timer".to_owned(),
        (target, _) => target.to_string(),
    }
}

fn align(rows: &[Row]) -> String {
    let columns = rows[0].len();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}{GAP}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn tree(snapshot: &Snapshot) -> String {
    let mut children: HashMap<_, Vec<&Task>> = snapshot
        .tasks()
        .iter()
        .map(|task| (task.id(), Vec::new()))
        .collect();
    let mut roots = Vec::new();
    for task in snapshot.tasks() {
        match task.parent().and_then(|parent| children.get_mut(&parent)) {
            Some(siblings) => siblings.push(task),
            None => roots.push(task),
        }
    }
    let mut text = String::new();
    // What is still to be written, last first, with the signs before it and before its own children.
    let mut left: Vec<(&Task, String, String)> = Vec::new();
    for root in roots.into_iter().rev() {
        left.push((root, String::new(), String::new()));
    }
    while let Some((task, before, below)) = left.pop() {
        let children = &children[&task.id()];
        let bar = if children.is_empty() { "   " } else { "│  " };
        let is_root = before.is_empty();
        write_node(
            &mut text,
            snapshot,
            task,
            is_root,
            &before,
            &format!("{below}{bar}"),
        );
        for (index, child) in children.iter().rev().enumerate() {
            let (sign, rest) = if index == 0 {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            left.push((child, format!("{below}{sign}"), format!("{below}{rest}")));
        }
    }
    text
}

fn write_node(
    text: &mut String,
    snapshot: &Snapshot,
    task: &Task,
    is_root: bool,
    before: &str,
    below: &str,
) {
    let _ = write!(text, "{before}task {}", task.id());
    if let Some(name) = task.name() {
        let _ = write!(text, " \"{name}\"");
    }
    if let Some(line) = task.spawned_at() {
        let _ = write!(text, ", spawned at {line}");
    }
    if let Some(parent) = task.parent().filter(|_| is_root) {
        let _ = write!(text, " by task {parent}, which has ended");
    }
    let _ = writeln!(text, ": {}", state(task));
    for wait in task.waits() {
        let _ = write!(text, "{below}waits for {}", target(snapshot, wait));
        if let Some(line) = wait.location() {
            let _ = write!(text, ", at {line}");
        }
        if let (Some(age), true) = (wait.age(), snapshot.has_times) {
            let _ = write!(text, ", for {age}");
        }
        text.push('\n');
    }
    if task.is_lost() {
        let _ = writeln!(text, "{below}waits for {LOST}");
    }
}

//! Tables: what was measured, as Markdown, with the bars beside it.

use crate::cells::{CELLS, Cell, Group};
use crate::peers::{Kind, PEERS, Peer};
use crate::record::Record;
use crate::start_up;
use crate::syscalls::{CALLS, GUARDS};

/// The column of ours that is compared.
pub const OURS: &str = "mainspring";

/// The peers of a kind that have a figure, with it.
fn of_kind(record: &Record, cell: &Cell, kind: Kind) -> Vec<(&'static str, f64)> {
    PEERS
        .iter()
        .filter(|peer| peer.kind == kind)
        .filter_map(|peer| Some((peer.name, record.median(cell.name, peer.name, cell.figure)?)))
        .collect()
}

/// The least of them.
fn best(peers: Vec<(&'static str, f64)>) -> Option<(&'static str, f64)> {
    peers.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))
}

/// The best rival of a cell.
///
/// monoio polls a task that wakes itself again at once, before all others: that is no switch, so it is
/// shown there, and not compared.
pub fn best_rival(record: &Record, cell: &Cell) -> Option<(&'static str, f64)> {
    let is_switch = cell.group == Group::Switch;
    let mut rivals = of_kind(record, cell, Kind::Rival);
    rivals.retain(|(name, _)| !(is_switch && *name == "monoio"));
    best(rivals)
}

/// A figure for people: three digits, and its unit.
pub fn readable(figure: &str, value: f64) -> String {
    let (value, unit) = match figure {
        "bytes" => (value, "B"),
        _ if value >= 1e6 => (value / 1e6, "ms"),
        _ if value >= 1e4 => (value / 1e3, "us"),
        _ => (value, "ns"),
    };
    let digits = match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

/// The line over the table's columns, and the line below it.
fn heading(columns: &[&str]) -> String {
    let rule = "--:|".repeat(columns.len() - 1);
    format!("| {} |\n|---|{rule}\n", columns.join(" | "))
}

/// One line of a table.
fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The peers that have any figure of this name.
fn columns(record: &Record, is_wanted: impl Fn(&str) -> bool) -> Vec<&'static Peer> {
    let has = |peer: &&Peer| {
        let mut rows = record.rows.iter();
        rows.any(|row| row.peer == peer.name && is_wanted(&row.figure))
    };
    PEERS.iter().filter(has).collect()
}

/// Every cell that was measured: figures of all peers, ours over the best rival's and the floor's, the bar.
pub fn costs(record: &Record) -> String {
    let is_main = |figure: &str| CELLS.iter().any(|cell| cell.figure == figure);
    let peers = columns(record, is_main);
    let names = peers.iter().map(|peer| peer.name);
    let mut head: Vec<&str> = std::iter::once("cell").chain(names).collect();
    head.extend(["best rival", "ours to it", "bar", "ours to the floor"]);
    let mut text = heading(&head);
    for cell in CELLS {
        let median = |peer: &&Peer| record.median(cell.name, peer.name, cell.figure);
        let medians: Vec<Option<f64>> = peers.iter().map(median).collect();
        if medians.iter().all(Option::is_none) {
            continue;
        }
        let shown = |median: Option<f64>| median.map(|value| readable(cell.figure, value));
        let mut cells = vec![cell.name.to_string()];
        cells.extend(
            medians
                .into_iter()
                .map(|median| shown(median).unwrap_or_default()),
        );
        cells.extend(comparison(record, cell));
        text += &row(&cells);
    }
    text
}

/// How late timers and wakes are, and what the loop's thread pays for a wake.
pub fn latencies(record: &Record) -> String {
    let mut text = heading(&["cell", "peer", "p50", "p99", "CPU each", "early"]);
    for cell in ["timer-fire", "wake-oneway", "wake-rtt", "signal-resume"] {
        for peer in PEERS {
            let figure = |name: &str| record.median(cell, peer.name, name);
            let shown = |name: &str| figure(name).map(|value| readable(name, value));
            let Some(p50) = shown("p50_ns") else {
                continue;
            };
            let early = figure("early").map(|count| format!("{count:.0}"));
            text += &row(&[
                cell.to_string(),
                peer.name.to_string(),
                p50,
                shown("p99_ns").unwrap_or_default(),
                shown("cpu_ns").unwrap_or_default(),
                early.unwrap_or_default(),
            ]);
        }
    }
    text
}

/// What stands beside the cost: the parent's own part, or the time that passed.
pub fn besides(record: &Record) -> String {
    let mut text = heading(&["cell", "peer", "CPU", "the parent's own", "time"]);
    for cell in CELLS {
        for peer in PEERS {
            let shown = |name: &str| {
                let median = record.median(cell.name, peer.name, name)?;
                Some(readable(name, median))
            };
            let (own, wall) = (shown("own_ns"), shown("wall_ns"));
            if own.is_none() && wall.is_none() {
                continue;
            }
            text += &row(&[
                cell.name.to_string(),
                peer.name.to_string(),
                shown(cell.figure).unwrap_or_default(),
                own.unwrap_or_default(),
                wall.unwrap_or_default(),
            ]);
        }
    }
    text
}

/// System calls per operation, and which they are.
pub fn calls(record: &Record) -> String {
    let mut text = heading(&["cell", "peer", "calls", "most", "which"]).replace("--:|\n", "---|\n");
    for (cell, _, guard) in GUARDS {
        for peer in PEERS {
            let Some(total) = record.median(cell, peer.name, CALLS) else {
                continue;
            };
            let mut parts: Vec<(&str, f64)> = record
                .rows
                .iter()
                .filter(|row| row.cell == cell && row.peer == peer.name)
                .filter_map(|row| Some((row.figure.strip_prefix("calls: ")?, row.median)))
                .collect();
            parts.sort_by(|a, b| b.1.total_cmp(&a.1));
            let parts: Vec<String> = parts
                .into_iter()
                .map(|(name, each)| format!("{name} {each:.2}"))
                .collect();
            let guard = guard.filter(|_| peer.name == OURS);
            text += &row(&[
                cell.to_string(),
                peer.name.to_string(),
                format!("{total:.2}"),
                guard.map(|guard| format!("{guard:.2}")).unwrap_or_default(),
                parts.join(", "),
            ]);
        }
    }
    text
}

/// The least program: to run, to store, to build.
pub fn start_up(record: &Record) -> String {
    let figures = [
        "wall_ns",
        "cpu_ns",
        "calls",
        "stripped_bytes",
        "crates",
        "build_cpu_s",
    ];
    let mut text = heading(&[
        "program",
        "wall",
        "CPU",
        "system calls",
        "stripped",
        "crates",
        "clean build, CPU",
    ]);
    for name in start_up::PROGRAMS {
        let shown = |figure: &str| {
            let value = record.median(start_up::CELL, name, figure)?;
            Some(match figure {
                "wall_ns" | "cpu_ns" => format!("{:.2} ms", value / 1e6),
                "stripped_bytes" => format!("{:.0} KB", value / 1e3),
                "build_cpu_s" => format!("{value:.1} s"),
                _ => format!("{value:.0}"),
            })
        };
        let values = figures.map(shown);
        if values.iter().any(Option::is_some) {
            let mut cells = vec![name.to_string()];
            cells.extend(values.map(Option::unwrap_or_default));
            text += &row(&cells);
        }
    }
    text
}

/// Where and with what it was measured.
pub fn about(record: &Record) -> String {
    let parts: Vec<String> = record
        .about
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{}.\n", parts.join("; "))
}

/// The last four columns of the costs.
fn comparison(record: &Record, cell: &Cell) -> [String; 4] {
    let ours = record.median(cell.name, OURS, cell.figure);
    let ratio = |to: Option<(&str, f64)>| match (ours, to) {
        (Some(ours), Some((_, theirs))) if theirs > 0.0 => format!("{:.2}", ours / theirs),
        _ => String::new(),
    };
    let rival = best_rival(record, cell);
    let floor = best(of_kind(record, cell, Kind::Floor));
    let bar = cell.target.map(|bar| format!("{bar:.2}"));
    [
        rival.map_or(String::new(), |(name, _)| name.to_string()),
        ratio(rival),
        bar.unwrap_or_default(),
        ratio(floor),
    ]
}

//! Pictures: one SVG per group, bars of each peer's cost over that of the best rival.
//!
//! *Look.* The line at 1 is the best rival; shorter is better. A bar longer than the scale is cut, and its
//! number says how long it is. Colours are few and hold on light and dark ground.

use std::fmt::Write;

use crate::cells::{CELLS, Cell, Group};
use crate::peers::{Kind, PEERS};
use crate::record::Record;
use crate::report::{best_rival, readable};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long one is that costs as much as the best rival.
const BARS_X: f64 = 130.0;
const UNIT: f64 = 150.0;
/// The longest that is drawn, in units.
const UNITS_MAX: f64 = 3.0;
const BAR_HEIGHT: f64 = 15.0;
const CELL_GAP: f64 = 34.0;

const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-weight: 600 } .quiet { fill: #656d76 }
.ours { fill: #2f6fb3 } .rival { fill: #9aa4af } .floor { fill: none; stroke: #9aa4af }
.line { stroke: #656d76; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #d7dde3 } .quiet { fill: #8d96a0 }
.ours { fill: #5b9bdf } .rival { fill: #5f6a76 } .floor { stroke: #5f6a76 } .line { stroke: #8d96a0 }
}";

/// The groups, each with the name of its file.
pub fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for cell in CELLS {
        if !groups.contains(&cell.group) {
            groups.push(cell.group);
        }
    }
    groups
}

/// The picture of a group; none, if nothing of it was measured.
pub fn svg(record: &Record, group: Group) -> Option<String> {
    let mut body = String::new();
    let mut y = 64.0;
    for cell in CELLS.iter().filter(|cell| cell.group == group) {
        let Some((rival, unit)) = best_rival(record, cell) else {
            continue;
        };
        let (name, about) = (cell.name, cell.about);
        text(&mut body, 10.0, y, "title", name);
        let about = format!("{about} (1 = {rival})");
        text(&mut body, BARS_X, y, "quiet", &about);
        let top = y + 6.0;
        y = bars(&mut body, record, cell, unit, top);
        let x = BARS_X + UNIT;
        write_line(
            &mut body,
            &format!(r#"<path class="line" d="M{x} {top}V{y}"/>"#),
        );
        y += CELL_GAP;
    }
    if body.is_empty() {
        return None;
    }
    let height = y - CELL_GAP + 14.0;
    let title = group.title();
    let note = "cost over the best rival's: shorter is better; floors are hollow";
    let mut picture = String::new();
    write_line(
        &mut picture,
        &format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">"#
        ),
    );
    write_line(&mut picture, &format!("<title>{title}: {note}</title>"));
    write_line(&mut picture, &format!("<style>{STYLE}</style>"));
    text(&mut picture, 10.0, 20.0, "title", title);
    text(&mut picture, 10.0, 36.0, "quiet", note);
    picture += &body;
    picture += "</svg>\n";
    Some(picture)
}

/// The bars of a cell; returns where they end.
fn bars(body: &mut String, record: &Record, cell: &Cell, unit: f64, top: f64) -> f64 {
    let mut y = top;
    for peer in PEERS {
        let Some(value) = record.median(cell.name, peer.name, cell.figure) else {
            continue;
        };
        let class = match peer.kind {
            Kind::Ours => "ours",
            Kind::Rival => "rival",
            Kind::Floor => "floor",
        };
        let ratio = value / unit;
        let width = ratio.min(UNITS_MAX) * UNIT;
        let height = BAR_HEIGHT - 4.0;
        let (bar_y, text_y) = (y + 2.0, y + BAR_HEIGHT - 4.0);
        let name = peer.name;
        write_line(
            body,
            &format!(
                r#"<text x="{}" y="{text_y:.1}" text-anchor="end">{name}</text>"#,
                BARS_X - 8.0
            ),
        );
        write_line(
            body,
            &format!(
                r#"<rect class="{class}" x="{BARS_X}" y="{bar_y:.1}" width="{width:.1}" height="{height}"/>"#
            ),
        );
        let cut = if ratio > UNITS_MAX { "… " } else { "" };
        let label = format!("{cut}{ratio:.2} ({})", readable(cell.figure, value));
        // Right of the line at 1, too.
        let label_x = BARS_X + width.max(UNIT) + 6.0;
        text(body, label_x, text_y, "quiet", &label);
        y += BAR_HEIGHT;
    }
    y
}

fn text(out: &mut String, x: f64, y: f64, class: &str, text: &str) {
    write_line(
        out,
        &format!(r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#),
    );
}

fn write_line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a string grows");
}

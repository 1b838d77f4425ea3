//! What is kept of a run: a small JSON file, one figure per line, that tables and pictures are made from.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

/// Medians of the figures of one cell of one peer, over the rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub cell: String,
    pub peer: String,
    pub figure: String,
    pub median: f64,
    pub min: f64,
    pub rounds: usize,
}

/// A measured file.
#[derive(Debug, Default)]
pub struct Record {
    /// Machine, versions, and how it was measured.
    pub about: BTreeMap<String, String>,
    pub rows: Vec<Row>,
}

impl Record {
    /// The median of a figure, if it was measured.
    pub fn median(&self, cell: &str, peer: &str, figure: &str) -> Option<f64> {
        self.row(cell, peer, figure).map(|row| row.median)
    }

    fn row(&self, cell: &str, peer: &str, figure: &str) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.cell == cell && row.peer == peer && row.figure == figure)
    }

    /// Takes the samples of a figure in.
    pub fn push(&mut self, cell: &str, peer: &str, figure: &str, mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        let (low, high) = ((samples.len() - 1) / 2, samples.len() / 2);
        self.rows.push(Row {
            cell: cell.to_string(),
            peer: peer.to_string(),
            figure: figure.to_string(),
            median: (samples[low] + samples[high]) / 2.0,
            min: samples[0],
            rounds: samples.len(),
        });
    }

    /// The rows of `newer` take the place of those of the same cell, peer and figure.
    pub fn merge(&mut self, newer: Record) {
        self.rows
            .retain(|old| newer.row(&old.cell, &old.peer, &old.figure).is_none());
        self.about.extend(newer.about);
        self.rows.extend(newer.rows);
    }

    /// Reads a file that `write` made; an absent one is empty.
    pub fn read(path: &Path) -> io::Result<Record> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            text => text?,
        };
        let mut record = Record::default();
        for line in text.lines() {
            let line = line.trim().trim_end_matches(',');
            if let Some(about) = line.strip_prefix("\"about\": ") {
                record.about = flat(about);
            } else if line.starts_with("{\"cell\"") {
                let fields = flat(line);
                let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
                let number = |name: &str| field(name).parse().unwrap_or(f64::NAN);
                record.rows.push(Row {
                    cell: field("cell"),
                    peer: field("peer"),
                    figure: field("figure"),
                    median: number("median"),
                    min: number("min"),
                    rounds: number("rounds") as usize,
                });
            }
        }
        Ok(record)
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let about: Vec<String> = self
            .about
            .iter()
            .map(|(name, value)| format!("\"{name}\":\"{value}\""))
            .collect();
        let mut text = format!("{{\n\"about\": {{{}}},\n\"rows\": [\n", about.join(","));
        for (index, row) in self.rows.iter().enumerate() {
            let comma = if index + 1 == self.rows.len() {
                ""
            } else {
                ","
            };
            let (median, min, rounds) = (row.median, row.min, row.rounds);
            writeln!(
                text,
                "{{\"cell\":\"{}\",\"peer\":\"{}\",\"figure\":\"{}\",\"median\":{median:.2},\"min\":{min:.2},\"rounds\":{rounds}}}{comma}",
                row.cell, row.peer, row.figure,
            )
            .expect("a string grows");
        }
        text += "]\n}\n";
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    }
}

/// The fields of a flat JSON object without escapes, numbers as text.
pub fn flat(object: &str) -> BTreeMap<String, String> {
    let inner = object.trim().trim_start_matches('{').trim_end_matches('}');
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for c in inner.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ':' | ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            c if is_quoted || !c.is_whitespace() => part.push(c),
            _ => {}
        }
    }
    parts.push(part);
    let pairs = parts.chunks_exact(2);
    pairs
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut record = Record::default();
        record.about.insert("machine".into(), "a: b, c".into());
        record.push("yield", "tokio", "cpu_ns", vec![3.0, 1.0, 2.0]);
        record.push("yield", "smol", "cpu_ns", vec![4.0, 2.0]);
        let path = std::env::temp_dir().join(format!("peers-record-{}.json", std::process::id()));
        record.write(&path).unwrap();
        let read = Record::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read.about, record.about);
        assert_eq!(read.rows, record.rows);
        assert_eq!(read.median("yield", "tokio", "cpu_ns"), Some(2.0));
        assert_eq!(read.median("yield", "smol", "cpu_ns"), Some(3.0));
    }

    #[test]
    fn newer_rows_take_the_place_of_older_ones() {
        let mut record = Record::default();
        record.push("yield", "tokio", "cpu_ns", vec![1.0]);
        record.push("yield", "smol", "cpu_ns", vec![2.0]);
        let mut newer = Record::default();
        newer.push("yield", "tokio", "cpu_ns", vec![3.0]);
        record.merge(newer);
        assert_eq!(record.rows.len(), 2);
        assert_eq!(record.median("yield", "tokio", "cpu_ns"), Some(3.0));
    }
}

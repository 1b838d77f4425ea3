//! The driver: every cell of every peer as a process of its own, in rounds, interleaved.
//!
//! *Order.* Round by round, cell by cell, and within a cell peer by peer, each round beginning with
//! another one. So whatever the machine does meanwhile falls on all alike, and the median over the rounds
//! is what is kept.

use std::collections::BTreeMap;
use std::process::Command;

use crate::cells::{CELLS, Cell};
use crate::peers::{PEERS, Peer};
use crate::record::{Record, flat};

/// Which part of the whole is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub rounds: usize,
    /// Of each cell's usual count.
    pub share: f64,
    /// None means all.
    pub cells: Vec<String>,
    pub peers: Vec<String>,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            rounds: 5,
            share: 1.0,
            cells: Vec::new(),
            peers: Vec::new(),
        }
    }
}

impl Plan {
    fn cells(&self) -> impl Iterator<Item = &'static Cell> {
        CELLS.iter().filter(|cell| self.has_cell(cell.name))
    }

    /// Whether a cell takes part.
    pub fn has_cell(&self, name: &str) -> bool {
        self.cells.is_empty() || self.cells.iter().any(|cell| cell == name)
    }

    /// Which part of the cells it is, in words: nothing, if it is all.
    pub fn selection(&self) -> String {
        if self.cells.is_empty() {
            return String::new();
        }
        let mut names: Vec<&str> = self.cells().map(|cell| cell.group.file()).collect();
        names.dedup();
        format!(" of {}", names.join(", "))
    }

    /// Whether a peer takes part.
    pub fn has_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|peer| peer == name)
    }

    fn count(&self, cell: &Cell) -> u64 {
        // In thousands, so that it divides into batches.
        ((cell.count as f64 * self.share / 1000.0).ceil() as u64).max(1) * 1000
    }

    /// Runs it, and says on standard error how far it is.
    pub fn run(&self) -> Record {
        let mut samples: BTreeMap<(usize, usize, String), Vec<f64>> = BTreeMap::new();
        for round in 0..self.rounds {
            for (row, cell) in self.cells().enumerate() {
                eprintln!("round {} of {}: {}", round + 1, self.rounds, cell.name);
                for step in 0..PEERS.len() {
                    let column = (round + step) % PEERS.len();
                    let peer = &PEERS[column];
                    if !self.has_peer(peer.name) || (peer.find)(cell.name).is_none() {
                        continue;
                    }
                    for (figure, value) in measure(cell, peer, self.count(cell)) {
                        samples
                            .entry((row, column, figure))
                            .or_default()
                            .push(value);
                    }
                }
            }
        }
        let mut record = Record::default();
        let cells: Vec<&Cell> = self.cells().collect();
        for ((row, column, figure), samples) in samples {
            record.push(cells[row].name, PEERS[column].name, &figure, samples);
        }
        record
    }
}

/// One run. One that fails is told of and has no figures.
fn measure(cell: &Cell, peer: &Peer, count: u64) -> Vec<(String, f64)> {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program)
        .args([cell.name, peer.name, &count.to_string()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("this program starts");
    if !output.status.success() {
        eprintln!("{} on {}: {}", cell.name, peer.name, output.status);
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&output.stdout);
    flat(text.trim())
        .into_iter()
        .filter_map(|(figure, value)| Some((figure, value.parse().ok()?)))
        .collect()
}

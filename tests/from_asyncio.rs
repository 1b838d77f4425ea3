//! The page for those who come from asyncio: each name of asyncio's has a row, each name of ours exists.
//!
//! The names of asyncio are asked of the Python that is here, whatever its version; where there is none, only
//! our own are compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything public, and the loop's methods, which users call as `loop.name`.
const ASK: &str = "
import asyncio
for name in asyncio.__all__:
    if not name.startswith('_'):
        print(name)
for name in dir(asyncio.AbstractEventLoop):
    if not name.startswith('_'):
        print('loop.' + name)
";

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The two first columns of each row, as the names between backticks.
fn rows(page: &str) -> Vec<(Vec<&str>, Vec<&str>)> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `"));
    cells
        .map(|line| {
            let mut cells = line.splitn(3, '|');
            let theirs = cells.next().expect("a first cell");
            let ours = cells.next().expect("a second cell");
            let (first, rest) = theirs.split_once('`').expect("a name in backticks");
            let mut theirs = vec![first];
            theirs.extend(quoted(rest));
            (theirs, quoted(ours))
        })
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names that the files below `folder` declare as public, macros too.
fn declared(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            declared(&path, names);
        } else {
            let text = fs::read_to_string(&path).expect("a source");
            names.extend(text.lines().filter_map(declared_by).map(str::to_string));
        }
    }
}

fn declared_by(line: &str) -> Option<&str> {
    const WORDS: [&str; 8] = [
        "fn",
        "struct",
        "enum",
        "trait",
        "mod",
        "const",
        "async",
        "macro_rules!",
    ];
    let mut words = line.split_whitespace().skip_while(|word| *word == "pub");
    let mut word = words.next().filter(|word| WORDS.contains(word))?;
    while WORDS.contains(&word) {
        word = words.next()?;
    }
    let end = word.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&word[..end.unwrap_or(word.len())])
}

#[test]
fn every_name_of_the_second_column_exists() {
    let page = fs::read_to_string(root().join("docs/from-asyncio.md")).expect("the page");
    let mut names = BTreeSet::new();
    declared(&root().join("src"), &mut names);
    let rows = rows(&page);
    assert!(rows.len() > 80, "{} rows were found", rows.len());
    let unknown: Vec<&str> = rows
        .iter()
        .flat_map(|(_, ours)| ours)
        .filter(|name| {
            let last = name.rsplit("::").next().expect("a last part");
            !names.contains(last.trim_end_matches('!'))
        })
        .copied()
        .collect();
    assert!(unknown.is_empty(), "not in the sources: {unknown:?}");
}

#[test]
fn every_name_of_asyncio_has_a_row() {
    let page = fs::read_to_string(root().join("docs/from-asyncio.md")).expect("the page");
    let rows = rows(&page);
    let known: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(theirs, _)| theirs)
        .copied()
        .collect();
    let Ok(output) = Command::new("python3").args(["-c", ASK]).output() else {
        eprintln!("there is no python3 here: the names of asyncio are not compared");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    let names = String::from_utf8(output.stdout).expect("names");
    let missing: Vec<&str> = names.lines().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
}

#[test]
fn a_name_that_is_missing_is_found() {
    assert_eq!(declared_by("    pub fn spawn<F>(future: F)"), Some("spawn"));
    assert_eq!(declared_by("macro_rules! select {"), Some("select"));
    assert_eq!(declared_by("pub const fn new(value: T)"), Some("new"));
    assert_eq!(declared_by("    let spawned = 1;"), None);
    let rows = rows("| `run`, `Runner` | `run` | |\n| asyncio | x | |\n");
    assert_eq!(rows, [(vec!["run", "Runner"], vec!["run"])]);
}

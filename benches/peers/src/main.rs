//! mainspring beside its rivals: every cell of `docs/performance.md`, on every peer, in one run.
//!
//! ```text
//! peers CELL PEER COUNT           one run; prints its figures as a line of JSON
//! peers run [OPTION]... [CELL]... all of them, interleaved; prints what each costs
//! peers calls [OPTION]... [CELL]...  system calls per operation, by strace
//! peers start-up [OPTION]...      the least program on each peer: time, size
//! peers build [OPTION]...         the same built from nothing: crates, CPU time
//! peers tables FILE               all tables of a measured file
//! peers page FILE PAGE            puts them into a Markdown page
//! peers plot FILE FOLDER          draws the pictures
//! peers client KIND PORT NUMBER... the load of the cells over TCP
//!
//! --rounds N    how often (5)         --share X   of the usual counts (1.0)
//! --peer NAME   only these, repeated  --out FILE  where the figures are kept, beside those that are there
//! ```
//!
//! *Map.* `cells` says what is measured, `peers` who; `driver` runs them as processes, `syscalls` and
//! `start_up` count the rest; `record` keeps the medians; `report`, `pages` and `plot` show them. Linux
//! only: `rawepoll`, strace, CPU clocks, `/proc`.

mod about;
mod cells;
mod driver;
mod epoll;
mod figures;
mod load;
mod pages;
mod peers;
mod plot;
mod record;
mod report;
mod start_up;
mod syscalls;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::driver::Plan;
use crate::record::Record;

/// No run takes as long as this; one that hangs is killed.
const SECONDS_MAX: u32 = 120;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match &words[..] {
        [command @ "run", rest @ ..] => measured(command, rest, Plan::run, report::costs),
        [command @ "calls", rest @ ..] => measured(command, rest, syscalls::count, report::calls),
        [command @ "start-up", rest @ ..] => {
            measured(command, rest, start_up::measure, report::start_up)
        }
        [command @ "build", rest @ ..] => {
            measured(command, rest, start_up::build, report::start_up)
        }
        ["tables", file] => tables(file.as_ref()),
        ["page", file, page] => page_filled(file.as_ref(), page.as_ref()),
        ["plot", file, folder] => plotted(file.as_ref(), folder.as_ref()),
        ["client", kind, numbers @ ..] => client(kind, numbers),
        [cell, peer, count] => one(cell, peer, count),
        _ => Err("what to do? See the head of src/main.rs".to_string()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peers: {message}");
            ExitCode::FAILURE
        }
    }
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse()
        .map_err(|_| format!("`{word}` is not a number"))
}

fn one(cell: &str, peer: &str, count: &str) -> Result<(), String> {
    let count = number(count)?;
    let known = peers::PEERS.iter().find(|known| known.name == peer);
    let known = known.ok_or_else(|| format!("`{peer}` is not a peer, or was not built"))?;
    let run = (known.find)(cell);
    let run = run.ok_or_else(|| format!("`{cell}` is not a cell that {peer} takes part in"))?;
    // SAFETY: without a handler the signal ends the process, which is the purpose.
    unsafe { libc::alarm(SECONDS_MAX) };
    println!("{}", run(count).to_json());
    Ok(())
}

fn client(kind: &str, numbers: &[&str]) -> Result<(), String> {
    let numbers: Result<Vec<u64>, String> = numbers.iter().map(|word| number(word)).collect();
    load::client(kind, &numbers?)
}

/// Measures by the plan of `words`, prints, and keeps the figures if there is a file for them.
fn measured(
    command: &str,
    words: &[&str],
    measure: fn(&Plan) -> Record,
    table: fn(&Record) -> String,
) -> Result<(), String> {
    let (plan, out) = plan(words)?;
    let about = about::about(&format!("{command}{}", plan.selection()));
    let mut newer = measure(&plan);
    newer.about = about;
    print!("{}\n{}", report::about(&newer), table(&newer));
    let missed = syscalls::missed(&newer);
    if let Some(path) = out {
        let mut record = Record::read(&path).map_err(|error| error.to_string())?;
        record.merge(newer);
        record.write(&path).map_err(|error| error.to_string())?;
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(missed.join("; "))
}

fn plan(words: &[&str]) -> Result<(Plan, Option<PathBuf>), String> {
    let mut plan = Plan::default();
    let mut out = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word}: a value"));
        match *word {
            "--rounds" => plan.rounds = number(value()?)?,
            "--share" => plan.share = number(value()?)?,
            "--peer" => plan.peers.push(value()?.to_string()),
            "--out" => out = Some(PathBuf::from(value()?)),
            cell if cells::find(cell).is_some() => plan.cells.push(cell.to_string()),
            other => return Err(format!("`{other}` is not a cell")),
        }
    }
    Ok((plan, out))
}

fn tables(file: &Path) -> Result<(), String> {
    let record = Record::read(file).map_err(|error| error.to_string())?;
    let tables = [
        report::about,
        report::costs,
        report::latencies,
        report::besides,
        report::calls,
        report::start_up,
    ];
    println!("{}", tables.map(|table| table(&record)).join("\n"));
    Ok(())
}

fn page_filled(file: &Path, page: &Path) -> Result<(), String> {
    let record = Record::read(file).map_err(|error| error.to_string())?;
    let text = fs::read_to_string(page).map_err(|error| error.to_string())?;
    let filled = pages::filled(&text, &record)?;
    fs::write(page, filled).map_err(|error| error.to_string())
}

fn plotted(file: &Path, folder: &Path) -> Result<(), String> {
    let record = Record::read(file).map_err(|error| error.to_string())?;
    for group in plot::groups() {
        if let Some(svg) = plot::svg(&record, group) {
            let path = folder.join(group.file()).with_extension("svg");
            fs::write(&path, svg).map_err(|error| error.to_string())?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

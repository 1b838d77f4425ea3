//! Runs a command, and runs it again whenever a file has changed.
//!
//! ```text
//! cargo run --example watch_run -- src Cargo.toml -- cargo test
//! ```
//!
//! Before the second `--` stand files and folders, which are watched with all that is below; behind it the command. When something
//! changes, what still runs is ended, with whatever it started: it gets TERM, and after two seconds KILL. Then, when nothing has changed for
//! 100 ms, the command is run again. Hidden files are passed over. It ends at ^C or TERM, and the run with it.
//!
//! Look at [`run`]: a run, and the quiet that a change must be followed by, are awaited beside the next change, and
//! whichever comes first decides. `Watcher::next` is dropped each time it is not the first, and loses nothing by that.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mainspring::fs::{Watcher, watch::Event};
use mainspring::process::{Child, Command};
use mainspring::select;
use mainspring::signal::{Signal, signal};
use mainspring::time::sleep;

/// How long it must be quiet before the command is run again.
const QUIET: Duration = Duration::from_millis(100);
/// How long the command may take to end when it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// Waits for a change that is of interest, and says of what.
async fn changed(watcher: &mut Watcher) -> io::Result<String> {
    loop {
        match watcher.next().await {
            Ok(Event::Metadata(_)) => {}
            Ok(Event::Overflow) => return Ok("more than can be told".to_string()),
            Ok(event) => {
                if let Some(path) = event.path().filter(|path| !is_hidden(path)) {
                    return Ok(path.display().to_string());
                }
            }
            // The others are watched.
            Err(error) if !error.path().as_os_str().is_empty() => eprintln!("watch_run: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until nothing has changed for a while.
async fn quiet(watcher: &mut Watcher) -> io::Result<()> {
    loop {
        select! {
            biased;
            changed = changed(watcher) => drop(changed?),
            _ = sleep(QUIET) => return Ok(()),
        }
    }
}

/// Runs the command, again and again. The run that was the last stands in `place`, for who ends it.
async fn run(
    watcher: &mut Watcher,
    command: &[String],
    place: &mut Option<Child>,
) -> io::Result<()> {
    loop {
        let child = Command::new(&command[0])
            .args(&command[1..])
            .process_group(0)
            .kill_group_at_end(true)
            .spawn()?;
        let child = place.insert(child);
        let early = select! {
            biased;
            changed = changed(watcher) => Some(changed?),
            status = child.wait() => {
                eprintln!("watch_run: {}", status?);
                None
            }
        };
        let what = match early {
            Some(what) => {
                eprintln!("watch_run: {what} has changed: ending the run");
                child.stop_group(GRACE).await?;
                what
            }
            None => changed(watcher).await?,
        };
        quiet(watcher).await?;
        eprintln!("watch_run: again, for {what}");
    }
}

/// Editors and tools write what nobody wants to wait for under such names.
fn is_hidden(path: &Path) -> bool {
    path.components().any(|part| {
        part.as_os_str().to_string_lossy().starts_with('.') && part.as_os_str().len() > 2
    })
}

async fn watch_and_run(paths: Vec<String>, command: Vec<String>) -> io::Result<()> {
    let mut ends = signal(Signal::INT)?;
    let mut terms = signal(Signal::TERM)?;
    let mut watcher = Watcher::new()?;
    for path in &paths {
        let added = watcher.add_recursive(path).await;
        added.map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
    }
    eprintln!("watch_run: watching {}", paths.join(", "));
    let mut child = None;
    let result = select! {
        result = run(&mut watcher, &command, &mut child) => result,
        ended = ends.recv() => ended.map(drop),
        ended = terms.recv() => ended.map(drop),
    };
    if let Some(child) = child {
        child.stop_group(GRACE).await?;
    }
    result
}

fn main() -> ExitCode {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    let border = paths.iter().position(|argument| argument == "--");
    let command = border.map(|at| paths.split_off(at)[1..].to_vec());
    let (false, Some(command)) = (
        paths.is_empty(),
        command.filter(|command| !command.is_empty()),
    ) else {
        eprintln!("usage: watch_run PATH... -- COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    match mainspring::run(watch_and_run(paths, command)).and_then(|result| result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watch_run: {error}");
            ExitCode::FAILURE
        }
    }
}

//! What jobs of the pool are sent to do for a watcher, and what comes of it when they land.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use mainspring_sys::watch::{Mark, Record, Watch, What};

use super::event::{Event, WatchError};
use super::scan::{self, Branch, Found, Kind, scan};
use super::state::State;
use super::table::{Doomed, Entered, Root, RootKind};

/// What of a folder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Entries,
    Tree,
}

/// Something for a thread of the pool.
pub(super) enum Task {
    Add(PathBuf, Asked, u64),
    Scan(Scan),
    /// The roots are looked at again, and then all that is below.
    Check(Vec<Root>),
    /// After that: what was not found is gone.
    EndRound,
    Refresh(Vec<Mark>),
}

/// A tree that is looked into, piece by piece.
pub(super) struct Scan {
    pub(super) left: Vec<Branch>,
    /// The folders that it found and that were not watched before: what is in them is told.
    pub(super) news: HashSet<Mark>,
    pub(super) why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It was asked for, by this number. What is there is not told.
    Asked(u64),
    /// It is new.
    New,
}

/// What a job brings back.
pub(super) enum Landed {
    Added(PathBuf, Asked, u64, io::Result<Kind>),
    Scanned(Scan, Vec<Found>),
    Checked(Vec<(Root, io::Result<Kind>)>),
    Refreshed(Vec<Record>, io::Result<()>),
}

/// On a thread of the pool.
pub(super) fn run(watch: &Watch, task: Task) -> Landed {
    match task {
        Task::Add(path, asked, call) => {
            let kind = scan::add(watch, &path, asked == Asked::Tree);
            Landed::Added(path, asked, call, kind)
        }
        Task::Scan(mut scanning) => {
            let found = scan(watch, &mut scanning.left, scanning.why == Why::New);
            Landed::Scanned(scanning, found)
        }
        Task::Check(roots) => {
            let check = |root: Root| {
                let mark = scan::add_folder(watch, root.folder());
                let kind = match root.kind {
                    RootKind::Name => mark.map(Kind::Name),
                    RootKind::Tree | RootKind::Folder => mark.map(Kind::Folder),
                };
                (root, kind)
            };
            Landed::Checked(roots.into_iter().map(check).collect())
        }
        Task::Refresh(marks) => {
            let mut records = Vec::new();
            let result = watch.refresh(&marks, &mut records);
            Landed::Refreshed(records, result)
        }
        Task::EndRound => unreachable!("it takes no job"),
    }
}

impl State {
    pub(super) fn land(&mut self, landed: Landed) {
        match landed {
            Landed::Added(path, asked, call, Ok(kind)) => self.added(path, asked, call, &kind),
            Landed::Added(path, _, call, Err(error)) => self.answer(call, &path, Err(error)),
            Landed::Scanned(scan, found) => self.scanned(scan, found),
            Landed::Checked(roots) => self.checked(roots),
            Landed::Refreshed(records, result) => {
                for record in records.into_iter().rev() {
                    self.raw.push_front(record);
                }
                if let Err(error) = result {
                    self.told
                        .push_back(Err(WatchError::new(PathBuf::new(), error)));
                    // The next change of any folder is time enough to try it again.
                    return;
                }
            }
        }
        self.raw.extend(self.watch.unsettled().map(|mark| Record {
            mark,
            what: What::Unlisted,
            name: None,
            is_folder: true,
        }));
    }

    fn added(&mut self, path: PathBuf, asked: Asked, call: u64, kind: &Kind) {
        if let Err(error) = self.enter_root(&path, asked, kind) {
            return self.answer(call, &path, Err(error));
        }
        match (asked, kind) {
            (Asked::Tree, Kind::Folder(_)) => self.todo.push_front(Task::Scan(Scan {
                left: vec![Branch::New {
                    path,
                    entry: None,
                    is_news: false,
                }],
                news: HashSet::new(),
                why: Why::Asked(call),
            })),
            _ => self.answer(call, &path, Ok(())),
        }
    }

    fn enter_root(&mut self, path: &Path, asked: Asked, found: &Kind) -> io::Result<()> {
        let (kind, mark) = match *found {
            Kind::Name(mark) => (RootKind::Name, mark),
            Kind::Folder(mark) if asked == Asked::Tree => (RootKind::Tree, mark),
            Kind::Folder(mark) => (RootKind::Folder, mark),
        };
        let root = Root {
            path: path.to_path_buf(),
            kind,
        };
        match self.table.enter_root(root, mark) {
            Ok(doomed) => {
                self.unwatch(doomed);
                Ok(())
            }
            Err(known) => {
                let text = format!("it is watched as {} already", known.display());
                Err(io::Error::new(ErrorKind::AlreadyExists, text))
            }
        }
    }

    fn scanned(&mut self, mut scan: Scan, found: Vec<Found>) {
        let mut doomed = Doomed::new();
        for found in found {
            match found {
                Found::Folder(mark, path) => {
                    if self.table.enter(mark, path, &mut doomed) == Entered::New {
                        scan.news.insert(mark);
                    }
                }
                Found::Itself(mark, name) => self.found_news(mark, name),
                Found::Entry(mark, name) => {
                    if scan.news.contains(&mark) {
                        self.found_news(mark, name);
                    }
                }
                // It went, or became something else: of that the kernel tells.
                Found::Failed(_, error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Found::Failed(path, error) => {
                    let is_limit = error.kind() == ErrorKind::QuotaExceeded;
                    match scan.why {
                        Why::Asked(call) if is_limit || self.table.root(&path).is_some() => {
                            self.unwatch(std::mem::take(&mut doomed));
                            return self.give_up(call, &path, error);
                        }
                        _ => self.told.push_back(Err(WatchError::new(path, error))),
                    }
                    if is_limit {
                        // The others would only say the same.
                        scan.left.clear();
                    }
                }
            }
        }
        self.unwatch(doomed);
        match (scan.left.is_empty(), scan.why) {
            (false, _) => self.todo.push_front(Task::Scan(scan)),
            (true, Why::Asked(call)) => self.answer(call, Path::new(""), Ok(())),
            (true, Why::New) => {}
        }
    }

    fn found_news(&mut self, mark: Mark, name: OsString) {
        if let Some(path) = self.table.told_path(mark, &name) {
            self.tell(Event::Created(path));
            // Where folders are listed, no record says it again.
            if self.watch.tells_entries() {
                self.table.set_fresh(mark, name);
            }
        }
    }

    /// A tree cannot be watched: nothing of it is.
    fn give_up(&mut self, call: u64, path: &Path, error: io::Error) {
        let covers = |root: &&Root| root.kind == RootKind::Tree && path.starts_with(&root.path);
        // The one that was added last.
        let root = self
            .table
            .roots()
            .iter()
            .rev()
            .find(covers)
            .map(|root| root.path.clone());
        if let Some(root) = root {
            let doomed = self.table.remove_root(&root).unwrap_or_default();
            self.unwatch(doomed);
        }
        self.answer(call, path, Err(error));
    }

    fn checked(&mut self, roots: Vec<(Root, io::Result<Kind>)>) {
        for (root, kind) in roots {
            let asked = match root.kind {
                RootKind::Tree => Asked::Tree,
                RootKind::Folder | RootKind::Name => Asked::Entries,
            };
            let error = match kind {
                Ok(kind) => {
                    if asked == Asked::Tree {
                        self.todo.push_back(Task::Scan(Scan {
                            left: vec![Branch::New {
                                path: root.path.clone(),
                                entry: None,
                                is_news: false,
                            }],
                            news: HashSet::new(),
                            why: Why::New,
                        }));
                    }
                    self.enter_root(&root.path, asked, &kind).err()
                }
                Err(error) => Some(error),
            };
            let Some(error) = error else { continue };
            let doomed = self.table.remove_root(&root.path).unwrap_or_default();
            self.unwatch(doomed);
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    self.tell(Event::Removed(root.path))
                }
                _ => self.told.push_back(Err(WatchError::new(root.path, error))),
            }
        }
        self.todo.push_back(Task::EndRound);
    }

    /// A call of `add` has come to its end. What nobody waits for any more is told like all else.
    fn answer(&mut self, call: u64, path: &Path, result: io::Result<()>) {
        if self.awaited == Some(call) {
            self.answer = Some((call, result));
        } else if let Err(error) = result {
            self.told
                .push_back(Err(WatchError::new(path.to_path_buf(), error)));
        }
    }
}

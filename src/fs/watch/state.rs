//! `State`: what a watcher knows; and what a record of the kernel makes of it.
//!
//! *Role.* No futures here: [`work`](super::work) says which record is next, and this says what it means.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainspring_sys::watch::{Mark, Record, Watch, What};

use super::event::{Event, WatchError};
use super::land::{Scan, Task, Why};
use super::scan::Branch;
use super::table::{Doomed, Table};

pub(super) struct State {
    pub(super) watch: Arc<Watch>,
    pub(super) table: Table,
    /// What the kernel told and nobody looked at yet.
    pub(super) raw: VecDeque<Record>,
    /// What is to be told.
    pub(super) told: VecDeque<Result<Event, WatchError>>,
    pub(super) todo: VecDeque<Task>,
    /// From where to where: the way back may be the other half of an exchange.
    last_rename: Option<(PathBuf, PathBuf)>,
    /// The call of `add` that somebody awaits, and what came of it.
    pub(super) awaited: Option<u64>,
    pub(super) answer: Option<(u64, io::Result<()>)>,
}

impl State {
    pub(super) fn new(watch: Watch) -> State {
        State {
            watch: Arc::new(watch),
            table: Table::default(),
            raw: VecDeque::new(),
            told: VecDeque::new(),
            todo: VecDeque::new(),
            last_rename: None,
            awaited: None,
            answer: None,
        }
    }

    /// Looks at a record that is no first half of a rename.
    pub(super) fn look_at(&mut self, record: Record) {
        let Some(record) = self.watch.locate(record) else {
            return;
        };
        let Record {
            mark,
            what,
            name,
            is_folder,
        } = record;
        match (what, name) {
            (What::Overflow, _) => self.overflowed(),
            (What::Unlisted, _) => self.refresh(mark),
            (What::Created | What::MovedTo(_), Some(name)) => {
                if self.table.take_fresh(mark, &name) && what == What::Created {
                    return;
                }
                if let Some(path) = self.table.told_path(mark, &name) {
                    if is_folder && self.table.is_branch(mark) {
                        self.scan_new(vec![(path.clone(), (mark, name), false)]);
                    }
                    self.tell(Event::Created(path));
                }
            }
            (What::Removed, Some(name)) => self.removed(&Record {
                mark,
                what,
                name: Some(name),
                is_folder,
            }),
            (What::Modified, Some(name)) => {
                let path = self.table.told_path(mark, &name);
                self.tell_again(path.map(Event::Modified));
            }
            (What::Metadata, Some(name)) => {
                let path = self.table.told_path(mark, &name);
                self.tell_again(path.map(Event::Metadata));
            }
            (What::Metadata, None) => {
                let path = match self.watch.tells_entries() {
                    true => self.table.top_path(mark),
                    false => self.table.path_of(mark),
                };
                let path = path.map(Path::to_path_buf);
                self.tell_again(path.map(Event::Metadata));
            }
            (What::Moved, None) => self.moved_itself(mark),
            (What::Gone | What::Forgotten, None) => {
                for path in self.table.dead(mark) {
                    self.tell(Event::Removed(path));
                }
                self.unwatch(vec![mark]);
            }
            // A second half whose first was given up, or nothing that we know.
            _ => {}
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.told.push_back(Ok(event));
    }

    /// As [`Work::tell`], of what may be told once for many times.
    fn tell_again(&mut self, event: Option<Event>) {
        let last = self.told.back().and_then(|told| told.as_ref().ok());
        if event.as_ref() != last {
            self.told.extend(event.map(Ok));
        }
    }

    /// An entry was removed, or moved to where nobody watches.
    pub(super) fn removed(&mut self, record: &Record) {
        let Some(name) = &record.name else { return };
        self.table.take_fresh(record.mark, name);
        let Some(path) = self.table.told_path(record.mark, name) else {
            return;
        };
        if record.is_folder {
            let doomed = self.table.gone(&path);
            self.unwatch(doomed);
        }
        let was_moved = matches!(record.what, What::MovedFrom(_) | What::MovedTo(_));
        if was_moved && self.watch.tells_entries() && self.table.is_branch(record.mark) {
            // Something else may have come to its place, if the two were exchanged.
            self.scan_new(vec![(path.clone(), (record.mark, name.clone()), true)]);
        }
        self.tell(Event::Removed(path));
    }

    pub(super) fn renamed(&mut self, first: &Record, second: &Record) {
        let (Some(from_name), Some(to_name)) = (&first.name, &second.name) else {
            return;
        };
        self.table.take_fresh(first.mark, from_name);
        self.table.take_fresh(second.mark, to_name);
        let from = self.table.told_path(first.mark, from_name);
        let to = self.table.told_path(second.mark, to_name);
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (Some(_), None) => return self.removed(first),
            (None, Some(to)) => {
                if self.table.is_folder(&to) {
                    self.removed(second);
                }
                return self.look_at(second.clone());
            }
            (None, None) => return,
        };
        // By now something else may be in the old place, if two were exchanged for example.
        let old = (from.clone(), (first.mark, from_name.clone()), true);
        if first.is_folder {
            if self.table.is_branch(second.mark) {
                let new = (to.clone(), (second.mark, to_name.clone()), false);
                if self.watch.tells_entries() {
                    let doomed = self.table.moved(&from, &to);
                    self.unwatch(doomed);
                    self.scan_new(vec![old, new]);
                } else if self.is_folder_of(&from, second) {
                    let doomed = self.table.moved(&from, &to);
                    self.unwatch(doomed);
                } else {
                    // It was not looked into yet.
                    for path in [&from, &to] {
                        let doomed = self.table.gone(path);
                        self.unwatch(doomed);
                    }
                    self.scan_new(vec![new]);
                }
            } else {
                let doomed = self.table.gone(&from);
                self.unwatch(doomed);
            }
        } else if self.watch.tells_entries() {
            let doomed = self.table.gone(&to);
            self.unwatch(doomed);
            let was_there_and_back = self.last_rename.take() == Some((to.clone(), from.clone()));
            if was_there_and_back {
                self.scan_new(vec![old]);
            }
        }
        self.last_rename = Some((from.clone(), to.clone()));
        self.tell(Event::Renamed { from, to });
    }

    /// Whether the folder that has this path in the table is the entry that the record names.
    fn is_folder_of(&self, path: &Path, record: &Record) -> bool {
        let folder = record
            .name
            .as_ref()
            .and_then(|name| self.watch.folder_at(record.mark, name));
        folder.is_some() && folder == self.table.mark_of(path)
    }

    /// A marked folder was moved. Of one in a tree its parent tells as well.
    fn moved_itself(&mut self, mark: Mark) {
        let top = self.table.top_path(mark).map(Path::to_path_buf);
        let lost = match &top {
            Some(path) => {
                let lost = self.table.dead(mark);
                let mut doomed = self.table.gone(path);
                doomed.push(mark);
                self.unwatch(doomed);
                lost
            }
            None if !self.table.is_branch(mark) => {
                self.unwatch(vec![mark]);
                self.table.dead(mark)
            }
            None => Vec::new(),
        };
        for path in lost {
            self.tell(Event::Removed(path));
        }
    }

    fn overflowed(&mut self) {
        self.tell(Event::Overflow);
        if !self.watch.tells_entries() {
            let marks = self.table.marks();
            return self.todo.push_back(Task::Refresh(marks));
        }
        self.table.begin_round();
        self.todo
            .push_back(Task::Check(self.table.roots().to_vec()));
    }

    /// Has folders listed again, all that are known to need it.
    fn refresh(&mut self, mark: Mark) {
        let mut marks = vec![mark];
        self.raw.retain(|record| {
            let is_one = record.what == What::Unlisted;
            if is_one && !marks.contains(&record.mark) {
                marks.push(record.mark);
            }
            !is_one
        });
        self.todo.push_back(Task::Refresh(marks));
    }

    /// Folders, with the entries that they are, and whether that they are there is news, too.
    fn scan_new(&mut self, folders: Vec<(PathBuf, (Mark, OsString), bool)>) {
        let branch = |(path, entry, is_news)| Branch::New {
            path,
            entry: Some(entry),
            is_news,
        };
        self.todo.push_back(Task::Scan(Scan {
            left: folders.into_iter().map(branch).collect(),
            news: HashSet::new(),
            why: Why::New,
        }));
    }

    /// What was forgotten, and was not found again in the same breath by another path.
    pub(super) fn unwatch(&self, doomed: Doomed) {
        for mark in doomed {
            if self.table.path_of(mark).is_none() {
                // What may still come of it is passed over.
                let _ = self.watch.remove(mark);
            }
        }
    }
}

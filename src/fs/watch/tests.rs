//! A tree that another process changes between any two system calls of the watcher: in the end, what was told is what is there.
//!
//! *Model.* There are no threads here: jobs are done on the spot, and the other process acts where the fault plan lets it. So a seed is a
//! story, which can be told again, but for the inodes that the system gives.
//!
//! *What inotify cannot do.* It tells of names, and by the time that a name is looked at it may be another folder's. So what was told there may
//! be there no more; but nothing that is there was not told. Exchanges are left out there: two renames that cross may be a rename and its way back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use mainspring_sys::fault::Plan;
use mainspring_sys::watch::{Watch, What};

use super::event::Event;
use super::land::{Asked, Task, run};
use super::state::State;

/// Numbers that look random, from a seed.
#[derive(Clone, Copy)]
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

/// Another process, which changes a tree.
struct Other {
    root: PathBuf,
    random: Random,
    may_exchange: bool,
    left: u32,
    story: Vec<String>,
}

impl Other {
    fn folder(&mut self) -> PathBuf {
        let mut path = self.root.clone();
        for _ in 0..=self.random.below(3) {
            path.push(format!("d{}", self.random.below(3)));
        }
        path
    }

    fn act(&mut self, call: &str) {
        let path = self.folder();
        let file = path.join(format!("f{}", self.random.below(2)));
        let (done, what) = match self.random.below(if self.may_exchange { 10 } else { 9 }) {
            0 => (
                fs::remove_dir_all(&path),
                format!("remove {}", path.display()),
            ),
            1 => {
                let to = self.folder();
                (
                    fs::rename(&path, &to),
                    format!("rename {} {}", path.display(), to.display()),
                )
            }
            2 | 3 => (fs::write(&file, ""), format!("write {}", file.display())),
            4 => (fs::remove_file(&file), format!("remove {}", file.display())),
            5 => {
                let to = self.folder().join("f0");
                (
                    fs::rename(&file, &to),
                    format!("rename {} {}", file.display(), to.display()),
                )
            }
            9 => {
                let to = self.folder();
                (
                    mainspring_sys::file::exchange(&path, &to),
                    format!("exchange {} {}", path.display(), to.display()),
                )
            }
            _ => (
                fs::create_dir_all(&path),
                format!("create {}", path.display()),
            ),
        };
        if done.is_ok() {
            self.story.push(format!("  {what} (before {call})"));
        }
    }
}

/// What is there, by what was told.
#[derive(Default)]
struct Picture(BTreeSet<PathBuf>);

impl Picture {
    fn forget(&mut self, gone: &Path) {
        self.0.retain(|path| !path.starts_with(gone));
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Created(path) => drop(self.0.insert(path.clone())),
            Event::Removed(path) => self.forget(path),
            Event::Renamed { from, to } => {
                self.forget(to);
                let moved: Vec<PathBuf> = self
                    .0
                    .iter()
                    .filter_map(|path| path.strip_prefix(from).ok())
                    .map(|rest| to.join(rest).components().collect())
                    .collect();
                self.forget(from);
                self.0.extend(moved);
                self.0.insert(to.clone());
            }
            Event::Modified(_) | Event::Metadata(_) => {}
            Event::Overflow => panic!("too much for the kernel"),
        }
    }
}

fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), found);
        }
        found.insert(entry.path());
    }
}

/// Reads what the kernel has.
fn read(state: &mut State) {
    let mut buf = vec![0; 4096];
    let raw = &mut state.raw;
    while state
        .watch
        .read(&mut buf, |record| raw.push_back(record))
        .is_ok()
    {}
}

/// One step, as `Work` does it; `false` if there was nothing to do.
fn step(state: &mut State) -> bool {
    if let Some(task) = state.todo.pop_front() {
        let Task::EndRound = task else {
            let landed = run(&Arc::clone(&state.watch), task);
            state.land(landed);
            return true;
        };
        panic!("no round was begun");
    }
    if state.raw.is_empty() {
        read(state);
    }
    let Some(record) = state.raw.pop_front() else {
        return false;
    };
    let What::MovedFrom(cookie) = record.what else {
        state.look_at(record);
        return true;
    };
    // The kernel has written both.
    read(state);
    let second = What::MovedTo(cookie);
    match state.raw.iter().position(|other| other.what == second) {
        Some(at) => {
            let second = state.raw.remove(at).unwrap();
            state.renamed(&record, &second);
        }
        None => state.removed(&record),
    }
    true
}

fn story(seed: u64, steps: u32, is_listed: bool, folder: &Path) -> Result<(), String> {
    let root = folder.join("root");
    let _ = fs::remove_dir_all(&root);
    fs::create_dir(&root).unwrap();
    let other = Arc::new(Mutex::new(Other {
        root: root.clone(),
        random: Random(seed | 1),
        may_exchange: is_listed,
        left: steps,
        story: Vec::new(),
    }));
    let rate = 1 + seed % 7;
    let acting = Arc::clone(&other);
    let plan = Plan::new().meanwhile(move |call| {
        // What he does himself is a call, too.
        let Ok(mut other) = acting.try_lock() else {
            return;
        };
        while other.left > 0 && other.random.below(rate) == 0 {
            other.left -= 1;
            other.act(&format!("{call:?}"));
        }
    });
    let watch = match is_listed {
        true => Watch::open_listed(),
        false => Watch::open(),
    };
    let mut state = State::new(watch.unwrap());
    state.awaited = Some(1);
    state
        .todo
        .push_back(Task::Add(root.clone(), Asked::Tree, 1));
    while state.answer.is_none() {
        assert!(step(&mut state));
    }
    let (_, added) = state.answer.take().unwrap();
    added.unwrap();
    // What was there when it was added is not told.
    let mut picture = Picture::default();
    let installed = plan.install();
    for number in 0.. {
        if number > 100 * steps {
            let story = &other.lock().unwrap().story;
            return Err(format!("no end: {story:#?}"));
        }
        while let Some(told) = state.told.pop_front() {
            let event = told.unwrap();
            picture.hear(&event);
            other.lock().unwrap().story.push(format!("{event:?}"));
        }
        if step(&mut state) || !state.told.is_empty() {
            continue;
        }
        let mut other = other.lock().unwrap();
        if other.left == 0 {
            break;
        }
        other.left -= 1;
        other.act("anything else");
    }
    drop(installed);
    compare(&picture, &root, is_listed).map_err(|mut text| {
        for line in &other.lock().unwrap().story {
            text += &line.replace(root.to_str().unwrap(), "");
            text += "\n";
        }
        text
    })
}

fn compare(picture: &Picture, root: &Path, is_listed: bool) -> Result<(), String> {
    let mut there = BTreeSet::new();
    walk(root, &mut there);
    let missing: Vec<_> = there.difference(&picture.0).collect();
    let left: Vec<_> = picture.0.difference(&there).collect();
    match missing.is_empty() && (!is_listed || left.is_empty()) {
        true => Ok(()),
        false => Err(format!(
            "not told {missing:?}, told and not there {left:?}\n"
        )),
    }
}

fn stories(is_listed: bool) {
    let name = format!("mainspring-watch-{}-{is_listed}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let count = match std::env::var_os("MAINSPRING_SOAK") {
        Some(_) => 2000,
        None => 30,
    };
    let first: u64 = std::env::var("MAINSPRING_SEED").map_or(1, |seed| seed.parse().unwrap());
    let told = (first..first + count).try_for_each(|number| {
        // Far from each other.
        let seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut steps = [12, 40, 150].into_iter();
        steps
            .try_for_each(|steps| story(seed, steps, is_listed, &folder))
            .map_err(|text| format!("MAINSPRING_SEED={number}: {text}"))
    });
    fs::remove_dir_all(&folder).unwrap();
    if let Err(text) = told {
        panic!("{text}");
    }
}

#[test]
fn p62_where_folders_are_listed_what_was_told_is_what_is_there() {
    stories(true);
}

#[test]
fn p62_where_the_kernel_has_names_all_that_is_there_was_told() {
    stories(false);
}

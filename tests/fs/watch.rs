//! Watching files: what happens is told, once it is watched, in its order and by its path.

#![cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    allow(dead_code, unused_imports, reason = "what is exact with inotify alone")
)]

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::fs as std_fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mainspring::fs::Watcher;
use mainspring::fs::watch::Event::{self, *};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::stream::StreamExt;

use crate::order::one_thread;
use crate::rig::{On, open_fds};
use crate::{Folder, builder};

/// What is exact because the kernel has names.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod by_name {
    use super::*;

    on_both! {
        what_happens_in_a_folder_is_told_by_name,
        a_rename_is_one_event_and_a_move_out_or_in_a_removal_or_a_creation,
        a_file_is_watched_by_its_name_before_it_is_there_and_after_it_was_replaced,
        a_folder_alone_tells_nothing_of_what_is_below,
        p62_a_tree_tells_of_all_that_is_below_also_of_what_is_new,
        p62_what_is_made_between_a_folder_and_its_watch_is_told_once,
        p62_what_is_made_while_its_folder_is_looked_into_is_told_once,
        p62_a_folder_that_moves_within_a_tree_is_told_of_by_its_new_path,
        p62_an_overflow_is_told_and_new_folders_are_watched_all_the_same,
        p62_trees_that_change_all_the_time_are_told_of_whole,
        p62_renames_in_chains_and_circles_can_be_followed,
        folders_that_are_exchanged_have_each_other_s_path,
        a_root_that_is_removed_or_moved_is_told_and_watched_no_more,
        what_is_removed_from_the_watch_is_not_told,
        roots_in_roots_are_told_once_and_go_one_by_one,
        links_are_not_followed_below_and_a_large_tree_comes_in_pieces,
        limits_say_what_to_raise_and_half_a_tree_is_not_watched,
        a_folder_that_may_not_be_read_is_told_and_the_others_are_watched,
        faults_at_every_call_lose_nothing_and_leak_nothing,
    }
}

on_both! {
    without_names_from_the_kernel_a_rename_is_one_event_too,
    without_names_from_the_kernel_a_file_is_watched_by_its_name,
    without_names_from_the_kernel_p62_a_tree_tells_of_all_that_is_below,
    without_names_from_the_kernel_p62_folders_move_and_are_exchanged,
    without_names_from_the_kernel_p62_trees_that_change_all_the_time_are_told_of_whole,
    without_names_from_the_kernel_p62_renames_in_chains_and_circles_can_be_followed,
    without_names_from_the_kernel_roots_come_and_go,
    without_names_from_the_kernel_files_tell_of_their_changes,
    without_names_from_the_kernel_too_many_descriptors_are_an_error,
    without_names_from_the_kernel_faults_at_every_call_lose_nothing,
}

thread_local! {
    /// Whether this test's watchers know as little as those of macOS and the BSDs.
    static IS_LISTED: Cell<bool> = const { Cell::new(false) };
}

/// A watcher of a folder, and what it told.
struct Rig {
    folder: Folder,
    watcher: Watcher,
    fences: u32,
}

impl Rig {
    fn new() -> Rig {
        Rig {
            folder: Folder::new(),
            watcher: match IS_LISTED.get() {
                true => Watcher::new_listed().unwrap(),
                false => Watcher::new().unwrap(),
            },
            fences: 0,
        }
    }

    async fn tree() -> Rig {
        let mut rig = Rig::new();
        rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std_fs::create_dir_all(&path).unwrap();
        path
    }

    /// All that was told of until now. What is told of something made now, in a folder that is watched, is its end.
    async fn told_in(&mut self, folder: &Path) -> Vec<Event> {
        let mut told = Vec::new();
        // Where folders are listed, the first may come before what happened in another folder.
        for _ in 0..1 + u32::from(IS_LISTED.get()) {
            self.fences += 1;
            let fence = folder.join(format!("~fence-{}", self.fences));
            std_fs::create_dir(&fence).unwrap();
            loop {
                match self.watcher.next().await.unwrap() {
                    Created(path) if path == fence => break,
                    // A file's own mark tells of its links, too.
                    Metadata(_) if IS_LISTED.get() => {}
                    event => told.push(event),
                }
            }
        }
        told
    }

    async fn told(&mut self) -> Vec<Event> {
        let root = self.folder.root().to_path_buf();
        self.told_in(&root).await
    }
}

fn append(path: &Path) {
    let file = std_fs::OpenOptions::new().append(true).open(path);
    file.unwrap().write_all(b"tick").unwrap();
}

fn renamed(from: &Path, to: &Path) -> Event {
    Renamed {
        from: from.to_path_buf(),
        to: to.to_path_buf(),
    }
}

fn what_happens_in_a_folder_is_told_by_name(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let before = rig.folder.file("before", b"x");
        rig.watcher.add(rig.folder.root()).await.unwrap();
        let file = rig.path("file");
        std_fs::write(&file, "tick").unwrap();
        append(&before);
        std_fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        std_fs::remove_file(&file).unwrap();
        let expected = [
            Created(file.clone()),
            Modified(file.clone()),
            Modified(before),
            Metadata(file.clone()),
            Removed(file),
        ];
        assert_eq!(rig.told().await, expected);
        let odd = rig.path("odd \u{fffd}\n name");
        std_fs::write(&odd, "").unwrap();
        assert_eq!(rig.told().await, [Created(odd)]);
    });
}

fn a_rename_is_one_event_and_a_move_out_or_in_a_removal_or_a_creation(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let elsewhere = Folder::new();
        let [from, to] = ["from", "to"].map(|name| rig.path(name));
        std_fs::write(&from, "").unwrap();
        std_fs::write(&to, "").unwrap();
        rig.watcher.add(rig.folder.root()).await.unwrap();
        std_fs::rename(&from, &to).unwrap();
        assert_eq!(rig.told().await, [renamed(&from, &to)]);
        std_fs::rename(&to, elsewhere.path("out")).unwrap();
        assert_eq!(rig.told().await, [Removed(to.clone())]);
        std_fs::rename(elsewhere.path("out"), &from).unwrap();
        assert_eq!(rig.told().await, [Created(from.clone())]);
        // Nothing comes after it that would say that no second half comes.
        std_fs::rename(&from, elsewhere.path("out")).unwrap();
        assert_eq!(rig.watcher.next().await.unwrap(), Removed(from));
    });
}

fn a_file_is_watched_by_its_name_before_it_is_there_and_after_it_was_replaced(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let (log, other) = (rig.path("log"), rig.path("other"));
        rig.watcher.add(&log).await.unwrap();
        std_fs::write(&other, "not ours").unwrap();
        std_fs::write(&log, "").unwrap();
        assert_eq!(rig.watcher.next().await.unwrap(), Created(log.clone()));
        append(&log);
        assert_eq!(rig.watcher.next().await.unwrap(), Modified(log.clone()));
        std_fs::rename(&log, rig.path("log.1")).unwrap();
        assert_eq!(rig.watcher.next().await.unwrap(), Removed(log.clone()));
        append(&rig.path("log.1"));
        std_fs::rename(&other, &log).unwrap();
        assert_eq!(rig.watcher.next().await.unwrap(), Created(log.clone()));
        append(&log);
        assert_eq!(rig.watcher.next().await.unwrap(), Modified(log.clone()));
        let missing = rig.watcher.add(rig.path("no/such")).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let missing = rig.watcher.add_recursive(rig.path("no")).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    });
}

fn a_folder_alone_tells_nothing_of_what_is_below(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let below = rig.make_dir("below");
        rig.watcher.add(rig.folder.root()).await.unwrap();
        std_fs::write(below.join("file"), "").unwrap();
        std_fs::create_dir(rig.path("new")).unwrap();
        std_fs::write(rig.path("new/file"), "").unwrap();
        assert_eq!(rig.told().await, [Created(rig.path("new"))]);
    });
}

fn p62_a_tree_tells_of_all_that_is_below_also_of_what_is_new(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let deep = rig.make_dir("a/b/c");
        rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
        std_fs::write(deep.join("file"), "").unwrap();
        assert_eq!(rig.told().await, [Created(deep.join("file"))]);
        // Made before anybody looks.
        let new = rig.make_dir("x/y/z");
        std_fs::write(new.join("file"), "").unwrap();
        let told = rig.told().await;
        let expected = ["x", "x/y", "x/y/z", "x/y/z/file"].map(|name| Created(rig.path(name)));
        assert_eq!(told, expected);
        // And by then they are watched.
        std_fs::write(new.join("later"), "").unwrap();
        assert_eq!(rig.told().await, [Created(new.join("later"))]);
        std_fs::remove_dir_all(&new).unwrap();
        let told = rig.told().await;
        let removed: BTreeSet<_> = told.iter().filter_map(Event::path).collect();
        let names = ["x/y/z", "x/y/z/file", "x/y/z/later"].map(|name| rig.path(name));
        assert_eq!(
            removed,
            names.iter().map(PathBuf::as_path).collect(),
            "{told:?}"
        );
        assert!(told.contains(&Removed(new.clone())));
        // In its place, once more.
        std_fs::create_dir(&new).unwrap();
        std_fs::write(new.join("again"), "").unwrap();
        assert_eq!(
            rig.told().await,
            [Created(new.clone()), Created(new.join("again"))]
        );
        // Moved in with what is in it.
        let elsewhere = Folder::new();
        std_fs::create_dir_all(elsewhere.path("m/n")).unwrap();
        std_fs::rename(elsewhere.path("m"), rig.path("m")).unwrap();
        std_fs::write(rig.path("m/n/file"), "").unwrap();
        let expected = ["m", "m/n", "m/n/file"].map(|name| Created(rig.path(name)));
        assert_eq!(rig.told().await, expected);
        // And out again: nothing of it is told any more.
        std_fs::rename(rig.path("m"), elsewhere.path("m")).unwrap();
        std_fs::write(elsewhere.path("m/n/later"), "").unwrap();
        assert_eq!(rig.told().await, [Removed(rig.path("m"))]);
        std_fs::write(elsewhere.path("m/n/last"), "").unwrap();
        assert_eq!(rig.told().await, []);
    });
}

/// The loop looks at the folder's record only when all this is done: then the list and the records say the same.
fn p62_what_is_made_between_a_folder_and_its_watch_is_told_once(on: On) {
    on.run(async {
        for count in [0, 1, 3, 1600] {
            let mut rig = Rig::tree().await;
            let outside = Folder::new();
            // A link is made quicker than a file.
            let file = outside.file("file", b"");
            rig.make_dir("new");
            let mut expected = BTreeSet::from([rig.path("new")]);
            for number in 0..count {
                let path = rig.path(&format!("new/{number}"));
                match number % 8 {
                    0 => std_fs::create_dir(&path).unwrap(),
                    _ => std_fs::hard_link(&file, &path).unwrap(),
                }
                expected.insert(path);
            }
            // While the folder's job is under way, something more.
            let first = rig.watcher.next().await.unwrap();
            assert_eq!(first, Created(rig.path("new")));
            std_fs::write(rig.path("new/late"), "").unwrap();
            expected.insert(rig.path("new/late"));
            let mut told = rig.told().await;
            told.push(first);
            let paths = told.iter().map(|event| match event {
                Created(path) => path.clone(),
                other => panic!("{other:?}"),
            });
            assert_eq!(paths.collect::<BTreeSet<_>>(), expected);
            assert_eq!(told.len(), expected.len(), "nothing is told twice");
            // A name that a list told of is told again when it is made again.
            std_fs::remove_file(rig.path("new/late")).unwrap();
            std_fs::write(rig.path("new/late"), "").unwrap();
            let late = rig.path("new/late");
            assert_eq!(rig.told().await, [Removed(late.clone()), Created(late)]);
        }
    });
}

/// A thread makes entries all the time: some while their folder is watched and not listed yet, which the list and the kernel tell.
fn p62_what_is_made_while_its_folder_is_looked_into_is_told_once(on: On) {
    on.run(async {
        let mut rig = Rig::tree().await;
        let (root, outside) = (rig.folder.root().to_path_buf(), Folder::new());
        let file = outside.file("file", b"");
        let writer = std::thread::spawn(move || {
            for folder in 0..40 {
                let folder = root.join(folder.to_string());
                std_fs::create_dir(&folder).unwrap();
                for entry in 0..100 {
                    std_fs::hard_link(&file, folder.join(entry.to_string())).unwrap();
                }
            }
        });
        let mut seen = HashSet::new();
        while seen.len() < 40 * 101 {
            match rig.watcher.next().await.unwrap() {
                Created(path) => assert!(seen.insert(path.clone()), "twice: {path:?}"),
                other => panic!("{other:?}"),
            }
        }
        writer.join().unwrap();
        assert_eq!(rig.told().await, []);
    });
}

fn p62_a_folder_that_moves_within_a_tree_is_told_of_by_its_new_path(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        rig.make_dir("a/deep/er");
        rig.make_dir("b");
        rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
        std_fs::rename(rig.path("a"), rig.path("b/c")).unwrap();
        let told = rig.told().await;
        assert_eq!(told, [renamed(&rig.path("a"), &rig.path("b/c"))]);
        let file = rig.path("b/c/deep/er/file");
        std_fs::write(&file, "").unwrap();
        assert_eq!(rig.told().await, [Created(file)]);
        // New, renamed and filled before anybody looked.
        std_fs::create_dir(rig.path("x")).unwrap();
        std_fs::rename(rig.path("x"), rig.path("y")).unwrap();
        std_fs::create_dir(rig.path("x")).unwrap();
        std_fs::write(rig.path("x/file"), "").unwrap();
        std_fs::write(rig.path("y/file"), "").unwrap();
        let told = rig.told().await;
        for name in ["x", "x/file", "y/file"] {
            assert!(told.contains(&Created(rig.path(name))), "{name}: {told:?}");
        }
        let is_renamed = told.contains(&renamed(&rig.path("x"), &rig.path("y")));
        assert!(is_renamed || IS_LISTED.get(), "{told:?}");
        for name in ["x/later", "y/later"] {
            std_fs::write(rig.path(name), "").unwrap();
            assert_eq!(rig.told().await, [Created(rig.path(name))]);
        }
    });
}

fn folders_that_are_exchanged_have_each_other_s_path(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let (one, other) = (rig.make_dir("one"), rig.make_dir("other"));
        rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
        match mainspring::fs::exchange(&one, &other).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => return,
            exchanged => exchanged.unwrap(),
        }
        rig.told().await;
        for file in [one.join("file"), other.join("file")] {
            std_fs::write(&file, "").unwrap();
            assert_eq!(rig.told().await, [Created(file)]);
        }
    });
}

/// Makes more records than the kernel keeps.
fn overflow(file: &Path) {
    let max = std_fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let max: u32 = max.map_or(16_384, |text| text.trim().parse().unwrap());
    let handle = std_fs::OpenOptions::new().append(true).open(file).unwrap();
    for _ in 0..max / 2 + 2 {
        // Neighbours that say the same would be one.
        (&handle).write_all(b"x").unwrap();
        handle
            .set_permissions(PermissionsExt::from_mode(0o600))
            .unwrap();
    }
}

fn p62_an_overflow_is_told_and_new_folders_are_watched_all_the_same(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let (keeps, goes, moves) = (
            rig.make_dir("keeps"),
            rig.make_dir("goes"),
            rig.make_dir("moves"),
        );
        let file = rig.folder.file("file", b"");
        let outside = Folder::new();
        let root = outside.path("root");
        std_fs::create_dir(&root).unwrap();
        rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
        rig.watcher.add(&root).await.unwrap();
        overflow(&file);
        // None of this is told by the kernel.
        std_fs::remove_dir(&goes).unwrap();
        std_fs::rename(&moves, rig.path("moved")).unwrap();
        let new = rig.make_dir("new/deep");
        std_fs::remove_dir(&root).unwrap();
        let mut told = Vec::new();
        while told.last() != Some(&Overflow) {
            told.push(rig.watcher.next().await.unwrap());
        }
        assert!(told.len() > 10_000, "{}", told.len());
        let told = rig.told().await;
        assert!(told.contains(&Removed(root)), "{told:?}");
        assert!(told.contains(&Created(new.clone())), "{told:?}");
        for folder in [keeps, rig.path("moved"), new] {
            std_fs::write(folder.join("later"), "").unwrap();
            assert_eq!(rig.told().await, [Created(folder.join("later"))]);
        }
    });
}

/// Numbers that look random, from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    /// Does something to a tree. What cannot be done is not.
    fn change(&mut self, root: &Path) {
        let mut path = root.to_path_buf();
        for _ in 0..=self.below(3) {
            path.push(format!("d{}", self.below(3)));
        }
        let _ = match self.below(8) {
            0 => std_fs::remove_dir_all(&path),
            1 => std_fs::rename(&path, root.join(format!("d{}", self.below(3)))),
            2 | 3 => std_fs::write(path.join(format!("f{}", self.below(4))), ""),
            4 => std_fs::remove_file(path.join(format!("f{}", self.below(4)))),
            _ => std_fs::create_dir_all(&path),
        };
    }
}

/// What is there, by what was told.
#[derive(Default)]
struct Picture(BTreeSet<PathBuf>);

impl Picture {
    fn forget(&mut self, gone: &Path) {
        self.0.retain(|path| !path.starts_with(gone));
    }

    fn told(&mut self, event: Event) {
        match event {
            Created(path) => drop(self.0.insert(path)),
            Removed(path) => self.forget(&path),
            Renamed { from, to } => {
                self.forget(&to);
                let moved = self
                    .0
                    .iter()
                    .filter_map(|path| path.strip_prefix(&from).ok());
                let moved: Vec<PathBuf> = moved.map(|rest| to.join(rest)).collect();
                self.forget(&from);
                self.0
                    .extend(moved.iter().map(|path| path.components().collect()));
                self.0.insert(to);
            }
            Modified(_) | Metadata(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn walk(root: &Path) -> BTreeSet<PathBuf> {
    let mut there = BTreeSet::new();
    let mut walk = mainspring::fs::walk(root);
    while let Some(entry) = walk.next().await {
        there.insert(entry.unwrap().into_path());
    }
    there.retain(|path| !path.to_string_lossy().contains("~fence"));
    there
}

/// All is done before anybody looks: where folders are listed, the order is the watcher's to find.
fn p62_renames_in_chains_and_circles_can_be_followed(on: On) {
    type Case = (&'static str, fn(&Path));
    let cases: [Case; 7] = [
        ("a chain", |root| {
            renames(root, &[("c", "d"), ("b", "c"), ("a", "b")]);
        }),
        ("a chain of files", |root| {
            renames(root, &[("f", "g"), ("a/f", "f"), ("b/f", "a/f")]);
        }),
        ("a circle", |root| {
            renames(root, &[("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")]);
        }),
        ("an exchange", |root| {
            renames(root, &[("a", "t"), ("b", "a"), ("t", "b")]);
        }),
        ("below its own child", |root| {
            renames(root, &[("a/x", "w"), ("a", "w/a")]);
        }),
        ("in its parent's place", |root| {
            renames(root, &[("a/x", "t"), ("a", "b/a"), ("t", "a")]);
        }),
        ("out of what is replaced", |root| {
            renames(root, &[("a/x", "t")]);
            std_fs::remove_dir_all(root.join("a")).unwrap();
            renames(root, &[("b", "a"), ("t", "b")]);
        }),
    ];
    for (name, case) in cases {
        on.run(async {
            let mut rig = Rig::new();
            for folder in ["a/x/y", "b/x/y", "c/x"] {
                let folder = rig.make_dir(folder);
                std_fs::write(folder.join("f"), "").unwrap();
            }
            for file in ["f", "a/f", "b/f"] {
                std_fs::write(rig.path(file), "").unwrap();
            }
            let root = rig.folder.root().to_path_buf();
            rig.watcher.add_recursive(&root).await.unwrap();
            let mut picture = Picture(walk(&root).await);
            case(&root);
            let told = rig.told().await;
            for event in told.iter().cloned() {
                picture.told(event);
            }
            assert_eq!(picture.0, walk(&root).await, "{name}: {told:?}");
        });
    }
}

fn renames(root: &Path, list: &[(&str, &str)]) {
    for (from, to) in list {
        std_fs::rename(root.join(from), root.join(to)).unwrap();
    }
}

/// Many changes by another thread, while the loop follows: in the end what was told is what is there.
fn p62_trees_that_change_all_the_time_are_told_of_whole(on: On) {
    on.run(async {
        let mut rig = Rig::tree().await;
        let root = rig.folder.root().to_path_buf();
        let (tree, end) = (root.clone(), rig.path("the end"));
        let writer = std::thread::spawn(move || {
            let mut random = Random(0x2545_f491_4f6c_dd1d);
            (0..3000).for_each(|_| random.change(&tree));
            std_fs::create_dir_all(tree.join("the end")).unwrap();
        });
        let mut picture = Picture::default();
        while !picture.0.contains(&end) {
            picture.told(rig.watcher.next().await.unwrap());
        }
        writer.join().unwrap();
        for event in rig.told().await {
            picture.told(event);
        }
        let there = walk(&root).await;
        picture
            .0
            .retain(|path| !path.to_string_lossy().contains("~fence"));
        let missing: Vec<_> = there.difference(&picture.0).collect();
        assert!(missing.is_empty(), "not told: {missing:?}");
        let left: Vec<_> = picture.0.difference(&there).collect();
        assert!(left.is_empty(), "told, and not there: {left:?}");
        // Every folder is watched by the path that it has.
        let folders: Vec<PathBuf> = there.into_iter().filter(|path| path.is_dir()).collect();
        for folder in folders {
            let probe = folder.join("probe");
            std_fs::write(&probe, "").unwrap();
            assert_eq!(rig.told().await, [Created(probe)]);
        }
    });
}

fn a_root_that_is_removed_or_moved_is_told_and_watched_no_more(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let elsewhere = Folder::new();
        rig.watcher.add(rig.folder.root()).await.unwrap();
        for (is_tree, is_moved) in [(false, false), (false, true), (true, false), (true, true)] {
            // Here a folder that is watched is open, of which inotify does not tell.
            if IS_LISTED.get() && !is_moved {
                continue;
            }
            let root = elsewhere.path("root");
            std_fs::create_dir_all(root.join("deep")).unwrap();
            match is_tree {
                true => rig.watcher.add_recursive(&root).await.unwrap(),
                false => rig.watcher.add(&root).await.unwrap(),
            }
            let away = elsewhere.path("away");
            if is_moved {
                std_fs::rename(&root, &away).unwrap();
                std_fs::write(away.join("deep/file"), "").unwrap();
                std_fs::write(away.join("file"), "").unwrap();
            } else {
                std_fs::remove_dir_all(&root).unwrap();
            }
            let told: HashSet<Event> = rig.told().await.into_iter().collect();
            let below = (!is_moved).then(|| Removed(root.join("deep")));
            let expected = below.into_iter().chain([Removed(root.clone())]);
            assert_eq!(told, expected.collect(), "{is_tree} {is_moved}");
            let gone = rig.watcher.remove(&root).unwrap_err();
            assert_eq!(gone.kind(), ErrorKind::NotFound);
            let _ = std_fs::remove_dir_all(&away);
            assert_eq!(rig.told().await, []);
        }
        if IS_LISTED.get() {
            return;
        }
        // The folder of a name.
        let folder = elsewhere.path("folder");
        std_fs::create_dir(&folder).unwrap();
        rig.watcher.add(folder.join("name")).await.unwrap();
        std_fs::remove_dir(&folder).unwrap();
        assert_eq!(rig.told().await, [Removed(folder.join("name"))]);
    });
}

fn what_is_removed_from_the_watch_is_not_told(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let fences = Folder::new();
        let deep = rig.make_dir("tree/deep");
        let (tree, file) = (rig.path("tree"), rig.path("file"));
        rig.watcher.add(fences.root()).await.unwrap();
        rig.watcher.add_recursive(&tree).await.unwrap();
        rig.watcher.add(&file).await.unwrap();
        rig.watcher.remove(&tree).unwrap();
        std_fs::write(deep.join("x"), "").unwrap();
        std_fs::write(&file, "").unwrap();
        assert_eq!(rig.told_in(fences.root()).await, [Created(file.clone())]);
        rig.watcher.remove(&file).unwrap();
        append(&file);
        assert_eq!(rig.told_in(fences.root()).await, []);
        let again = rig.watcher.remove(&file).unwrap_err();
        assert!(again.to_string().contains("is not watched"), "{again}");
        rig.watcher.add(&file).await.unwrap();
        append(&file);
        assert_eq!(rig.told_in(fences.root()).await, [Modified(file)]);
    });
}

fn roots_in_roots_are_told_once_and_go_one_by_one(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let inner = rig.make_dir("inner");
        let (root, file) = (rig.folder.root().to_path_buf(), inner.join("file"));
        rig.watcher.add(&file).await.unwrap();
        rig.watcher.add(&inner).await.unwrap();
        rig.watcher.add_recursive(&inner).await.unwrap();
        rig.watcher.add_recursive(&root).await.unwrap();
        std_fs::write(&file, "").unwrap();
        assert_eq!(rig.told().await, [Created(file.clone())]);
        rig.watcher.remove(&inner).unwrap();
        append(&file);
        assert_eq!(rig.told().await, [Modified(file.clone())]);
        rig.watcher.remove(&root).unwrap();
        append(&file);
        std_fs::write(inner.join("other"), "").unwrap();
        append(&file);
        assert_eq!(rig.watcher.next().await.unwrap(), Modified(file.clone()));
        rig.watcher.add(&inner).await.unwrap();
        let link = rig.path("link");
        symlink(&inner, &link).unwrap();
        let error = rig.watcher.add(&link).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("inner"), "{error}");
    });
}

fn links_are_not_followed_below_and_a_large_tree_comes_in_pieces(on: On) {
    on.run(async {
        let mut rig = Rig::new();
        let outside = Folder::new();
        std_fs::create_dir(outside.path("far")).unwrap();
        let tree = rig.make_dir("tree");
        symlink(outside.root(), tree.join("link")).unwrap();
        symlink(&tree, tree.join("circle")).unwrap();
        let file = outside.file("file", b"");
        for number in 0..60 {
            let folder = rig.make_dir(&format!("tree/{number}"));
            for number in 0..60 {
                std_fs::hard_link(&file, folder.join(number.to_string())).unwrap();
            }
        }
        let wide = rig.make_dir("tree/wide");
        for number in 0..3000 {
            std_fs::hard_link(&file, wide.join(number.to_string())).unwrap();
        }
        let root = rig.path("root");
        symlink(&tree, &root).unwrap();
        rig.watcher.add_recursive(&root).await.unwrap();
        std_fs::write(outside.path("far/file"), "").unwrap();
        std_fs::write(tree.join("17/new"), "").unwrap();
        assert_eq!(rig.told_in(&root).await, [Created(root.join("17/new"))]);
        // The same as news: every entry once.
        let mut other = Rig::tree().await;
        std_fs::rename(&tree, other.path("tree")).unwrap();
        let told = other.told().await;
        // With the two that were made above.
        assert_eq!(told.len(), 1 + 2 + 60 * 61 + 3001 + 2);
        assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len());
        std_fs::write(other.path("tree/59/new"), "").unwrap();
        assert_eq!(other.told().await, [Created(other.path("tree/59/new"))]);
    });
}

fn limits_say_what_to_raise_and_half_a_tree_is_not_watched(on: On) {
    let plan = Plan::new()
        .at(Call::WatchOpen, 1, Fault::Errno(libc::EMFILE))
        .install();
    let error = Watcher::new().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!(error.to_string().contains("max_user_instances"), "{error}");
    drop(plan);
    let no_more = |nth, times| {
        move || Plan::new().from(Call::WatchAdd, nth, times, Fault::Errno(libc::ENOSPC))
    };
    one_thread(on, no_more(1, 1))
        .block_on(async {
            let mut rig = Rig::new();
            let error = rig.watcher.add(rig.folder.root()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
            assert!(error.to_string().contains("max_user_watches"), "{error}");
            rig.watcher.add(rig.folder.root()).await.unwrap();
            assert_eq!(rig.told().await, []);
        })
        .unwrap();
    // The root twice (what it is, and then its tree), a folder of three, and then none.
    one_thread(on, no_more(4, 1))
        .block_on(async {
            let mut rig = Rig::new();
            let fences = Folder::new();
            let tree = rig.make_dir("tree");
            for name in ["tree/a", "tree/b", "tree/c"] {
                rig.make_dir(name);
            }
            let error = rig.watcher.add_recursive(&tree).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
            rig.watcher.add(fences.root()).await.unwrap();
            for name in ["tree/a/x", "tree/b/x", "tree/c/x", "tree/x"] {
                std_fs::write(rig.path(name), "").unwrap();
            }
            assert_eq!(rig.told_in(fences.root()).await, []);
            rig.watcher.add_recursive(&tree).await.unwrap();
            std_fs::write(tree.join("b/y"), "").unwrap();
            assert_eq!(
                rig.told_in(fences.root()).await,
                [Created(tree.join("b/y"))]
            );
        })
        .unwrap();
    // A folder that is new cannot be watched: it is told, with the reason.
    one_thread(on, no_more(3, 1))
        .block_on(async {
            let mut rig = Rig::tree().await;
            let new = rig.make_dir("new");
            assert_eq!(rig.watcher.next().await.unwrap(), Created(new.clone()));
            let error = rig.watcher.next().await.unwrap_err();
            assert_eq!(error.path(), new);
            assert_eq!(error.error().kind(), ErrorKind::QuotaExceeded);
            std_fs::write(rig.path("file"), "").unwrap();
            assert_eq!(rig.told().await, [Created(rig.path("file"))]);
        })
        .unwrap();
}

fn a_folder_that_may_not_be_read_is_told_and_the_others_are_watched(on: On) {
    let refused = || Plan::new().at(Call::WatchAdd, 3, Fault::Errno(libc::EACCES));
    one_thread(on, refused)
        .block_on(async {
            let mut rig = Rig::new();
            let (closed, open) = (rig.make_dir("tree/one"), rig.make_dir("tree/other"));
            rig.watcher.add_recursive(rig.path("tree")).await.unwrap();
            let error = rig.watcher.next().await.unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::PermissionDenied);
            let watched = if error.path() == closed { open } else { closed };
            let _ = watched;
            assert!(error.to_string().contains("tree"), "{error}");
        })
        .unwrap();
}

/// A bit of everything: what was told of, without what may be told or not.
async fn everything() -> std::io::Result<Vec<Event>> {
    let folder = Folder::new();
    let mut watcher = match IS_LISTED.get() {
        true => Watcher::new_listed()?,
        false => Watcher::new()?,
    };
    watcher.add_recursive(folder.root()).await?;
    std_fs::create_dir_all(folder.path("a/b"))?;
    std_fs::write(folder.path("a/b/file"), "")?;
    let mut told = Vec::new();
    while told.last() != Some(&Created(folder.path("a/b/file"))) {
        told.push(watcher.next().await?);
    }
    watcher.remove(folder.root())?;
    for event in &mut told {
        if let Created(path) = event {
            *path = path.strip_prefix(folder.root()).unwrap().to_path_buf();
        }
    }
    Ok(told)
}

/// [`everything`], with the plan for the pool's thread and perhaps for this one; and how many such calls the one or the other
/// made.
fn everything_with(
    on: On,
    call: Call,
    plan: impl Fn() -> Plan + Copy + Send + Sync + 'static,
    is_here: bool,
) -> (std::io::Result<Vec<Event>>, u64) {
    let before = open_fds();
    let far = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&far);
    let runtime = builder(on, false)
        .blocking_threads_max(1)
        .on_thread_start(move || std::mem::forget(plan().install()))
        .on_thread_stop(move || counted.store(count_of(call), Ordering::SeqCst))
        .build()
        .unwrap();
    let here = is_here.then(|| plan().install());
    let result = runtime.block_on(everything()).unwrap();
    let near = here.map_or(0, |_plan| count_of(call));
    drop(runtime);
    assert_eq!(open_fds(), before, "{:?}", plan());
    (result, near.max(far.load(Ordering::SeqCst)))
}

fn faults_at_every_call_lose_nothing_and_leak_nothing(on: On) {
    on.alone(|| {
        let whole = ["a", "a/b", "a/b/file"].map(|path| Created(PathBuf::from(path)));
        let calls: [(Call, &[i32], bool); 7] = [
            (
                Call::WatchOpen,
                &[libc::EMFILE, libc::ENFILE, libc::ENOMEM],
                true,
            ),
            (
                Call::WatchAdd,
                &[libc::ENOSPC, libc::EACCES, libc::ENOMEM],
                false,
            ),
            (Call::WatchRemove, &[libc::EBADF], true),
            (Call::WatchRead, &[libc::EIO, libc::ENOMEM], true),
            (
                Call::OpenFile,
                &[libc::EMFILE, libc::ENFILE, libc::EACCES],
                false,
            ),
            (Call::ReadFolder, &[libc::EIO], false),
            (Call::FileStat, &[libc::EIO, libc::EACCES], false),
        ];
        for (call, errnos, is_here) in calls {
            for &errno in errnos.iter().chain(&[libc::EINTR]) {
                // Every time; then the first time, the second, and so on until a run makes no such call.
                for first in 0.. {
                    let (nth, times) = if first == 0 {
                        (1, u64::MAX)
                    } else {
                        (first, 1)
                    };
                    if errno == libc::EINTR && times > 1 {
                        continue;
                    }
                    let what = format!("{call:?} {errno} {nth} {times}");
                    let plan = move || Plan::new().from(call, nth, times, Fault::Errno(errno));
                    let (result, count) = everything_with(on, call, plan, is_here);
                    match result {
                        Ok(told) => assert_eq!(told, whole, "{what}"),
                        Err(error) => {
                            assert!(count >= nth && errno != libc::EINTR, "{what}: {error}");
                            let is_limit = error.kind() == ErrorKind::QuotaExceeded;
                            let is_it = is_limit || error.raw_os_error() == Some(errno);
                            assert!(is_it, "{what}: {error}");
                        }
                    }
                    if count < nth {
                        assert!(first > 1, "{call:?} is never made");
                        break;
                    }
                }
            }
        }
        // However few bytes a read is to take, it takes a record.
        for most in [0, 1, 16, 300] {
            let runtime = on.runtime();
            let plan = Plan::new()
                .from(Call::WatchRead, 1, u64::MAX, Fault::Short(most))
                .install();
            assert_eq!(runtime.block_on(everything()).unwrap().unwrap(), whole);
            drop(plan);
        }
    });
}

fn listed(on: On, test: fn(On)) {
    IS_LISTED.set(true);
    test(on);
    IS_LISTED.set(false);
}

fn without_names_from_the_kernel_a_rename_is_one_event_too(on: On) {
    listed(
        on,
        a_rename_is_one_event_and_a_move_out_or_in_a_removal_or_a_creation,
    );
}

fn without_names_from_the_kernel_a_file_is_watched_by_its_name(on: On) {
    listed(
        on,
        a_file_is_watched_by_its_name_before_it_is_there_and_after_it_was_replaced,
    );
    listed(on, a_folder_alone_tells_nothing_of_what_is_below);
}

fn without_names_from_the_kernel_p62_a_tree_tells_of_all_that_is_below(on: On) {
    listed(
        on,
        p62_a_tree_tells_of_all_that_is_below_also_of_what_is_new,
    );
}

fn without_names_from_the_kernel_p62_folders_move_and_are_exchanged(on: On) {
    listed(
        on,
        p62_a_folder_that_moves_within_a_tree_is_told_of_by_its_new_path,
    );
    listed(on, folders_that_are_exchanged_have_each_other_s_path);
}

fn without_names_from_the_kernel_p62_trees_that_change_all_the_time_are_told_of_whole(on: On) {
    listed(on, p62_trees_that_change_all_the_time_are_told_of_whole);
}

fn without_names_from_the_kernel_p62_renames_in_chains_and_circles_can_be_followed(on: On) {
    listed(on, p62_renames_in_chains_and_circles_can_be_followed);
}

fn without_names_from_the_kernel_roots_come_and_go(on: On) {
    listed(
        on,
        a_root_that_is_removed_or_moved_is_told_and_watched_no_more,
    );
    listed(on, what_is_removed_from_the_watch_is_not_told);
    listed(on, roots_in_roots_are_told_once_and_go_one_by_one);
}

fn without_names_from_the_kernel_files_tell_of_their_changes(on: On) {
    listed(on, |on| {
        on.alone(|| {
            let before = open_fds();
            on.run(async {
                let mut rig = Rig::new();
                let deep = rig.make_dir("deep");
                let file = rig.folder.file("deep/file", b"x");
                rig.watcher.add_recursive(rig.folder.root()).await.unwrap();
                append(&file);
                assert_eq!(rig.watcher.next().await.unwrap(), Modified(file.clone()));
                std_fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
                assert_eq!(rig.watcher.next().await.unwrap(), Metadata(file.clone()));
                std_fs::set_permissions(&deep, PermissionsExt::from_mode(0o700)).unwrap();
                assert_eq!(rig.watcher.next().await.unwrap(), Metadata(deep.clone()));
                // By its new path, in another folder.
                let moved = rig.path("moved");
                std_fs::rename(&file, &moved).unwrap();
                assert_eq!(rig.told().await, [renamed(&file, &moved)]);
                append(&moved);
                assert_eq!(rig.watcher.next().await.unwrap(), Modified(moved));
            });
            assert_eq!(open_fds(), before);
        });
    });
}

fn without_names_from_the_kernel_too_many_descriptors_are_an_error(on: On) {
    listed(on, |on| {
        let plan = || Plan::new().at(Call::WatchAdd, 3, Fault::Errno(libc::EMFILE));
        one_thread(on, plan)
            .block_on(async {
                let mut rig = Rig::new();
                rig.folder.file("one", b"");
                rig.folder.file("other", b"");
                let error = rig.watcher.add(rig.folder.root()).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
                assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
                rig.watcher.add(rig.folder.root()).await.unwrap();
                append(&rig.path("one"));
                assert_eq!(rig.watcher.next().await.unwrap(), Modified(rig.path("one")));
            })
            .unwrap();
        // Opened and marked the folder, opened the file: its mark is refused, which is no reason to be silent.
        let plan = || Plan::new().at(Call::WatchAdd, 4, Fault::Errno(libc::ENOMEM));
        one_thread(on, plan)
            .block_on(async {
                let mut rig = Rig::new();
                rig.folder.file("one", b"");
                let error = rig.watcher.add(rig.folder.root()).await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(libc::ENOMEM));
            })
            .unwrap();
    });
}

fn without_names_from_the_kernel_faults_at_every_call_lose_nothing(on: On) {
    listed(on, faults_at_every_call_lose_nothing_and_leak_nothing);
}

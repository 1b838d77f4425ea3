//! Folders that are read, flat and deep, held against std.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mainspring::fs;
use mainspring::sim::fault::{Call, Fault, Plan};
use mainspring::stream::StreamExt;

use crate::order::one_thread;
use crate::rig::{On, open_fds};
use crate::{Folder, both_ways, jobs, runtime};

on_both! {
    entries_are_those_of_std,
    a_thousand_entries_are_few_trips,
    a_folder_that_cannot_be_read_says_so_once,
    a_walk_finds_what_std_finds,
    a_walk_goes_on_after_a_folder_that_it_cannot_read,
    a_walk_goes_only_so_deep,
    a_reader_that_is_dropped_leaves_no_descriptor,
    injected_errors_of_folders_are_told_and_end,
}

fn entries_are_those_of_std(on: On) {
    both_ways(on, async |folder| {
        folder.file("file", b"tick");
        std::fs::create_dir(folder.path("folder")).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path("link")).unwrap();
        let mut kinds = Vec::new();
        let mut entries = fs::read_dir(folder.root()).with_metadata();
        while let Some(entry) = entries.next().await {
            let entry = entry.unwrap();
            let known = entry.known_metadata().unwrap();
            assert_eq!(known.file_type(), entry.file_type());
            assert_eq!(entry.metadata().await.unwrap().len(), known.len());
            assert_eq!(entry.path(), folder.root().join(entry.file_name()));
            let name = entry.file_name().to_str().unwrap().to_string();
            kinds.push((
                name,
                entry.file_type().is_dir(),
                entry.file_type().is_symlink(),
            ));
        }
        kinds.sort();
        let expected = [
            ("file", false, false),
            ("folder", true, false),
            ("link", false, true),
        ];
        let expected = expected.map(|(name, a, b)| (name.to_string(), a, b));
        assert_eq!(kinds, expected);
        assert!(entries.next().await.is_none());
    });
}

fn a_thousand_entries_are_few_trips(on: On) {
    let folder = Folder::new();
    for number in 0..1200 {
        folder.file(&format!("{number}"), b"");
    }
    runtime(on, false)
        .block_on(async {
            let mut entries = fs::read_dir(folder.root());
            let mut names = BTreeSet::new();
            while let Some(entry) = entries.next().await {
                names.insert(entry.unwrap().file_name().to_owned());
            }
            assert_eq!(names.len(), 1200);
            assert!(jobs() <= 3);
        })
        .unwrap();
}

fn a_folder_that_cannot_be_read_says_so_once(on: On) {
    both_ways(on, async |folder| {
        let mut entries = fs::read_dir(folder.path("missing"));
        let error = entries.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(entries.next().await.is_none());
    });
}

/// 40 folders of 10 files each, three deep.
fn forest(folder: &Folder) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    for one in 0..4 {
        for two in 0..10 {
            let path = folder.path(&format!("{one}/{two}"));
            std::fs::create_dir_all(&path).unwrap();
            for three in 0..10 {
                std::fs::write(path.join(format!("{three}")), b"tick").unwrap();
            }
        }
    }
    std::os::unix::fs::symlink(".", folder.path("circle")).unwrap();
    collect(folder.root(), &mut all);
    all
}

fn collect(folder: &Path, all: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), all);
        }
        all.insert(entry.path());
    }
}

fn a_walk_finds_what_std_finds(on: On) {
    both_ways(on, async |folder| {
        let all = forest(folder);
        for jobs_max in [1, 3, 8] {
            let mut found = BTreeSet::new();
            let mut bytes = 0;
            let mut entries = fs::walk(folder.root()).with_metadata().jobs_max(jobs_max);
            while let Some(entry) = entries.next().await {
                let entry = entry.unwrap();
                let above = entry.path().parent().unwrap();
                assert!(above == folder.root() || found.contains(above));
                if entry.file_type().is_file() {
                    bytes += entry.known_metadata().unwrap().len();
                }
                assert!(found.insert(entry.into_path()), "an entry came twice");
            }
            assert_eq!((found == all, bytes), (true, 1600));
        }
    });
}

fn a_walk_goes_on_after_a_folder_that_it_cannot_read(on: On) {
    let folder = Folder::new();
    let all = forest(&folder);
    let plan = || Plan::new().at(Call::OpenFile, 3, Fault::Errno(libc::EACCES));
    one_thread(on, plan)
        .block_on(async {
            let (mut found, mut errors) = (0, Vec::new());
            let mut entries = fs::walk(folder.root());
            while let Some(entry) = entries.next().await {
                match entry {
                    Ok(_) => found += 1,
                    Err(error) => errors.push(error),
                }
            }
            assert_eq!(errors.len(), 1);
            assert!(errors[0].path().starts_with(folder.root()));
            assert_eq!(errors[0].error().raw_os_error(), Some(libc::EACCES));
            assert!(found < all.len() && found > all.len() / 2);
        })
        .unwrap();
}

fn a_walk_goes_only_so_deep(on: On) {
    both_ways(on, async |folder| {
        forest(folder);
        for (depth, count) in [(1, 5), (2, 45), (3, 445)] {
            let found = fs::walk(folder.root()).depth_max(depth).count().await;
            assert_eq!(found, count, "{depth}");
        }
    });
}

fn a_reader_that_is_dropped_leaves_no_descriptor(on: On) {
    on.alone(|| {
        let folder = Folder::new();
        forest(&folder);
        for number in 0..600 {
            folder.file(&format!("more-{number}"), b"");
        }
        let before = open_fds();
        let runtime = runtime(on, true);
        runtime
            .block_on(async {
                let mut entries = fs::read_dir(folder.root());
                entries.next().await.unwrap().unwrap();
                drop(entries);
                let mut walk = fs::walk(folder.root());
                walk.next().await.unwrap().unwrap();
                drop(walk);
            })
            .unwrap();
        drop(runtime);
        assert_eq!(open_fds(), before);
    });
}

fn injected_errors_of_folders_are_told_and_end(on: On) {
    let errnos = [libc::EIO, libc::ENOENT, libc::EBADF, libc::EOVERFLOW];
    for errno in errnos {
        for (nth, times) in [(1, 1), (3, 1), (1, u64::MAX)] {
            let folder = Folder::new();
            for number in 0..5 {
                folder.file(&format!("{number}"), b"");
            }
            let fault = Fault::Errno(errno);
            let plan = move || Plan::new().from(Call::ReadFolder, nth, times, fault);
            one_thread(on, plan)
                .block_on(async {
                    let mut entries = fs::read_dir(folder.root());
                    let (mut found, mut told) = (0, 0);
                    while let Some(entry) = entries.next().await {
                        match entry {
                            Ok(_) => found += 1,
                            Err(error) => {
                                assert_eq!(error.raw_os_error(), Some(errno));
                                told += 1;
                            }
                        }
                    }
                    assert_eq!((found, told), (nth - 1, 1));
                })
                .unwrap();
        }
    }
}

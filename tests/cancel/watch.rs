//! Waits of a watcher, dropped at each of them: nothing that happened is lost, or told twice.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use mainspring::fs::Watcher;
use mainspring::fs::watch::Event;
use mainspring::stream::StreamExt;
use mainspring::task::blocking::statistics;

use crate::everywhere::Case;
use crate::rig::On;

everywhere! {
    what_is_added_for_nobody_is_watched,
    what_happens_is_told_once_whatever_was_dropped,
    a_stream_tells_as_much,
}

/// What a caller keeps.
struct Near {
    folder: PathBuf,
    watcher: Watcher,
    step: u32,
    got: Vec<PathBuf>,
}

/// Makes a folder, or a file, in that folder, each time something waits.
struct Far {
    folder: PathBuf,
    made: u32,
}

impl Drop for Near {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Near {
    fn got(&mut self, event: Event) {
        match event {
            Event::Created(path) => self.got.push(path),
            // Some systems tell it of a folder in which something was made.
            Event::Metadata(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn near() -> (Near, Far) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mainspring-cancel-watch-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let near = Near {
        folder: folder.clone(),
        watcher: Watcher::new().unwrap(),
        step: 0,
        got: Vec::new(),
    };
    (near, Far { folder, made: 0 })
}

/// The number stands where names are sorted.
fn made(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:04}"))
}

fn world(far: &mut Far) {
    far.made += 1;
    std::fs::create_dir(made(&far.folder, far.made)).unwrap();
    loop {
        let statistics = statistics().unwrap();
        if statistics.running + statistics.queued == 0 {
            return;
        }
        std::thread::yield_now();
    }
}

fn case(on: On) -> Case<Near, Far> {
    Case::new(on, near).world(world).others_wait()
}

/// Those that came are neighbours, in their order, each once.
fn check(near: &Near, far: &Far) {
    let first = (1..=far.made).find(|number| made(&near.folder, *number) == near.got[0]);
    let expected = (first.unwrap()..).map(|number| made(&near.folder, number));
    let expected: Vec<PathBuf> = expected.take(near.got.len()).collect();
    assert_eq!(near.got, expected);
}

// cancels: Watcher::add, Watcher::add_recursive
fn what_is_added_for_nobody_is_watched(on: On) {
    let waits = case(on).safe(
        async |near| {
            if near.step == 0 {
                let name = near.folder.join("name");
                near.watcher.add(name).await.unwrap();
                near.step = 1;
            }
            if near.step == 1 {
                near.watcher.add_recursive(&near.folder).await.unwrap();
                near.step = 2;
            }
        },
        async |near, far| {
            let probe = near.folder.join("deep/probe");
            std::fs::create_dir(&probe).unwrap();
            far.made += 1;
            std::fs::write(near.folder.join("name"), "").unwrap();
            while near.got.last() != Some(&near.folder.join("name")) {
                let event = near.watcher.next().await.unwrap();
                near.got(event);
            }
            assert!(near.got.contains(&probe));
        },
    );
    assert_eq!(waits, 3);
}

// cancels: Watcher::next
fn what_happens_is_told_once_whatever_was_dropped(on: On) {
    let waits = case(on).safe(
        async |near| {
            if near.step == 0 {
                near.watcher.add_recursive(&near.folder).await.unwrap();
                near.step = 1;
            }
            while near.got.len() < 3 {
                let event = near.watcher.next().await.unwrap();
                near.got(event);
            }
        },
        async |near, far| check(near, far),
    );
    assert!(waits >= 3, "{waits}");
}

fn a_stream_tells_as_much(on: On) {
    let waits = case(on).safe(
        async |near| {
            if near.step == 0 {
                near.watcher.add_recursive(&near.folder).await.unwrap();
                near.step = 1;
            }
            while near.got.len() < 3 {
                let event = StreamExt::next(&mut near.watcher).await.unwrap().unwrap();
                near.got(event);
            }
        },
        async |near, far| check(near, far),
    );
    assert!(waits >= 3, "{waits}");
}

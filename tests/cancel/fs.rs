//! Operations on files and folders, dropped at each of their waits.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use mainspring::fs::{self, File, FileTimes, OpenOptions, Permissions, TempDir, TempFile};
use mainspring::sim::fault::{Call, Fault, Plan, PlanGuard};
use mainspring::stream::StreamExt;
use mainspring::task::blocking::statistics;

use crate::everywhere::Case;
use crate::rig::{On, pattern};

everywhere! {
    files_that_are_opened_for_nobody_are_closed,
    whole_files_and_questions_can_be_asked_again,
    an_open_file_can_be_told_again,
    an_open_file_is_read_and_written_at_a_place_again,
    locks_can_be_asked_for_again,
    what_is_temporary_goes_all_the_same,
    a_file_that_is_given_away_goes_with_the_future,
    what_changes_names_may_have_happened,
    entries_come_once,
}

/// A folder, and how many of a test's steps were taken.
struct Near {
    folder: PathBuf,
    step: u32,
    file: Option<File>,
    other: Option<File>,
}

/// Nothing is answered on the loop's thread.
type Far = PlanGuard;

impl Near {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Takes a step that was not taken yet.
    async fn step<T>(
        &mut self,
        number: u32,
        call: impl AsyncFnOnce(&mut Near) -> io::Result<T>,
    ) -> Option<T> {
        if self.step >= number {
            return None;
        }
        // What was dropped while a thread was in it goes on there, in no order with what is called next.
        until_quiet();
        let value = call(self).await.unwrap();
        self.step = number;
        Some(value)
    }

    fn file(&self) -> &File {
        self.file.as_ref().unwrap()
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn near() -> (Near, Far) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mainspring-cancel-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    let never = Fault::Errno(libc::EAGAIN);
    let plan = Plan::new().from(Call::FileNow, 1, u64::MAX, never);
    let near = Near {
        folder,
        step: 0,
        file: None,
        other: None,
    };
    (near, plan.install())
}

fn near_with_file() -> (Near, Far) {
    let (mut near, far) = near();
    std::fs::write(near.path("file"), pattern(100)).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut open = || {
        let file = options.read(true).write(true).open(near.path("file"));
        Some(File::from_std(file.unwrap()))
    };
    (near.file, near.other) = (open(), open());
    (near, far)
}

/// Returns when the pool has done what it was sent, and the loop was told.
fn until_quiet() {
    loop {
        let statistics = statistics().unwrap();
        if statistics.running + statistics.queued == 0 {
            return;
        }
        std::thread::yield_now();
    }
}

fn case(on: On, setup: fn() -> (Near, Far)) -> Case<Near, Far> {
    Case::new(on, setup).world(|_| until_quiet()).others_wait()
}

// cancels: File::open, File::create, OpenOptions::open, fs::temp_file
fn files_that_are_opened_for_nobody_are_closed(on: On) {
    let waits = case(on, near_with_file).safe(
        async |near| {
            let path = near.path("file");
            near.step(1, async |_| File::open(&path).await).await;
            near.step(2, async |_| OpenOptions::new().read(true).open(&path).await)
                .await;
            near.step(3, async |_| fs::temp_file().await).await;
            near.step(4, async |_| File::create(&path).await).await;
        },
        async |near, _| assert_eq!(std::fs::read(near.path("file")).unwrap(), b""),
    );
    assert_eq!(waits, 4);
}

// cancels: fs::read, fs::read_to_string, fs::write, fs::write_atomic, fs::copy, fs::metadata, fs::symlink_metadata, fs::exists, fs::read_link, fs::canonicalize, fs::create_dir_all, fs::set_permissions, fs::set_owner, fs::set_symlink_owner, fs::set_times
fn whole_files_and_questions_can_be_asked_again(on: On) {
    let waits = case(on, near).safe(
        async |near| {
            let (path, copy, link) = (near.path("whole"), near.path("copy"), near.path("link"));
            let _ = std::os::unix::fs::symlink("whole", &link);
            near.step(1, async |_| fs::write(&path, "tick").await).await;
            near.step(2, async |_| fs::write_atomic(&path, "tock").await)
                .await;
            let got = near.step(3, async |_| fs::read(&path).await).await;
            assert!(got.is_none_or(|got| got == b"tock"));
            let got = near.step(4, async |_| fs::read_to_string(&path).await);
            assert!(got.await.is_none_or(|got| got == "tock"));
            let got = near.step(5, async |_| fs::copy(&path, &copy).await).await;
            assert!(got.is_none_or(|got| got == 4));
            near.step(6, async |_| fs::metadata(&path).await).await;
            near.step(7, async |_| fs::symlink_metadata(&link).await)
                .await;
            near.step(8, async |_| fs::exists(&path).await).await;
            near.step(9, async |_| fs::read_link(&link).await).await;
            near.step(10, async |_| fs::canonicalize(&link).await).await;
            let deep = near.path("a/b/c");
            near.step(11, async |_| fs::create_dir_all(&deep).await)
                .await;
            let mode = Permissions::from_mode(0o640);
            near.step(12, async |_| fs::set_permissions(&path, mode).await)
                .await;
            near.step(13, async |_| fs::set_owner(&path, None, None).await)
                .await;
            let owner = near.step(14, async |_| fs::set_symlink_owner(&link, None, None).await);
            owner.await;
            near.step(15, async |_| fs::set_times(&path, FileTimes::new()).await)
                .await;
        },
        async |near, _| {
            assert_eq!(std::fs::read(near.path("copy")).unwrap(), b"tock");
            assert!(near.path("a/b/c").is_dir());
        },
    );
    assert_eq!(waits, 15);
}

// cancels: File::sync_all, File::sync_data, File::set_len, File::allocate, File::metadata, File::set_permissions, File::set_times, File::try_clone
fn an_open_file_can_be_told_again(on: On) {
    let waits = case(on, near_with_file).safe(
        async |near| {
            near.step(1, async |near| near.file().sync_all().await)
                .await;
            near.step(2, async |near| near.file().sync_data().await)
                .await;
            near.step(3, async |near| near.file().set_len(10).await)
                .await;
            let allocated = near.step(4, async |near| Ok(near.file().allocate(0, 20).await));
            allocated.await;
            near.step(5, async |near| near.file().metadata().await)
                .await;
            let mode = Permissions::from_mode(0o600);
            near.step(6, async |near| near.file().set_permissions(mode).await)
                .await;
            let times = FileTimes::new();
            near.step(7, async |near| near.file().set_times(times).await)
                .await;
            near.step(8, async |near| {
                let file = near.file.as_mut().unwrap();
                // A clone waits for what is still to be written.
                mainspring::io::AsyncWriteExt::write_all(file, b"x").await?;
                file.try_clone().await
            })
            .await;
        },
        async |near, _| assert!(std::fs::metadata(near.path("file")).unwrap().len() >= 10),
    );
    assert_eq!(waits, 8);
}

// cancels: File::read_at, File::read_exact_at, File::read_owned_at, File::read_vectored_at, File::write_at, File::write_all_at, File::write_owned_at, File::write_vectored_at
fn an_open_file_is_read_and_written_at_a_place_again(on: On) {
    let waits = case(on, near_with_file).safe(
        async |near| {
            let mut buf = [0; 10];
            near.step(1, async |near| near.file().read_at(&mut buf, 90).await)
                .await;
            near.step(2, async |near| {
                near.file().read_exact_at(&mut buf, 50).await
            })
            .await;
            let got = near.step(3, async |near| {
                near.file().read_owned_at(vec![0; 9], 3).await
            });
            assert!(got.await.is_none_or(|got| got == pattern(12)[3..]));
            let got = near.step(4, async |near| {
                near.file().read_vectored_at(vec![vec![0; 4]], 3).await
            });
            assert!(got.await.is_none_or(|(count, _)| count == 4));
            near.step(5, async |near| near.file().write_at(b"a", 0).await)
                .await;
            near.step(6, async |near| near.file().write_all_at(b"b", 1).await)
                .await;
            let bytes = b"c".to_vec();
            near.step(7, async |near| near.file().write_owned_at(bytes, 2).await)
                .await;
            let bytes = vec![b"d".to_vec()];
            let wrote = near.step(8, async |near| {
                near.file().write_vectored_at(bytes, 3).await
            });
            wrote.await;
        },
        async |near, _| {
            let bytes = std::fs::read(near.path("file")).unwrap();
            assert_eq!(
                (&bytes[..4], &bytes[4..]),
                (&b"abcd"[..], &pattern(100)[4..])
            );
        },
    );
    assert_eq!(waits, 8);
}

// cancels: File::lock, File::lock_shared, File::try_lock, File::try_lock_shared, File::unlock
fn locks_can_be_asked_for_again(on: On) {
    let waits = case(on, near_with_file).safe(
        async |near| {
            near.step(1, async |near| near.file().lock().await).await;
            let is_taken = near.step(2, async |near| {
                near.other.as_ref().unwrap().try_lock().await
            });
            assert!(!is_taken.await.unwrap_or(false));
            near.step(3, async |near| near.file().unlock().await).await;
            near.step(4, async |near| near.file().lock_shared().await)
                .await;
            let is_taken = near.step(5, async |near| {
                near.other.as_ref().unwrap().try_lock_shared().await
            });
            assert!(is_taken.await.unwrap_or(true));
        },
        async |near, _| {
            near.file().unlock().await.unwrap();
            let other = near.other.as_ref().unwrap();
            assert!(other.try_lock().await.unwrap(), "a lock stayed behind");
        },
    );
    assert_eq!(waits, 5);
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

// cancels: TempFile::new, TempFile::new_in, TempFile::close, TempFile::persist, TempDir::new, TempDir::new_in, TempDir::close
fn what_is_temporary_goes_all_the_same(on: On) {
    let waits = case(on, near).safe(
        async |near| {
            let folder = near.folder.clone();
            near.step(1, async |_| TempFile::new_in(&folder).await?.close().await)
                .await;
            near.step(2, async |_| TempDir::new_in(&folder).await?.close().await)
                .await;
            near.step(3, async |_| {
                let file = TempFile::new_in(&folder).await?;
                file.persist(folder.join("persisted")).await
            })
            .await;
            near.step(4, async |_| TempFile::new().await?.close().await)
                .await;
            near.step(5, async |_| TempDir::new().await?.close().await)
                .await;
        },
        async |near, _| {
            until_quiet();
            assert_eq!(count(&near.folder), 1, "something temporary stayed");
        },
    );
    assert_eq!(waits, 10);
}

// cancels: File::into_std
fn a_file_that_is_given_away_goes_with_the_future(on: On) {
    let waits = case(on, near_with_file).not_safe(
        async |near| {
            let mut file = near.file.take().unwrap();
            mainspring::io::AsyncWriteExt::write_all(&mut file, b"tick")
                .await
                .unwrap();
            file.into_std().await.unwrap();
        },
        async |near, _| {
            until_quiet();
            assert_eq!(std::fs::read(near.path("file")).unwrap()[..4], *b"tick");
        },
    );
    assert_eq!(waits, 1);
}

/// Whether a call that is made twice succeeded, or says that it was made before.
fn happened(result: io::Result<()>) {
    if let Err(error) = result {
        let kinds = [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound];
        assert!(kinds.contains(&error.kind()), "{error}");
    }
}

// cancels: File::create_new, fs::append, fs::create_dir, fs::create_dir_with_mode, fs::remove_dir, fs::remove_dir_all, fs::remove_file, fs::rename, fs::rename_new, fs::exchange, fs::hard_link, fs::symlink
fn what_changes_names_may_have_happened(on: On) {
    let waits = case(on, near_with_file).not_safe(
        async |near| {
            let path = |name: &str| near.folder.join(name);
            let made = File::create_new(path("new")).await;
            happened(made.map(drop));
            fs::append(path("new"), "x").await.unwrap();
            happened(fs::create_dir(path("folder")).await);
            happened(fs::create_dir_with_mode(path("other"), 0o700).await);
            happened(fs::hard_link(path("file"), path("hard")).await);
            happened(fs::symlink("file", path("soft")).await);
            let _ = fs::exchange(path("hard"), path("soft")).await;
            happened(fs::rename(path("hard"), path("renamed")).await);
            happened(fs::rename_new(path("soft"), path("again")).await);
            happened(fs::remove_dir(path("folder")).await);
            happened(fs::remove_dir_all(path("other")).await);
            happened(fs::remove_file(path("new")).await);
        },
        async |near, _| {
            until_quiet();
            // Whatever happened, it happened whole: the file is there by its name.
            assert_eq!(std::fs::read(near.path("file")).unwrap(), pattern(100));
            let _ = std::fs::remove_dir_all(near.path("folder"));
            happened(fs::create_dir(near.path("folder")).await);
        },
    );
    assert_eq!(waits, 12);
}

// cancels: DirEntry::metadata
fn entries_come_once(on: On) {
    let setup = || {
        let (near, far) = near_with_file();
        let entries = fs::read_dir(&near.folder);
        ((near, entries, Vec::new()), far)
    };
    let waits = Case::new(on, setup)
        .world(|_| until_quiet())
        .others_wait()
        .safe(
            async |(near, entries, seen)| {
                while let Some(entry) = entries.next().await {
                    seen.push(entry.unwrap());
                }
                let found = fs::walk(&near.folder).count();
                assert_eq!(found.await, 1);
                assert_eq!(seen[0].metadata().await.unwrap().len(), 100);
            },
            async |(_, _, seen), _| assert_eq!(seen.len(), 1),
        );
    assert_eq!(waits, 3);
}

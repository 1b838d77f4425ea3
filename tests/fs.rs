//! Files and folders, at the level of their users, held against what std says; on both backends.
#![cfg(feature = "sim")]

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

#[path = "fs/errnos.rs"]
mod errnos;
#[path = "fs/faults.rs"]
mod faults;
#[path = "fs/folders.rs"]
mod folders;
#[path = "fs/order.rs"]
mod order;
#[path = "fs/temporary.rs"]
mod temporary;
#[path = "fs/watch.rs"]
mod watch;
#[path = "fs/whole.rs"]
mod whole;

use std::io::{ErrorKind, IoSlice, IoSliceMut, SeekFrom};
use std::path::{Path, PathBuf};

use mainspring::fs::{File, OpenOptions};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::task::blocking::statistics;
use mainspring::{Builder, Runtime};
use rig::{On, open_fds, pattern};

on_both! {
    what_is_written_is_what_std_reads,
    reads_of_every_size_agree_with_std,
    seeks_agree_with_std,
    positional_operations_run_beside_each_other,
    vectored_operations_take_several_buffers,
    metadata_and_length_agree_with_std,
    an_open_file_goes_to_std_and_back,
    locks_exclude_and_are_waited_for,
    a_closed_file_writes_no_more_and_reads_on,
    no_descriptor_is_left,
    what_is_in_memory_costs_no_trip,
}

/// A folder for one test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(mainspring_folder())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mainspring_folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mainspring-fs-{}-{number}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir(&path).unwrap();
    path
}

/// How many jobs the pool was sent.
pub(crate) fn jobs() -> u64 {
    let statistics = statistics().unwrap();
    statistics.finished + statistics.aborted + (statistics.running + statistics.queued) as u64
}

/// Both ways: with what is in memory answered on the loop's thread, and all of it by the pool.
pub(crate) fn both_ways(on: On, body: impl AsyncFn(&Folder)) {
    for is_inline in [true, false] {
        let folder = Folder::new();
        let runtime = runtime(on, is_inline);
        runtime.block_on(body(&folder)).unwrap();
    }
}

pub(crate) fn runtime(on: On, is_inline: bool) -> Runtime {
    builder(on, is_inline).build().unwrap()
}

pub(crate) fn builder(on: On, is_inline: bool) -> Builder {
    on.builder().inline_files(is_inline)
}

fn what_is_written_is_what_std_reads(on: On) {
    both_ways(on, async |folder| {
        let path = folder.path("written");
        let bytes = pattern(3 << 20);
        let mut file = File::create(&path).await.unwrap();
        // Small, large, and larger than what is taken at once.
        for part in [
            &bytes[..1],
            &bytes[1..100],
            &bytes[100..70_000],
            &bytes[70_000..],
        ] {
            file.write_all(part).await.unwrap();
        }
        file.flush().await.unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    });
}

fn reads_of_every_size_agree_with_std(on: On) {
    both_ways(on, async |folder| {
        let bytes = pattern(200_000);
        let path = folder.file("read", &bytes);
        for step in [1_usize, 7, 4096, 65_536, 100_000, 1 << 20] {
            let mut file = File::open(&path).await.unwrap();
            let end = if step == 1 { 1000 } else { bytes.len() };
            let (mut got, mut buf) = (Vec::new(), vec![0; step]);
            while got.len() < end {
                let count = file.read(&mut buf).await.unwrap();
                assert!(count > 0, "{step}: it ends after {}", got.len());
                got.extend_from_slice(&buf[..count]);
            }
            assert!(got[..] == bytes[..got.len()], "{step}");
            if step > 1 {
                assert_eq!(file.read(&mut buf).await.unwrap(), 0, "{step}");
            }
        }
    });
}

fn seeks_agree_with_std(on: On) {
    use std::io::Seek as _;
    both_ways(on, async |folder| {
        let path = folder.file("seek", &pattern(1000));
        let mut ours = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .await
            .unwrap();
        let mut theirs = std::fs::File::open(&path).unwrap();
        let places = [
            SeekFrom::Start(10),
            SeekFrom::Current(90),
            SeekFrom::Current(-100),
            SeekFrom::End(-1),
            SeekFrom::End(500),
            SeekFrom::Current(0),
            SeekFrom::Start(0),
        ];
        for place in places {
            let told = ours.seek(place).await.unwrap();
            assert_eq!(told, theirs.seek(place).unwrap(), "{place:?}");
            assert_eq!(ours.stream_position().await.unwrap(), told);
        }
        for place in [SeekFrom::Current(-1), SeekFrom::End(-1001)] {
            let error = ours.seek(place).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{place:?}");
            assert_eq!(ours.stream_position().await.unwrap(), 0);
        }
        // A seek comes after the write before it.
        ours.seek(SeekFrom::End(0)).await.unwrap();
        ours.write_all(&[9; 24]).await.unwrap();
        assert_eq!(ours.seek(SeekFrom::End(0)).await.unwrap(), 1024);
        ours.seek(SeekFrom::Start(1000)).await.unwrap();
        let mut tail = Vec::new();
        ours.read_to_end(&mut tail).await.unwrap();
        assert_eq!(tail, [9; 24]);
    });
}

fn positional_operations_run_beside_each_other(on: On) {
    both_ways(on, async |folder| {
        let path = folder.path("at");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).open(&path);
        let mut file = file.await.unwrap();
        let bytes = pattern(10_000);
        let (first, second) = bytes.split_at(4000);
        let writes = mainspring::join!(
            file.write_all_at(second, 4000),
            file.write_owned_at(first.to_vec(), 0)
        );
        writes.0.unwrap();
        assert_eq!(writes.1.unwrap(), first);
        assert!(std::fs::read(&path).unwrap() == bytes);
        let (mut one, mut other) = ([0; 100], [0; 5000]);
        let reads = mainspring::join!(
            file.read_at(&mut one, 9950),
            file.read_exact_at(&mut other, 17),
            file.read_owned_at(vec![0; 64], 9990)
        );
        assert_eq!(reads.0.unwrap(), 50);
        assert_eq!(one[..50], bytes[9950..]);
        reads.1.unwrap();
        assert!(other == bytes[17..5017]);
        assert_eq!(reads.2.unwrap(), bytes[9990..]);
        let short = file.read_exact_at(&mut other, 9000).await.unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(file.read_at(&mut one, 10_000).await.unwrap(), 0);
        // What was written where the file stands is there for a read at a place.
        file.write_all(b"new").await.unwrap();
        file.read_exact_at(&mut one[..4], 0).await.unwrap();
        assert_eq!(one[..4], [b'n', b'e', b'w', bytes[3]]);
        assert_eq!(file.write_at(b"xy", 1).await.unwrap(), 2);
        assert_eq!(std::fs::read(&path).unwrap()[..3], *b"nxy");
    });
}

fn vectored_operations_take_several_buffers(on: On) {
    both_ways(on, async |folder| {
        let path = folder.path("vectored");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).open(&path);
        let mut file = file.await.unwrap();
        let parts = vec![b"tick".to_vec(), Vec::new(), b"-tock".to_vec()];
        let (count, parts) = file.write_vectored_at(parts, 2).await.unwrap();
        assert_eq!((count, parts.len()), (9, 3));
        assert_eq!(std::fs::read(&path).unwrap(), b"\0\0tick-tock");
        let room = vec![vec![0; 3], Vec::new(), vec![0; 20]];
        let (count, room) = file.read_vectored_at(room, 2).await.unwrap();
        // A system without `preadv` fills the first.
        assert!(count == 9 || count == 3);
        let got: Vec<u8> = room.concat();
        assert_eq!(got[..count], b"tick-tock"[..count]);
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cd")];
        assert_eq!(file.write_vectored(&slices).await.unwrap(), 4);
        file.rewind().await.unwrap();
        let (mut one, mut other) = ([0; 1], [0; 3]);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut other)];
        let count = file.read_vectored(&mut slices).await.unwrap();
        assert!(count == 4 || count == 1);
        assert_eq!(
            [one[0], other[0]],
            [b'a', if count == 4 { b'b' } else { 0 }]
        );
    });
}

fn metadata_and_length_agree_with_std(on: On) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::time::{Duration, UNIX_EPOCH};
    both_ways(on, async |folder| {
        let path = folder.path("metadata");
        let mut file = File::create(&path).await.unwrap();
        file.write_all(&[1; 5000]).await.unwrap();
        // Each of these sees the write before it.
        assert_eq!(file.metadata().await.unwrap().len(), 5000);
        file.set_len(4000).await.unwrap();
        file.sync_data().await.unwrap();
        file.sync_all().await.unwrap();
        let permissions = mainspring::fs::Permissions::from_mode(0o640);
        file.set_permissions(permissions).await.unwrap();
        let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let times = mainspring::fs::FileTimes::new().set_modified(then);
        file.set_times(times).await.unwrap();
        let (ours, theirs) = (
            file.metadata().await.unwrap(),
            std::fs::metadata(&path).unwrap(),
        );
        assert_eq!(ours.ino(), theirs.ino());
        assert_eq!((theirs.len(), theirs.mode() & 0o777), (4000, 0o640));
        assert_eq!(theirs.modified().unwrap(), then);
        match file.allocate(0, 8192).await {
            Ok(()) => assert_eq!(std::fs::metadata(&path).unwrap().len(), 8192),
            Err(error) => {
                assert!(error.kind() == ErrorKind::Unsupported || error.raw_os_error().is_some())
            }
        }
    });
}

fn an_open_file_goes_to_std_and_back(on: On) {
    use std::io::Read as _;
    both_ways(on, async |folder| {
        let path = folder.file("std", b"tick tock");
        let mut std_file = std::fs::File::open(&path).unwrap();
        std_file.read_exact(&mut [0; 5]).unwrap();
        let mut file = File::from_std(std_file);
        let mut twin = file.try_clone().await.unwrap();
        let mut buf = [0; 2];
        file.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"to");
        // Both stand at the same place.
        twin.read_exact(&mut buf[..1]).await.unwrap();
        assert_eq!(&buf, b"co");
        let mut std_file = file.into_std().await.unwrap();
        let mut rest = String::new();
        std_file.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "k");
    });
}

fn locks_exclude_and_are_waited_for(on: On) {
    both_ways(on, async |folder| {
        let path = folder.file("lock", b"");
        let one = File::open(&path).await.unwrap();
        let other = File::open(&path).await.unwrap();
        one.lock_shared().await.unwrap();
        assert!(other.try_lock_shared().await.unwrap());
        assert!(!other.try_lock().await.unwrap());
        other.unlock().await.unwrap();
        one.lock().await.unwrap();
        assert!(!other.try_lock_shared().await.unwrap());
        let waits = mainspring::join!(other.lock(), async {
            mainspring::time::sleep(std::time::Duration::from_millis(4)).await;
            one.unlock().await.unwrap();
        });
        waits.0.unwrap();
        assert!(!one.try_lock().await.unwrap());
        // It goes with the open file.
        drop(other);
        one.lock().await.unwrap();
    });
}

fn a_closed_file_writes_no_more_and_reads_on(on: On) {
    both_ways(on, async |folder| {
        let path = folder.path("closed");
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).open(&path);
        let mut file = file.await.unwrap();
        file.write_all(b"tick").await.unwrap();
        file.close().await.unwrap();
        file.close().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"tick");
        let error = file.write(b"tock").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        file.rewind().await.unwrap();
        assert_eq!(file.read(&mut [0; 9]).await.unwrap(), 4);
    });
}

fn no_descriptor_is_left(on: On) {
    on.alone(|| {
        let before = open_fds();
        both_ways(on, async |folder| {
            let path = folder.file("fds", b"tick");
            let mut file = File::open(&path).await.unwrap();
            drop(file.try_clone().await.unwrap());
            drop(file.into_std().await.unwrap());
            mainspring::fs::read(&path).await.unwrap();
            mainspring::fs::metadata(&path).await.unwrap();
            mainspring::fs::write(&path, "tock").await.unwrap();
            mainspring::fs::copy(&path, folder.path("copy"))
                .await
                .unwrap();
            drop(mainspring::fs::temp_file().await.unwrap());
        });
        assert_eq!(open_fds(), before);
    });
}

/// Where the kernel can be asked: on Linux from 6.8, on a file system of its own.
fn what_is_in_memory_costs_no_trip(on: On) {
    let folder = Folder::new();
    let path = folder.file("cached", &pattern(4096));
    let missing = folder.path("missing");
    runtime(on, true)
        .block_on(async {
            // The first may teach the loop what the mount is like.
            for _ in 0..2 {
                mainspring::fs::read(&path).await.unwrap();
                mainspring::fs::metadata(&path).await.unwrap();
            }
            let before = jobs();
            if before > 2 {
                return println!("this kernel does not say what it has in memory");
            }
            assert!(mainspring::fs::read(&path).await.unwrap() == pattern(4096));
            assert_eq!(mainspring::fs::metadata(&path).await.unwrap().len(), 4096);
            let _ = mainspring::fs::exists(&missing).await.unwrap();
            assert!(!mainspring::fs::exists(&missing).await.unwrap());
            let mut file = File::open(&path).await.unwrap();
            let opened = jobs();
            let mut buf = [0; 1000];
            for _ in 0..10 {
                file.rewind().await.unwrap();
                assert_eq!(file.read(&mut buf).await.unwrap(), 1000);
                assert_eq!(file.read_at(&mut buf, 4000).await.unwrap(), 96);
                assert_eq!(file.read_at(&mut buf, 4096).await.unwrap(), 0);
            }
            assert_eq!(jobs(), opened);
            assert!(opened <= before + 2, "{opened} jobs, {before} before");
        })
        .unwrap();
}

//! The fault plan over every call of files and folders: each call of a few small programs fails once with each errno that
//! its manual page names, then every time, then goes short; and whatever fails is told, and nothing is lost or left.
//!
//! *Model.* As `tests/net_sweep.rs` has it: a run of a [`Program`] is one [`Case`]: this call, from the nth on, so often,
//! meets this fault. `n` grows until a run makes no nth call any more, and that run must be clean. The calls are made by
//! the pool's one thread, which has the plan, and tells how many there were as it ends.

use std::fs as std_fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use mainspring::fs::{self, File, FileTimes, Permissions, TempDir, TempFile};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::sim::fault::{Call, Fault, Plan, count_of};
use mainspring::stream::StreamExt;

use crate::errnos::{CALLS, ERRNOS, REFUSALS};
use crate::rig::{On, open_fds, pattern};
use crate::{Folder, builder};

on_both! {
    an_open_file_outlasts_every_fault,
    whole_files_outlast_every_fault,
    names_outlast_every_fault,
    folders_outlast_every_fault,
    temporary_files_outlast_every_fault,
    dropped_temporary_files_outlast_every_fault,
    what_the_loop_may_not_ask_the_pool_is_asked,
    a_clone_that_is_refused_becomes_a_copy,
}

/// How often in a row a call fails that fails "for ever": nothing here makes so many.
const FOR_EVER: u64 = 10_000;
/// How often in a row a call is interrupted: each is made again at once.
const INTERRUPTS_MAX: u64 = 20;

/// How the nth call of a kind fares, and those behind it.
#[derive(Clone, Copy, Debug)]
struct Case {
    call: Call,
    first: u64,
    times: u64,
    fault: Fault,
}

/// Calls and errnos after which there is another way: nobody need hear of them.
type MadeUpFor = &'static [(Call, &'static [i32])];

/// What is swept.
struct Program<P> {
    /// What it finds.
    prepare: fn(&Folder),
    run: P,
    /// What holds after it, whatever failed.
    check: fn(&Folder, Case),
    made_up_for: MadeUpFor,
    /// How many runs there are at least; fewer say that the sweep is broken.
    runs_min: u64,
}

impl<P: AsyncFn(&Folder) -> io::Result<()>> Program<P> {
    /// Runs it with every fault at every place.
    fn sweep(&self, on: On) {
        on.alone(|| {
            let mut runs = 0;
            for (place, (call, errnos)) in ERRNOS.into_iter().enumerate() {
                let nothing = Case {
                    call,
                    first: u64::MAX,
                    times: 1,
                    fault: Fault::Short(0),
                };
                let (result, counts) = self.run(on, nothing);
                result.unwrap_or_else(|error| panic!("{nothing:?}: {error}"));
                if counts[place] == 0 {
                    continue;
                }
                // No selector takes part: with poll(2) one errno of each kind is enough.
                let errnos = match on.is_edge() {
                    true => errnos,
                    false => &errnos[..1],
                };
                let errnos = errnos.iter().chain(&[libc::EINTR]);
                let mut faults: Vec<Fault> = errnos.map(|errno| Fault::Errno(*errno)).collect();
                if matches!(call, Call::Read | Call::Write | Call::FileCopy) {
                    faults.extend([Fault::Short(1), Fault::Short(7)]);
                }
                for fault in faults {
                    runs += self.run_everywhere(on, call, place, fault);
                }
            }
            let runs_min = self.runs_min / if on.is_edge() { 1 } else { 10 };
            assert!(runs >= runs_min, "only {runs} runs");
        });
    }

    /// The first call, the second, and so on until a run makes no such call; then every call.
    fn run_everywhere(&self, on: On, call: Call, place: usize, fault: Fault) -> u64 {
        let times = match fault {
            Fault::Errno(libc::EINTR) => INTERRUPTS_MAX,
            _ => FOR_EVER,
        };
        let case = |first, times| Case {
            call,
            first,
            times,
            fault,
        };
        let mut runs = 0;
        for first in 1.. {
            let (result, counts) = self.run(on, case(first, 1));
            runs += 1;
            if counts[place] < first {
                assert!(result.is_ok(), "{:?}: {result:?}", case(first, 1));
                break;
            }
            self.judge(case(first, 1), &result);
        }
        let (result, counts) = self.run(on, case(1, times));
        assert!(counts[place] < FOR_EVER, "{:?}: it spins", case(1, times));
        self.judge(case(1, times), &result);
        runs + 1
    }

    /// One run, and how many calls of each kind there were. What holds whatever failed is asserted here.
    fn run(&self, on: On, case: Case) -> (io::Result<()>, [u64; CALLS]) {
        let folder = Folder::new();
        (self.prepare)(&folder);
        let before = open_fds();
        let counts = Arc::new(Mutex::new(None));
        let told = Arc::clone(&counts);
        let Case {
            call,
            first,
            times,
            fault,
        } = case;
        let runtime = builder(on, false)
            .blocking_threads_max(1)
            .on_thread_start(move || {
                std::mem::forget(Plan::new().from(call, first, times, fault).install())
            })
            .on_thread_stop(move || {
                let counts = ERRNOS.map(|(call, _)| count_of(call));
                let earlier = told.lock().unwrap().replace(counts);
                assert_eq!(earlier, None, "two threads");
            })
            .build()
            .unwrap();
        let result = runtime.block_on((self.run)(&folder)).unwrap();
        drop(runtime);
        assert_eq!(open_fds(), before, "{case:?}: descriptors");
        (self.check)(&folder, case);
        let counts = counts.lock().unwrap().expect("the thread has ended");
        (result, counts)
    }

    /// Whether the right thing was told.
    fn judge(&self, case: Case, result: &io::Result<()>) {
        let is_made_up_for = |errno| {
            let listed = |(call, errnos): &(Call, &[i32])| {
                *call == case.call && (errnos.is_empty() || errnos.contains(&errno))
            };
            errno == libc::EINTR || self.made_up_for.iter().any(listed)
        };
        match (result, case.fault) {
            (Ok(()), Fault::Errno(errno)) => {
                assert!(is_made_up_for(errno), "{case:?}: nobody was told");
            }
            (Ok(()), Fault::Short(_)) => {}
            (Err(error), Fault::Errno(errno)) => {
                assert_ne!(errno, libc::EINTR, "{case:?}: {error}");
                assert_eq!(error.raw_os_error(), Some(errno), "{case:?}: {error}");
            }
            (Err(error), Fault::Short(_)) => panic!("{case:?}: {error}"),
        }
    }
}

/// `false` is an answer that an errno gives.
fn require(holds: bool, errno: i32) -> io::Result<()> {
    match holds {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// The names in it, in order.
fn names(folder: &Folder) -> Vec<String> {
    let entries = std_fs::read_dir(folder.root()).unwrap();
    let name = |entry: io::Result<std_fs::DirEntry>| entry.unwrap().file_name();
    let names = entries.map(|entry| name(entry).into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

async fn open_file(folder: &Folder) -> io::Result<()> {
    let path = folder.path("file");
    let mut file = File::options().read(true).write(true).open(&path).await?;
    file.write_all(b"tick").await?;
    file.flush().await?;
    file.rewind().await?;
    let mut buf = [0; 4];
    file.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"tick");
    file.write_all_at(b"tock", 10).await?;
    file.read_exact_at(&mut buf, 10).await?;
    assert_eq!(&buf, b"tock");
    let parts = vec![b"ti".to_vec(), b"ck".to_vec()];
    let (count, _) = file.write_vectored_at(parts, 20).await?;
    assert!(count > 0);
    let (count, _) = file.read_vectored_at(vec![vec![0; 2]; 2], 20).await?;
    assert!(count > 0);
    file.sync_all().await?;
    file.sync_data().await?;
    file.set_len(500).await?;
    require(file.try_lock().await?, libc::EAGAIN)?;
    file.unlock().await?;
    file.set_permissions(Permissions::from_mode(0o640)).await?;
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000);
    file.set_times(FileTimes::new().set_modified(then)).await?;
    assert_eq!(file.metadata().await?.len(), 500);
    file.rewind().await?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).await?;
    assert_eq!(
        (rest.len(), &rest[..4], &rest[10..14]),
        (500, &b"tick"[..], &b"tock"[..])
    );
    file.write_all(b"end").await?;
    file.close().await
}

fn an_open_file_outlasts_every_fault(on: On) {
    let program = Program {
        prepare: |folder| drop(folder.file("file", &pattern(1000))),
        run: open_file,
        check: |_, _| {},
        made_up_for: &[],
        runs_min: 200,
    };
    program.sweep(on);
}

/// What stands in a file, and nobody else may read.
fn secret(folder: &Folder) {
    let path = folder.file("secret", b"old");
    std_fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink("secret", folder.path("link")).unwrap();
}

async fn whole_files(folder: &Folder) -> io::Result<()> {
    let path = folder.path("file");
    fs::write(&path, pattern(500)).await?;
    fs::append(&path, "end").await?;
    let copy = folder.path("copy");
    assert_eq!(fs::copy(&path, &copy).await?, 503);
    let copied = fs::read(&copy).await?;
    assert_eq!((copied.len(), &copied[500..]), (503, &b"end"[..]));
    fs::write_atomic(folder.path("link"), "new").await?;
    assert_eq!(fs::read_to_string(folder.path("link")).await?, "new");
    fs::write_atomic(folder.path("made"), "whole").await
}

/// An atomic write replaced a file by a whole one, which nobody else may read either, or did nothing.
fn check_whole_files(folder: &Folder, case: Case) {
    // An answer that was believed: there is no such file, or it is no link.
    let lies = [libc::ENOENT, libc::EINVAL].map(Fault::Errno);
    if case.call == Call::FileStat && lies.contains(&case.fault) {
        return;
    }
    let path = folder.path("secret");
    let text = std_fs::read_to_string(&path).unwrap();
    assert!(
        ["old", "new", "newer"].contains(&&*text),
        "{case:?}: {text}"
    );
    let mode = std_fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "{case:?}: its mode");
    let link = std_fs::symlink_metadata(folder.path("link")).unwrap();
    assert!(link.is_symlink(), "{case:?}: the link was replaced");
    if let Ok(text) = std_fs::read_to_string(folder.path("made")) {
        assert_eq!(text, "whole", "{case:?}");
    }
    // Only that which removes it may leave it.
    let is_left = names(folder).iter().any(|name| name.ends_with(".tmp"));
    assert!(
        !is_left || case.call == Call::FileName,
        "{case:?}: a file is left"
    );
}

fn whole_files_outlast_every_fault(on: On) {
    let program = Program {
        prepare: secret,
        run: whole_files,
        check: check_whole_files,
        made_up_for: &[
            // Another name is tried.
            (Call::OpenFile, &[libc::EEXIST]),
            // That there is no such file, or that it is no link, is an answer.
            (Call::FileStat, &[libc::ENOENT, libc::EINVAL]),
        ],
        runs_min: 300,
    };
    program.sweep(on);
}

async fn names_of_files(folder: &Folder) -> io::Result<()> {
    let at = |name: &str| folder.path(name);
    fs::rename(at("file"), at("renamed")).await?;
    fs::rename_new(at("renamed"), at("new")).await?;
    fs::hard_link(at("new"), at("twin")).await?;
    fs::symlink("new", at("link")).await?;
    assert_eq!(fs::read_link(at("link")).await?.to_str(), Some("new"));
    assert!(fs::canonicalize(at("link")).await?.ends_with("new"));
    require(fs::exists(at("twin")).await?, libc::ENOENT)?;
    assert_eq!(fs::metadata(at("link")).await?.len(), 4);
    assert!(fs::symlink_metadata(at("link")).await?.is_symlink());
    fs::set_permissions(at("new"), Permissions::from_mode(0o640)).await?;
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000);
    fs::set_times(at("new"), FileTimes::new().set_modified(then)).await?;
    fs::create_dir(at("one")).await?;
    fs::create_dir_all(at("a/b")).await?;
    fs::remove_dir(at("one")).await?;
    fs::remove_dir_all(at("a")).await?;
    fs::remove_file(at("twin")).await?;
    fs::remove_file(at("link")).await
}

/// The file has one name or both, and never none; and that which `rename_new` gave it for a while it has no more.
fn check_names(folder: &Folder, case: Case) {
    let names = names(folder);
    let own: Vec<&str> = names.iter().map(String::as_str).collect();
    let own: Vec<&&str> = own
        .iter()
        .filter(|name| ["file", "renamed", "new"].contains(name))
        .collect();
    assert_eq!(own.len(), 1, "{case:?}: {names:?}");
    let content = std_fs::read(folder.path(own[0])).unwrap();
    assert_eq!(content, b"tick", "{case:?}");
}

fn names_outlast_every_fault(on: On) {
    let program = Program {
        prepare: |folder| drop(folder.file("file", b"tick")),
        run: names_of_files,
        check: check_names,
        // A rename that the system does not know is a link and a removal.
        made_up_for: &[(Call::FileName, &[libc::EINVAL, libc::EOPNOTSUPP])],
        runs_min: 200,
    };
    program.sweep(on);
}

async fn folders(folder: &Folder) -> io::Result<()> {
    let mut entries = fs::read_dir(folder.root()).with_metadata();
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        assert!(
            ["a", "file"]
                .map(Some)
                .contains(&entry?.file_name().to_str())
        );
        count += 1;
    }
    assert_eq!(count, 2);
    let mut entries = fs::walk(folder.root()).with_metadata();
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        let entry = entry?;
        let metadata = match entry.known_metadata() {
            Some(metadata) => metadata.clone(),
            None => entry.metadata().await?,
        };
        assert_eq!(metadata.is_dir(), entry.file_type().is_dir());
        count += 1;
    }
    assert_eq!(count, 4);
    Ok(())
}

fn folders_outlast_every_fault(on: On) {
    let program = Program {
        prepare: |folder| {
            folder.file("file", b"tick");
            std_fs::create_dir_all(folder.path("a/b")).unwrap();
            folder.file("a/file", b"tock");
        },
        run: folders,
        check: |_, _| {},
        // What an entry is like can be asked again.
        made_up_for: &[(Call::FileStat, &[])],
        runs_min: 50,
    };
    program.sweep(on);
}

async fn temporary_files(folder: &Folder) -> io::Result<()> {
    let mut nameless = fs::temp_file().await?;
    nameless.write_all(b"tick").await?;
    nameless.close().await?;
    let mut file = TempFile::new_in(folder.root()).await?;
    file.write_all(b"whole").await?;
    file.flush().await?;
    file.persist(folder.path("kept")).await?;
    TempFile::new_in(folder.root()).await?.close().await?;
    let temp = TempDir::new_in(folder.root()).await?;
    fs::write(temp.path().join("inside"), "tick").await?;
    temp.close().await
}

async fn dropped_files(folder: &Folder) -> io::Result<()> {
    drop(TempFile::new_in(folder.root()).await?);
    drop(TempDir::new_in(folder.root()).await?);
    Ok(())
}

/// Nothing temporary is left, if it could be removed.
fn check_temporary(folder: &Folder, case: Case) {
    if case.call != Call::FileName {
        let mut names = names(folder);
        names.retain(|name| name != "kept");
        assert!(names.is_empty(), "{case:?}: {names:?}");
    }
    if let Ok(text) = std_fs::read_to_string(folder.path("kept")) {
        assert_eq!(text, "whole", "{case:?}");
    }
}

fn temporary_files_outlast_every_fault(on: On) {
    let program = Program {
        prepare: |_| {},
        run: temporary_files,
        check: check_temporary,
        made_up_for: &[
            // Another name is tried; and where there are no files without a name, it is removed.
            (
                Call::OpenFile,
                &[libc::EEXIST, libc::EISDIR, libc::EINVAL, libc::EOPNOTSUPP],
            ),
            (Call::FileName, &[libc::EEXIST]),
        ],
        runs_min: 100,
    };
    program.sweep(on);
}

fn dropped_temporary_files_outlast_every_fault(on: On) {
    let program = Program {
        prepare: |_| {},
        run: dropped_files,
        check: check_temporary,
        // Another name is tried; and of a removal after a drop nobody hears.
        made_up_for: &[(Call::OpenFile, &[libc::EEXIST]), (Call::FileName, &[])],
        runs_min: 30,
    };
    program.sweep(on);
}

/// Each question at its place, until there are so many no more.
fn what_the_loop_may_not_ask_the_pool_is_asked(on: On) {
    on.alone(|| {
        let everything = async |folder: &Folder| {
            open_file(folder).await?;
            whole_files(folder).await?;
            std_fs::remove_file(folder.path("link"))?;
            folder.file("file", b"tick");
            names_of_files(folder).await
        };
        let mut asked = 0;
        for errno in [libc::EAGAIN, libc::EOPNOTSUPP, libc::ENOSYS, libc::EPERM, 0] {
            let fault = match errno {
                0 => Fault::Short(1),
                errno => Fault::Errno(errno),
            };
            for nth in 0.. {
                let folder = Folder::new();
                folder.file("file", &pattern(1000));
                secret(&folder);
                let (first, times) = if nth == 0 { (1, u64::MAX) } else { (nth, 1) };
                let plan = Plan::new()
                    .from(Call::FileNow, first, times, fault)
                    .install();
                let before = open_fds();
                let runtime = builder(on, true).build().unwrap();
                runtime.block_on(everything(&folder)).unwrap().unwrap();
                drop(runtime);
                let count = count_of(Call::FileNow);
                drop(plan);
                assert_eq!(open_fds(), before, "{fault:?} from {first} on");
                asked = asked.max(count);
                if count < first {
                    break;
                }
            }
        }
        assert!(asked > 5 || !cfg!(target_os = "linux"), "{asked} questions");
    });
}

/// The clone, the copy by the kernel, and that again at each of its calls.
fn a_clone_that_is_refused_becomes_a_copy(on: On) {
    for errno in REFUSALS {
        for first in 1..=6 {
            for times in [1, u64::MAX] {
                let folder = Folder::new();
                let bytes = pattern(2_300_000);
                let source = folder.file("source", &bytes);
                let fault = Fault::Errno(errno);
                let plan = move || Plan::new().from(Call::FileCopy, first, times, fault);
                crate::order::one_thread(on, plan)
                    .block_on(async {
                        let count = fs::copy(&source, folder.path("copy")).await.unwrap();
                        assert_eq!(count, bytes.len() as u64);
                    })
                    .unwrap();
                assert!(std_fs::read(folder.path("copy")).unwrap() == bytes);
            }
        }
    }
}

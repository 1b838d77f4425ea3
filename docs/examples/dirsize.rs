//! How large folders are: `du -b`, read by several threads at once.
//!
//! ```text
//! cargo run --release --example dirsize                     each folder below this one, in bytes
//! cargo run --release --example dirsize -- -s -h src docs   a line for each of these, for people
//! ```
//!
//! A file with several names counts once, and links are not followed. What cannot be read is told on standard error, and
//! the rest is counted; the program then ends with 1.
//!
//! Look at [`count`]: one stream, [`fs::walk`], whose entries come with their metadata from the thread that found them, so a folder
//! of a thousand files costs one trip to a thread and back. And at [`Sizes`], which all of it is added to, without a lock.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mainspring::fs::{self, Metadata};
use mainspring::stream::StreamExt;

/// What was counted.
#[derive(Default)]
struct Sizes {
    /// Of each folder, with what is below.
    folders: BTreeMap<PathBuf, u64>,
    /// Files with several names that were met: device and number.
    met: HashSet<(u64, u64)>,
    failure_count: u32,
}

impl Sizes {
    /// How much this adds: nothing, if it was met under another name.
    fn len(&mut self, metadata: &Metadata) -> u64 {
        let has_names = !metadata.is_dir() && metadata.nlink() > 1;
        let is_new = !has_names || self.met.insert((metadata.dev(), metadata.ino()));
        if is_new { metadata.len() } else { 0 }
    }

    /// Counts what is at `path` for each folder from there up to `root`.
    fn add(&mut self, root: &Path, path: &Path, metadata: &Metadata) {
        let len = self.len(metadata);
        let first = if metadata.is_dir() {
            Some(path)
        } else {
            path.parent()
        };
        let folders = first.into_iter().flat_map(Path::ancestors);
        for folder in folders.take_while(|folder| folder.starts_with(root)) {
            // One that was added before is found without a copy of its path.
            match self.folders.get_mut(folder) {
                Some(size) => *size += len,
                None => drop(self.folders.insert(folder.to_path_buf(), len)),
            }
        }
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        eprintln!("dirsize: {}: {error}", path.display());
        self.failure_count += 1;
    }
}

/// Counts what is at `root` and below; how many bytes that is.
async fn count(sizes: &mut Sizes, root: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(root).await?;
    if !metadata.is_dir() {
        return Ok(sizes.len(&metadata));
    }
    sizes.add(root, root, &metadata);
    let mut entries = fs::walk(root).with_metadata();
    while let Some(entry) = entries.next().await {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                sizes.fail(error.path(), error.error());
                continue;
            }
        };
        match entry.known_metadata() {
            Some(metadata) => sizes.add(root, entry.path(), metadata),
            // It went while the folder was read, or may not be looked at: this says which.
            None => match entry.metadata().await {
                Ok(metadata) => sizes.add(root, entry.path(), &metadata),
                Err(error) => sizes.fail(entry.path(), &error),
            },
        }
    }
    Ok(sizes.folders[root])
}

/// A number of bytes, as it is printed.
struct Bytes {
    count: u64,
    is_for_people: bool,
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_for_people || self.count < 1024 {
            return write!(f, "{}", self.count);
        }
        let (mut tenths, mut units) = (self.count.saturating_mul(10), "KMGTPE".chars());
        let mut unit = ' ';
        while tenths >= 10_240 {
            (tenths, unit) = (tenths.div_ceil(1024), units.next().unwrap_or('?'));
        }
        match tenths {
            0..100 => write!(f, "{}.{}{unit}", tenths / 10, tenths % 10),
            _ => write!(f, "{}{unit}", tenths.div_ceil(10)),
        }
    }
}

/// What the command line says.
#[derive(Default)]
struct Options {
    is_short: bool,
    is_for_people: bool,
    roots: Vec<PathBuf>,
}

async fn dirsize(options: Options) -> ExitCode {
    let mut sizes = Sizes::default();
    let print = |count: u64, path: &Path| {
        let is_for_people = options.is_for_people;
        let bytes = Bytes {
            count,
            is_for_people,
        };
        println!("{bytes}\t{}", path.display());
    };
    for root in &options.roots {
        match count(&mut sizes, root).await {
            Ok(total) if options.is_short || sizes.folders.is_empty() => print(total, root),
            Ok(_) => {
                // What is in a folder before the folder, as du has it.
                for (folder, size) in sizes.folders.iter().rev() {
                    print(*size, folder);
                }
            }
            Err(error) => sizes.fail(root, &error),
        }
        sizes.folders.clear();
    }
    match sizes.failure_count {
        0 => ExitCode::SUCCESS,
        count => {
            eprintln!("dirsize: {count} could not be read");
            ExitCode::FAILURE
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let mut options = Options::default();
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("-s") => options.is_short = true,
            Some("-h") => options.is_for_people = true,
            Some(other) if other.starts_with('-') => {
                eprintln!("dirsize: {other} is unknown\nusage: dirsize [-s] [-h] [PATH]...");
                return Ok(ExitCode::from(2));
            }
            _ => options.roots.push(argument.into()),
        }
    }
    if options.roots.is_empty() {
        options.roots.push(PathBuf::from("."));
    }
    mainspring::run(dirsize(options))
}

//! The files below the root: opened by the pool, for a disk may be slow, and kept for a moment.
//!
//! What is asked for again within a second is served without a look at the disk, and without a system call but the
//! answer's own if it is small. So a change is seen a second late.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use mainspring::task::blocking::{Class, JobBuilder};
use mainspring::time::cached_now;

/// How long an opened file is served without another look.
const FRESH: Duration = Duration::from_secs(1);
/// So many are kept. In the whole, not in a second: when there are more, all are dropped.
const KEPT_MAX: usize = 256;
/// A file of so many bytes is kept in memory, and goes out behind its head in one write.
const SMALL: u64 = 16 << 10;

/// A file, and what an answer says of it.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) len: u64,
    pub(crate) kind: &'static str,
    /// What is in it, if it is small.
    pub(crate) text: Option<Vec<u8>>,
}

/// The files below a folder.
pub(crate) struct Files {
    root: PathBuf,
    kept: RefCell<HashMap<String, (Rc<Opened>, mainspring::time::Instant)>>,
}

impl Files {
    pub(crate) fn new(root: PathBuf) -> Files {
        Files {
            root,
            kept: RefCell::default(),
        }
    }

    /// The file at `path`, if it was opened a moment ago.
    pub(crate) fn kept(&self, path: &str) -> Option<Rc<Opened>> {
        let kept = self.kept.borrow();
        let (opened, since) = kept.get(path)?;
        (cached_now() - *since < FRESH).then(|| Rc::clone(opened))
    }

    /// Opens the file at `path`, or the index of the folder there.
    pub(crate) async fn open(&self, path: String) -> io::Result<Rc<Opened>> {
        let whole = self.root.join(&path);
        let job = JobBuilder::new().class(Class::Files);
        let opened = Rc::new(job.spawn(move || open(&whole)).await??);
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(path, (Rc::clone(&opened), cached_now()));
        Ok(opened)
    }
}

fn open(path: &Path) -> io::Result<Opened> {
    let mut path = path.to_path_buf();
    if std::fs::metadata(&path)?.is_dir() {
        path.push("index.html");
    }
    // Asked before it is opened: to open a pipe could wait for ever.
    if !std::fs::metadata(&path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut file = File::open(&path)?;
    let len = file.metadata()?.len();
    let text = if len <= SMALL {
        let mut text = Vec::new();
        (&mut file).take(len).read_to_end(&mut text)?;
        Some(text).filter(|text| text.len() as u64 == len)
    } else {
        None
    };
    let extension = path.extension().and_then(|extension| extension.to_str());
    Ok(Opened {
        kind: kind(extension.unwrap_or_default()),
        file,
        len,
        text,
    })
}

fn kind(extension: &str) -> &'static str {
    match extension {
        "html" => "text/html; charset=utf-8",
        "txt" | "md" | "rs" | "toml" => "text/plain; charset=utf-8",
        "css" => "text/css",
        "js" => "text/javascript",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        _ => "application/octet-stream",
    }
}

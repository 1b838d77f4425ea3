//! Follows a file: prints its end, and then whatever is added to it, as `tail -F` does.
//!
//! ```text
//! cargo run --example tail_f -- -n 20 /var/log/messages
//! ```
//!
//! The file is followed by its name. One that is not there yet is waited for; one that becomes shorter is read from its beginning; and where
//! another comes in its place, as when a log is rotated, the rest of the old one is printed and then all of the new one. (What its writer adds
//! to the old one later is not.) What is followed, and
//! what happens to it, is told on standard error. It ends at ^C, or when nobody reads what it prints.
//!
//! Look at [`Tail::follow`]: an event only says *when* to look, never what is there. So a look that comes too late, or once too often, does no
//! harm, and of the many events of a busy file none needs a look of its own.

use std::io::{self, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mainspring::fs::{self, File, Watcher};
use mainspring::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use mainspring::select;
use mainspring::signal::ctrl_c;
use mainspring::stdio::{Stdout, stdout};

/// How many bytes are moved at once.
const STEP: usize = 64 * 1024;

/// A file that is followed.
struct Tail {
    path: PathBuf,
    file: Option<File>,
    out: Stdout,
    buf: Vec<u8>,
}

impl Tail {
    /// Prints the last lines of the file, and stands at its end.
    async fn print_end(&mut self, lines: usize) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        let end = file.seek(SeekFrom::End(0)).await?;
        let (mut begin, mut ends) = (end, 0);
        // Backwards, until there are enough ends of lines. The last byte ends the last line, and begins none.
        'search: while begin > 0 && lines > 0 {
            let step = begin.min(STEP as u64);
            let bytes = &mut self.buf[..step as usize];
            file.read_exact_at(bytes, begin - step).await?;
            for (at, byte) in bytes.iter().enumerate().rev() {
                let place = begin - step + at as u64;
                if *byte == b'\n' && place + 1 < end {
                    ends += 1;
                    if ends == lines {
                        begin = place + 1;
                        break 'search;
                    }
                }
            }
            begin -= step;
        }
        file.seek(SeekFrom::Start(if lines == 0 { end } else { begin }))
            .await?;
        self.print_rest().await
    }

    /// Prints what was added, from the beginning if the file has become shorter.
    async fn print_rest(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if file.metadata().await?.len() < file.stream_position().await? {
            eprintln!("tail_f: {} has become shorter", self.path.display());
            file.rewind().await?;
        }
        loop {
            let count = file.read(&mut self.buf).await?;
            if count == 0 {
                return self.out.flush().await;
            }
            self.out.write_all(&self.buf[..count]).await?;
        }
    }

    /// Whether the name stands for the file that is open.
    async fn is_current(&self) -> io::Result<bool> {
        let there = match fs::metadata(&self.path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let ours = file.metadata().await?;
        Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    }

    /// Opens the file, if there is one.
    async fn open(&mut self) -> io::Result<()> {
        self.file = match File::open(&self.path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => Some(file?),
        };
        Ok(())
    }

    /// Prints what is new, each time when something has happened.
    async fn follow(&mut self, mut watcher: Watcher) -> io::Result<()> {
        loop {
            self.print_rest().await?;
            while !self.is_current().await? {
                let had_one = self.file.is_some();
                // What was added between the last look and its end.
                self.print_rest().await?;
                self.open().await?;
                let name = self.path.display();
                match (&self.file, had_one) {
                    (Some(_), _) => eprintln!("tail_f: following a new {name}"),
                    (None, true) => eprintln!("tail_f: {name} is gone"),
                    (None, false) => {}
                }
                if self.file.is_none() {
                    break;
                }
                self.print_rest().await?;
            }
            watcher.next().await?;
        }
    }
}

async fn run(path: &Path, lines: usize) -> io::Result<()> {
    let mut watcher = Watcher::new()?;
    // Before the first look: what happens after it is told.
    watcher.add(path).await?;
    let mut tail = Tail {
        path: path.to_path_buf(),
        file: None,
        out: stdout()?,
        buf: vec![0; STEP],
    };
    tail.open().await?;
    match &tail.file {
        Some(_) => eprintln!("tail_f: following {}", path.display()),
        None => eprintln!("tail_f: waiting for {}", path.display()),
    }
    tail.print_end(lines).await?;
    select! {
        result = tail.follow(watcher) => match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        },
        _ = ctrl_c() => Ok(()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let asked = match arguments[..] {
        ["-n", lines, path] => lines.parse().ok().map(|lines| (lines, path)),
        [path] if path != "-n" => Some((10, path)),
        _ => None,
    };
    let Some((lines, path)) = asked else {
        eprintln!("usage: tail_f [-n LINES] FILE");
        return ExitCode::from(2);
    };
    match mainspring::run(run(Path::new(path), lines)).and_then(|result| result) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tail_f: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

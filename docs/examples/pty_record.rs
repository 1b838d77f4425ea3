//! Runs a program on a terminal of its own, and records what it shows, and when.
//!
//! ```text
//! cargo run --example pty_record -- session.cast sh
//! ```
//!
//! The file is of the format `asciicast` 2, which players know: a line that says how large the screen is, and then a line
//! for each piece of output, with the seconds since the beginning.
//!
//! ```text
//!   our terminal, raw ──► keys ────► master ──► the program's terminal
//!   our terminal      ◄── screen ◄── master ◄──
//!                           └──► file
//!   SIGWINCH ──► sizes ────────────► master
//! ```
//!
//! Our own terminal, if standard input is one, is raw meanwhile: ^C is a byte, which the program's terminal makes a signal of. It
//! comes back as it was, however this ends.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::rc::Rc;

use mainspring::fs::File;
use mainspring::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use mainspring::process::Command;
use mainspring::stdio::{Stdin, stdin, stdout};
use mainspring::terminal::{self, Master, Size, Sizes};
use mainspring::time::{Instant, now};

/// Where nobody says how large the screen is.
const USUAL: Size = Size::new(24, 80);

/// Passes keys on. When they come from elsewhere than a terminal they have an end, which the program's terminal is told by its
/// own character for it: twice where a line is not whole, which takes the first.
async fn keys(mut input: Stdin, master: Rc<Master>) -> io::Result<()> {
    let (mut buf, mut last) = ([0; 4096], b'\n');
    loop {
        let count = input.read(&mut buf).await?;
        let Some(byte) = buf[..count].last() else {
            break;
        };
        last = *byte;
        master.write_all(&buf[..count]).await?;
    }
    let end = terminal::modes(&*master)?.end_of_input();
    let times = if last == b'\n' { 1 } else { 2 };
    master.write_all(&[end; 2][..times]).await
}

/// Passes on how large our terminal becomes.
async fn sizes(mut sizes: Sizes<OwnedFd>, master: Rc<Master>) -> io::Result<()> {
    loop {
        let size = sizes.changed().await?;
        terminal::set_size(&*master, size)?;
    }
}

/// The record: a file, and when it began.
struct Record {
    file: BufWriter<File>,
    began: Instant,
    /// The beginning of a character whose end has not come.
    rest: Vec<u8>,
}

impl Record {
    async fn begin(path: &Path, size: Size) -> io::Result<Record> {
        let mut file = BufWriter::new(File::create(path).await?);
        let (width, height) = (size.columns, size.rows);
        let head = format!("{{\"version\": 2, \"width\": {width}, \"height\": {height}}}\n");
        file.write_all(head.as_bytes()).await?;
        let (began, rest) = (now(), Vec::new());
        Ok(Record { file, began, rest })
    }

    /// One more piece of output. It need not end where a character does.
    async fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.rest.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            // What is wrong and not only cut is replaced.
            Err(error) if error.error_len().is_some() => self.rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let piece: Vec<u8> = self.rest.drain(..whole).collect();
        if piece.is_empty() {
            return Ok(());
        }
        let seconds = (now() - self.began).as_secs_f64();
        let text = quoted(&String::from_utf8_lossy(&piece));
        let line = format!("[{seconds:.6}, \"o\", {text}]\n");
        self.file.write_all(line.as_bytes()).await
    }
}

/// The text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

async fn record(path: &Path, program: OsString, args: Vec<OsString>) -> io::Result<ExitStatus> {
    let (master, terminal) = terminal::pair()?;
    let (input, mut output) = (stdin()?, stdout()?);
    let size = match terminal::size(&input) {
        Ok(size) if size != Size::default() => size,
        _ => USUAL,
    };
    terminal::set_size(&master, size)?;
    let mut record = Record::begin(path, size).await?;
    let command = Command::new(program).args(args);
    let child = command.on_terminal(master.open_slave()?).spawn()?;
    // The program alone has it from here on; when it goes, the master comes to its end.
    drop(terminal);
    let master = Rc::new(master);
    let mut helpers = Vec::new();
    let mut raw = None;
    if input.is_terminal() {
        let fd = input.as_fd().try_clone_to_owned()?;
        helpers.push(mainspring::spawn(sizes(
            terminal::sizes(fd)?,
            Rc::clone(&master),
        )));
        raw = Some(terminal::raw(&input)?);
    }
    helpers.push(mainspring::spawn(keys(input, Rc::clone(&master))));
    let mut buf = [0; 4096];
    loop {
        let count = master.read(&mut buf).await?;
        if count == 0 {
            break;
        }
        output.write_all(&buf[..count]).await?;
        output.flush().await?;
        record.add(&buf[..count]).await?;
    }
    record.file.flush().await?;
    helpers.iter().for_each(|helper| helper.abort());
    if let Some(raw) = raw {
        raw.release()?;
    }
    child.wait().await
}

fn main() -> io::Result<()> {
    let mut args = std::env::args_os().skip(1);
    let (Some(path), Some(program)) = (args.next(), args.next()) else {
        eprintln!("usage: pty_record FILE PROGRAM [ARGUMENT]...");
        std::process::exit(2);
    };
    let status = mainspring::run(record(Path::new(&path), program, args.collect()))??;
    // As a shell says it.
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    std::process::exit(code.unwrap_or(1))
}

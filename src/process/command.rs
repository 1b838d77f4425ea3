//! `Command`: a program, and how it is started.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::path::{Path, PathBuf};

use mainspring_sys::child::{self as sys, SpawnError, Spec, Step};
use mainspring_sys::{Fd, pipe};

use super::child::Child;
use super::reaper;
use super::stdio::Stdio;
use crate::pipe::{PipeReader, PipeWriter};

/// A program to be started: its name, arguments, environment, standard streams, and what else it gets.
///
/// The name is looked for in PATH, unless it has a slash. Streams that are not said are inherited. The child gets
/// descriptors 0, 1, 2 and those of [`Command::fd`], and no others; no signal is blocked or ignored in it.
///
/// ```
/// use mainspring::process::{Command, Stdio};
/// # mainspring::run(async {
/// let mut child = Command::new("tr")
///     .args(["a-z", "A-Z"])
///     .stdin(Stdio::Piped)
///     .stdout(Stdio::Piped)
///     .spawn()?;
/// let output = child.communicate(b"tick".to_vec()).await?;
/// assert_eq!(output.stdout, b"TICK");
/// assert!(output.status.success());
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
pub struct Command {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) arg0: Option<OsString>,
    /// What is changed, in order of coming: a value, or none.
    pub(super) variables: Vec<(OsString, Option<OsString>)>,
    pub(super) is_environment_cleared: bool,
    pub(super) folder: Option<PathBuf>,
    pub(super) stdin: Stdio,
    pub(super) stdout: Stdio,
    pub(super) stderr: Stdio,
    pub(super) fds: Vec<(RawFd, OwnedFd)>,
    /// For those standard streams that are not said.
    pub(super) terminal: Option<OwnedFd>,
    pub(super) spec: Spec,
    pub(super) kills_on_drop: bool,
}

impl Command {
    /// The program `program`, without arguments.
    #[must_use]
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        Command {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            arg0: None,
            variables: Vec::new(),
            is_environment_cleared: false,
            folder: None,
            stdin: Stdio::Inherit,
            stdout: Stdio::Inherit,
            stderr: Stdio::Inherit,
            fds: Vec::new(),
            terminal: None,
            spec: Spec::default(),
            kills_on_drop: false,
        }
    }

    /// The shell, `/bin/sh`, with `script`. What comes from outside does not belong into a script: give it as an argument,
    /// which the script has as `$1` and so on.
    ///
    /// ```
    /// use mainspring::process::Command;
    /// # mainspring::run(async {
    /// let output = Command::shell("echo \"<$1>\"").arg("a; b").output().await?;
    /// assert_eq!(output.stdout, b"<a; b>\n");
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[must_use]
    pub fn shell(script: impl AsRef<OsStr>) -> Command {
        Command::new("/bin/sh").arg("-c").arg(script).arg("sh")
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Command {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let args = args.into_iter();
        self.args.extend(args.map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// What the program is told it is called, in place of its name.
    #[must_use]
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Command {
        self.arg0 = Some(name.as_ref().to_owned());
        self
    }

    /// An environment variable, beside those of this process.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Command {
        let value = Some(value.as_ref().to_owned());
        self.variables.push((name.as_ref().to_owned(), value));
        self
    }

    /// An environment variable less.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Command {
        self.variables.push((name.as_ref().to_owned(), None));
        self
    }

    /// No variables but those that are said from here on. The program is still looked for in this process's PATH.
    #[must_use]
    pub fn env_clear(mut self) -> Command {
        self.variables.clear();
        self.is_environment_cleared = true;
        self
    }

    /// The folder it begins in. A program's name with a slash and without one at its beginning is looked for from there.
    #[must_use]
    pub fn current_dir(mut self, folder: impl AsRef<Path>) -> Command {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Its standard input.
    #[must_use]
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Command {
        self.stdin = stdin.into();
        self
    }

    /// Its standard output.
    #[must_use]
    pub fn stdout(mut self, stdout: impl Into<Stdio>) -> Command {
        self.stdout = stdout.into();
        self
    }

    /// Its standard error.
    #[must_use]
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Command {
        self.stderr = stderr.into();
        self
    }

    /// Its standard error, unless it was said already.
    pub(super) fn stderr_if_inherited(mut self, stderr: Stdio) -> Command {
        if matches!(self.stderr, Stdio::Inherit) {
            self.stderr = stderr;
        }
        self
    }

    /// A descriptor that it gets under `number`. It gets a duplicate; the file behind it is shared.
    #[must_use]
    pub fn fd(mut self, number: RawFd, fd: impl Into<OwnedFd>) -> Command {
        self.fds.push((number, fd.into()));
        self
    }

    /// Kill it when its [`Child`] is dropped before it has ended. Otherwise it goes on.
    #[must_use]
    pub fn kill_on_drop(mut self, kills: bool) -> Command {
        self.kills_on_drop = kills;
        self
    }

    /// Starts the program. Returns when it runs, or says why it does not: the process exists then no more.
    ///
    /// The loop stands still until the program is loaded. A program file that is open for writing elsewhere (`ExecutableFileBusy`), which happens
    /// where one writes a program and starts it while other threads start others, is tried ten times, 1 ms apart.
    ///
    /// # Errors
    /// `NotFound`, `PermissionDenied`, ENOEXEC, E2BIG and what else the start can come to, with the program and the step in
    /// the text; `InvalidInput` for what holds a 0 byte; EMFILE; EAGAIN, if there are too many processes.
    #[track_caller]
    pub fn spawn(mut self) -> io::Result<Child> {
        reaper::adopt();
        self.prepare()?;
        let (streams, stdout) = (Streams::open(&mut self)?, std::io::stdout());
        let mut fds: Vec<(RawFd, BorrowedFd<'_>)> = Vec::new();
        fds.extend(streams.inner().map(|(number, fd)| (number, fd.as_fd())));
        for number in 0..3 {
            let is_said = number == 2 && matches!(self.stderr, Stdio::ToStdout);
            let is_said = is_said || fds.iter().any(|(other, _)| *other == number);
            if let (Some(terminal), false) = (&self.terminal, is_said) {
                fds.push((number, terminal.as_fd()));
            }
        }
        if let Stdio::ToStdout = self.stderr {
            let out = fds.iter().find(|(number, _)| *number == 1);
            fds.push((2, out.map_or_else(|| stdout.as_fd(), |(_, fd)| *fd)));
        }
        for (number, fd) in &self.fds {
            if *number < 0 || fds.iter().any(|(other, _)| other == number) {
                let text =
                    format!("descriptor {number} of the child is said twice, or is negative");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
            }
            fds.push((*number, fd.as_fd()));
        }
        let process = sys::spawn(&self.spec, &fds).map_err(|failure| self.explain(failure))?;
        let (kills, here) = (self.kills_on_drop, Location::caller());
        Ok(Child::new(process, streams.ours, kills, here))
    }

    /// What the system is told, from what was said.
    fn prepare(&mut self) -> io::Result<()> {
        let is_path = self.program.as_encoded_bytes().contains(&b'/');
        let path = (!is_path).then(|| std::env::var_os("PATH")).flatten();
        self.spec.set_program(&self.program, path.as_deref())?;
        let name = self.arg0.as_ref().unwrap_or(&self.program);
        let argv = [name].into_iter().chain(&self.args);
        self.spec.argv = argv
            .map(|arg| sys::c_string(arg))
            .collect::<io::Result<_>>()?;
        let folder = self
            .folder
            .as_ref()
            .map(|folder| sys::c_string(folder.as_os_str()));
        self.spec.folder = folder.transpose()?;
        if !self.variables.is_empty() || self.is_environment_cleared {
            let mut all: Vec<(OsString, OsString)> = Vec::new();
            if !self.is_environment_cleared {
                all.extend(std::env::vars_os());
            }
            for (name, value) in &self.variables {
                all.retain(|(other, _)| other != name);
                all.extend(value.iter().map(|value| (name.clone(), value.clone())));
            }
            self.spec.envp = Some(sys::environment(all.into_iter())?);
        }
        Ok(())
    }

    fn explain(&self, failure: SpawnError) -> io::Error {
        let SpawnError { step, error } = failure;
        let place = match (step, &self.folder) {
            (Step::Folder, Some(folder)) => format!(" ({})", folder.display()),
            _ => String::new(),
        };
        let program = Path::new(&self.program).display();
        let complaint = Complaint {
            text: format!("{program}: {step}{place}"),
            error,
        };
        io::Error::new(complaint.error.kind(), complaint)
    }
}

/// The error of the system, with the program and the step before it.
#[derive(Debug)]
struct Complaint {
    text: String,
    error: io::Error,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text, self.error)
    }
}

impl std::error::Error for Complaint {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

/// Our ends of the standard streams.
#[derive(Default)]
pub(super) struct Ours {
    pub(super) stdin: Option<PipeWriter>,
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
}

/// The standard streams: the child's ends, which close when it has them, and ours.
struct Streams {
    theirs: [Option<OwnedFd>; 3],
    ours: Ours,
}

impl Streams {
    fn open(command: &mut Command) -> io::Result<Streams> {
        let mut streams = Streams {
            theirs: [None, None, None],
            ours: Ours::default(),
        };
        let (stdin, ours) = open(&mut command.stdin, false)?;
        streams.theirs[0] = stdin;
        streams.ours.stdin = ours.map(PipeWriter::new);
        let (stdout, ours) = open(&mut command.stdout, true)?;
        streams.theirs[1] = stdout;
        streams.ours.stdout = ours.map(PipeReader::new);
        if !matches!(command.stderr, Stdio::ToStdout) {
            let (stderr, ours) = open(&mut command.stderr, true)?;
            streams.theirs[2] = stderr;
            streams.ours.stderr = ours.map(PipeReader::new);
        }
        Ok(streams)
    }

    fn inner(&self) -> impl Iterator<Item = (RawFd, &OwnedFd)> {
        let all = (0..).zip(&self.theirs);
        all.filter_map(|(number, fd)| Some((number, fd.as_ref()?)))
    }
}

/// The child's end of a stream, if it does not inherit it, and ours, if there is one.
fn open(stdio: &mut Stdio, is_output: bool) -> io::Result<(Option<OwnedFd>, Option<Fd>)> {
    match std::mem::take(stdio) {
        Stdio::Inherit => Ok((None, None)),
        Stdio::Null => Ok((Some(sys::open_null()?), None)),
        Stdio::Fd(fd) => Ok((Some(fd), None)),
        Stdio::Piped => {
            let (reader, writer) = pipe::pipe()?;
            let (theirs, ours) = if is_output {
                (writer, reader)
            } else {
                (reader, writer)
            };
            pipe::set_nonblocking(&theirs, false)?;
            Ok((Some(theirs.into_owned()), Some(ours)))
        }
        Stdio::ToStdout => {
            let text = "only standard error can go where standard output goes";
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
    }
}

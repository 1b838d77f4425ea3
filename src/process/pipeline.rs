//! `Pipeline`: programs each of which reads what the one before says.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use super::child::Child;
use super::command::Command;
use super::communicate::Output;
use super::stdio::Stdio;
use crate::pipe;

/// Programs in a row, as the shell's `a | b | c`.
///
/// ```
/// use mainspring::process::{Command, Pipeline};
/// # mainspring::run(async {
/// let output = Pipeline::new(Command::new("printf").arg("b\\na\\nb\\n"))
///     .pipe(Command::new("sort"))
///     .pipe(Command::new("uniq"))
///     .output()
///     .await?;
/// assert_eq!(output.stdout, b"a\nb\n");
/// assert!(output.success());
/// # std::io::Result::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Debug)]
pub struct Pipeline {
    commands: Vec<Command>,
}

/// How a pipeline ended, and what its last program said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineOutput {
    /// How each program ended, in their order.
    pub statuses: Vec<ExitStatus>,
    /// What came from the last one's standard output.
    pub stdout: Vec<u8>,
    /// What came from the last one's standard error; those of the others are theirs.
    pub stderr: Vec<u8>,
}

impl PipelineOutput {
    /// Whether every program ended well, as with the shell's `pipefail`.
    #[must_use]
    pub fn success(&self) -> bool {
        self.statuses.iter().all(ExitStatus::success)
    }
}

impl Pipeline {
    /// The first program. Its standard input is its own affair.
    #[must_use]
    pub fn new(first: Command) -> Pipeline {
        Pipeline {
            commands: vec![first],
        }
    }

    /// One more, which reads what the one before says.
    #[must_use]
    pub fn pipe(mut self, next: Command) -> Pipeline {
        self.commands.push(next);
        self
    }

    /// Starts them all, the last one first, so that nobody writes before there is a reader. If one does not start, those that
    /// did are killed.
    ///
    /// # Errors
    /// As for [`Command::spawn`].
    #[track_caller]
    pub fn spawn(self) -> io::Result<Vec<Child>> {
        let mut children: Vec<Child> = Vec::with_capacity(self.commands.len());
        match spawn_all(self.commands, &mut children) {
            Ok(()) => {
                children.reverse();
                Ok(children)
            }
            Err(error) => {
                children
                    .iter_mut()
                    .for_each(|child| child.set_kill_on_drop(true));
                Err(error)
            }
        }
    }

    /// Starts them all, keeps what the last one says, and waits for the end of each. Dropping the future kills them.
    ///
    /// # Cancel safety
    /// Not safe, because the programs are killed, and what was said is lost.
    ///
    /// # Errors
    /// As for [`Command::output`].
    #[track_caller]
    pub fn output(mut self) -> impl Future<Output = io::Result<PipelineOutput>> {
        if let Some(last) = self.commands.pop() {
            self.commands
                .push(last.stdout(Stdio::Piped).stderr_if_inherited(Stdio::Piped));
        }
        let children = self.spawn();
        // A named future would hold the children and borrow from them.
        async move {
            let mut children = children?;
            children
                .iter_mut()
                .for_each(|child| child.set_kill_on_drop(true));
            let mut statuses = Vec::with_capacity(children.len());
            let mut said: Option<Output> = None;
            if let Some(last) = children.last_mut() {
                said = Some(last.communicate(Vec::new()).await?);
            }
            for child in &children {
                statuses.push(child.wait().await?);
            }
            let (stdout, stderr) = said.map_or_else(Default::default, |it| (it.stdout, it.stderr));
            Ok(PipelineOutput {
                statuses,
                stdout,
                stderr,
            })
        }
    }
}

/// From the last to the first; the children in that order.
fn spawn_all(commands: Vec<Command>, children: &mut Vec<Child>) -> io::Result<()> {
    let mut stdout: Option<Stdio> = None;
    for (index, mut command) in commands.into_iter().enumerate().rev() {
        if let Some(stdout) = stdout.take() {
            command = command.stdout(stdout);
        }
        if index > 0 {
            let (reader, writer) = pipe::pipe()?;
            command = command.stdin(reader.into_blocking_fd()?);
            stdout = Some(Stdio::Fd(writer.into_blocking_fd()?));
        }
        children.push(command.spawn()?);
    }
    Ok(())
}

impl fmt::Display for Pipeline {
    /// The programs' names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, command) in self.commands.iter().enumerate() {
            let before = if index == 0 { "" } else { " | " };
            write!(f, "{before}{}", Path::new(&command.program).display())?;
        }
        Ok(())
    }
}

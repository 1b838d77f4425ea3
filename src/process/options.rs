//! What a program gets beside arguments, environment and streams: user, session, limits.

use std::os::fd::OwnedFd;

use mainspring_sys::child::Limit;
use mainspring_sys::signal::Signal;

use super::command::Command;

impl Command {
    /// The user it runs as, by number. Its supplementary groups are dropped, unless [`Command::groups`] says which it has.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Command {
        self.spec.uid = Some(uid);
        self
    }

    /// The group it runs as, by number.
    #[must_use]
    pub fn gid(mut self, gid: u32) -> Command {
        self.spec.gid = Some(gid);
        self
    }

    /// Its supplementary groups.
    #[must_use]
    pub fn groups(mut self, groups: impl Into<Vec<u32>>) -> Command {
        self.spec.groups = Some(groups.into());
        self
    }

    /// A session of its own: it leads it, and a new process group, and has no controlling terminal (`setsid`).
    #[must_use]
    pub fn new_session(mut self, is_new: bool) -> Command {
        self.spec.is_session = is_new;
        self
    }

    /// A session of its own, whose controlling terminal is its standard input: for a child on a pseudo-terminal.
    #[must_use]
    pub fn controlling_terminal(mut self) -> Command {
        self.spec.is_session = true;
        self.spec.takes_terminal = true;
        self
    }

    /// Runs it on a terminal: in a session of its own, with `slave` as its controlling terminal and as those of its standard
    /// streams that are not said otherwise. [`Master::open_slave`](crate::terminal::Master::open_slave) gives one. Its standard
    /// input must be this, or another terminal that controls no other session.
    #[must_use]
    pub fn on_terminal(mut self, slave: impl Into<OwnedFd>) -> Command {
        self.terminal = Some(slave.into());
        self.controlling_terminal()
    }

    /// The process group that it joins. 0 makes one that it leads: then [`Child::kill_group`](super::Child::kill_group) ends its
    /// children with it, as far as they stay in the group.
    #[must_use]
    pub fn process_group(mut self, group: i32) -> Command {
        self.spec.group = Some(group);
        self
    }

    /// When it has ended, kill what is left of the group that it leads ([`process_group(0)`](Command::process_group),
    /// [`new_session`](Command::new_session)), before the group's number can be another's: what a shell has started does not outlive
    /// it. That is done when its end is waited for, which for a [`Child`](super::Child) that was dropped the loop does.
    ///
    /// ```
    /// use mainspring::process::{Command, Stdio};
    /// # mainspring::run(async {
    /// let shell = Command::shell("sleep 60 &").process_group(0).kill_group_at_end(true);
    /// let mut shell = shell.stdout(Stdio::Piped).spawn()?;
    /// shell.wait().await?;
    /// let out = shell.stdout.take().unwrap();
    /// assert_eq!(out.read(&mut [0; 8]).await?, 0, "nobody has the pipe any more");
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[must_use]
    pub fn kill_group_at_end(mut self, kills: bool) -> Command {
        self.spec.takes_group = kills;
        self
    }

    /// Permissions that its new files do not get: `0o077`, say.
    #[must_use]
    pub fn umask(mut self, mask: u32) -> Command {
        self.spec.umask = Some(mask);
        self
    }

    /// The signal that it gets when this process ends before it. Linux counts the end of the *thread* that started it; FreeBSD
    /// has it as well. Elsewhere the start is refused.
    #[must_use]
    pub fn death_signal(mut self, signal: Signal) -> Command {
        self.spec.death_signal = Some(signal.number());
        self
    }

    /// A limit of a resource, by the number that the system gives it (`RLIMIT_NOFILE`).
    ///
    /// ```
    /// use mainspring::process::{Command, Limit};
    /// # mainspring::run(async {
    /// # #[cfg(target_os = "linux")] {
    /// const RLIMIT_NOFILE: i32 = 7; // on Linux
    /// let limit = Limit { resource: RLIMIT_NOFILE, soft: 32, hard: 32 };
    /// let output = Command::shell("ulimit -n").limit(limit).output().await?;
    /// assert_eq!(output.stdout, b"32\n");
    /// # }
    /// # std::io::Result::Ok(())
    /// # }).unwrap().unwrap();
    /// ```
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Command {
        self.spec.limits.push(limit);
        self
    }
}

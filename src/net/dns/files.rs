//! `Files`: the two files that a resolver of the system is made of, read once, and again when they changed.
//!
//! *Why not in the pool.* A file can block, and a loop must not: its files are read by the pool's threads.
//! This resolver is for who wants no thread. Its two files are small and local, and it reads them when it
//! is made, before the loop runs, and when it is told to; never within a look-up.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use mainspring_sys::file::{self, Stamp};
use mainspring_sys::resolve::interface_index;

use super::config::DnsConfig;
use super::hosts::Hosts;

/// A file that is longer than this is no such file. The longest hosts files, lists of advertisers, have five
/// megabytes.
const LEN_MAX: usize = 32 << 20;

/// Where the two are, and what they looked like.
#[derive(Debug)]
pub(super) struct Files {
    config: File,
    hosts: File,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    stamp: Cell<Option<Stamp>>,
}

impl Files {
    /// What both files say. One that is not there is an empty one.
    pub(super) fn read(config: &Path, hosts: &Path) -> io::Result<(Files, DnsConfig, Hosts)> {
        let file = |path: &Path| File {
            path: path.to_path_buf(),
            stamp: Cell::new(None),
        };
        let files = Files {
            config: file(config),
            hosts: file(hosts),
        };
        let (config, config_stamp) = files.config.read()?;
        let (hosts, hosts_stamp) = files.hosts.read()?;
        files.config.stamp.set(config_stamp);
        files.hosts.stamp.set(hosts_stamp);
        Ok((files, parse_config(&config), Hosts::parse(&hosts)))
    }

    /// What the files say that look different from when they were read. After an error, none was.
    pub(super) fn changed(&self) -> io::Result<(Option<DnsConfig>, Option<Hosts>)> {
        let config = self.config.read_if_changed()?;
        let hosts = self.hosts.read_if_changed()?;
        let config = config.map(|(bytes, stamp)| {
            self.config.stamp.set(stamp);
            parse_config(&bytes)
        });
        let hosts = hosts.map(|(bytes, stamp)| {
            self.hosts.stamp.set(stamp);
            Hosts::parse(&bytes)
        });
        Ok((config, hosts))
    }
}

fn parse_config(bytes: &[u8]) -> DnsConfig {
    DnsConfig::parse_with(bytes, |name| interface_index(name).ok())
}

impl File {
    fn read(&self) -> io::Result<(Vec<u8>, Option<Stamp>)> {
        let read = file::read(&self.path, LEN_MAX).map_err(|error| self.explain(&error))?;
        let (bytes, stamp) = read.unzip();
        Ok((bytes.unwrap_or_default(), stamp))
    }

    fn read_if_changed(&self) -> io::Result<Option<(Vec<u8>, Option<Stamp>)>> {
        let stamp = file::stamp(&self.path).map_err(|error| self.explain(&error))?;
        if stamp == self.stamp.get() {
            return Ok(None);
        }
        self.read().map(Some)
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
    }
}

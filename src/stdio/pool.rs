//! `PoolReader`, `PoolWriter`: a standard stream that a thread of the pool waits for.
//!
//! *Model.* One job at a time, which waits for the stream and for a call to give up:
//!
//! ```text
//!   poll ──► task [ Leash, job ]    ──► thread: locks READING, waits for stream or call, reads ──► AHEAD
//!                      │ dropped with the loop, or by its owner                                      │
//!                      └── flag up, then rings ──► thread comes home                 poll ◄──────────┘
//! ```
//!
//! What is read goes to `AHEAD`, which belongs to the process and not to the reader: a thread may come home with bytes after its
//! reader is gone, and the next reader takes them first. `READING` keeps the next thread from overtaking; in the child of a fork,
//! where the thread that has it does not exist, it is another.
//!
//! *The call.* The flag goes up before the pipe is rung; the thread empties the pipe before it looks at the flag. So a call is
//! heard whether it comes before the wait or during it, and an old one stops no new job.
//!
//! *Nothing read ahead.* A job reads no more than the caller asked for, so that what a program leaves unread is there for who
//! reads after it.

use std::future::Future;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use mainspring_sys::fork::{self, PerProcess};
use mainspring_sys::stdio::Patient;

use crate::blocking::spawn_at;
use crate::reactor;
use crate::task::budget::poll_spend;
use crate::task::caller::Caller;
use crate::task::join::{self, JoinHandle};
use crate::task::record::SpawnMeta;

/// The most that one job moves, in bytes.
const CAPACITY: usize = 64 * 1024;

/// Held by the thread that reads.
static READING: PerProcess<Mutex<()>> = PerProcess::new(|_parent| Mutex::new(()));

/// What was read of standard input, and not taken.
static AHEAD: PerProcess<Mutex<Vec<u8>>> = PerProcess::new(|parent| {
    // The child of a fork has a copy, unless a thread of the parent's was just at it.
    let whole = parent.and_then(|parent| parent.try_lock().ok());
    Mutex::new(whole.map(|bytes| bytes.clone()).unwrap_or_default())
});

/// By which a job is called back.
#[derive(Clone)]
struct Call {
    patient: Arc<Patient>,
    is_made: Arc<AtomicBool>,
}

impl Call {
    fn make(&self) {
        self.is_made.store(true, Release);
        self.patient.give_up();
    }
}

/// Calls a job back when it is dropped before the job is done.
struct Leash(Option<Call>);

impl Leash {
    fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        if let Some(call) = &self.0 {
            call.make();
        }
    }
}

/// A job that is under way.
struct Away<T> {
    handle: JoinHandle<io::Result<T>>,
    call: Call,
}

impl<T> Away<T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let answer = ready!(Pin::new(&mut self.handle).poll(cx));
        Poll::Ready(answer.map_err(io::Error::from).and_then(|answer| answer))
    }
}

/// Runs `work` on a thread, which may wait, and is called back when the loop ends or the task is aborted. `work` is told whether
/// it was called.
fn send<T: Send + 'static>(
    name: &str,
    patient: &Arc<Patient>,
    location: &'static Location<'static>,
    work: impl FnOnce(&Patient, &AtomicBool) -> T + Send + 'static,
) -> io::Result<Away<T>> {
    let call = Call {
        patient: Arc::clone(patient),
        is_made: Arc::new(AtomicBool::new(false)),
    };
    let mut leash = Leash(Some(call.clone()));
    let heard = call.clone();
    let work = move || {
        heard.patient.go_on();
        work(&heard.patient, &heard.is_made)
    };
    let job = spawn_at(work, location).ok_or_else(reactor::no_loop)?;
    let task = async move {
        let answer = job.await;
        leash.let_go();
        answer.map_err(io::Error::from)
    };
    let meta = SpawnMeta::named(Some(name.into()), location);
    let handle = join::spawn_current(task, meta).ok_or_else(reactor::no_loop)?;
    Ok(Away { handle, call })
}

/// What came of a job that reads.
enum Got {
    /// Something is in `AHEAD`.
    Bytes,
    End,
    /// Nothing: it was called back.
    Nothing,
}

pub(super) struct PoolReader {
    patient: Arc<Patient>,
    job: Option<Away<io::Result<Got>>>,
    made_at: &'static Location<'static>,
}

fn read(patient: &Patient, is_called: &AtomicBool, len: usize) -> io::Result<Got> {
    let _reading = READING.lock();
    if !AHEAD.lock().is_empty() {
        return Ok(Got::Bytes);
    }
    if is_called.load(Acquire) {
        return Ok(Got::Nothing);
    }
    let mut bytes = vec![0; len];
    Ok(match patient.read(&mut bytes)? {
        None => Got::Nothing,
        Some(0) => Got::End,
        Some(count) => {
            AHEAD.lock().extend_from_slice(&bytes[..count]);
            Got::Bytes
        }
    })
}

impl PoolReader {
    pub(super) fn new(patient: Patient, made_at: &'static Location<'static>) -> PoolReader {
        PoolReader {
            patient: Arc::new(patient),
            job: None,
            made_at,
        }
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // hz_d09: an empty buffer asks for nothing, and the answer 0 would look like the end.
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if let Some(job) = &mut self.job {
                let answer = ready!(job.poll(cx));
                self.job = None;
                match answer?? {
                    Got::End => return Poll::Ready(Ok(0)),
                    Got::Bytes | Got::Nothing => {}
                }
            }
            let mut ahead = AHEAD.lock();
            if !ahead.is_empty() {
                drop(ahead);
                ready!(poll_spend(cx));
                ahead = AHEAD.lock();
                let count = ahead.len().min(buf.len());
                buf[..count].copy_from_slice(&ahead[..count]);
                ahead.drain(..count);
                return Poll::Ready(Ok(count));
            }
            drop(ahead);
            let len = buf.len().min(CAPACITY);
            let location = Caller::current().unwrap_or(self.made_at);
            let work =
                move |patient: &Patient, is_called: &AtomicBool| read(patient, is_called, len);
            self.job = Some(send("stdin", &self.patient, location, work)?);
        }
    }

    /// Nobody waits any more.
    pub(super) fn give_up(&mut self) {
        if let Some(job) = self.job.take() {
            job.call.make();
        }
    }
}

impl AsFd for PoolReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.patient.as_fd()
    }
}

/// Bytes that were taken, on their way. Whoever drops them writes those that need no wait; but the child of a fork, which got
/// a copy, leaves them to its parent.
struct Rest {
    patient: Arc<Patient>,
    bytes: Vec<u8>,
    start: usize,
    /// In which they were taken.
    generation: u32,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.start == self.bytes.len() || fork::is_inherited(self.generation)
    }

    /// By a thread: until all is written, or it is called back.
    fn write(&mut self, is_called: &AtomicBool) -> io::Result<()> {
        while !self.is_empty() && !is_called.load(Acquire) {
            match self.patient.write(&self.bytes[self.start..])? {
                None => break,
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(count) => self.start += count,
            }
        }
        Ok(())
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if !self.is_empty() {
            // Nobody is left to be told of an error.
            let _ = self.patient.write_now(&self.bytes[self.start..]);
        }
    }
}

type Written = (Rest, io::Result<()>);

enum Place {
    Here(Rest),
    Away(Away<Written>),
    /// Its loop ended while it was away.
    Gone,
}

pub(super) struct PoolWriter {
    patient: Arc<Patient>,
    place: Place,
    made_at: &'static Location<'static>,
}

impl PoolWriter {
    pub(super) fn new(patient: Patient, made_at: &'static Location<'static>) -> PoolWriter {
        let patient = Arc::new(patient);
        PoolWriter {
            place: Place::Here(empty(&patient)),
            patient,
            made_at,
        }
    }

    /// Sends what is here to a thread.
    fn send(&mut self, mut rest: Rest) -> io::Result<()> {
        let location = Caller::current().unwrap_or(self.made_at);
        if !crate::context::is_entered() {
            self.place = Place::Here(rest);
            return Err(reactor::no_loop());
        }
        let work = move |_: &Patient, is_called: &AtomicBool| {
            let result = rest.write(is_called);
            (rest, result)
        };
        let job = send("stdout", &self.patient, location, work)?;
        self.place = Place::Away(job);
        Ok(())
    }

    /// Ready when all that was taken is written. What an error kept from being written stays, and is tried again.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match mem::replace(&mut self.place, Place::Gone) {
                Place::Gone => self.place = Place::Here(empty(&self.patient)),
                Place::Here(rest) if rest.is_empty() => {
                    self.place = Place::Here(rest);
                    return Poll::Ready(Ok(()));
                }
                Place::Here(rest) => self.send(rest)?,
                Place::Away(mut job) => {
                    let Poll::Ready(answer) = job.poll(cx) else {
                        self.place = Place::Away(job);
                        return Poll::Pending;
                    };
                    let (rest, result) = answer?;
                    self.place = Place::Here(rest);
                    result?;
                }
            }
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_flush(cx))?;
        ready!(poll_spend(cx));
        let count = buf.len().min(CAPACITY);
        let rest = Rest {
            patient: Arc::clone(&self.patient),
            bytes: buf[..count].to_vec(),
            start: 0,
            generation: fork::generation(),
        };
        if !crate::context::is_entered() {
            return Poll::Ready(Err(reactor::no_loop()));
        }
        self.send(rest)?;
        Poll::Ready(Ok(count))
    }
}

fn empty(patient: &Arc<Patient>) -> Rest {
    Rest {
        patient: Arc::clone(patient),
        bytes: Vec::new(),
        start: 0,
        generation: fork::generation(),
    }
}

impl AsFd for PoolWriter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.patient.as_fd()
    }
}

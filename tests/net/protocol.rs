//! Connections by callbacks: their order, the marks, and each way to the end.

use std::cell::RefCell;
use std::io::{Error, ErrorKind, Result};
use std::rc::Rc;

use mainspring::io::{self, AsyncReadExt as _, Protocol, Transport, serve};
use mainspring::net::UnixStream;
use mainspring::spawn;
use mainspring::time::timeout;

use crate::NEVER;
use crate::rig::{On, pattern, reset_on_close, tcp_pair, turns};

on_both! {
    callbacks_come_in_order_and_the_loss_is_last,
    who_keeps_the_connection_after_the_end_can_write,
    the_marks_pause_and_resume_once_and_every_byte_arrives,
    a_paused_protocol_resumes_at_the_low_mark_and_not_before,
    what_a_callback_asks_for_last_is_done,
    a_close_sends_what_was_written_and_an_abort_does_not,
    a_reset_is_the_reason_of_the_loss,
    a_paused_connection_reads_nothing_until_it_is_resumed,
    another_task_writes_by_a_transport,
    a_dropped_connection_is_told_that_it_was_aborted,
    a_protocol_that_panics_is_not_called_again,
}

/// What was called, in order.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    #[track_caller]
    fn is(&self, want: &[&str]) {
        assert_eq!(*self.0.borrow(), want);
    }
}

/// Notes each call; `on_made` and `on_data` do what the test wants.
struct Noting<M, D> {
    log: Log,
    on_made: M,
    on_data: D,
    keeps: bool,
}

impl<M: FnMut(&Transport), D: FnMut(&Transport, &[u8])> Protocol for Noting<M, D> {
    fn connection_made(&mut self, transport: &Transport) {
        self.log.note("made");
        (self.on_made)(transport);
    }

    fn data_received(&mut self, transport: &Transport, bytes: &[u8]) {
        self.log.note(String::from_utf8_lossy(bytes));
        (self.on_data)(transport, bytes);
    }

    fn eof_received(&mut self, transport: &Transport) -> bool {
        self.log.note("eof");
        if self.keeps {
            transport.write(b"late");
        }
        self.keeps
    }

    fn connection_lost(&mut self, error: Option<&Error>) {
        self.log.note(match error {
            Some(error) => format!("lost: {:?}", error.kind()),
            None => "lost".into(),
        });
    }

    fn pause_writing(&mut self, _: &Transport) {
        self.log.note("pause");
    }

    fn resume_writing(&mut self, _: &Transport) {
        self.log.note("resume");
    }
}

/// All that comes until the end.
async fn read_all(mut stream: &UnixStream) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(all)
}

fn noting<M, D>(log: &Log, on_made: M, on_data: D) -> Noting<M, D>
where
    M: FnMut(&Transport),
    D: FnMut(&Transport, &[u8]),
{
    Noting {
        log: log.clone(),
        on_made,
        on_data,
        keeps: false,
    }
}

fn callbacks_come_in_order_and_the_loss_is_last(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let echo = noting(&log, |_| (), |transport, bytes| transport.write(bytes));
        let server = spawn(serve(near, echo));
        for word in ["tick", "tock"] {
            far.write_all(word.as_bytes()).await.unwrap();
            let mut buf = [0; 8];
            assert_eq!(far.read(&mut buf).await.unwrap(), 4);
        }
        far.shutdown(std::net::Shutdown::Write).unwrap();
        timeout(NEVER, server).await.unwrap().unwrap();
        log.is(&["made", "tick", "tock", "eof", "lost"]);
    });
}

fn who_keeps_the_connection_after_the_end_can_write(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let held = Rc::new(RefCell::new(None));
        let hold = Rc::clone(&held);
        let mut protocol = noting(
            &log,
            move |it| *hold.borrow_mut() = Some(it.clone()),
            |_, _| (),
        );
        protocol.keeps = true;
        let server = spawn(serve(near, protocol));
        far.shutdown(std::net::Shutdown::Write).unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.read(&mut buf).await.unwrap(), 4);
        turns(3).await;
        log.is(&["made", "eof"]);
        let transport: Transport = held.take().unwrap();
        transport.write(b"last");
        transport.write_eof();
        transport.write(b"too late");
        assert_eq!(read_all(&far).await.unwrap(), b"last");
        assert!(!server.is_finished());
        transport.close();
        timeout(NEVER, server).await.unwrap().unwrap();
        assert!(transport.is_closing());
        log.is(&["made", "eof", "lost"]);
    });
}

fn the_marks_pause_and_resume_once_and_every_byte_arrives(on: On) {
    on.sim(async {
        const ALL: usize = 4 << 20;
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let write = |transport: &Transport| {
            transport.set_water_marks(10, 1000);
            transport.write(&pattern(ALL));
            assert_eq!(transport.unsent(), ALL);
        };
        let server = spawn(serve(near, noting(&log, write, |_, _| ())));
        turns(3).await;
        log.is(&["made", "pause"]);
        let mut got = vec![0; ALL];
        let mut count = 0;
        while count < ALL {
            count += far.read(&mut got[count..]).await.unwrap();
        }
        assert!(got == pattern(ALL));
        turns(3).await;
        log.is(&["made", "pause", "resume"]);
        drop(far);
        timeout(NEVER, server).await.unwrap().unwrap();
        log.is(&["made", "pause", "resume", "eof", "lost"]);
    });
}

fn a_paused_protocol_resumes_at_the_low_mark_and_not_before(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, mut far) = io::duplex(10);
        let write = |transport: &Transport| {
            transport.set_water_marks(4, 8);
            transport.write(&[b'x'; 20]);
        };
        let server = spawn(serve(near, noting(&log, write, |_, _| ())));
        turns(3).await;
        log.is(&["made", "pause"]);
        far.read(&mut [0; 5]).await.unwrap();
        turns(3).await;
        log.is(&["made", "pause"]);
        far.read(&mut [0; 1]).await.unwrap();
        turns(3).await;
        log.is(&["made", "pause", "resume"]);
        server.abort();
    });
}

/// Gives up when it is told to pause.
struct Impatient;

impl Protocol for Impatient {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_water_marks(0, 0);
        transport.write(b"tick-tock");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn pause_writing(&mut self, transport: &Transport) {
        transport.abort();
    }
}

fn what_a_callback_asks_for_last_is_done(on: On) {
    on.sim(async {
        let (near, mut far) = io::duplex(4);
        let server = spawn(serve(near, Impatient));
        turns(3).await;
        assert!(server.is_finished(), "nobody else wakes it");
        let mut buf = [0; 8];
        assert_eq!(far.read(&mut buf).await.unwrap(), 4);
        assert_eq!(far.read(&mut buf).await.unwrap(), 0);
    });
}

fn a_close_sends_what_was_written_and_an_abort_does_not(on: On) {
    on.sim(async {
        const ALL: usize = 1 << 20;
        for is_abort in [false, true] {
            let log = Log::default();
            let (near, far) = UnixStream::pair().unwrap();
            let write = move |transport: &Transport| {
                transport.set_water_marks(ALL, ALL);
                transport.write(&pattern(ALL));
                transport.close();
                transport.write(b"too late");
                if is_abort {
                    transport.abort();
                }
            };
            let server = spawn(serve(near, noting(&log, write, |_, _| ())));
            let got = timeout(NEVER, read_all(&far)).await.unwrap().unwrap();
            assert!(if is_abort {
                got.is_empty()
            } else {
                got == pattern(ALL)
            });
            server.await.unwrap();
            log.is(&["made", "lost"]);
        }
    });
}

fn a_reset_is_the_reason_of_the_loss(on: On) {
    on.run(async {
        let log = Log::default();
        let (near, far) = tcp_pair().await;
        let server = spawn(serve(near, noting(&log, |_| (), |_, _| ())));
        turns(2).await;
        reset_on_close(&far);
        drop(far);
        server.await.unwrap();
        log.is(&["made", &format!("lost: {:?}", ErrorKind::ConnectionReset)]);
    });
}

fn a_paused_connection_reads_nothing_until_it_is_resumed(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let held = Rc::new(RefCell::new(None));
        let hold = Rc::clone(&held);
        let pause = move |transport: &Transport| {
            transport.pause_reading();
            *hold.borrow_mut() = Some(transport.clone());
        };
        let server = spawn(serve(near, noting(&log, pause, |_, _| ())));
        far.write_all(b"tick").await.unwrap();
        drop(far);
        turns(5).await;
        log.is(&["made"]);
        held.take().unwrap().resume_reading();
        timeout(NEVER, server).await.unwrap().unwrap();
        log.is(&["made", "tick", "eof", "lost"]);
    });
}

fn another_task_writes_by_a_transport(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let write = |transport: &Transport| {
            let transport = transport.clone();
            drop(spawn(async move {
                turns(5).await;
                transport.write(b"tick");
                turns(5).await;
                transport.close();
            }));
        };
        let server = spawn(serve(near, noting(&log, write, |_, _| ())));
        let got = timeout(NEVER, read_all(&far)).await.unwrap();
        assert_eq!(got.unwrap(), b"tick");
        server.await.unwrap();
        log.is(&["made", "lost"]);
    });
}

fn a_dropped_connection_is_told_that_it_was_aborted(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, _far) = UnixStream::pair().unwrap();
        drop(serve(near, noting(&log, |_| (), |_, _| ())));
        log.is(&[]);
        let (near, _far) = UnixStream::pair().unwrap();
        let server = spawn(serve(near, noting(&log, |_| (), |_, _| ())));
        turns(2).await;
        server.abort();
        assert!(server.await.is_err());
        log.is(&["made", "lost: ConnectionAborted"]);
    });
}

fn a_protocol_that_panics_is_not_called_again(on: On) {
    on.sim(async {
        let log = Log::default();
        let (near, far) = UnixStream::pair().unwrap();
        let server = spawn(serve(
            near,
            noting(&log, |_| (), |_, _| panic!("as the test wants")),
        ));
        far.write_all(b"tick").await.unwrap();
        assert!(server.await.is_err());
        log.is(&["made", "tick"]);
    });
}

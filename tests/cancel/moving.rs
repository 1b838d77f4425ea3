//! Files into sockets, and sockets joined, dropped at each of their waits.

use std::fs::File;
use std::net::Shutdown;
use std::pin::Pin;

use mainspring::net::{SendFile, TcpStream, UnixStream, proxy};
use mainspring::task::blocking::statistics;

use crate::everywhere::Case;
use crate::rig::{On, file_of, pattern};
use crate::wire::{self, Far, MUCH_FOR_TCP as MUCH, Near};

everywhere! {
    a_file_that_is_given_up_has_sent_a_beginning,
    a_file_that_is_given_up_goes_on_from_where_it_says_that_it_is,
    a_file_by_the_pool_that_is_given_up_goes_on_too,
    a_proxy_that_is_given_up_leaves_beginnings_and_streams_that_work,
}

/// A narrow connection, and what is to be sent through it.
struct Sender {
    near: Near<TcpStream>,
    file: File,
}

fn sender() -> (Sender, Far) {
    let (near, far) = wire::narrow_tcp();
    let file = file_of(&pattern(MUCH));
    (Sender { near, file }, far)
}

/// Tells its owner how far it came, whatever becomes of it.
struct Told<'a> {
    sending: Pin<Box<SendFile<'a>>>,
    sent: &'a mut usize,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        *self.sent += usize::try_from(self.sending.sent()).unwrap();
    }
}

/// Sends what is left, and remembers how much that was.
async fn send(sender: &mut Sender, is_by_pool: bool) {
    let Near { stream, sent, .. } = &mut sender.near;
    let sending = stream.send_file(&sender.file, *sent as u64, None);
    let mut told = Told {
        sending: Box::pin(match is_by_pool {
            true => sending.by_pool(),
            false => sending,
        }),
        sent,
    };
    told.sending.as_mut().await.unwrap();
}

async fn all_came(_: &mut Sender, far: &mut Far) {
    far.receive_all(MUCH);
    assert!(far.got == pattern(MUCH));
}

// cancels: TcpStream::send_file
fn a_file_that_is_given_up_has_sent_a_beginning(on: On) {
    let waits = Case::new(on, sender)
        .others_wait()
        .world(Far::make_room)
        .not_safe(
            async |sender| {
                let sending = sender.near.stream.send_file(&sender.file, 0, None);
                sending.await.unwrap();
                sender.near.is_done = true;
            },
            async |sender, far| {
                let stream = &sender.near.stream;
                far.make_room();
                assert_eq!(stream.write(&[255]).await.unwrap(), 1);
                stream.shutdown(Shutdown::Write).unwrap();
                far.receive_all(usize::MAX);
                assert_eq!(far.got.pop(), Some(255));
                assert!(pattern(MUCH).starts_with(&far.got) && !far.got.is_empty());
                assert!(!sender.near.is_done || far.got.len() == MUCH);
            },
        );
    assert!(waits >= 2, "{waits}");
}

fn a_file_that_is_given_up_goes_on_from_where_it_says_that_it_is(on: On) {
    let waits = Case::new(on, sender)
        .others_wait()
        .world(Far::make_room)
        .safe(async |sender| send(sender, false).await, all_came);
    assert!(waits >= 2, "{waits}");
}

// cancels: SendFile
fn a_file_by_the_pool_that_is_given_up_goes_on_too(on: On) {
    // Whichever it waits for: a thread that reads, or room.
    let step = |far: &mut Far| {
        far.make_room();
        let is_read = || {
            let all = statistics().unwrap();
            all.running == 0 && all.queued == 0
        };
        while !is_read() {
            std::thread::yield_now();
        }
    };
    let waits = Case::new(on, sender).others_wait().world(step).not_safe(
        async |sender| send(sender, true).await,
        async |sender, far| {
            // It was given up; what it has told is true, so the rest can follow.
            far.receive_all(sender.near.sent);
            assert!(pattern(MUCH).starts_with(&far.got));
            assert_eq!(far.got.len(), sender.near.sent);
        },
    );
    assert!(waits >= 2, "{waits}");
}

/// What arrived at the far end of `to` is a beginning of what came from the far end of `from`, and what is
/// still in `from` is the end of it.
async fn came_through(
    from: &mut Near<UnixStream>,
    far_from: &mut Far,
    to: &mut Near<UnixStream>,
    far_to: &mut Far,
) {
    far_from.end();
    let mut rest = vec![0; 64];
    let count = from.stream.read(&mut rest).await.unwrap();
    rest.truncate(count);
    to.stream.shutdown(Shutdown::Write).unwrap();
    far_to.receive_all(usize::MAX);
    let all = pattern(far_from.sent);
    assert!(all.starts_with(&far_to.got) && all.ends_with(&rest));
    assert!(far_to.got.len() + rest.len() <= all.len());
    assert!(!from.is_done || far_to.got == all);
}

// cancels: net::proxy, Proxy
fn a_proxy_that_is_given_up_leaves_beginnings_and_streams_that_work(on: On) {
    const ALL: usize = 9;
    for splice_from in [0, usize::MAX] {
        let setup = || {
            let ((a, far_a), (b, far_b)) = (wire::unix(), wire::unix());
            ((a, b), (far_a, far_b))
        };
        let waits = Case::new(on, setup)
            .world(|(far_a, far_b)| {
                far_a.send_or_end(3, ALL);
                far_b.send_or_end(2, ALL - 1);
            })
            .not_safe(
                async |(a, b)| {
                    let joined = proxy(&a.stream, &b.stream).splice_from(splice_from);
                    assert_eq!(joined.await.unwrap(), (ALL as u64, ALL as u64 - 1));
                    (a.is_done, b.is_done) = (true, true);
                },
                async |(a, b), (far_a, far_b)| {
                    came_through(a, far_a, b, far_b).await;
                    came_through(b, far_b, a, far_a).await;
                },
            );
        assert!(waits >= 4, "{waits}");
    }
}

//! The hazards of group C, selectors, at the level of the loop: what a user of a socket would notice.
//!
//! The suite in `sys/tests/conformance.rs` holds each backend to its contract; here the whole road is
//! walked, from the kernel's report to the task. No sleep stands for an event: bounds are counted in
//! polls, system calls and virtual time.

#[path = "net/rig.rs"]
#[macro_use]
mod rig;

use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use mainspring::io::AsyncFd;
use mainspring::net::UnixStream;
use mainspring::sim::fault;
use mainspring::time::timeout;
use rig::{On, both, std_tcp_pair, std_unix_pair, tcp_pair, turns};

on_both! {
    hz_c05_a_short_read_at_the_urgent_mark_is_not_the_end_of_the_data,
    hz_c05_a_short_read_behind_passed_descriptors_is_not_the_end_of_the_data,
    hz_c07_a_fresh_descriptor_is_readable_only_when_the_selector_says_so,
    hz_c22_after_a_refused_registration_the_next_read_tries_first,
    hz_c13_a_number_given_back_by_get_mut_is_free_again,
    hz_c23_a_socket_that_changes_its_loop_is_reported_by_the_new_one,
    hz_c23_two_loops_that_wait_for_one_socket_are_told,
}

/// An hour of virtual time: what takes so long never comes.
const NEVER: Duration = Duration::from_secs(3600);

// recv stops at TCP's urgent mark, with bytes left behind it, and no edge is to come.
fn hz_c05_a_short_read_at_the_urgent_mark_is_not_the_end_of_the_data(on: On) {
    on.sim(async {
        let (near, far) = tcp_pair().await;
        let mut buf = [0; 64];
        // Registered, and nothing there.
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut buf))
                .await
                .is_err()
        );
        far.write_all(b"abc").await.unwrap();
        rustix::net::send(&far, b"!", rustix::net::SendFlags::OOB).unwrap();
        far.write_all(b"def").await.unwrap();
        turns(4).await;
        let mut all = Vec::new();
        while all.len() < 6 {
            let count = timeout(NEVER, near.read(&mut buf))
                .await
                .expect("bytes are left")
                .unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcdef");
    });
}

// recv on a Unix socket stops behind a message that carried descriptors.
fn hz_c05_a_short_read_behind_passed_descriptors_is_not_the_end_of_the_data(on: On) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    on.sim(async {
        let (near, far) = UnixStream::pair().unwrap();
        let mut buf = [0; 64];
        assert!(
            timeout(Duration::from_secs(1), near.read(&mut buf))
                .await
                .is_err()
        );
        let passed = [far.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&passed)));
        let message = [std::io::IoSlice::new(b"abc")];
        sendmsg(&far, &message, &mut ancillary, SendFlags::empty()).unwrap();
        far.write_all(b"def").await.unwrap();
        turns(4).await;
        let mut all = Vec::new();
        while all.len() < 6 {
            let count = timeout(NEVER, near.read(&mut buf))
                .await
                .expect("bytes are left")
                .unwrap();
            all.extend_from_slice(&buf[..count]);
        }
        assert_eq!(all, b"abcdef");
    });
}

fn hz_c07_a_fresh_descriptor_is_readable_only_when_the_selector_says_so(on: On) {
    on.sim(async {
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        let near = AsyncFd::new(near).unwrap();
        near.writable().await.unwrap();
        let early = timeout(Duration::from_secs(1), near.readable()).await;
        assert!(early.is_err(), "nothing is there to be read: {early:?}");
        far.write_all(b"!").unwrap();
        timeout(NEVER, near.readable())
            .await
            .expect("a byte is there")
            .unwrap();
    });
}

fn hz_c22_after_a_refused_registration_the_next_read_tries_first(on: On) {
    if !on.is_edge() {
        return; // poll(2) has no registration that could fail.
    }
    on.sim(async {
        let (near, mut far) = std_tcp_pair();
        let mut buf = [0; 8];
        let plan =
            fault::Plan::new().at(fault::Call::Control, 1, fault::Fault::Errno(libc::ENOSPC));
        let guard = plan.install();
        let error = near.read(&mut buf).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        drop(guard);
        far.write_all(b"here").unwrap();
        let forever = fault::Plan::new().from(
            fault::Call::Control,
            1,
            u64::MAX,
            fault::Fault::Errno(libc::ENOSPC),
        );
        let _guard = forever.install();
        // Bytes that are there need no registration.
        assert_eq!(near.read(&mut buf).await.unwrap(), 4);
        assert_eq!(fault::count_of(fault::Call::Control), 0);
    });
}

fn hz_c13_a_number_given_back_by_get_mut_is_free_again(on: On) {
    on.sim(async {
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let (other, _other_far) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let mut wrapped = AsyncFd::new(near).unwrap();
        assert!(
            timeout(Duration::from_secs(1), wrapped.readable())
                .await
                .is_err()
        );
        // The old object closes here, and its number with it.
        *wrapped.get_mut() = other;
        let error = wrapped.readable().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        drop(wrapped);
        let mut kept = Vec::new();
        let (reused, mut writer) = loop {
            let pair = std::os::unix::net::UnixStream::pair().unwrap();
            if pair.0.as_raw_fd() == number || kept.len() > 200 {
                break pair;
            }
            kept.push(pair);
        };
        let reused = AsyncFd::new(reused).unwrap();
        assert!(
            timeout(Duration::from_secs(1), reused.readable())
                .await
                .is_err()
        );
        writer.write_all(b"!").unwrap();
        timeout(NEVER, reused.readable())
            .await
            .expect("a byte is there")
            .unwrap();
    });
}

fn hz_c23_a_socket_that_changes_its_loop_is_reported_by_the_new_one(on: On) {
    let (first, second) = (on.sim_runtime(), on.sim_runtime());
    let (near, mut far) = std_unix_pair();
    let mut buf = [0; 8];
    first
        .block_on(async {
            assert!(
                timeout(Duration::from_secs(1), near.read(&mut buf))
                    .await
                    .is_err()
            );
        })
        .unwrap();
    for (round, runtime) in [&second, &first, &second].into_iter().enumerate() {
        let read = runtime.block_on(async {
            let reader = timeout(NEVER, near.read(&mut buf));
            let writer = async {
                turns(2).await;
                far.write_all(b"moved").unwrap();
            };
            both(reader, writer).await.0
        });
        assert_eq!(
            read.unwrap().expect("a byte is there").unwrap(),
            5,
            "round {round}"
        );
    }
    drop(first);
    // It had left the first one, so that one's end is nothing to it.
    far.write_all(b"!").unwrap();
    assert_eq!(second.block_on(near.read(&mut buf)).unwrap().unwrap(), 1);
}

fn hz_c23_two_loops_that_wait_for_one_socket_are_told(on: On) {
    let (first, second) = (on.sim_runtime(), on.sim_runtime());
    let (near, mut far) = std_unix_pair();
    let near = std::rc::Rc::new(near);
    let reader = std::rc::Rc::clone(&near);
    let waiting = first.spawn(async move { reader.read(&mut [0; 8]).await });
    first.tick().unwrap();
    let refused = second
        .block_on(near.read(&mut [0; 8]))
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ResourceBusy);
    far.write_all(b"first").unwrap();
    assert_eq!(first.block_on(waiting).unwrap().unwrap().unwrap(), 5);
}

//! A loop inside another, and many beside each other. (The one inside GLib's stands in `.ci/interop/glib.sh`.)

use crate::output;

#[test]
fn embed_poll_lives_in_a_loop_over_poll() {
    // Where poll(2) is all there is, there is nothing to embed.
    if mainspring::BackendKind::Native.name() == "poll" {
        return;
    }
    assert_eq!(
        output("embed_poll", &[]),
        "inside: echo, a sleep, a thread's word\noutside: 22 bytes\nticks: few\n"
    );
}

#[test]
fn workers_hand_each_client_to_whom_it_wants() {
    let printed = output("workers", &[]);
    let expected = "worker 0 served 8\nworker 1 served 8\nworker 2 served 8\n\
                    24 of 24 clients got the worker they wanted\n";
    assert_eq!(printed, expected);
}

//! What a child process gets of a selector: nothing.
//!
//! *Role.* Apart from the conformance suite because it forks: see the header there.

use mainspring_sys::{BackendKind, Selector};

#[test]
fn hz_c26_nothing_of_a_selector_survives_exec() {
    for kind in [BackendKind::Native, BackendKind::Poll] {
        let selector = Selector::new(kind).unwrap();
        if let Some(fd) = selector.selector_fd() {
            let flags = rustix::io::fcntl_getfd(fd).unwrap();
            assert!(
                flags.contains(rustix::io::FdFlags::CLOEXEC),
                "{}",
                selector.name()
            );
        }
        if !cfg!(target_os = "linux") {
            continue;
        }
        // What our own parent left open is not our doing, so only these kinds are looked for.
        let mut list = std::process::Command::new("ls");
        let output = list.args(["-l", "/proc/self/fd"]).output().unwrap();
        let list = String::from_utf8_lossy(&output.stdout);
        assert!(list.contains("->"), "{list}");
        for object in ["eventpoll", "eventfd"] {
            assert!(!list.contains(object), "{}: {list}", selector.name());
        }
    }
}

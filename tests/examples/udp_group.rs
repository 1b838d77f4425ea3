//! `udp_group` with itself, and between three processes.

use rustix::process::Signal;

use crate::tool::Tool;
use crate::{command, output};

/// A group that no other test has.
const GROUP: &str = "239.255.7.8";

#[test]
fn udp_group_hears_itself() {
    assert_eq!(
        output("udp_group", &[]),
        "heard 100 of 100\nheard 100 of 100\n"
    );
}

#[test]
fn udp_group_reaches_every_member_and_tells_strangers_apart() {
    // A port that is free: whoever has one by the kernel's choice.
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let free = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let group = format!("{GROUP}:{port}");
    let members = [(); 2].map(|()| Tool::start("udp_group", &["listen", &group]));
    for member in &members {
        assert_eq!(member.out.next(), format!("listening to {group}"));
    }
    let address = stranger.local_addr().unwrap();
    stranger.send_to(b"tick", ("127.0.0.1", port)).unwrap();
    for count in [1, 32, 100] {
        assert_eq!(
            output("udp_group", &["send", &group, &count.to_string()]),
            ""
        );
        for member in &members {
            let said = member.out.next();
            assert!(said.ends_with(&format!(": {count} of {count}")), "{said}");
        }
    }
    let mut strange = 0;
    for member in members {
        member.signal(Signal::INT);
        let (status, _, err) = member.end();
        assert!(status.success());
        let known = format!("something else came from Some({address})");
        strange += err.iter().filter(|line| **line == known).count();
    }
    // It was sent to the port alone: one of those who share it hears that.
    assert_eq!(strange, 1);
}

#[test]
fn udp_group_says_what_it_does_not_understand() {
    for (arguments, complaint) in [
        (&["listen", "127.0.0.1:7"][..], "127.0.0.1:7 is no group"),
        (&["send", "239.255.7.8:7", "many"], "many: invalid digit"),
        (&["send", "239.255.7.8:7", "1", "lo"], "lo: invalid IPv4"),
        (&["shout"], "that is no order"),
    ] {
        let output = command("udp_group", arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            errors.contains(complaint) && errors.contains("usage: "),
            "{errors}"
        );
    }
}

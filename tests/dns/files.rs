//! The system's files: read when a resolver is made, and again when it is told and they have changed.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use mainspring::net::dns::DnsResolver;

use super::rig::On;
use super::server::Server;
use super::server::say;
use super::texts;

on_both! {
    files_are_read_once_and_again_when_they_have_changed,
    a_file_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_told,
    a_look_up_under_way_ends_as_it_began,
    the_system_has_a_resolver,
}

/// A folder that is nobody else's, and goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(on: On, test: &str) -> Folder {
        let name = format!("mainspring-dns-{test}-{}-{}", on.name(), std::process::id());
        let folder = std::env::temp_dir().join(name.replace("::", "-"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files_are_read_once_and_again_when_they_have_changed(on: On) {
    let folder = Folder::new(on, &format!("reload-{}", on.test));
    let (config, hosts) = (folder.path("resolv.conf"), folder.path("hosts"));
    fs::write(&config, "nameserver 192.0.2.53\n").unwrap();
    fs::write(&hosts, "192.0.2.1 host\n").unwrap();
    let resolver = DnsResolver::from_files(&config, &hosts).unwrap();
    assert_eq!(
        resolver.config().servers,
        ["192.0.2.53:53".parse().unwrap()]
    );
    assert!(!resolver.reload().unwrap());
    let known = || {
        let resolver = resolver.clone();
        texts(
            &on.sim(async move { resolver.lookup("host").await })
                .unwrap(),
        )
    };
    fs::write(&hosts, "192.0.2.22 host\n").unwrap();
    assert_eq!(known(), ["192.0.2.1"]);
    assert!(resolver.reload().unwrap());
    assert_eq!(known(), ["192.0.2.22"]);
    assert!(!resolver.reload().unwrap());
    // Replaced, as editors and DHCP clients do, by one of the same length.
    let fresh = folder.path("fresh");
    fs::write(&fresh, "nameserver 192.0.2.54\n").unwrap();
    fs::rename(&fresh, &config).unwrap();
    assert!(resolver.reload().unwrap());
    assert_eq!(
        resolver.config().servers,
        ["192.0.2.54:53".parse().unwrap()]
    );
    // Gone: as if it were empty.
    fs::remove_file(&config).unwrap();
    assert!(resolver.reload().unwrap());
    assert_eq!(resolver.config().servers, ["127.0.0.1:53".parse().unwrap()]);
    assert!(!resolver.reload().unwrap());
    // One cannot be read: everything stays as it was, and the next time it is seen.
    fs::write(&config, "nameserver 192.0.2.55\n").unwrap();
    fs::remove_file(&hosts).unwrap();
    fs::create_dir(&hosts).unwrap();
    assert_eq!(
        resolver.reload().unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(resolver.config().servers, ["127.0.0.1:53".parse().unwrap()]);
    assert_eq!(known(), ["192.0.2.22"]);
    fs::remove_dir(&hosts).unwrap();
    assert!(resolver.reload().unwrap());
    assert_eq!(
        resolver.config().servers,
        ["192.0.2.55:53".parse().unwrap()]
    );
}

fn a_file_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_told(on: On) {
    let folder = Folder::new(on, &format!("none-{}", on.test));
    let resolver = DnsResolver::from_files(folder.path("a"), folder.path("b")).unwrap();
    assert_eq!(resolver.config().servers, ["127.0.0.1:53".parse().unwrap()]);
    let error = DnsResolver::from_files(&folder.0, folder.path("b")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let text = error.to_string();
    assert!(
        text.contains("no regular file") && text.contains("mainspring-dns-none"),
        "{text}"
    );
    // Who was made of no files has none to read again.
    assert!(
        !DnsResolver::new(Default::default(), Default::default())
            .reload()
            .unwrap()
    );
}

fn a_look_up_under_way_ends_as_it_began(on: On) {
    let folder = Folder::new(on, &format!("under-way-{}", on.test));
    let config = folder.path("resolv.conf");
    // As this one is no server of port 53, only its search list can be seen.
    fs::write(
        &config,
        "search old.example\noptions attempts:1 timeout:1\n",
    )
    .unwrap();
    on.sim(async {
        let server = Server::start(|query| say(&query.reply_v4(1)));
        drop(server);
        let resolver = DnsResolver::from_files(&config, folder.path("hosts")).unwrap();
        let lookup = resolver.lookup("host");
        let first = mainspring::spawn(lookup);
        mainspring::yield_now().await;
        fs::write(
            &config,
            "search new.example new.test\noptions attempts:1 timeout:1\n",
        )
        .unwrap();
        assert!(resolver.reload().unwrap());
        // Nobody serves port 53 here, or somebody does: the error, or the answer, is of the old list.
        if let Err(error) = first.await.unwrap() {
            assert!(!error.to_string().contains("new.example"), "{error}");
        }
        let names: Vec<String> = resolver
            .config()
            .search
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["new.example", "new.test"]);
    });
}

fn the_system_has_a_resolver(on: On) {
    let resolver = DnsResolver::from_system().unwrap();
    assert!(!resolver.config().servers.is_empty());
    let found = on.sim(async move { resolver.lookup("localhost").await });
    assert_eq!(texts(&found.unwrap()), ["::1", "127.0.0.1"]);
}

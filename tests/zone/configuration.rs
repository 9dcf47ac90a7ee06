//! O04, O05 and the version: what is wrong is said at once and completely, before anything opens.

use std::{fs, process::Command, time::Duration};

use crate::harness::{SOKE, Zone, run};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn the_version_is_two_lines_before_any_configuration_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join(".soke")).expect("a folder");
    fs::write(folder.path().join(".soke/soke.toml"), "this is no TOML").expect("a file");
    for flag in ["--version", "-V"] {
        let mut command = Command::new(SOKE);
        command.env_clear().current_dir(folder.path()).arg(flag);
        let said = run(command, "", SOON);
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!((said.code, lines.len()), (Some(0), 2), "{said:?}");
        assert!(lines[0].starts_with("Current version: "), "{said:?}");
        assert!(lines[1].starts_with("Building info:"), "{said:?}");
    }
}

#[test]
fn o04_every_mistake_is_told_at_once_one_line_each_and_nothing_opens() {
    let config =
        "[native]\nlisten = \"nowhere\"\nlissten = 1\n[store]\nengine = \"files\"\n[zone]\nowner = 7\n";
    let zone = Zone::builder().config(config).prepare();
    for command in [&["up", "--listen", "also nowhere"][..], &["config", "show"]] {
        let said = zone.soke(command);
        assert_eq!(said.code, Some(78), "{said:?}");
        for key in [
            "native.listen:",
            "native.lissten:",
            "store.engine:",
            "zone.owner:",
        ] {
            let lines: Vec<_> = said.errors.lines().filter(|line| line.contains(key)).collect();
            assert_eq!(lines.len(), 1, "{key}: {said:?}");
            assert!(lines[0].contains("wanted:"), "{said:?}");
        }
        assert_eq!(said.errors.lines().count(), 4, "{said:?}");
    }
    let left: Vec<_> = fs::read_dir(zone.data()).expect("the data folder").collect();
    assert_eq!(left.len(), 1, "only soke.toml: {left:?}");
}

#[test]
fn o04_a_port_that_is_taken_is_one_clear_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let zone = Zone::builder().prepare();
    let said = zone.soke(&["up", "--listen", &address]);
    assert_ne!(said.code, Some(0), "{said:?}");
    let lines: Vec<_> = said
        .errors
        .lines()
        .filter(|line| line.contains(&address))
        .collect();
    assert_eq!(lines.len(), 1, "{said:?}");
}

#[test]
fn o04_a_data_folder_that_cannot_be_written_is_one_clear_line() {
    let zone = Zone::builder().prepare();
    // A file where the folder should be stops root too.
    fs::remove_dir_all(zone.data()).expect("the folder goes");
    fs::write(zone.data(), "").expect("a file");
    let said = zone.soke(&["up"]);
    assert_ne!(said.code, Some(0), "{said:?}");
    let folder = zone.data().display().to_string();
    let lines: Vec<_> = said
        .errors
        .lines()
        .filter(|line| line.contains(&folder))
        .collect();
    assert_eq!(lines.len(), 1, "{said:?}");
}

#[test]
fn o05_a_second_server_on_one_data_folder_is_refused_at_once() {
    let zone = Zone::builder().start();
    let said = zone.soke(&["up", "--listen", "127.0.0.1:0"]);
    assert_eq!(said.code, Some(75), "{said:?}");
    assert!(
        said.errors.contains(&zone.pid().to_string()),
        "it names the holder: {said:?}"
    );
    assert!(said.errors.contains("cure: "), "{said:?}");
    zone.sign_in_owner();
    zone.good(&["whoami"]);
}

#[test]
fn config_show_tells_where_each_value_comes_from() {
    let zone = Zone::builder()
        .config("[zone]\nhost = \"lab.localhost\"\n[store]\nurl = \"canary-of-the-store\"\n")
        .prepare();
    let mut command = zone.command();
    command.env("SOKE_LOG__LEVEL", "info").args(["config", "show"]);
    let said = run(command, "", SOON);
    assert_eq!(said.code, Some(0), "{said:?}");
    let line = |key: &str| {
        let found = said.out.lines().find(|line| line.starts_with(key));
        found.unwrap_or_else(|| panic!("{key}: {said:?}")).to_owned()
    };
    assert!(
        line("host = \"lab.localhost\"").ends_with("soke.toml"),
        "{said:?}"
    );
    assert!(line("level = \"info\"").ends_with("SOKE_LOG__LEVEL"), "{said:?}");
    assert!(line("engine = \"sqlite\"").ends_with("default"), "{said:?}");
    assert!(!said.out.contains("canary"), "{said:?}");
}

#[test]
fn commands_that_need_a_server_say_that_none_runs_and_what_helps() {
    let zone = Zone::builder().prepare();
    for command in [&["status"][..], &["jobs"], &["run", "--", "true"], &["stop"]] {
        let said = zone.soke(command);
        assert_eq!(said.code, Some(69), "{command:?}: {said:?}");
        assert!(said.errors.starts_with("soke: no "), "{command:?}: {said:?}");
    }
}

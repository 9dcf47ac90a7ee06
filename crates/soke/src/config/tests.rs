//! Layers, ranges and the promise that every mistake is reported at once.

use std::{net::SocketAddr, path::Path};

use super::{Config, Environment, Flags};

fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("soke.toml"), text).expect("the file is written");
    folder
}

fn flags(folder: &Path) -> Flags {
    Flags {
        data: Some(folder.to_owned()),
        ..Flags::default()
    }
}

fn load(text: &str, variables: &[(&str, &str)], listen: Option<&str>) -> Result<Config, super::Faults> {
    let folder = folder_with(text);
    let flags = Flags {
        listen: listen.map(str::to_owned),
        ..flags(folder.path())
    };
    Config::load(&flags, &Environment::of(folder.path(), variables))
}

fn listen_of(config: Result<Config, super::Faults>) -> SocketAddr {
    config
        .map(|config| config.native.listen.socket_address())
        .expect("a good configuration")
}

#[test]
fn the_defaults_are_valid_and_bind_loopback() {
    let config = load("", &[], None).expect("the defaults are valid");
    assert!(config.native.listen.is_loopback());
    assert_eq!(config.zone.host, "soke.localhost");
}

#[test]
fn a_later_layer_wins_over_an_earlier_one() {
    let file = "[native]\nlisten = \"127.0.0.1:1\"\n";
    let variable = [("SOKE_NATIVE__LISTEN", "127.0.0.1:2")];
    assert_eq!(listen_of(load(file, &[], None)).port(), 1);
    assert_eq!(listen_of(load(file, &variable, None)).port(), 2);
    assert_eq!(listen_of(load(file, &variable, Some("127.0.0.1:3"))).port(), 3);
}

#[test]
fn a_port_alone_means_loopback() {
    let loopback: SocketAddr = "127.0.0.1:9000".parse().expect("an address");
    assert_eq!(listen_of(load("[native]\nlisten = 9000\n", &[], None)), loopback);
    assert_eq!(listen_of(load("", &[], Some("9000"))), loopback);
}

#[test]
fn every_mistake_of_every_layer_is_reported_at_once() {
    let file = "colour = 1\n[native]\nlisten = \"nowhere\"\nlissten = 1\nhosts = [\"good.example\", \"bad host\"]\n\
                [zone]\nowner = \"Ada\"\n[store]\nengine = \"postgresql\"\nconnections = 0\n";
    let faults = load(file, &[("SOKE_LOG__FORMAT", "xml"), ("SOKE_NO__SUCH", "1")], None)
        .err()
        .expect("many faults");
    let mut keys = faults.keys();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "colour",
            "log.format",
            "native.hosts",
            "native.lissten",
            "native.listen",
            "no.such",
            "store.connections",
            "store.url",
            "zone.owner",
        ]
    );
    let text = faults.to_string();
    assert_eq!(text.lines().count(), 9, "one line each: {text}");
    assert!(text.contains("perhaps `native.listen`"), "{text}");
}

#[test]
fn a_file_that_is_no_toml_is_named_with_the_line() {
    let faults = load("[native]\nlisten = \n", &[], None).err().expect("a fault");
    assert!(faults.to_string().contains("in line 2"), "{faults}");
}

#[test]
fn a_named_file_must_be_there() {
    let folder = folder_with("");
    let flags = Flags {
        config: Some("missing.toml".into()),
        ..flags(folder.path())
    };
    let faults = Config::load(&flags, &Environment::of(folder.path(), &[]))
        .err()
        .expect("a fault");
    assert!(faults.to_string().contains("missing.toml"), "{faults}");
}

#[test]
fn scows_doors_stand_on_loopback_and_elsewhere_only_where_that_is_said_to_be_insecure() {
    let config = load("", &[], None).expect("the defaults are valid");
    let ports = [config.scow.server, config.scow.portal].map(|door| door.socket_address());
    assert!(ports.iter().all(|door| door.ip().is_loopback()));
    assert_eq!(ports.map(|door| door.port()), [7571, 7572]);
    let open = "[scow.server]\naddress = \"0.0.0.0:7571\"\n[scow.portal]\naddress = \"[::]:7572\"\n";
    let faults = load(open, &[], None).err().expect("no encryption");
    assert_eq!(faults.keys(), ["scow.server.address", "scow.portal.address"]);
    assert!(
        faults.to_string().contains("scow.server.insecure = true"),
        "{faults}"
    );
    let meant = "[scow.server]\naddress = \"0.0.0.0:7571\"\ninsecure = true\n";
    load(meant, &[], None).expect("it was meant");
}

#[test]
fn a_front_end_token_that_is_none_is_a_fault_and_is_not_shown() {
    let token = "canary".repeat(8);
    for (text, mode, is_good) in [
        (token.as_str(), 0o600, true),
        (&token, 0o644, false),
        ("canary", 0o600, false),
    ] {
        let file = "[scow]\nfront_end_token = \"front-end.token\"\nfront_end_role = \"member\"\n";
        let folder = folder_with(file);
        let path = folder.path().join("front-end.token");
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
        match Config::load(&flags(folder.path()), &Environment::of(folder.path(), &[])) {
            Ok(config) => {
                assert!(is_good && config.access.front_end.is_some());
                assert!(!config.show().contains("canary"));
            }
            Err(faults) => {
                assert!(!is_good, "{faults}");
                assert_eq!(faults.keys(), ["scow.front_end_token"]);
                assert!(!faults.to_string().contains("canary"), "{faults}");
            }
        }
    }
    let faults = load("[scow]\nfront_end_role = \"guest\"\n", &[], None)
        .err()
        .expect("a fault");
    assert_eq!(faults.keys(), ["scow.front_end_role"]);
}

#[test]
fn secrets_are_never_shown() {
    let file = "[store]\nengine = \"postgresql\"\nurl = \"postgres://u:canary@h/d\"\n";
    let config = load(file, &[], None).expect("a good configuration");
    assert!(!config.show().contains("canary"), "{}", config.show());
    let faults = load(&format!("{file}colour = 1\n"), &[], None)
        .err()
        .expect("a fault");
    assert!(!faults.to_string().contains("canary"), "{faults}");
}

#[test]
fn what_is_shown_can_be_used_as_a_file_again() {
    let shown = load("", &[("SOKE_NATIVE__HOSTS", "a.example, 192.0.2.7")], None)
        .expect("a good configuration")
        .show();
    assert!(shown.contains("SOKE_NATIVE__HOSTS"), "{shown}");
    let again = load(&shown, &[], None).expect("the same again");
    assert_eq!(again.native.hosts, ["a.example", "192.0.2.7"]);
}

#[test]
fn the_data_folder_is_the_named_one_then_the_one_here_then_the_users_own() {
    let work = tempfile::tempdir().expect("a temporary folder");
    let find = |variables: &[(&str, &str)], flag: Option<&str>| {
        super::Place::find(flag.map(Path::new), &Environment::of(work.path(), variables))
            .map(|place| place.folder)
            .map_err(|fault| fault.key)
    };
    assert_eq!(find(&[], None), Err("--data".to_owned()));
    let home = [("HOME", "/home/ada"), ("XDG_DATA_HOME", "relative")];
    assert_eq!(find(&home, None), Ok("/home/ada/.local/share/soke".into()));
    let own = [("HOME", "/home/ada"), ("XDG_DATA_HOME", "/d")];
    assert_eq!(find(&own, None), Ok("/d/soke".into()));
    std::fs::create_dir(work.path().join(".soke")).expect("the folder is made");
    assert_eq!(find(&own, None), Ok(work.path().join(".soke")));
    assert_eq!(find(&[("SOKE_DATA", "v")], None), Ok(work.path().join("v")));
    assert_eq!(find(&[("SOKE_DATA", "v")], Some("f")), Ok(work.path().join("f")));
}

#[test]
fn the_grid_gateway_stays_on_this_machine_and_its_words_are_checked() {
    let faults = load(
        "[grid]\nenrolment = \"maybe\"\n[grid.http]\naddress = \"0.0.0.0:8080\"\n",
        &[],
        None,
    );
    let faults = faults.err().expect("two faults");
    let mut keys = faults.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["grid.enrolment", "grid.http.address"]);
    let config = load(
        "[grid]\nenrolment = \"closed\"\n[access]\ncookie_secs = 60\n",
        &[],
        None,
    );
    let config = config.expect("a good configuration");
    assert!(!config.access.enrolment && !config.access.believe_wallets);
    assert_eq!(config.access.cookie_life, model::Span::from_secs(60));
}

#[test]
fn a_listener_without_encryption_stays_on_this_machine_until_its_key_says_otherwise() {
    let open = "[buckyos.system_config]\naddress = \"0.0.0.0:3200\"\n";
    let faults = load(open, &[], None).err().expect("a fault");
    assert_eq!(faults.keys(), ["buckyos.system_config.address"]);
    let text = faults.to_string();
    assert!(text.contains("buckyos.system_config.insecure = true"), "{text}");
    let consent = [("SOKE_BUCKYOS__SYSTEM_CONFIG__INSECURE", "true")];
    let config = load(open, &consent, None).expect("said to be meant");
    assert!(!config.buckyos.system_config.is_loopback());
    assert!(config.buckyos.node_gateway.is_loopback());
}

#[test]
fn a_zone_to_try_clients_out_stays_on_this_machine_whatever_else_is_said() {
    let file = "[native]\nlisten = \"0.0.0.0:7443\"\n[buckyos.system_config]\naddress = \"0.0.0.0:1\"\ninsecure = true\n";
    let folder = folder_with(file);
    let flags = Flags {
        test: true,
        ..flags(folder.path())
    };
    let faults = Config::load(&flags, &Environment::of(folder.path(), &[]))
        .err()
        .expect("faults");
    assert_eq!(faults.keys(), ["native.listen", "buckyos.system_config.address"]);
    assert!(
        load(file, &[], None).is_ok_and(|config| !config.test),
        "in use it may"
    );
}

//! Tests of who an account becomes.

use nix::unistd::Uid;

use super::{Account, Kind, worker};
use crate::Error;

fn account(name: &str, number: u32) -> Account {
    Account {
        name: name.to_owned(),
        number,
        unix_name: None,
        owner: false,
    }
}

#[test]
fn a_name_that_is_no_folder_is_refused() {
    let data = tempfile::tempdir().expect("a temporary folder");
    for name in ["", ".", "..", ".ssh", "a/b"] {
        let answer = worker(&account(name, 1), data.path(), 200_000, false);
        assert!(matches!(answer, Err(Error::User { .. })), "{name}");
    }
}

#[test]
fn the_same_home_is_given_twice_and_is_closed() {
    use std::os::unix::fs::MetadataExt as _;
    let data = tempfile::tempdir().expect("a temporary folder");
    let first = worker(&account("ada", 1), data.path(), 200_000, false).expect("a worker");
    let again = worker(&account("ada", 1), data.path(), 200_000, false).expect("a worker");
    assert_eq!(first, again);
    assert_eq!(first.kind, Kind::OwnUid);
    let mode = std::fs::metadata(&first.home).expect("a home").mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_link_in_the_place_of_a_home_is_refused() {
    let data = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(data.path().join("homes")).expect("homes");
    std::os::unix::fs::symlink("/etc", data.path().join("homes/ada")).expect("a link");
    let answer = worker(&account("ada", 1), data.path(), 200_000, false);
    assert!(matches!(answer, Err(Error::Home { .. })));
}

#[test]
fn work_never_runs_as_root_nor_as_an_unknown_account() {
    let data = tempfile::tempdir().expect("a temporary folder");
    for unix_name in ["root", "nobody-knows-this-one"] {
        let mut account = account("ada", 1);
        account.unix_name = Some(unix_name.to_owned());
        let answer = worker(&account, data.path(), 200_000, true);
        assert!(matches!(answer, Err(Error::UnixAccount { .. })), "{unix_name}");
    }
}

#[test]
fn a_uid_of_the_zone_is_the_first_plus_the_number() {
    if !Uid::effective().is_root() {
        return;
    }
    let data = tempfile::tempdir().expect("a temporary folder");
    let found = worker(&account("ada", 7), data.path(), 200_000, true).expect("a worker");
    assert_eq!(
        (found.kind, found.uid, found.gid),
        (Kind::ZoneUid, 200_007, 200_007)
    );
    let beyond = worker(&account("eve", 7), data.path(), u32::MAX - 6, true);
    assert!(matches!(beyond, Err(Error::User { .. })));
}

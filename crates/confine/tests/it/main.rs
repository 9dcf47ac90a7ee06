//! Helpers as users on this very machine: what they may read, and what they may not.
//!
//! As root the tests see zone-owned uids, and by a second agent under another uid also the walls.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command},
};

use confine::{Abilities, Account, Config, Confine, Kind, helper};

const STAND_IN: &str = env!("CARGO_BIN_EXE_confine-stand-in");

/// The program that stands in for the binary: beside this one where both were copied, else where cargo built it.
fn stand_in() -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let beside = own.with_file_name("stand-in");
    if beside.exists() { beside } else { STAND_IN.into() }
}

fn abilities() -> Abilities {
    Abilities::probe(&stand_in(), &["probe"]).expect("the machine can be probed")
}

fn is_root() -> bool {
    abilities().root
}

fn account(name: &str, number: u32) -> Account {
    Account {
        name: name.to_owned(),
        number,
        unix_name: None,
        owner: false,
    }
}

struct Helper {
    child: Child,
    socket: BufReader<UnixStream>,
}

impl Helper {
    fn of(data: &Path, account: &Account) -> Self {
        let config = Config {
            data: data.to_owned(),
            first_uid: 200_000,
        };
        let plan = Confine::new(config, abilities()).plan(account).expect("a plan");
        let (child, socket) = helper::spawn_as(&plan, &stand_in(), &["helper"]).expect("a helper");
        Self {
            child,
            socket: BufReader::new(socket),
        }
    }

    /// Runs a shell command as the user: exit code and everything it said.
    fn run(&mut self, command: &str) -> (i32, String) {
        writeln!(self.socket.get_mut(), "{command}").expect("the helper listens");
        let mut line = String::new();
        self.socket.read_line(&mut line).expect("the helper answers");
        let (code, text) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        (code.parse().unwrap_or(-2), text.to_owned())
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A data folder as an agent makes it, with a secret in it.
fn data_folder() -> tempfile::TempDir {
    let data = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(data.path().join("keys")).expect("keys");
    std::fs::write(data.path().join("keys/seal.key"), "secret").expect("a key");
    data
}

#[test]
fn a_helper_works_in_its_home_and_its_environment_is_scrubbed() {
    let data = data_folder();
    let mut ada = Helper::of(data.path(), &account("ada", 1));
    let home = data.path().canonicalize().expect("data").join("homes/ada");
    assert_eq!(ada.run("pwd"), (0, home.display().to_string()));
    assert_eq!(
        ada.run("echo hello > greeting && cat greeting"),
        (0, "hello".to_owned())
    );
    assert_eq!(
        std::fs::read_to_string(home.join("greeting")).expect("a file"),
        "hello\n"
    );
    let (_, environment) = ada.run("env | cut -d= -f1 | sort | tr '\\n' ' '");
    assert_eq!(environment, "HOME LANG LOGNAME PATH PWD SHELL TMPDIR USER");
    assert_eq!(ada.run("ls /proc/self/fd | wc -l").1, "4");
}

#[test]
fn q07_a_helper_reads_no_data_folder_no_other_home_and_no_environment_of_the_agent() {
    let data = data_folder();
    let mut bob = Helper::of(data.path(), &account("bob", 2));
    assert_eq!(bob.run("echo private > letter").0, 0);
    let mut ada = Helper::of(data.path(), &account("ada", 1));
    let root = data.path().display();
    let agent = std::process::id();
    for command in [
        format!("cat {root}/keys/seal.key"),
        format!("ls {root}/keys"),
        format!("cat {root}/homes/bob/letter"),
        format!("ls {root}/homes/bob"),
        format!("cat /proc/{agent}/environ"),
        format!("readlink /proc/{agent}/fd/0"),
        format!("cat /proc/{agent}/cwd/Cargo.toml"),
        format!("cat /proc/{agent}/root{root}/keys/seal.key"),
        format!("kill -0 {agent}"),
        format!("kill -0 {}", bob.child.id()),
    ] {
        let (code, said) = ada.run(&command);
        assert_ne!(code, 0, "{command}: {said}");
    }
    // A file made there may land in the empty cover, never in the data folder.
    ada.run(&format!("touch {root}/mine"));
    assert!(!data.path().join("mine").exists());
    assert_eq!(bob.run("cat letter"), (0, "private".to_owned()));
}

#[test]
fn the_temporary_folder_is_private() {
    let data = data_folder();
    let mut ada = Helper::of(data.path(), &account("ada", 1));
    let mut bob = Helper::of(data.path(), &account("bob", 2));
    assert_eq!(ada.run("echo secret > $TMPDIR/note").0, 0);
    assert_eq!(ada.run("cat $TMPDIR/note"), (0, "secret".to_owned()));
    assert_ne!(bob.run("cat /tmp/note").0, 0);
}

#[test]
fn as_root_the_uid_is_the_zones_own_and_no_group_is_left() {
    if !is_root() {
        return;
    }
    let data = data_folder();
    let mut ada = Helper::of(data.path(), &account("ada", 1));
    assert_eq!(ada.run("id -u; id -G"), (0, "200001|200001".to_owned()));
    assert_eq!(
        ada.run("grep -E 'CapPrm|NoNewPrivs' /proc/self/status | tr '\\t' ' '")
            .1,
        "CapPrm: 0000000000000000|NoNewPrivs: 1"
    );
}

#[test]
fn as_root_a_home_below_a_closed_folder_is_reached_at_its_own_path() {
    if !is_root() {
        return;
    }
    let above = tempfile::Builder::new()
        .tempdir_in("/var/tmp")
        .expect("a folder outside /tmp");
    std::fs::set_permissions(above.path(), std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    let data = above.path().join("deep/data");
    std::fs::create_dir_all(&data).expect("a data folder");
    let mut ada = Helper::of(&data, &account("ada", 1));
    assert_eq!(ada.run("pwd"), (0, data.join("homes/ada").display().to_string()));
    assert_eq!(
        ada.run(&format!("ls {}", above.path().display())),
        (0, "deep".to_owned())
    );
    assert_ne!(ada.run(&format!("touch {}/x", above.path().display())).0, 0);
}

/// Runs this whole test program again as an agent that is not root, so that the walls are tested too.
#[test]
fn everything_holds_for_an_agent_that_is_not_root() {
    if !is_root() {
        assert_eq!(Kind::OwnUid, {
            let data = data_folder();
            let config = Config {
                data: data.path().to_owned(),
                first_uid: 200_000,
            };
            Confine::new(config, abilities())
                .plan(&account("ada", 1))
                .expect("a plan")
                .worker
                .kind
        });
        return;
    }
    // The build folder may lie where the other uid cannot go, so the programs are copied.
    let place = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    let copy = place.path().join("it");
    testbed::copy_program(&testbed::this_program(), &copy);
    testbed::copy_program(&stand_in(), &place.path().join("stand-in"));
    let output = Command::new("setpriv")
        .args(["--reuid=65533", "--regid=65533", "--clear-groups"])
        .arg(&copy)
        .env("TMPDIR", place.path())
        .current_dir(place.path())
        .output()
        .expect("setpriv runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

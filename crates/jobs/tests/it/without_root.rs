//! Runs this very test program again as an agent that is not root: there the walls are tested too.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use crate::machine::{abilities, stand_in};

/// Runs the tests of one module under another uid.
async fn hold_without_root(module: &str) {
    if !abilities().root {
        return;
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    // The build folder may be closed to the other uid, so the programs are copied.
    let copy = place.path().join("it");
    testbed::copy_program(&testbed::this_program(), &copy);
    testbed::copy_program(&stand_in(), &place.path().join("stand-in"));
    let output = tokio::process::Command::from(Command::new("setpriv"))
        .args(["--reuid=65533", "--regid=65533", "--clear-groups"])
        .arg(&copy)
        .arg(format!("{module}::"))
        .env("TMPDIR", place.path())
        .current_dir(place.path())
        .kill_on_drop(true)
        .output()
        .await
        .expect("setpriv runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{complaint}");
    assert!(!text.contains("running 0 tests"), "{text}");
}

#[tokio::test]
async fn adoption_holds_for_an_agent_that_is_not_root() {
    hold_without_root("adoption").await;
}

#[tokio::test]
async fn walls_hold_for_an_agent_that_is_not_root() {
    hold_without_root("apart").await;
}

#[tokio::test]
async fn ends_hold_for_an_agent_that_is_not_root() {
    hold_without_root("ends").await;
}

#[tokio::test]
async fn q05_holds_for_an_agent_that_is_not_root() {
    hold_without_root("hard").await;
}

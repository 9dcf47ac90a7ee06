//! Runs this very test program again as an agent that is not root.

use std::{os::unix::fs::PermissionsExt as _, process::Command};

use crate::machine::{abilities, stand_in};

#[tokio::test]
async fn services_live_with_an_agent_that_is_not_root() {
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
        .arg("life::")
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

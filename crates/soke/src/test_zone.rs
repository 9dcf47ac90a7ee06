//! Zones for trying clients out: made with `--test`, marked for ever, and never mixed up with one in use.
//!
//! What it leaves to others: which doors are wider then (`wiring`), and that they stay on this machine (`config`).

use std::{fs, path::Path};

use crate::{config::Fault, failure::Failure};

/// The file that marks the folder of such a zone.
const MARK: &str = "TEST-ZONE";
/// What the mark says to whoever finds it.
const TEXT: &str =
    "This zone was made with `soke up --test`: whoever reached its ports could do as they liked.\n";

/// Marks a new zone, and refuses a start that would take a zone in use for one that is for trying out, or the other
/// way round: what strangers left in the one must not count in the other.
///
/// # Errors
/// The folder holds a zone of the other sort; the mark cannot be written.
pub(crate) fn check(data: &Path, test: bool) -> Result<(), Failure> {
    let mark = data.join(MARK);
    let is_marked = mark.exists();
    let is_made = data.join("keys").exists();
    let refuse = |what: &str, want: &str| {
        Err(Failure::Place(Fault {
            key: "--test".to_owned(),
            what: what.to_owned(),
            want: want.to_owned(),
            place: data.display().to_string(),
        }))
    };
    match (test, is_marked) {
        (true, true) | (false, false) => Ok(()),
        (true, false) if is_made => refuse(
            "this zone was made without it",
            "another folder, named with --data, for a zone to try clients out",
        ),
        (true, false) => fs::write(&mark, TEXT).map_err(Failure::System),
        (false, true) => refuse(
            "this zone was made with it",
            "the same flag again, or another folder for a zone to be used",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_zone_stays_of_the_sort_that_it_was_made() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        check(folder.path(), false).expect("no zone yet, none to try out");
        check(folder.path(), true).expect("no zone yet");
        std::fs::create_dir(folder.path().join("keys")).expect("a zone is made");
        check(folder.path(), true).expect("of the same sort");
        let told = check(folder.path(), false).expect_err("of the other").to_string();
        assert!(told.contains("was made with it"), "{told}");
        std::fs::remove_file(folder.path().join(super::MARK)).expect("there was a mark");
        let told = check(folder.path(), true).expect_err("of the other").to_string();
        assert!(told.contains("was made without it"), "{told}");
    }
}

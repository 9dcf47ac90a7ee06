//! Which data folder is meant.
//!
//! `--data`, else `SOKE_DATA`, else `./.soke` where it is there already, else the user's own data folder.
//! What it leaves to others: making the folder and looking into it.

use std::path::{Path, PathBuf};

use super::{Environment, Fault};

/// The data folder and where its name came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Absolute.
    pub(crate) folder: PathBuf,
    /// Whether somebody named it, by flag or variable.
    pub(crate) named: bool,
}

impl Place {
    /// Finds the data folder.
    ///
    /// # Errors
    /// Nobody named a folder and there is no home to put one in.
    pub(crate) fn find(flag: Option<&Path>, environment: &Environment) -> Result<Place, Fault> {
        let named = flag.or_else(|| environment.get("SOKE_DATA").map(Path::new));
        if let Some(path) = named {
            return Ok(Place {
                folder: environment.absolute(path),
                named: true,
            });
        }
        let here = environment.absolute(Path::new(".soke"));
        let folder = if here.is_dir() {
            here
        } else {
            let home = environment.data_folder().ok_or_else(no_home)?;
            home.join("soke")
        };
        Ok(Place { folder, named: false })
    }
}

fn no_home() -> Fault {
    Fault {
        key: "--data".to_owned(),
        what: "no data folder is named and HOME is not set".to_owned(),
        want: "`--data FOLDER`".to_owned(),
        place: String::new(),
    }
}

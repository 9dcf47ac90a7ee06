//! How a join token comes to `soke join`: read where nobody else can read it, or not at all.
//!
//! Whoever sees a token before it is used can take this machine's place. Arguments stand in the list of processes for
//! everybody on the machine, and so does what a file holds that others may read; both are refused unless somebody says
//! that it may be seen. What it leaves to others: whether the token is good (the zone).

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use access::Secret;

use crate::args::Join;

/// The most bytes of a line that may hold a token.
const MOST: u64 = 4096;
/// The bits of a file's mode that let others read or change it.
const OF_OTHERS: u32 = 0o077;

/// Says why no token was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It stands among the arguments.
    #[error("the token stands on the command line, where everybody on this machine can read it")]
    Argument,
    /// It stands in a file that others may read.
    #[error("the token stands in `{}`, which others may read (mode {mode:03o})", path.display())]
    Readable { path: PathBuf, mode: u32 },
    /// It stands in somebody else's file.
    #[error("the token stands in `{}`, which belongs to uid {owner}", path.display())]
    Foreign { path: PathBuf, owner: u32 },
    /// It cannot be read.
    #[error("read the token from {from}")]
    Read {
        from: String,
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// What helps.
    pub(crate) fn cure(&self) -> String {
        match self {
            Error::Argument => "leave it out: `soke join` asks for it on standard input, or reads it with \
                                --token-file FILE; --token-may-be-seen takes it as it is"
                .to_owned(),
            Error::Readable { path, .. } => {
                format!(
                    "chmod 600 {}; --token-may-be-seen takes it as it is",
                    path.display()
                )
            }
            Error::Foreign { path, .. } => format!("give {} to the one who runs this", path.display()),
            Error::Read { .. } => {
                "give the token on standard input, or in a file with --token-file FILE".to_owned()
            }
        }
    }
}

/// Reads the token from where the arguments say: a file, the command line where it may be seen, else standard input.
pub(crate) fn read(asked: &Join) -> Result<Secret, Error> {
    if let Some(path) = &asked.token_file {
        return from_file(path, asked.token_may_be_seen);
    }
    match asked.token.as_deref() {
        None | Some("-") => line(io::stdin().lock(), "standard input".to_owned()),
        Some(token) if asked.token_may_be_seen => Ok(Secret::from(token.to_owned())),
        Some(_seen) => Err(Error::Argument),
    }
}

fn from_file(path: &Path, may_be_seen: bool) -> Result<Secret, Error> {
    let failed = |source| Error::Read {
        from: format!("`{}`", path.display()),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // The file that is open, not whatever has its name by then.
    let facts = file.metadata().map_err(failed)?;
    let mode = facts.mode() & 0o777;
    if mode & OF_OTHERS != 0 && !may_be_seen {
        let path = path.to_owned();
        return Err(Error::Readable { path, mode });
    }
    let own = rustix::process::geteuid().as_raw();
    if facts.uid() != own && facts.uid() != 0 {
        return Err(Error::Foreign {
            path: path.to_owned(),
            owner: facts.uid(),
        });
    }
    line(BufReader::new(file), format!("`{}`", path.display()))
}

fn line(source: impl BufRead, from: String) -> Result<Secret, Error> {
    let mut line = String::new();
    match source.take(MOST).read_line(&mut line) {
        Ok(_) => Ok(Secret::from(line)),
        Err(source) => Err(Error::Read { from, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::{Error, Join, read};

    fn asked(token: Option<&str>, file: Option<&Path>, may_be_seen: bool) -> Join {
        Join {
            server: Some("127.0.0.1:1".to_owned()),
            token: token.map(str::to_owned),
            token_file: file.map(Path::to_owned),
            token_may_be_seen: may_be_seen,
            name: None,
            while_stdin_is_open: false,
        }
    }

    #[test]
    fn j16_a_token_that_others_can_see_is_refused_unless_it_may_be_seen() {
        assert!(matches!(
            read(&asked(Some("t"), None, false)),
            Err(Error::Argument)
        ));
        let taken = read(&asked(Some("t"), None, true)).expect("it may be seen");
        assert_eq!(taken.expose(), "t");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        fs::write(&path, "secret\nmore\n").expect("written");
        for (mode, good) in [
            (0o644, false),
            (0o640, false),
            (0o602, false),
            (0o600, true),
            (0o400, true),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            let taken = read(&asked(None, Some(&path), false));
            match taken {
                Ok(token) => assert!(good && token.expose() == "secret\n", "{mode:o}"),
                Err(Error::Readable { .. }) => assert!(!good, "{mode:o}"),
                Err(other) => panic!("{mode:o}: {other}"),
            }
            read(&asked(None, Some(&path), true)).expect("it may be seen");
        }
        let none = read(&asked(None, Some(&folder.path().join("none")), false));
        assert!(matches!(none, Err(Error::Read { .. })));
    }
}

//! The settings of SCOW's doors, and the token that front ends show there.
//!
//! What it leaves to others: what they mean (dialect `scow`), and what a front end may do (`access`).

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use access::{FrontEnd, Role, Secret};

use super::{Scow, plain_listener, reader::Reader};

/// The key of the file that holds the token.
const TOKEN: &str = "scow.front_end_token";
/// The name of the one front end, as the audit trail tells it.
const NAME: &str = "scow";
/// The longest file that is read for a token, in bytes.
const LONGEST: u64 = 2 * FrontEnd::LONGEST_TOKEN as u64;

/// Reads where the doors stand.
pub(super) fn read(reader: &mut Reader) -> Scow {
    Scow {
        server: plain_listener(
            reader,
            "scow.server.address",
            "scow.server.insecure",
            "127.0.0.1:7571",
        ),
        portal: plain_listener(
            reader,
            "scow.portal.address",
            "scow.portal.insecure",
            "127.0.0.1:7572",
        ),
    }
}

/// Reads the front end's token and how far its right may reach.
pub(super) fn front_end(reader: &mut Reader, data: &Path) -> Option<FrontEnd> {
    let file = reader.parsed(
        TOKEN,
        "",
        "the path of a file with 32 to 1024 random letters and digits",
        |text| Ok::<_, String>(text.to_owned()),
    );
    let ceiling = reader.parsed(
        "scow.front_end_role",
        "admin",
        "`owner`, `admin` or `member`",
        |text| match text.parse() {
            Ok(Role::Guest) | Err(_) => Err(format!("`{}` is no such role", text.escape_debug())),
            Ok(role) => Ok(role),
        },
    );
    if file.is_empty() {
        return None;
    }
    let path = data.join(&file);
    let token = match token(&path, data, rustix::process::geteuid().is_root()) {
        Ok(token) => token,
        Err((what, want)) => {
            reader.fault(TOKEN, &what, &want);
            return None;
        }
    };
    match FrontEnd::new(NAME, &token, ceiling) {
        Ok(front_end) => Some(front_end),
        Err(fault) => {
            let what = format!("what stands in {} is no token: {fault}", path.display());
            reader.fault(TOKEN, &what, "a line like that of `openssl rand -hex 32`");
            None
        }
    }
}

/// The token in a file that nobody but this program reads; else what is wrong, and what would be right.
fn token(path: &Path, data: &Path, is_root: bool) -> Result<Secret, (String, String)> {
    let (shown, readable) = (path.display(), "a file that this program can read".to_owned());
    let failed = |fault: std::io::Error| (format!("{shown} cannot be read: {fault}"), readable.clone());
    let real: PathBuf = path.canonicalize().map_err(failed)?;
    let about = fs::metadata(&real).map_err(failed)?;
    if !about.is_file() || about.len() > LONGEST {
        return Err((format!("{shown} is no file with a token"), readable));
    }
    if about.mode() & 0o077 != 0 {
        let what = format!(
            "{shown} has mode {:04o}, which lets others in",
            about.mode() & 0o7777
        );
        return Err((what, format!("set it with: chmod 600 {shown}")));
    }
    // Without rights, work of users runs under the server's own uid, and only the data folder is kept from it.
    let is_walled_off = data.canonicalize().is_ok_and(|data| real.starts_with(data));
    if !is_root && !is_walled_off {
        let what = format!("jobs run as the same user as this program, and could read {shown}");
        return Err((what, format!("a file in {}", data.display())));
    }
    let text = fs::read_to_string(&real).map_err(failed)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    let mut text = text;
    text.truncate(end);
    Ok(Secret::from(text))
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::token;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn w12_a_token_is_read_only_from_where_no_job_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, beside) = (folder.path().join("data"), folder.path().join("beside"));
        fs::create_dir(&data).expect("made");
        let inside = data.join("token");
        for path in [&inside, &beside] {
            fs::write(path, format!("{TOKEN}\n")).expect("written");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
        }
        let good = |path, is_root| token(path, &data, is_root).is_ok_and(|token| token.expose() == TOKEN);
        assert!(good(&inside, false) && good(&inside, true) && good(&beside, true));
        assert!(!good(&beside, false), "jobs could read it");
        let link = data.join("link");
        symlink(&beside, &link).expect("linked");
        assert!(!good(&link, false), "it lies elsewhere");
        for mode in [0o640, 0o604, 0o660, 0o700 | 0o001] {
            fs::set_permissions(&inside, fs::Permissions::from_mode(mode)).expect("set");
            assert!(!good(&inside, true), "{mode:o}");
        }
        let missing = data.join("missing");
        assert!(!good(&data, true) && !good(&missing, true));
        fs::write(&beside, "x".repeat(4096)).expect("written");
        assert!(!good(&beside, true), "far too long");
    }
}

//! What this machine offers for setting work apart, found by trying it in a process that ends afterwards.
//!
//! What it leaves to others: showing it (`status`), and what follows from it ([`crate::Confine::plan`]).

use std::{
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};

use crate::{Error, namespaces, namespaces::Separation, walls};

/// What this machine offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// The agent is root.
    pub root: bool,
    /// The agent may become another uid.
    pub change_user: bool,
    /// Mounts can be separated.
    pub mounts: bool,
    /// Processes can be separated, with a `/proc` of their own.
    pub processes: bool,
    /// The Landlock ABI; 0 without Landlock.
    pub landlock: i32,
}

impl Abilities {
    /// Finds out by starting `program` with `arguments`, which must call [`answer_probe`].
    ///
    /// # Errors
    /// [`Error::Probe`] when the process cannot be started or gives no answer.
    pub fn probe(program: &Path, arguments: &[&str]) -> Result<Self, Error> {
        let failed = |why: String| Error::Probe { why };
        let output = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(format!("start `{}`: {error}", program.display())))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(failed(format!("it ended with {}: {said}", output.status)));
        }
        serde_json::from_slice(&output.stdout).map_err(|source| Error::Form {
            what: "the probe's answer",
            source,
        })
    }

    /// Which namespaces can be made.
    #[must_use]
    pub const fn separation(&self) -> Separation {
        let in_user = !self.root;
        match (self.mounts, self.processes) {
            (true, true) => Separation::Full { in_user },
            (true, false) => Separation::Mounts { in_user },
            (false, _) => Separation::None,
        }
    }

    /// What is missing on this machine and what that means, one sentence each; empty when nothing is.
    #[must_use]
    pub fn reduced(&self) -> Vec<String> {
        let mut list = Vec::new();
        let mut say = |text: &str| list.push(text.to_owned());
        if self.root && !self.change_user {
            say("the agent is root but may not change its uid: no work can run");
        }
        if !self.root && self.landlock == 0 {
            say("no Landlock: only the zone's owner may run work");
        } else if !self.root && self.landlock < walls::Walls::SCOPES_SINCE && !self.processes {
            say("Landlock without scopes: a job could signal other work of this uid");
        }
        if !self.root && !self.mounts && (1..walls::Walls::SOCKETS_SINCE).contains(&self.landlock) {
            say(
                "Landlock before ABI 9 and no mounts: a job could connect to a socket of this uid by its path",
            );
        }
        if !self.mounts {
            say("no namespaces: jobs see names of other processes and have no private /tmp");
            if self.root {
                say("no mounts: the data folder can be passed, not listed, on the way to the homes");
            }
        } else if !self.processes {
            say("no PID namespace: jobs see names of other processes");
        }
        list
    }
}

/// In the probing process: tries everything and writes the answer to standard output. `arguments` are those
/// after the ones that lead here; the process starts itself with `lead` and its own to look inside.
///
/// # Errors
/// The answer cannot be written, or an inner step failed, which the outer process reads as "not possible".
pub fn answer_probe(lead: &[&str], arguments: &[String]) -> Result<(), Error> {
    let root = Uid::effective().is_root();
    let separation = |processes| {
        if processes {
            Separation::Full { in_user: !root }
        } else {
            Separation::Mounts { in_user: !root }
        }
    };
    match arguments.first().map(String::as_str) {
        Some("outer") => {
            namespaces::outer(separation(true))?;
            let inner = run(lead, "inner")?;
            inner.then_some(()).ok_or(Error::Probe {
                why: "no PID namespace".to_owned(),
            })
        }
        Some("inner") => namespaces::try_mounts(true),
        Some("mounts") => {
            if !root {
                namespaces::enter_user()?;
            }
            namespaces::try_mounts(false)
        }
        Some(_) | None => {
            let processes = run(lead, "outer")?;
            let mounts = processes || run(lead, "mounts")?;
            let found = Abilities {
                root,
                mounts,
                processes,
                landlock: walls::probe(),
                change_user: root && try_change_user(),
            };
            let text = serde_json::to_string(&found).map_err(|source| Error::Form {
                what: "the probe's answer",
                source,
            })?;
            write_out(&text)
        }
    }
}

fn run(lead: &[&str], inner: &str) -> Result<bool, Error> {
    let status = Command::new("/proc/self/exe")
        .args(lead)
        .arg(inner)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status
        .map(|status| status.success())
        .map_err(Error::step("start the inner probe"))
}

fn try_change_user() -> bool {
    const SOMEBODY: u32 = 65_534;
    let (uid, gid) = (Uid::from_raw(SOMEBODY), Gid::from_raw(SOMEBODY));
    nix::unistd::setgroups(&[]).is_ok()
        && nix::unistd::setresgid(gid, gid, gid).is_ok()
        && nix::unistd::setresuid(uid, uid, uid).is_ok()
}

fn write_out(text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::step("write the probe's answer"))
}

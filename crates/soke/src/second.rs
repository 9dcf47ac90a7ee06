//! The second machine on this one: a process of this program that joined the zone like any other machine, so that a zone
//! can be seen with two before there are two.
//!
//! It lies in the folder `second` of the data folder. Its server holds its standard input open, so it ends with the server,
//! however that ends, and the next server starts it again. What it leaves to others: how it joined (`cli::story` has the
//! token), and everything that it does then (`join`).

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use cli::story::Invitation;
use confine::Abilities;
use tasks::{Backoff, Policy, Tasks};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, ChildStdin, Command},
};

use crate::{config::Config, failure::Failure, hidden, wiring::PROGRAM};

/// What the machine is called, and its folder.
const NAME: &str = "second";
/// How long it may take to end in order.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait before it is started again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(30));

/// Exit codes of `soke join` after which another start would end in the same way: wrong in itself, not known to the zone,
/// or not in the order of things.
const FOR_GOOD: [i32; 4] = [64, 73, 77, 78];
/// Its exit code while the process before it still holds the folder.
const HELD: i32 = 75;

/// Where the second machine lies in a data folder.
pub(crate) fn folder(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// The second machine of a zone.
#[derive(Debug, Clone)]
pub(crate) struct Second {
    /// The zone's.
    data: PathBuf,
    folder: PathBuf,
}

impl Second {
    /// The one of this zone, whether it is there or not.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            data: config.data.clone(),
            folder: folder(&config.data),
        }
    }

    /// What the machine keeps of itself.
    pub(crate) fn record(&self) -> PathBuf {
        self.folder.join("node").join("node.toml")
    }

    /// Starts the machine, with an invitation to join or as the node that it is, and keeps it until `tasks` is stopped.
    pub(crate) fn keep(self, invitation: Option<Invitation>, tasks: &Tasks) {
        let until = tasks.clone();
        tasks.spawn("soke.second machine", Policy::MayEnd, async move {
            self.keep_until(invitation, &until).await;
        });
    }

    async fn keep_until(&self, mut invitation: Option<Invitation>, tasks: &Tasks) {
        let stop = tasks.token();
        let data = self.data.clone();
        let opened = tasks.blocking("soke.way to the second machine", move || open_way(&data));
        if let Ok(Err(fault)) = opened.await {
            tracing::warn!(%fault, "users may not pass to their homes on the second machine");
        }
        let (first, longest) = PAUSES;
        let mut pauses = Backoff::new(first, longest);
        loop {
            let code = match start(&self.folder, invitation.take()).await {
                Ok((mut child, stdin)) => tokio::select! {
                    ended = child.wait() => ended.ok().and_then(|ended| ended.code()),
                    () = stop.cancelled() => {
                        drop(stdin);
                        return end(child).await;
                    }
                },
                Err(fault) => {
                    tracing::warn!(%fault, "the second machine on this one cannot be started");
                    None
                }
            };
            if code.is_some_and(|code| FOR_GOOD.contains(&code)) {
                tracing::warn!(code, "the second machine on this one is no node of the zone");
                return;
            }
            if code != Some(HELD) {
                tracing::warn!(
                    code,
                    "the second machine on this one has ended and is started again"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pauses.next_wait(0.5)) => {}
            }
        }
    }
}

/// Where users have uids of their own and no mount can show them their homes, the way there leads through the zone's
/// folder: it can be passed then, and still not be listed.
fn open_way(data: &Path) -> Result<(), Failure> {
    let abilities = Abilities::probe(Path::new(PROGRAM), &[hidden::PROBE])?;
    if abilities.root && !abilities.mounts {
        let mode = Permissions::from_mode(0o711);
        std::fs::set_permissions(data, mode).map_err(Failure::System)?;
    }
    Ok(())
}

/// Starts it, and gives what it lives by: it ends when its standard input does.
async fn start(
    folder: &Path,
    invitation: Option<Invitation>,
) -> std::io::Result<(Child, Option<ChildStdin>)> {
    let mut command = Command::new(PROGRAM);
    command
        .arg0("soke")
        .arg("--data")
        .arg(folder)
        .args(["join", "--while-stdin-is-open"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        // A Ctrl-C at the terminal is for the server, which ends this one in its turn.
        .process_group(0);
    if let Some(invitation) = &invitation {
        command.args([invitation.server.as_str(), "--name", NAME]);
    }
    let mut child = command.spawn()?;
    // Taken out, because waiting for a child closes what it still holds.
    let mut stdin = child.stdin.take();
    if let (Some(invitation), Some(stdin)) = (invitation, stdin.as_mut()) {
        let line = format!("{}\n", invitation.token);
        stdin.write_all(line.as_bytes()).await?;
        stdin.flush().await?;
    }
    Ok((child, stdin))
}

/// Ends it in order, within a bound.
async fn end(mut child: Child) {
    if tokio::time::timeout(GRACE, child.wait()).await.is_err()
        && let Err(fault) = child.kill().await
    {
        tracing::warn!(%fault, "the second machine on this one does not end");
    }
}

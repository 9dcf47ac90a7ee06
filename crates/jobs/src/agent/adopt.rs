//! Waiting for stages: those that this agent started and those that an earlier one did.
//!
//! What it leaves to others: the steps that block (module `local`).

use std::{
    os::fd::OwnedFd,
    process::{Child, ChildStdout},
    time::Duration,
};

use confine::process::Identity;
use model::JobId;
use tasks::Policy;
use tokio::{io::AsyncReadExt as _, net::unix::pipe::Receiver};

use super::{
    LocalNode,
    local::{self, Standing},
    step,
};
use crate::{Error, node::Observed};

/// How often a stage that has not yet said who it is, or that its program runs, is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl LocalNode {
    /// Takes up a job of which only the folder is known.
    pub(super) async fn adopt(&self, id: JobId) -> Result<(), Error> {
        match self.look(id).await? {
            Standing::Observed(observed) => self.settle(id, observed).await,
            Standing::Lives(_) => {
                self.inner.note(id, Observed::Starting);
                self.watch(id, None);
                Ok(())
            }
            // Nothing can have run, so the job is as good as not known: it is started anew.
            Standing::Unordered => {
                self.blocking("jobs.forget", move |inner| local::forget(inner, id))
                    .await
            }
            Standing::Ordered => {
                let stage = self
                    .blocking("jobs.start", move |inner| {
                        local::spawn(inner, &inner.folder_of(id))
                    })
                    .await?;
                self.inner.note(id, Observed::Starting);
                self.watch_own(id, stage);
                Ok(())
            }
        }
    }

    /// Watches a stage that this agent started.
    pub(super) fn watch_own(&self, id: JobId, stage: Child) {
        self.watch(id, Some(stage));
    }

    fn watch(&self, id: JobId, stage: Option<Child>) {
        let node = self.clone();
        let token = self.inner.tasks.token();
        let name = format!("jobs.stage {id}");
        self.inner.tasks.spawn(name, Policy::MayEnd, async move {
            let watched = tokio::select! {
                () = token.cancelled() => return,
                watched = node.follow(id, stage) => watched,
            };
            if let Err(error) = watched {
                tracing::error!(job = %id, error = model::chain(&error), "the stage of a job cannot be watched");
            }
        });
    }

    /// Follows a job to its end.
    async fn follow(&self, id: JobId, stage: Option<Child>) -> Result<(), Error> {
        if let Some(mut stage) = stage {
            if let Some(words) = stage.stdout.take() {
                self.hear_start(id, words).await?;
            }
            let held = hold_child(&stage)?;
            ended(held).await?;
            self.blocking("jobs.reap", move |_inner| {
                stage.wait().map(drop).map_err(step("wait for the stage"))
            })
            .await?;
        }
        // Its own stage may have found another one at work already; then that one is followed.
        loop {
            match self.look(id).await? {
                Standing::Observed(observed) => return self.settle(id, observed).await,
                Standing::Ordered | Standing::Unordered => return self.settle(id, Observed::Lost).await,
                Standing::Lives(Some(identity)) => self.follow_stranger(id, identity).await?,
                Standing::Lives(None) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Follows a stage that is not a child of this process: it says nothing, so its folder is read.
    async fn follow_stranger(&self, id: JobId, identity: Identity) -> Result<(), Error> {
        let held = self
            .blocking("jobs.hold", move |_inner| local::hold(&identity))
            .await?;
        let Some(held) = held else {
            return Ok(());
        };
        let mut end = std::pin::pin!(ended(held));
        loop {
            if self.note_start(id).await? {
                return end.await;
            }
            tokio::select! {
                ended = &mut end => return ended,
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn hear_start(&self, id: JobId, words: ChildStdout) -> Result<(), Error> {
        let failed = step("hear the stage");
        let mut words = match Receiver::from_owned_fd(OwnedFd::from(words)) {
            Ok(words) => words,
            Err(error) => return Err(failed(error)),
        };
        let mut byte = [0; 1];
        // The pipe ends without a word when nothing ran.
        if words.read(&mut byte).await.map_err(failed)? > 0 {
            self.note_start(id).await?;
        }
        Ok(())
    }

    /// Notes that the program runs, once its folder says so.
    async fn note_start(&self, id: JobId) -> Result<bool, Error> {
        let read =
            move |inner: &super::Inner| inner.folder_of(id).started_at().map_err(step("read the start"));
        let started_at = self.blocking("jobs.started", read).await?;
        if let Some(started_at) = started_at {
            self.inner.note(id, Observed::Running { started_at });
        }
        Ok(started_at.is_some())
    }

    async fn look(&self, id: JobId) -> Result<Standing, Error> {
        self.blocking("jobs.look", move |inner| local::look(inner, id))
            .await
    }

    async fn settle(&self, id: JobId, observed: Observed) -> Result<(), Error> {
        if observed == Observed::Lost {
            self.blocking("jobs.clear", move |inner| {
                local::clear(inner, id);
                let said = std::fs::read_to_string(inner.folder_of(id).log_path()).unwrap_or_default();
                tracing::warn!(job = %id, said = said.trim(), "the stage of a job is gone without a record");
                Ok(())
            })
            .await?;
        }
        self.inner.note(id, observed);
        Ok(())
    }
}

fn hold_child(stage: &Child) -> Result<OwnedFd, Error> {
    let pid = i32::try_from(stage.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let held = pid.map(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()));
    match held {
        Some(Ok(held)) => Ok(held),
        Some(Err(errno)) => Err(step("hold the stage")(errno.into())),
        None => Err(step("hold the stage")(std::io::ErrorKind::InvalidInput.into())),
    }
}

/// Waits until a held process has ended: its descriptor becomes readable then (pidfd_open(2)).
async fn ended(held: OwnedFd) -> Result<(), Error> {
    // The type says pipe, but all that is used of it is that it can be waited for.
    let held = Receiver::from_owned_fd_unchecked(held).map_err(step("wait for the stage"))?;
    held.readable().await.map_err(step("wait for the stage"))
}

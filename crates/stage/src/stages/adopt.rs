//! Waiting for stages: those that this agent started and those that an earlier one did.
//!
//! What it leaves to others: the steps that block (module `local`).

use std::{
    os::fd::OwnedFd,
    process::{Child, ChildStdout},
    time::Duration,
};

use confine::process::Identity;
use model::Id;
use tasks::Policy;
use tokio::{io::AsyncReadExt as _, net::unix::pipe::Receiver};

use super::{
    Inner, Observed, Stages,
    local::{self, Standing},
};
use crate::Error;

/// How often a stage that has not yet said who it is, or that its program runs, is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

impl<K: 'static> Stages<K> {
    /// Takes up work of which only the folder is known.
    pub(super) async fn adopt(&self, id: Id<K>) -> Result<(), Error> {
        match self.look(id).await? {
            Standing::Observed(observed) => self.settle(id, observed).await,
            Standing::Lives(_) => {
                self.inner.note(id, Observed::Starting);
                self.watch(id, None);
                Ok(())
            }
            // Nothing can have run, so the work is as good as not known: it is started anew.
            Standing::Unordered => {
                self.blocking("stage.forget", move |inner| local::forget(inner, id))
                    .await
            }
            Standing::Ordered => {
                let stage = self
                    .blocking("stage.start", move |inner| {
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
    pub(super) fn watch_own(&self, id: Id<K>, stage: Child) {
        self.watch(id, Some(stage));
    }

    fn watch(&self, id: Id<K>, stage: Option<Child>) {
        let stages = self.clone();
        let token = self.inner.tasks.token();
        let name = format!("stage {id}");
        self.inner.tasks.spawn(name, Policy::MayEnd, async move {
            let watched = tokio::select! {
                () = token.cancelled() => return,
                watched = stages.follow(id, stage) => watched,
            };
            if let Err(error) = watched {
                tracing::error!(work = %id, error = model::chain(&error), "a stage cannot be watched");
            }
        });
    }

    /// Follows a piece of work to its end.
    async fn follow(&self, id: Id<K>, stage: Option<Child>) -> Result<(), Error> {
        if let Some(mut stage) = stage {
            if let Some(words) = stage.stdout.take() {
                self.hear_start(id, words).await?;
            }
            let held = hold_child(&stage)?;
            ended(held).await?;
            self.blocking("stage.reap", move |_inner| {
                stage.wait().map(drop).map_err(Error::step("wait for the stage"))
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
    async fn follow_stranger(&self, id: Id<K>, identity: Identity) -> Result<(), Error> {
        let held = self
            .blocking("stage.hold", move |_inner| local::hold(&identity))
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

    async fn hear_start(&self, id: Id<K>, words: ChildStdout) -> Result<(), Error> {
        let failed = Error::step("hear the stage");
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
    async fn note_start(&self, id: Id<K>) -> Result<bool, Error> {
        let read = move |inner: &Inner<K>| {
            inner
                .folder_of(id)
                .started_at()
                .map_err(Error::step("read the start"))
        };
        let started_at = self.blocking("stage.started", read).await?;
        if let Some(started_at) = started_at {
            self.inner.note(id, Observed::Running { started_at });
        }
        Ok(started_at.is_some())
    }

    async fn look(&self, id: Id<K>) -> Result<Standing, Error> {
        self.blocking("stage.look", move |inner| local::look(inner, id))
            .await
    }

    async fn settle(&self, id: Id<K>, observed: Observed) -> Result<(), Error> {
        if observed == Observed::Lost {
            self.blocking("stage.clear", move |inner| {
                local::clear(inner, id);
                let said = std::fs::read_to_string(inner.folder_of(id).log_path()).unwrap_or_default();
                tracing::warn!(work = %id, said = said.trim(), "a stage is gone without a record");
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
        Some(Err(errno)) => Err(Error::step("hold the stage")(errno.into())),
        None => Err(Error::step("hold the stage")(
            std::io::ErrorKind::InvalidInput.into(),
        )),
    }
}

/// Waits until a held process has ended: its descriptor becomes readable then (pidfd_open(2)).
async fn ended(held: OwnedFd) -> Result<(), Error> {
    // The type says pipe, but all that is used of it is that it can be waited for.
    let held = Receiver::from_owned_fd_unchecked(held).map_err(Error::step("wait for the stage"))?;
    held.readable().await.map_err(Error::step("wait for the stage"))
}

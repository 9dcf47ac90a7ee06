//! The jobs slice gets this machine as its node, and reads output files through the files slice's processes.
//!
//! What it leaves to others: what a job is (`jobs`) and how a file is read as a user (`files`).

use std::{path::PathBuf, sync::Arc};

use access::Access;
use confine::{Account, Confine};
use files::{FilePath, OnNode as _};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use jobs::node::ReadAsUser;
use model::ErrorKind;
use store::Store;
use tasks::{Clock, Tasks};

use super::PROGRAM;
use crate::{config::Config, failure::Failure};

/// What the jobs slice on this machine is made of.
pub(crate) struct Parts<'a> {
    pub(crate) config: &'a Config,
    pub(crate) store: &'a Store,
    pub(crate) access: &'a Access,
    pub(crate) machine: &'a Confine,
    pub(crate) files: files::LocalNode,
    pub(crate) clock: &'a Clock,
    pub(crate) tasks: &'a Tasks,
}

/// Starts the jobs slice on this machine; jobs of an earlier server are found again.
pub(crate) async fn jobs_here(parts: Parts<'_>) -> Result<jobs::Handle, Failure> {
    let node = jobs::agent::LocalNode::start(jobs::agent::Parts {
        tasks: parts.tasks.clone(),
        clock: parts.clock.clone(),
        confine: parts.machine.clone(),
        program: PathBuf::from(PROGRAM),
        data: parts.config.data.clone(),
        reader: Arc::new(Files(parts.files)),
        config: parts.config.jobs.node.clone(),
    })
    .await?;
    let handle = jobs::start(jobs::Parts {
        store: parts.store.clone(),
        access: parts.access.clone(),
        tasks: parts.tasks.clone(),
        clock: parts.clock.clone(),
        node: Arc::new(node),
        config: parts.config.jobs.zone.clone(),
    })
    .await?;
    Ok(handle)
}

/// Reads a job's output in the process that reads files as its user.
struct Files(files::LocalNode);

impl ReadAsUser for Files {
    fn read(
        &self,
        account: &Account,
        path: &str,
        offset: u64,
    ) -> BoxStream<'static, Result<bytes::Bytes, jobs::Error>> {
        let output = path.to_owned();
        let failed = move |kind: ErrorKind, source: Box<dyn std::error::Error + Send + Sync>| {
            let path = output.clone();
            jobs::Error::Output { path, kind, source }
        };
        match FilePath::new(path) {
            Ok(path) => {
                let chunks = self.0.read(account, &path, offset);
                chunks
                    .map(move |chunk| chunk.map_err(|fault| failed(fault.kind(), fault.into())))
                    .boxed()
            }
            Err(fault) => stream::iter([Err(failed(ErrorKind::Invalid, fault.into()))]).boxed(),
        }
    }
}

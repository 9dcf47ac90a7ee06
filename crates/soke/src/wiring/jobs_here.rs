//! The jobs slice gets the zone's machines as its nodes; a node reads output files through its processes for files.
//!
//! What it leaves to others: what a job is (`jobs`), who pays for it (`jobs_ask_accounts`), the link (`agent`), and how a
//! file is read as a user (`files`).

use std::{path::PathBuf, sync::Arc};

use access::Access;
use agent::JobNodes;
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

use super::{NodeParts, PROGRAM, jobs_ask_accounts::JobsAskAccounts, node_folder};
use crate::{config::Config, failure::Failure};

/// Starts what does jobs on this machine; jobs of an earlier agent are found again.
pub(crate) async fn jobs_node(
    parts: &NodeParts<'_>,
    machine: &Confine,
    files: files::LocalNode,
) -> Result<jobs::agent::LocalNode, Failure> {
    let node = jobs::agent::LocalNode::start(jobs::agent::Parts {
        tasks: parts.work.clone(),
        clock: parts.clock.clone(),
        confine: machine.clone(),
        program: PathBuf::from(PROGRAM),
        data: node_folder(parts.config),
        reader: Arc::new(Files(files)),
        config: jobs::agent::Config {
            name: parts.name.to_owned(),
            ..parts.config.jobs.node.clone()
        },
    });
    Ok(node.await?)
}

/// Starts the jobs slice.
pub(crate) async fn jobs_here(
    config: &Config,
    store: &Store,
    access: &Access,
    nodes: JobNodes,
    accounts: &accounts::Handle,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<jobs::Handle, Failure> {
    let handle = jobs::start(jobs::Parts {
        store: store.clone(),
        access: access.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        nodes: Arc::new(nodes),
        admission: Arc::new(JobsAskAccounts(accounts.clone())),
        config: config.jobs.zone.clone(),
    });
    Ok(handle.await?)
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

//! Jobs ask accounts who pays, in the transactions that queue a job and that write its end.
//!
//! A job runs in the cluster's only partition and QOS and is priced there, whatever it names: who names another one gets
//! no other price, and not none. What it leaves to others: every rule about money (`accounts`), and when to ask (`jobs`).

use accounts::{Error, JobKey, Partition};
use jobs::{Admission, Admitted, Asked, Job};
use model::{ErrorKind, Timestamp};
use store::Tx;

const MIB: u64 = 1024 * 1024;
/// The one QOS that there is.
const QOS: &str = "normal";

/// Who says who pays.
pub(super) struct JobsAskAccounts(pub(super) accounts::Handle);

impl Admission for JobsAskAccounts {
    fn admit(&self, tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Admitted, jobs::Error> {
        let question = accounts::Asked {
            key: key(asked.cluster, asked.number, asked.submitted_at),
            user: asked.user,
            user_name: asked.user_name.to_string(),
            account: Some(asked.account.to_owned()).filter(|name| !name.is_empty()),
            name: asked.name.to_owned(),
            partition: Partition {
                name: asked.cluster.to_owned(),
                cores: asked.whole.cores,
                gpus: 0,
                memory_mb: asked.whole.memory_bytes / MIB,
            },
            qos: QOS.to_owned(),
            nodes: 1,
            cpus: asked.cores,
            gpus: 0,
            memory_mb: asked.memory_bytes.div_ceil(MIB),
            time_limit: asked.time_limit,
        };
        let admitted = self.0.admit(tx, &question);
        let admitted = admitted.map_err(|error| failed(error, "ask who pays for the job"))?;
        let is_held = admitted.account.is_some() && admitted.is_priced;
        Ok(Admitted {
            account: admitted.account,
            hold: Some(admitted.hold).filter(|_| is_held),
        })
    }

    fn settle(&self, tx: &mut Tx<'_>, ended: &Job) -> Result<(), jobs::Error> {
        let end = accounts::Ended {
            key: key(&ended.cluster, ended.number, ended.submitted_at),
            started_at: ended.started_at,
            // It is there, as the end was just written; without it the job would have taken no time.
            ended_at: ended.ended_at.or(ended.started_at).unwrap_or(ended.submitted_at),
            node_list: ended.node_name.clone(),
        };
        let settled = self.0.settle(tx, &end);
        settled.map_err(|error| failed(error, "settle what the job has cost"))
    }
}

/// Jobs are neither arrays nor tried again.
fn key(cluster: &str, number: u32, submitted_at: Timestamp) -> JobKey {
    JobKey {
        cluster: cluster.to_owned(),
        number,
        array_index: 0,
        attempt: 0,
        submitted_at,
    }
}

/// What the user can do something about is told; the rest is a failure of the step.
fn failed(error: Error, step: &'static str) -> jobs::Error {
    if let Error::Store(source) = error {
        return jobs::Error::Store(source);
    }
    let kind = error.kind();
    match kind {
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Precondition => jobs::Error::Refused {
            kind,
            text: error.to_string(),
        },
        ErrorKind::Unauthenticated
        | ErrorKind::Denied
        | ErrorKind::Exists
        | ErrorKind::Conflict
        | ErrorKind::Exhausted
        | ErrorKind::Unavailable
        | ErrorKind::Deadline
        | ErrorKind::Unimplemented
        | ErrorKind::Internal => jobs::Error::Payer {
            step,
            kind,
            source: Box::new(error),
        },
    }
}

//! Submitting a job: checked, numbered, durable, then answered.
//!
//! What it leaves to others: starting it (module `reconcile`).

use access::Permit;
use model::{JobId, UserId};
use store::{Tx, Value};

use crate::{
    Draft, Error, Fault, Handle, Job, State, Submit,
    draft::{self, Offer},
    node::Known,
    record::{self, Record, TOPIC},
    state::Standing,
};

/// Why a job waits that nobody has looked at.
pub(crate) const WAITS: &str = "waits for its turn";

impl Handle {
    /// Everything that is wrong with a draft, for a door that has faults of its own to tell beside these.
    ///
    /// # Errors
    /// It cannot be told which nodes there are.
    pub async fn faults(&self, draft: &Draft) -> Result<Vec<Fault>, Error> {
        let offers = self.offers().await?;
        let settled = draft::settle(draft.clone(), &self.inner.config, &offers);
        Ok(settled.err().unwrap_or_default())
    }

    async fn offers(&self) -> Result<Vec<Offer>, Error> {
        let nodes = self.inner.nodes.all().await?;
        let offer = |known: Known| Offer {
            capacity: known.node.capacity(),
            name: known.name,
            is_usual: known.is_usual,
        };
        Ok(nodes.into_iter().map(offer).collect())
    }

    /// Queues a job of the permit's user. With a request id that this user has used for the same draft, it
    /// answers the job of that time.
    ///
    /// # Errors
    /// Invalid: [`Error::Draft`] with every fault. Exists: the request id was used for a different draft, or the
    /// name must be free and is not.
    /// Exhausted: the user has too many unfinished jobs. Else as access and the store say.
    pub async fn submit(&self, permit: Permit<Submit>, draft: Draft) -> Result<Job, Error> {
        let inner = &self.inner;
        let draft = draft::settle(draft, &inner.config, &self.offers().await?).map_err(Error::Draft)?;
        let user = permit.actor().user().clone();
        let owner = permit.is_owner();
        let text = serde_json::to_string(&draft).map_err(|_form| Error::Row { what: "its draft" })?;
        let (cluster, most) = (inner.config.cluster.clone(), inner.config.most_unfinished);
        let now = inner.clock.now();
        let id = JobId::fresh(now);
        permit
            .write(&inner.store, move |tx| {
                if !draft.request_id.is_empty()
                    && let Some(earlier) = record::by_request(tx, user.id, &draft.request_id)?
                {
                    tx.about(format!("job {}", earlier.job.number));
                    return same(earlier, &draft);
                }
                if unfinished_of(tx, user.id)? >= i64::from(most) {
                    return Err(Error::TooMany { most });
                }
                if draft.name_must_be_free && name_in_use(tx, user.id, &draft.name)? {
                    return Err(Error::NameInUse {
                        name: draft.name.clone(),
                    });
                }
                let number = record::next_number(tx, &cluster)?;
                let request_id = Some(draft.request_id.as_str()).filter(|id| !id.is_empty());
                tx.execute(
                    "INSERT INTO jobs (id, cluster, number, name, user_id, user_name, user_number, unix_name, \
                        user_owns_zone, request_id, draft, state, placed, cancel_wanted, reason, node_name, \
                        submitted_at, cpu_micros, peak_memory_bytes, cores, memory_bytes, wanted_node) \
                        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, '', ?16, 0, 0, ?17, ?18, ?19)",
                    &[
                        Value::from(id),
                        Value::from(cluster.as_str()),
                        Value::from(number),
                        Value::from(draft.name.as_str()),
                        Value::from(user.id),
                        Value::from(&user.name),
                        Value::from(user.number),
                        Value::from(user.unix_name.clone()),
                        Value::from(owner),
                        Value::from(request_id.map(str::to_owned)),
                        Value::from(text.as_str()),
                        Value::from(State::Pending.word()),
                        Value::from(Standing::NEW.placed),
                        Value::from(Standing::NEW.cancel_wanted),
                        Value::from(WAITS),
                        Value::from(now),
                        Value::from(draft.cores.unwrap_or(1)),
                        Value::from(i64::try_from(draft.memory_bytes.unwrap_or(0)).unwrap_or(i64::MAX)),
                        Value::from(draft.node.as_str()),
                    ],
                )?;
                tx.about(format!("job {number}"));
                tx.change(TOPIC, &id.to_string())?;
                let written = record::by_id(tx, id)?.ok_or(Error::Row { what: "a new job" })?;
                Ok(written.job)
            })
            .await
    }
}

fn same(earlier: Record, draft: &Draft) -> Result<Job, Error> {
    if earlier.draft == *draft {
        Ok(earlier.job)
    } else {
        Err(Error::OtherRequest {
            request_id: draft.request_id.clone(),
        })
    }
}

fn name_in_use(tx: &mut Tx<'_>, user: UserId, name: &str) -> Result<bool, Error> {
    let sql =
        "SELECT 1 FROM jobs WHERE user_id = ?1 AND name = ?2 AND state IN ('pending', 'running') LIMIT 1";
    Ok(tx.row(sql, &[Value::from(user), Value::from(name)])?.is_some())
}

fn unfinished_of(tx: &mut Tx<'_>, user: UserId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) FROM jobs WHERE user_id = ?1 AND state IN ('pending', 'running')";
    let row = tx.row(sql, &[Value::from(user)])?;
    Ok(row.ok_or(Error::Row { what: "a count" })?.get(0)?)
}

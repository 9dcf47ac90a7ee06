//! Submitting a job: checked, numbered, admitted, durable, then answered.
//!
//! What it leaves to others: starting it (module `reconcile`).

use std::sync::Arc;

use access::{Permit, UserActor};
use model::{JobId, Span, Timestamp, UserId};
use store::{Tx, Value};

use crate::{
    Admitted, Asked, Draft, Error, Fault, Handle, Job, State, Submit, Whole,
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

    pub(crate) async fn offers(&self) -> Result<Vec<Offer>, Error> {
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
    /// As [`Error::Refused`] says: whoever says who pays does not admit it.
    /// Exhausted: the user has too many unfinished jobs. Else as access and the store say.
    pub async fn submit(&self, permit: Permit<Submit>, draft: Draft) -> Result<Job, Error> {
        let inner = &self.inner;
        let offers = self.offers().await?;
        let draft = draft::settle(draft, &inner.config, &offers).map_err(Error::Draft)?;
        let user = permit.user()?.clone();
        let text = serde_json::to_string(&draft).map_err(|_form| Error::Row { what: "its draft" })?;
        let most = inner.config.most_unfinished;
        let (whole, admission) = (whole(&offers), Arc::clone(&inner.admission));
        let submitted_at = inner.clock.now();
        let new = New {
            id: JobId::fresh(submitted_at),
            cluster: inner.config.cluster.clone(),
            submitted_at,
            is_owners: permit.is_owner(),
            user,
            draft,
            text,
        };
        permit
            .write(&inner.store, move |tx| {
                let (user, draft) = (new.user.id, &new.draft);
                if !draft.request_id.is_empty()
                    && let Some(earlier) = record::by_request(tx, user, &draft.request_id)?
                {
                    tx.about(format!("job {}", earlier.job.number));
                    return same(earlier, draft);
                }
                if unfinished_of(tx, user)? >= i64::from(most) {
                    return Err(Error::TooMany { most });
                }
                if draft.name_must_be_free && name_in_use(tx, user, &draft.name)? {
                    return Err(Error::NameInUse {
                        name: draft.name.clone(),
                    });
                }
                let number = record::next_number(tx, &new.cluster)?;
                tx.about(format!("job {number}"));
                let admitted = admission.admit(tx, &new.asked(number, whole))?;
                new.write(tx, number, &admitted)?;
                tx.change(TOPIC, &new.id.to_string())?;
                let written = record::by_id(tx, new.id)?.ok_or(Error::Row { what: "a new job" })?;
                Ok(written.job)
            })
            .await
    }
}

/// A job that is about to be written.
struct New {
    id: JobId,
    cluster: String,
    submitted_at: Timestamp,
    is_owners: bool,
    user: UserActor,
    draft: Draft,
    /// The draft as it is stored.
    text: String,
}

impl New {
    fn asked(&self, number: u32, whole: Whole) -> Asked<'_> {
        let draft = &self.draft;
        Asked {
            id: self.id,
            cluster: &self.cluster,
            number,
            name: &draft.name,
            user: self.user.id,
            user_name: &self.user.name,
            account: &draft.account,
            partition: &draft.partition,
            qos: &draft.qos,
            submitted_at: self.submitted_at,
            cores: draft.cores.unwrap_or(1),
            memory_bytes: draft.memory_bytes.unwrap_or(0),
            time_limit: draft.time_limit.unwrap_or(Span::ZERO),
            whole,
        }
    }

    fn write(&self, tx: &mut Tx<'_>, number: u32, admitted: &Admitted) -> Result<(), Error> {
        let (user, draft) = (&self.user, &self.draft);
        let request_id = Some(draft.request_id.as_str()).filter(|id| !id.is_empty());
        tx.execute(
            "INSERT INTO jobs (id, cluster, number, name, user_id, user_name, user_number, unix_name, \
                user_owns_zone, request_id, draft, state, placed, cancel_wanted, reason, node_name, \
                submitted_at, cpu_micros, peak_memory_bytes, cores, memory_bytes, wanted_node, payer, hold) \
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, '', ?16, 0, 0, ?17, \
                ?18, ?19, ?20, ?21)",
            &[
                Value::from(self.id),
                Value::from(self.cluster.as_str()),
                Value::from(number),
                Value::from(draft.name.as_str()),
                Value::from(user.id),
                Value::from(&user.name),
                Value::from(user.number),
                Value::from(user.unix_name.clone()),
                Value::from(self.is_owners),
                Value::from(request_id.map(str::to_owned)),
                Value::from(self.text.as_str()),
                Value::from(State::Pending.word()),
                Value::from(Standing::NEW.placed),
                Value::from(Standing::NEW.cancel_wanted),
                Value::from(WAITS),
                Value::from(self.submitted_at),
                Value::from(draft.cores.unwrap_or(1)),
                Value::from(i64::try_from(draft.memory_bytes.unwrap_or(0)).unwrap_or(i64::MAX)),
                Value::from(draft.node.as_str()),
                Value::from(admitted.account.clone()),
                Value::from(admitted.hold),
            ],
        )?;
        Ok(())
    }
}

/// What the nodes have together that were heard of.
pub(crate) fn whole(offers: &[Offer]) -> Whole {
    let known = offers.iter().filter_map(|offer| offer.capacity.as_ref());
    known.fold(Whole::default(), |sum, capacity| Whole {
        cores: sum.cores.saturating_add(u64::from(capacity.cores)),
        memory_bytes: sum.memory_bytes.saturating_add(capacity.memory_bytes),
    })
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

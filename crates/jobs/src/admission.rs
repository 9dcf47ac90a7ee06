//! What this slice asks of whoever says who pays: whether a job may be queued, and that its end is settled.
//!
//! Both take the transaction of the change itself, so a job never stands without its hold and no end without its
//! settlement, wherever the server is killed. What it leaves to others: accounts, prices and charges.

use model::{JobId, Money, Name, Span, Timestamp, UserId};
use store::Tx;

use crate::{Error, Job};

/// Says who pays for jobs.
pub trait Admission: Send + Sync + 'static {
    /// Admits a job that is about to be written, in the transaction that writes it, or refuses it. A transaction may
    /// run twice, so nothing but it may be written.
    ///
    /// # Errors
    /// [`Error::Refused`], in words for the user; [`Error::Payer`] or [`Error::Store`] where it cannot be told. The
    /// job is not written then.
    fn admit(&self, tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Admitted, Error>;

    /// Settles a job whose end was just written, in the transaction that writes it. It is called once for each job,
    /// also for those that were admitted before there was anybody to ask.
    ///
    /// # Errors
    /// [`Error::Payer`] or [`Error::Store`]: the end is not written then either, and both are tried again.
    fn settle(&self, tx: &mut Tx<'_>, ended: &Job) -> Result<(), Error>;
}

/// A job that somebody wants to queue.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The id that it will have.
    pub id: JobId,
    /// The cluster.
    pub cluster: &'a str,
    /// The number in the cluster that it will have.
    pub number: u32,
    /// Its name.
    pub name: &'a str,
    /// Whose it is.
    pub user: UserId,
    /// The name of that user.
    pub user_name: &'a Name,
    /// The account that was named; empty where none was.
    pub account: &'a str,
    /// As submitted.
    pub partition: &'a str,
    /// As submitted.
    pub qos: &'a str,
    /// When.
    pub submitted_at: Timestamp,
    /// Cores it counts with.
    pub cores: u32,
    /// Bytes of memory it may have.
    pub memory_bytes: u64,
    /// How long it may run.
    pub time_limit: Span,
    /// What the whole cluster has.
    pub whole: Whole,
}

/// What all nodes of the cluster have together that were heard of since the start; nothing before the first was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Whole {
    /// Cores that jobs may use.
    pub cores: u64,
    /// Bytes of memory that jobs may use.
    pub memory_bytes: u64,
}

/// On what terms a job is queued.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admitted {
    /// The account that pays; none where nobody does.
    pub account: Option<String>,
    /// What is held of it until the job ends; none where nothing is charged, or where no price is known yet.
    pub hold: Option<Money>,
}

/// Admits every job and charges nobody: a zone without accounts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unpaid;

impl Admission for Unpaid {
    fn admit(&self, _tx: &mut Tx<'_>, _asked: &Asked<'_>) -> Result<Admitted, Error> {
        Ok(Admitted::default())
    }

    fn settle(&self, _tx: &mut Tx<'_>, _ended: &Job) -> Result<(), Error> {
        Ok(())
    }
}

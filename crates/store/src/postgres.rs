//! PostgreSQL: several connections, one closure at a time on each.
//!
//! What it leaves to others: what the closures do.
use std::sync::Arc;

use tasks::Tasks;

use crate::{Call, Error, Migration, Row, Value, feed::Feed};

#[derive(Debug)]
pub(crate) struct Session;

impl Session {
    pub(crate) fn execute(&mut self, _sql: &str, _params: &[Value]) -> Result<u64, Error> {
        Err(Error::Closed)
    }
    pub(crate) fn rows(&mut self, _sql: &str, _params: &[Value]) -> Result<Vec<Row>, Error> {
        Err(Error::Closed)
    }
    pub(crate) fn change(&mut self, _first: bool, _params: &[Value]) -> Result<i64, Error> {
        Err(Error::Closed)
    }
}

pub(crate) struct Queue;

impl Queue {
    pub(crate) async fn write(&self, _call: Box<dyn Call>) -> Result<(), Error> {
        Err(Error::Closed)
    }
    pub(crate) async fn read(&self, _call: Box<dyn Call>) -> Result<(), Error> {
        Err(Error::Closed)
    }
    pub(crate) async fn close(&self) {}
}

pub(crate) fn open(
    _url: &str,
    _connections: usize,
    _migrations: &[Migration],
    _tasks: &Tasks,
    _feed: &Arc<Feed>,
) -> Result<Queue, Error> {
    Err(Error::BadAddress)
}

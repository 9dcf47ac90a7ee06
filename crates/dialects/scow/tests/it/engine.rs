//! A job engine that runs nothing: jobs run from their start until somebody ends them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use confine::Account;
use futures::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, ready},
    stream::BoxStream,
};
use jobs::{
    Error,
    node::{Capacity, OnNode, Order, Report},
};
use model::{JobId, Span, Timestamp};
use stage::{Cause, Exit, Observed};
use tokio::sync::Notify;

/// What every job has written so far.
const OUTPUT: &[u8] = b"hello\n";

#[derive(Default)]
pub(crate) struct Engine {
    known: Mutex<BTreeMap<JobId, Observed>>,
    news: Notify,
}

impl Engine {
    fn note(&self, job: JobId, observed: Observed) {
        self.known.lock().expect("no panic").insert(job, observed);
        self.news.notify_one();
    }
}

impl OnNode for Engine {
    fn capacity(&self) -> Option<Capacity> {
        Some(Capacity {
            name: "node1".to_owned(),
            cores: 4,
            memory_bytes: 4 << 30,
            reduced: Vec::new(),
        })
    }

    fn is_present(&self) -> bool {
        true
    }

    fn start(&self, order: Order) -> BoxFuture<'_, Result<(), Error>> {
        let started_at = Timestamp::from_secs(1_700_000_000);
        self.note(order.id, Observed::Running { started_at });
        ready(Ok(())).boxed()
    }

    fn end(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        let at = Timestamp::from_secs(1_700_000_060);
        let exit = Exit {
            cause: Cause::Cancelled,
            reason: String::new(),
            code: Some(143),
            started_at: Timestamp::from_secs(1_700_000_000),
            ended_at: at,
            ran: Span::from_secs(60),
            cpu: Span::from_secs(1),
            peak_memory_bytes: 1 << 20,
        };
        self.note(job, Observed::Ended(Arc::new(exit)));
        ready(Ok(())).boxed()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Report>, Error>> {
        let known = self.known.lock().expect("no panic");
        let report = |(id, observed): (&JobId, &Observed)| Report {
            id: *id,
            observed: observed.clone(),
        };
        ready(Ok(known.iter().map(report).collect())).boxed()
    }

    fn forget(&self, job: JobId) -> BoxFuture<'_, Result<(), Error>> {
        self.known.lock().expect("no panic").remove(&job);
        ready(Ok(())).boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.news.notified().boxed()
    }

    fn read(&self, _account: &Account, _path: &str, offset: u64) -> BoxStream<'static, Result<Bytes, Error>> {
        let offset = usize::try_from(offset).expect("small").min(OUTPUT.len());
        let chunk = Ok(Bytes::from_static(&OUTPUT[offset..]));
        futures::stream::once(ready(chunk)).boxed()
    }
}

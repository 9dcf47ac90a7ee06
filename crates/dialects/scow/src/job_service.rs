//! `scow.portal.JobService`: jobs submitted, listed and ended.
//!
//! What it leaves to others: what a good job is (`jobs`), rows (`row`), the draft (`submit`). The calls that are
//! not written here answer UNIMPLEMENTED. All calls are about the caller's own jobs, also where the caller's right
//! reaches further, since a request names one user.

use accounts::Look;
use jobs::{Cancel, Filter, Get, Job, List, Submit};
use model::{ErrorKind, Timestamp};
use prost::Message;
use tasks::Clock;
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    scow::portal::{
        AccountStatusFilter, CancelJobRequest, CancelJobResponse, ListAccountsRequest, ListAccountsResponse,
        ListAllJobsRequest, ListAllJobsResponse, ListRunningJobsRequest, ListRunningJobsResponse,
        SubmitJobRequest, SubmitJobResponse, job_service_server::JobService,
    },
};

use crate::{
    MOST_ANSWER, fault,
    for_whom::Callers,
    row,
    submit::{draft, refuse_extras},
    text,
};

/// Jobs read from the slice at once.
const PAGE: u32 = 1000;

/// Serves the job calls.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) callers: Callers,
    pub(crate) jobs: jobs::Handle,
    pub(crate) accounts: accounts::Handle,
    pub(crate) clock: Clock,
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn submit_job(
        &self,
        request: Request<SubmitJobRequest>,
    ) -> Result<Response<SubmitJobResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self
            .callers
            .caller::<Submit>(&metadata, &extensions, &message.user_id);
        let caller = caller.await?;
        let (user_id, cluster) = (message.user_id.clone(), message.cluster.clone());
        let extras = refuse_extras(&message);
        let (draft, mut faults) = draft(message, self.callers.cluster());
        let wrong = self
            .jobs
            .faults(&draft)
            .await
            .map_err(|error| self.fault(error))?;
        fault::add_draft(&mut faults, &wrong);
        let checked = if faults.is_empty() { Ok(draft) } else { Err(faults) };
        let (permit, draft) = self.callers.check(caller, &user_id, &cluster, checked)?;
        extras?;
        let job = self.jobs.submit(permit, draft).await;
        let job = job.map_err(|error| self.fault(error))?;
        Ok(Response::new(SubmitJobResponse { job_id: job.number }))
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self
            .callers
            .caller::<Look>(&metadata, &extensions, &message.user_id);
        let filter = account_filter(message.status_filter);
        let (permit, wanted) =
            self.callers
                .check(caller.await?, &message.user_id, &message.cluster, filter)?;
        let user = permit.user().map_err(caller::fault::access)?.id;
        let usable = self.accounts.usable_accounts(&permit, user).await;
        let usable = usable.map_err(|error| caller::fault::shown(error.kind(), &error))?;
        let accounts = usable.into_iter().filter(|(_, is_blocked)| match wanted {
            AccountStatusFilter::All => true,
            AccountStatusFilter::UnblockedOnly => !is_blocked,
            AccountStatusFilter::BlockedOnly => *is_blocked,
        });
        let accounts = accounts.map(|(name, _)| name).collect();
        Ok(Response::new(ListAccountsResponse { accounts }))
    }

    async fn list_running_jobs(
        &self,
        request: Request<ListRunningJobsRequest>,
    ) -> Result<Response<ListRunningJobsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self
            .callers
            .caller::<List>(&metadata, &extensions, &message.user_id);
        let (permit, ()) = self
            .callers
            .check(caller.await?, &message.user_id, &message.cluster, Ok(()))?;
        let filter = Filter {
            unfinished_only: true,
            ..Filter::default()
        };
        let results = self.rows(&permit, filter, row::running).await?;
        Ok(Response::new(ListRunningJobsResponse { results }))
    }

    async fn list_all_jobs(
        &self,
        request: Request<ListAllJobsRequest>,
    ) -> Result<Response<ListAllJobsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self
            .callers
            .caller::<List>(&metadata, &extensions, &message.user_id);
        let filter = between(message.start_time, message.end_time);
        let (permit, filter) =
            self.callers
                .check(caller.await?, &message.user_id, &message.cluster, filter)?;
        let results = self.rows(&permit, filter, row::any).await?;
        Ok(Response::new(ListAllJobsResponse { results }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let caller = self
            .callers
            .caller::<Cancel>(&metadata, &extensions, &message.user_id);
        let caller = caller.await?;
        let mut faults = FieldFaults::new();
        faults.check(
            message.job_id > 0,
            "job_id",
            "is 0",
            "the number of a job, from 1",
        );
        let number = if faults.is_empty() {
            Ok(message.job_id)
        } else {
            Err(faults)
        };
        let (permit, number) = self
            .callers
            .check(caller, &message.user_id, &message.cluster, number)?;
        let look = self
            .callers
            .caller::<Get>(&metadata, &extensions, &message.user_id);
        let (look, ()) = self
            .callers
            .check(look.await?, &message.user_id, &message.cluster, Ok(()))?;
        let found = self.jobs.get(look, number).await;
        let found = found.map_err(|error| self.fault(error))?;
        if Some(found.user) != permit.actor().user().map(|user| user.id) {
            return Err(self.fault(jobs::Error::NotFound { number }));
        }
        let ended = self.jobs.cancel(permit, number).await;
        ended.map_err(|error| self.fault(error))?;
        Ok(Response::new(CancelJobResponse {}))
    }
}

impl Jobs {
    fn fault(&self, error: jobs::Error) -> Status {
        fault::jobs(error, self.callers.cluster())
    }

    /// All rows of the caller's jobs that a filter lets through, as long as one answer can hold them.
    async fn rows<T: Message>(
        &self,
        permit: &access::Permit<List>,
        filter: Filter,
        row: fn(&Job, Timestamp) -> T,
    ) -> Result<Vec<T>, Status> {
        let user = permit.user().map_err(caller::fault::access)?;
        let mut filter = Filter {
            page_size: PAGE,
            user: Some(user.id),
            ..filter
        };
        let (mut rows, mut length, now) = (Vec::new(), 0, self.clock.now());
        loop {
            let page = self.jobs.list(permit, filter).await;
            let page = page.map_err(|error| self.fault(error))?;
            for job in &page.jobs {
                let row = row(job, now);
                // One more for the field's key, four for the length.
                length += row.encoded_len() + 5;
                rows.push(row);
            }
            if length > MOST_ANSWER {
                let text = "more jobs than fit into one answer (4 MiB): ask for a shorter span of time";
                return Err(wire::status(ErrorKind::Exhausted, text));
            }
            match page.next {
                Some(next) => filter.before = Some(next),
                None => return Ok(rows),
            }
        }
    }
}

/// Which accounts are wanted; all unless told otherwise.
fn account_filter(filter: Option<i32>) -> Result<AccountStatusFilter, FieldFaults> {
    let filter = filter.map_or(Ok(AccountStatusFilter::All), AccountStatusFilter::try_from);
    filter.map_err(|fault| {
        let mut faults = FieldFaults::new();
        faults.add(
            "status_filter",
            format!("is {}", fault.0),
            "ALL, BLOCKED_ONLY or UNBLOCKED_ONLY",
        );
        faults
    })
}

/// The jobs submitted between two instants, both within; an absent one is open.
fn between(
    start: Option<prost_types::Timestamp>,
    end: Option<prost_types::Timestamp>,
) -> Result<Filter, FieldFaults> {
    let mut faults = FieldFaults::new();
    let mut read = |field: &str, stamp: Option<prost_types::Timestamp>| {
        let instant = stamp.map(|stamp| text::read_instant(&stamp));
        if instant == Some(None) {
            faults.add(field, "is no instant", text::INSTANTS);
        }
        instant.flatten()
    };
    let filter = Filter {
        submitted_from: read("start_time", start),
        submitted_to: read("end_time", end),
        ..Filter::default()
    };
    if let (Some(from), Some(to)) = (filter.submitted_from, filter.submitted_to)
        && from > to
    {
        faults.add(
            "end_time",
            "is before start_time",
            "an instant at or after start_time",
        );
    }
    if faults.is_empty() {
        Ok(filter)
    } else {
        Err(faults)
    }
}

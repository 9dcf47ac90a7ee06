//! Jobs that wait or run, as SCOW's management pages list and end them.
//!
//! What it leaves to others: the jobs (`jobs`), which accounts a tenant has (`accounts`).

use std::collections::BTreeSet;

use accounts::{AccountFilter, Look};
use jobs::{Cancel, Filter, Get, Job, List};
use tonic::{Extensions, Request, Response, Status, metadata::MetadataMap};
use wire::scow::server::{
    CancelJobRequest, CancelJobResponse, GetRunningJobsRequest, GetRunningJobsResponse,
};

use crate::{
    fault as portal_fault, row,
    server::{Management, fault, fields::Fields, fitting},
};

/// Jobs read from the slice at once.
const PAGE: u32 = 1000;

/// `GetRunningJobs`.
pub(super) async fn list(
    side: &Management,
    request: Request<GetRunningJobsRequest>,
) -> Result<Response<GetRunningJobsResponse>, Status> {
    let (metadata, extensions, message) = request.into_parts();
    let permit = side.callers.permit::<List>(&metadata, &extensions).await?;
    side.callers.check_cluster(&message.cluster)?;
    let accounts = side
        .accounts_of(&metadata, &extensions, message.tenant_name.as_deref())
        .await?;
    let numbers: BTreeSet<String> = message.job_id_list.into_iter().collect();
    let wanted = |job: &Job| {
        message
            .user_id
            .as_deref()
            .is_none_or(|user| user == job.user_name.as_str())
            && message
                .account_name
                .as_deref()
                .is_none_or(|account| account == job.account)
            && accounts
                .as_ref()
                .is_none_or(|accounts| accounts.contains(&job.account))
            && (numbers.is_empty() || numbers.contains(&job.number.to_string()))
    };
    let mut filter = Filter {
        page_size: PAGE,
        unfinished_only: true,
        ..Filter::default()
    };
    let (mut jobs, now) = (Vec::new(), side.clock.now());
    loop {
        let page = side.jobs.list(&permit, filter).await;
        let page = page.map_err(|error| side.job_fault(error))?;
        jobs.extend(
            page.jobs
                .iter()
                .filter(|job| wanted(job))
                .map(|job| row::running(job, now)),
        );
        jobs = fitting(jobs)?;
        match page.next {
            Some(next) => filter.before = Some(next),
            None => return Ok(Response::new(GetRunningJobsResponse { jobs })),
        }
    }
}

/// `CancelJob`: the job has to be of the user who is named.
pub(super) async fn cancel(
    side: &Management,
    request: Request<CancelJobRequest>,
) -> Result<Response<CancelJobResponse>, Status> {
    let (metadata, extensions, message) = request.into_parts();
    let permit = side.callers.permit::<Cancel>(&metadata, &extensions).await?;
    let number = message.job_id;
    let mut fields = Fields::new();
    fields.check(number > 0, "job_id", "is 0", "the number of a job, from 1");
    fields.check(
        !message.user_id.is_empty(),
        "user_id",
        "is empty",
        "the name of the job's user",
    );
    fields.finish()?;
    side.callers.check_cluster(&message.cluster)?;
    let look = side.callers.permit::<Get>(&metadata, &extensions).await?;
    let found = side.jobs.get(look, number).await;
    let found = found.map_err(|error| side.job_fault(error))?;
    if found.user_name.as_str() != message.user_id {
        return Err(side.job_fault(jobs::Error::NotFound { number }));
    }
    let ended = side.jobs.cancel(permit, number).await;
    ended.map_err(|error| side.job_fault(error))?;
    Ok(Response::new(CancelJobResponse {}))
}

impl Management {
    fn job_fault(&self, error: jobs::Error) -> Status {
        portal_fault::jobs(error, self.callers.cluster())
    }

    /// The accounts of a tenant: a tenant without accounts has no jobs, while the real program shows everybody's.
    async fn accounts_of(
        &self,
        metadata: &MetadataMap,
        extensions: &Extensions,
        tenant: Option<&str>,
    ) -> Result<Option<BTreeSet<String>>, Status> {
        let Some(tenant) = tenant else { return Ok(None) };
        let permit = self.callers.permit::<Look>(metadata, extensions).await?;
        let filter = AccountFilter {
            tenant: Some(tenant.to_owned()),
            name: None,
        };
        let found = self.accounts.accounts(&permit, filter).await;
        let found = found.map_err(fault::accounts)?;
        Ok(Some(found.into_iter().map(|account| account.name).collect()))
    }
}

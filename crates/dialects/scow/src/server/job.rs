//! `scow.server.JobService`: ended jobs and what they cost, prices, jobs that wait or run.
//!
//! What it leaves to others: prices (`price`), jobs that have not ended (`running`), the books (`accounts`).

use accounts::{Charges, JobFilter, JobOrder, Paging};
use tonic::{Request, Response, Status};
use wire::scow::{
    common::SortOrder,
    server::{
        self, AddBillingItemRequest, AddBillingItemResponse, CancelJobRequest, CancelJobResponse,
        GetBillingItemsRequest, GetBillingItemsResponse, GetJobsRequest, GetJobsResponse,
        GetMissingDefaultPriceItemsRequest, GetMissingDefaultPriceItemsResponse, GetRunningJobsRequest,
        GetRunningJobsResponse, get_jobs_request::SortBy, job_service_server::JobService,
    },
};

use crate::server::{
    Management, fault,
    fields::Fields,
    fitting,
    money::written,
    paging::{ORDERS, Page, Zero, order},
    price, row, running,
};

/// By what ended jobs are ordered.
const SORTS: &str = "one of the list but UNKNOWN";

#[tonic::async_trait]
impl JobService for Management {
    async fn get_jobs(&self, request: Request<GetJobsRequest>) -> Result<Response<GetJobsResponse>, Status> {
        let (permit, message) = self.permit::<Charges, _>(request).await?;
        let mut fields = Fields::new();
        let filter = fields.required("filter", message.filter);
        let filter = filter.map(|filter| job_filter(&mut fields, filter));
        let page = Page::read(
            &mut fields,
            Some(message.page),
            message.page_size,
            Zero::IsDefault,
        );
        let by = fields.choice("sort_by", message.sort_by, SORTS);
        let by = by.and_then(|by| {
            let by = job_order(by);
            fields.check(by.is_some(), "sort_by", "is UNKNOWN", SORTS);
            by
        });
        let direction: Option<SortOrder> = fields.choice("sort_order", message.sort_order, ORDERS);
        fields.finish()?;
        let paging = Paging {
            offset: page.skip,
            limit: Some(page.take),
            order: Some(order(by, direction).unwrap_or((JobOrder::Ended, false))),
        };
        let found = self
            .accounts
            .billed_jobs(&permit, filter.unwrap_or_default(), paging)
            .await;
        let found = found.map_err(fault::accounts)?;
        Ok(Response::new(GetJobsResponse {
            total_count: found.count,
            jobs: fitting(found.jobs.into_iter().map(row::ended_job).collect())?,
            total_account_price: Some(written(found.account_total)),
            total_tenant_price: Some(written(found.tenant_total)),
        }))
    }

    async fn get_running_jobs(
        &self,
        request: Request<GetRunningJobsRequest>,
    ) -> Result<Response<GetRunningJobsResponse>, Status> {
        running::list(self, request).await
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<CancelJobResponse>, Status> {
        running::cancel(self, request).await
    }

    async fn get_billing_items(
        &self,
        request: Request<GetBillingItemsRequest>,
    ) -> Result<Response<GetBillingItemsResponse>, Status> {
        price::list(self, request).await
    }

    async fn get_missing_default_price_items(
        &self,
        request: Request<GetMissingDefaultPriceItemsRequest>,
    ) -> Result<Response<GetMissingDefaultPriceItemsResponse>, Status> {
        price::missing(self, request).await
    }

    async fn add_billing_item(
        &self,
        request: Request<AddBillingItemRequest>,
    ) -> Result<Response<AddBillingItemResponse>, Status> {
        price::add(self, request).await
    }
}

/// Reads a filter of ended jobs: empty texts and a job of number 0 are not set, but for the account's name; with a
/// job's number the time of its end is not looked at (contract of the management side, 6.5).
fn job_filter(fields: &mut Fields, filter: server::JobFilter) -> JobFilter {
    let from = fields.instant_if_set("filter.job_end_time_start", filter.job_end_time_start.as_ref());
    let to = fields.instant_if_set("filter.job_end_time_end", filter.job_end_time_end.as_ref());
    let number = filter.job_id.filter(|number| *number > 0);
    let by_time = number.is_none();
    JobFilter {
        tenant: Some(filter.tenant_name),
        clusters: filter.clusters,
        user: filter.user_id.filter(|user| !user.is_empty()),
        account: filter.account_name,
        from_index: filter.start_bi_job_index,
        // No job has the number 0, and none a larger one than its type holds.
        number: number.map(|number| u32::try_from(number).unwrap_or(0)),
        ended_from: from.filter(|_| by_time),
        ended_to: to.filter(|_| by_time),
    }
}

/// The real program fails at PRICE, for want of such a column; here it is what the account paid.
const fn job_order(by: SortBy) -> Option<JobOrder> {
    match by {
        SortBy::Unknown => None,
        SortBy::IdJob => Some(JobOrder::Number),
        SortBy::JobName => Some(JobOrder::Name),
        SortBy::Account => Some(JobOrder::Account),
        SortBy::User => Some(JobOrder::User),
        SortBy::Cluster => Some(JobOrder::Cluster),
        SortBy::Partition => Some(JobOrder::Partition),
        SortBy::Qos => Some(JobOrder::Qos),
        SortBy::TimeSubmit => Some(JobOrder::Submitted),
        SortBy::TimeEnd => Some(JobOrder::Ended),
        SortBy::Price => Some(JobOrder::AccountPrice),
    }
}

//! `scow.server.AdminService`: what has ended is fetched.
//!
//! What it leaves to others: charging (`accounts`), which happens as a job ends and needs no fetching; a fetch prices
//! what had no price, and says how many jobs are new.

use accounts::Fetch;
use tonic::{Request, Response, Status};
use wire::scow::server::{FetchJobsRequest, FetchJobsResponse, admin_service_server::AdminService};

use crate::server::{Management, fault};

#[tonic::async_trait]
impl AdminService for Management {
    async fn fetch_jobs(
        &self,
        request: Request<FetchJobsRequest>,
    ) -> Result<Response<FetchJobsResponse>, Status> {
        let (permit, _) = self.permit::<Fetch, _>(request).await?;
        let fetched = self.accounts.fetch(permit).await;
        let count = fetched.map_err(fault::accounts)?;
        Ok(Response::new(FetchJobsResponse {
            new_jobs_count: count,
        }))
    }
}

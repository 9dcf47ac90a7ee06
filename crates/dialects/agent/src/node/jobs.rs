//! `JobAgentService`: batch jobs on this machine, for the zone's server.
//!
//! What it leaves to others: the stages (`jobs::agent`), and every decision (the server).

use std::sync::Arc;

use futures::StreamExt as _;
use jobs::node::OnNode;
use tasks::{Policy, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, codegen::BoxStream, service::RoutesBuilder};
use wire::{
    FieldFaults,
    soke::agent::v1::{
        self,
        job_agent_service_server::{JobAgentService, JobAgentServiceServer},
    },
};

use crate::{account, job_form};

/// Adds batch jobs to what this machine does for its zone. `tasks` ends the streams over which it tells of news.
pub fn add_jobs(services: &mut RoutesBuilder, node: Arc<dyn OnNode>, tasks: &Tasks) {
    let (news, heard) = watch::channel(0_u64);
    let (source, stop) = (Arc::clone(&node), tasks.token());
    // One listener for all streams: the node's news wake one waiter.
    tasks.spawn("agent.news of jobs", Policy::StopAll, async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = source.changed() => news.send_modify(|count| *count += 1),
            }
        }
    });
    services.add_service(JobAgentServiceServer::new(Jobs {
        node,
        news: heard,
        stop: tasks.token(),
    }));
}

struct Jobs {
    node: Arc<dyn OnNode>,
    news: watch::Receiver<u64>,
    stop: CancellationToken,
}

/// The server knows nothing of this machine but what it is told, so it is told the causes too.
fn refused(error: &jobs::Error) -> Status {
    wire::status(error.kind(), model::chain(error))
}

impl Jobs {
    fn tell(&self) -> v1::WatchJobsResponse {
        v1::WatchJobsResponse {
            capacity: self.node.capacity().map(job_form::encode_capacity),
        }
    }
}

#[tonic::async_trait]
impl JobAgentService for Jobs {
    async fn start_job(
        &self,
        request: Request<v1::StartJobRequest>,
    ) -> Result<Response<v1::StartJobResponse>, Status> {
        let order = job_form::decode_order(request.into_inner())?;
        let started = self.node.start(order).await;
        started.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::StartJobResponse {}))
    }

    async fn end_job(
        &self,
        request: Request<v1::EndJobRequest>,
    ) -> Result<Response<v1::EndJobResponse>, Status> {
        let id = job_form::decode_id(&request.into_inner().job_id)?;
        let ended = self.node.end(id).await;
        ended.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::EndJobResponse {}))
    }

    async fn list_jobs(
        &self,
        _request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let reports = self.node.observe().await;
        let reports = reports.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::ListJobsResponse {
            jobs: reports.into_iter().map(job_form::encode_report).collect(),
        }))
    }

    async fn forget_job(
        &self,
        request: Request<v1::ForgetJobRequest>,
    ) -> Result<Response<v1::ForgetJobResponse>, Status> {
        let id = job_form::decode_id(&request.into_inner().job_id)?;
        let forgotten = self.node.forget(id).await;
        forgotten.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::ForgetJobResponse {}))
    }

    async fn watch_jobs(
        &self,
        _request: Request<v1::WatchJobsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchJobsResponse>>, Status> {
        let mut news = self.news.clone();
        news.mark_changed();
        let message = self.tell();
        let answers = futures::stream::unfold((news, message), |(mut news, message)| async move {
            news.changed().await.ok()?;
            Some((Ok(message.clone()), (news, message)))
        });
        let stop = self.stop.clone().cancelled_owned();
        Ok(Response::new(answers.take_until(stop).boxed()))
    }

    async fn read_output(
        &self,
        request: Request<v1::ReadOutputRequest>,
    ) -> Result<Response<BoxStream<v1::ReadOutputResponse>>, Status> {
        let message = request.into_inner();
        let mut faults = FieldFaults::new();
        let account = account::decode(message.account, &mut faults);
        let account = account.ok_or_else(|| faults.into_status())?;
        let chunks = self.node.read(&account, &message.path, message.offset);
        let answers = chunks.map(|chunk| match chunk {
            Ok(chunk) => Ok(v1::ReadOutputResponse { chunk }),
            Err(error) => Err(refused(&error)),
        });
        Ok(Response::new(answers.boxed()))
    }
}

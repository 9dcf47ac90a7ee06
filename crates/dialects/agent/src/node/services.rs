//! `ServiceAgentService`: services on this machine, for the zone's server.
//!
//! What it leaves to others: the stages (`services::agent`), and every decision (the server).

use std::sync::Arc;

use futures::StreamExt as _;
use services::node::OnNode;
use tasks::{Policy, Tasks};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, codegen::BoxStream, service::RoutesBuilder};
use wire::soke::agent::v1::{
    self,
    service_agent_service_server::{ServiceAgentService, ServiceAgentServiceServer},
};

use crate::service_form;

/// Adds services to what this machine does for its zone. `tasks` ends the streams over which it tells of news.
pub fn add_services(work: &mut RoutesBuilder, node: Arc<dyn OnNode>, tasks: &Tasks) {
    let (news, heard) = watch::channel(0_u64);
    let (source, stop) = (Arc::clone(&node), tasks.token());
    // One listener for all streams: the node's news wake one waiter.
    tasks.spawn("agent.news of services", Policy::StopAll, async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = source.changed() => news.send_modify(|count| *count += 1),
            }
        }
    });
    work.add_service(ServiceAgentServiceServer::new(Runs {
        node,
        news: heard,
        stop: tasks.token(),
    }));
}

struct Runs {
    node: Arc<dyn OnNode>,
    news: watch::Receiver<u64>,
    stop: CancellationToken,
}

/// The server knows nothing of this machine but what it is told, so it is told the causes too.
fn refused(error: &services::Error) -> Status {
    wire::status(error.kind(), model::chain(error))
}

#[tonic::async_trait]
impl ServiceAgentService for Runs {
    async fn start_run(
        &self,
        request: Request<v1::StartRunRequest>,
    ) -> Result<Response<v1::StartRunResponse>, Status> {
        let order = service_form::decode_order(request.into_inner())?;
        let started = self.node.start(order).await;
        started.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::StartRunResponse {}))
    }

    async fn end_run(
        &self,
        request: Request<v1::EndRunRequest>,
    ) -> Result<Response<v1::EndRunResponse>, Status> {
        let run = service_form::decode_id(&request.into_inner().run_id)?;
        let ended = self.node.end(run).await;
        ended.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::EndRunResponse {}))
    }

    async fn list_runs(
        &self,
        _request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        let reports = self.node.observe().await;
        let reports = reports.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::ListRunsResponse {
            runs: reports.into_iter().map(service_form::encode_report).collect(),
        }))
    }

    async fn forget_run(
        &self,
        request: Request<v1::ForgetRunRequest>,
    ) -> Result<Response<v1::ForgetRunResponse>, Status> {
        let run = service_form::decode_id(&request.into_inner().run_id)?;
        let forgotten = self.node.forget(run).await;
        forgotten.map_err(|error| refused(&error))?;
        Ok(Response::new(v1::ForgetRunResponse {}))
    }

    async fn watch_runs(
        &self,
        _request: Request<v1::WatchRunsRequest>,
    ) -> Result<Response<BoxStream<v1::WatchRunsResponse>>, Status> {
        let mut news = self.news.clone();
        news.mark_changed();
        let answers = futures::stream::unfold(news, |mut news| async move {
            news.changed().await.ok()?;
            Some((Ok(v1::WatchRunsResponse {}), news))
        });
        let stop = self.stop.clone().cancelled_owned();
        Ok(Response::new(answers.take_until(stop).boxed()))
    }
}

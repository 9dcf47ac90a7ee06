//! `soke.v1.JobService`: jobs submitted, shown, ended and followed.
//!
//! What it leaves to others: what a good job is and who may see which (`jobs`), the message form (`job_form`).

use futures::StreamExt as _;
use jobs::{Cancel, Filter, Get, List, Output, Submit, Which};
use tonic::{Request, Response, Status, codegen::BoxStream};
use wire::{
    FieldFaults,
    soke::v1::{self, job_service_server::JobService},
};

use caller::Callers;

use crate::{
    fault,
    job_form::{draft, encode, field},
    page,
};

/// Serves the job calls.
#[derive(Clone)]
pub(crate) struct Jobs {
    pub(crate) callers: Callers,
    pub(crate) jobs: jobs::Handle,
}

#[tonic::async_trait]
impl JobService for Jobs {
    async fn submit_job(
        &self,
        request: Request<v1::SubmitJobRequest>,
    ) -> Result<Response<v1::SubmitJobResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Submit>(&metadata, &extensions).await?;
        let by_script = message.arguments.is_empty();
        let (draft, mut faults) = draft(message);
        for fault in self.jobs.faults(&draft).await.map_err(fault::jobs)? {
            faults.add(field(fault.field, by_script), &fault.what, &fault.want);
        }
        faults.finish()?;
        let job = self.jobs.submit(permit, draft).await.map_err(fault::jobs)?;
        Ok(Response::new(v1::SubmitJobResponse {
            job: Some(encode(job)),
        }))
    }

    async fn get_job(
        &self,
        request: Request<v1::GetJobRequest>,
    ) -> Result<Response<v1::GetJobResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Get>(&metadata, &extensions).await?;
        let number = number(message.number)?;
        let job = self.jobs.get(permit, number).await.map_err(fault::jobs)?;
        Ok(Response::new(v1::GetJobResponse {
            job: Some(encode(job)),
        }))
    }

    async fn list_jobs(
        &self,
        request: Request<v1::ListJobsRequest>,
    ) -> Result<Response<v1::ListJobsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<List>(&metadata, &extensions).await?;
        let filter = filter(&message)?;
        let page = self.jobs.list(&permit, filter).await.map_err(fault::jobs)?;
        Ok(Response::new(v1::ListJobsResponse {
            jobs: page.jobs.into_iter().map(encode).collect(),
            next_page_token: page.next.map(|next| next.to_string()).unwrap_or_default(),
        }))
    }

    async fn cancel_job(
        &self,
        request: Request<v1::CancelJobRequest>,
    ) -> Result<Response<v1::CancelJobResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Cancel>(&metadata, &extensions).await?;
        let number = number(message.number)?;
        let job = self.jobs.cancel(permit, number).await.map_err(fault::jobs)?;
        Ok(Response::new(v1::CancelJobResponse {
            job: Some(encode(job)),
        }))
    }

    async fn watch_job(
        &self,
        request: Request<v1::WatchJobRequest>,
    ) -> Result<Response<BoxStream<v1::WatchJobResponse>>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Get>(&metadata, &extensions).await?;
        let number = number(message.number)?;
        let jobs = self.jobs.watch(permit, number).await.map_err(fault::jobs)?;
        let answers = jobs.map(|job| {
            let job = Some(encode(job.map_err(fault::jobs)?));
            Ok(v1::WatchJobResponse { job })
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn follow_output(
        &self,
        request: Request<v1::FollowOutputRequest>,
    ) -> Result<Response<BoxStream<v1::FollowOutputResponse>>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Output>(&metadata, &extensions).await?;
        let (number, which) = output(&message)?;
        let chunks = self.jobs.output(permit, number, which, message.offset).await;
        let chunks = chunks.map_err(fault::jobs)?;
        let answers = chunks.map(|chunk| {
            let (offset, chunk) = chunk.map_err(fault::jobs)?;
            Ok(v1::FollowOutputResponse { offset, chunk })
        });
        Ok(Response::new(answers.boxed()))
    }
}

fn check_number(faults: &mut FieldFaults, number: u32) {
    faults.check(number > 0, "number", "is 0", "the number of a job, from 1");
}

fn number(number: u32) -> Result<u32, Status> {
    let mut faults = FieldFaults::new();
    check_number(&mut faults, number);
    faults.finish()?;
    Ok(number)
}

fn output(message: &v1::FollowOutputRequest) -> Result<(u32, Which), Status> {
    let mut faults = FieldFaults::new();
    check_number(&mut faults, message.number);
    let which = match v1::Stream::try_from(message.stream) {
        Ok(v1::Stream::Stdout) => Some(Which::Stdout),
        Ok(v1::Stream::Stderr) => Some(Which::Stderr),
        Ok(v1::Stream::Unspecified) | Err(_) => {
            faults.add("stream", "names no stream", "STREAM_STDOUT or STREAM_STDERR");
            None
        }
    };
    match which {
        Some(which) if faults.is_empty() => Ok((message.number, which)),
        _ => Err(faults.into_status()),
    }
}

fn filter(message: &v1::ListJobsRequest) -> Result<Filter, Status> {
    let mut faults = FieldFaults::new();
    let page_size = page::size(&mut faults, message.page_size);
    let token = page::token(&mut faults, &message.page_token);
    let before = token.and_then(|token| token.parse::<u32>().ok());
    if token.is_some_and(|token| token.len() <= 64) && before.is_none() {
        faults.add(
            "page_token",
            "was not given by this call",
            "next_page_token of the page before, or nothing for the first page",
        );
    }
    faults.finish()?;
    Ok(Filter {
        page_size,
        before,
        unfinished_only: message.unfinished_only,
        ..Filter::default()
    })
}

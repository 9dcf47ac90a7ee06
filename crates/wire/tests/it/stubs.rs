//! A service of which nothing is written answers UNIMPLEMENTED to each kind of call.

use tonic::Code;
use wire::hello::hello_service_client::HelloServiceClient;
use wire::hello::hello_service_server::{HelloService, HelloServiceServer};
use wire::hello::{HelloRequest, HelloResponse};
use wire::scow::portal::job_service_client::JobServiceClient;
use wire::scow::portal::job_service_server::{JobService, JobServiceServer};
use wire::scow::portal::{CancelJobRequest, ListAllJobsRequest};

struct Nothing;

impl HelloService for Nothing {}
impl JobService for Nothing {}

/// Answers one call, so that one call in the same service is written and the others are not.
struct OnlySayHello;

#[tonic::async_trait]
impl HelloService for OnlySayHello {
    async fn say_hello(
        &self,
        request: tonic::Request<HelloRequest>,
    ) -> Result<tonic::Response<HelloResponse>, tonic::Status> {
        Ok(tonic::Response::new(HelloResponse {
            reply: request.into_inner().greeting,
        }))
    }
}

#[tokio::test]
async fn each_kind_of_call_that_nobody_wrote_is_unimplemented() {
    let mut client = HelloServiceClient::new(HelloServiceServer::new(Nothing));
    let many = || tokio_stream::iter([HelloRequest::default()]);
    let codes = [
        client
            .say_hello(HelloRequest::default())
            .await
            .err()
            .unwrap()
            .code(),
        client
            .lots_of_replies(HelloRequest::default())
            .await
            .err()
            .unwrap()
            .code(),
        client.lots_of_greetings(many()).await.err().unwrap().code(),
        client.bidi_hello(many()).await.err().unwrap().code(),
    ];
    assert_eq!(codes, [Code::Unimplemented; 4]);
    let mut client = JobServiceClient::new(JobServiceServer::new(Nothing));
    assert_eq!(
        client
            .cancel_job(CancelJobRequest::default())
            .await
            .unwrap_err()
            .code(),
        Code::Unimplemented
    );
    assert_eq!(
        client
            .list_all_jobs(ListAllJobsRequest::default())
            .await
            .unwrap_err()
            .code(),
        Code::Unimplemented
    );
}

#[tokio::test]
async fn one_call_can_be_written_without_the_others() {
    let mut client = HelloServiceClient::new(HelloServiceServer::new(OnlySayHello));
    let reply = client
        .say_hello(HelloRequest {
            greeting: "good morning".into(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(reply.reply, "good morning");
    let other = client
        .lots_of_replies(HelloRequest::default())
        .await
        .err()
        .unwrap();
    assert_eq!(other.code(), Code::Unimplemented);
}

#[test]
fn the_services_answer_under_the_names_that_clients_call() {
    assert_eq!(wire::hello::hello_service_server::SERVICE_NAME, "HelloService");
    assert_eq!(
        wire::helloworld::greeter_server::SERVICE_NAME,
        "helloworld.Greeter"
    );
    assert_eq!(
        wire::pb::lite_kube_nc_service_server::SERVICE_NAME,
        "pb.LiteKubeNCService"
    );
    assert_eq!(
        wire::pb::lite_kube_nc_bootstrap_service_server::SERVICE_NAME,
        "pb.LiteKubeNCBootstrapService"
    );
    assert_eq!(
        wire::scow::portal::job_service_server::SERVICE_NAME,
        "scow.portal.JobService"
    );
}

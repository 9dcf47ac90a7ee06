//! What the listener tells of itself, and to whom.

use std::{collections::BTreeSet, time::Duration};

use prost::Message as _;
use prost_types::FileDescriptorProto;
use tokio::{sync::mpsc, time::timeout};
use tonic::{Code, Status, Streaming};
use tonic_reflection::pb::{
    v1::{
        ServerReflectionRequest, ServerReflectionResponse, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    },
    v1alpha,
};
use wire::soke::v1::SignOutRequest;

use crate::zone::{Zone, bearing, refusal};

const SOON: Duration = Duration::from_secs(30);

const SERVED: [&str; 11] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "soke.v1.AccountService",
    "soke.v1.AuditService",
    "soke.v1.JobService",
    "soke.v1.NodeService",
    "soke.v1.ServiceService",
    "soke.v1.SessionService",
    "soke.v1.UserService",
    "soke.v1.ZoneService",
];

/// A conversation with reflection.
struct Talk {
    asks: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
}

impl Talk {
    async fn begin(zone: &Zone, token: &str) -> Self {
        let (asks, asked) = mpsc::channel(1);
        let asked = tokio_stream::wrappers::ReceiverStream::new(asked);
        let mut client = ServerReflectionClient::new(zone.calls.clone());
        let answers = client.server_reflection_info(bearing(token, asked)).await;
        let answers = answers.expect("a stream").into_inner();
        Self { asks, answers }
    }

    async fn next(&mut self) -> Result<Option<MessageResponse>, Status> {
        let next = timeout(SOON, self.answers.message()).await;
        Ok(next
            .expect("within the bound")?
            .and_then(|answer| answer.message_response))
    }

    async fn ask(&mut self, request: MessageRequest) -> Result<Option<MessageResponse>, Status> {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        self.asks.send(request).await.expect("it listens");
        self.next().await
    }

    /// The file that defines a symbol, or the one of a name.
    async fn file(&mut self, request: MessageRequest) -> FileDescriptorProto {
        let answer = self.ask(request).await.expect("answered");
        let Some(MessageResponse::FileDescriptorResponse(files)) = answer else {
            panic!("{answer:?}");
        };
        FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).expect("a file")
    }
}

#[tokio::test]
async fn reflection_tells_of_what_is_served_here_with_all_that_it_imports() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let mut talk = Talk::begin(&zone, &owner).await;
    let listed = talk
        .ask(MessageRequest::ListServices(String::new()))
        .await
        .unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = listed else {
        panic!("{listed:?}");
    };
    let names: BTreeSet<&str> = listed.service.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(SERVED));
    let mut files = BTreeSet::new();
    let mut wanted = Vec::new();
    for service in SERVED {
        let file = talk
            .file(MessageRequest::FileContainingSymbol(service.to_owned()))
            .await;
        wanted.extend(file.dependency);
        files.insert(file.name.unwrap_or_default());
    }
    while let Some(name) = wanted.pop() {
        if files.insert(name.clone()) {
            let file = talk.file(MessageRequest::FileByFilename(name.clone())).await;
            assert_eq!(file.name(), name);
            wanted.extend(file.dependency);
        }
    }
    assert!(files.contains("soke/v1/job.proto"), "{files:?}");
    let other = MessageRequest::FileContainingSymbol("pb.LiteKubeNCService".to_owned());
    assert_eq!(talk.ask(other).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_is_for_those_who_are_signed_in_and_ends_with_their_session() {
    let zone = Zone::new().await;
    let mut stranger = ServerReflectionClient::new(zone.calls.clone());
    let refused = stranger.server_reflection_info(tokio_stream::empty()).await;
    assert_eq!(refusal(refused), (Code::Unauthenticated, vec![]));
    let mut alpha = v1alpha::server_reflection_client::ServerReflectionClient::new(zone.calls.clone());
    let refused = alpha.server_reflection_info(tokio_stream::empty()).await;
    assert_eq!(refusal(refused), (Code::Unauthenticated, vec![]));
    let owner = zone.owner().await;
    let member = zone.member(&owner, "bob").await;
    let answers = alpha
        .server_reflection_info(bearing(&member, tokio_stream::empty()))
        .await;
    answers.expect("it tells members too");
    let mut talk = Talk::begin(&zone, &member).await;
    let file = talk
        .file(MessageRequest::FileContainingSymbol(
            "soke.v1.JobService".to_owned(),
        ))
        .await;
    assert_eq!(file.package(), "soke.v1");
    let out = zone
        .sessions()
        .sign_out(bearing(&member, SignOutRequest {}))
        .await;
    out.expect("signed out");
    assert_eq!(talk.next().await.unwrap_err().code(), Code::Unauthenticated);
}

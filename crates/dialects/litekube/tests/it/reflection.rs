//! What the doors tell of themselves, in both versions of reflection, to whoever gets in there and to nobody else.

use rpc::{Channel, Target};
use tonic::{Code, Status, client::Grpc, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, ServerReflectionResponse, server_reflection_request::MessageRequest,
    server_reflection_response::MessageResponse,
};

use prost::Message as _;

use crate::bed::Zone;

/// The two differ in nothing but their name.
const VERSIONS: [&str; 2] = [
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Asks one thing.
async fn ask(channel: Channel, version: &str, what: MessageRequest) -> Result<MessageResponse, Status> {
    let path: PathAndQuery = format!("/{version}/ServerReflectionInfo")
        .parse()
        .expect("a path");
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let asked = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(what),
    };
    let asked = tonic::Request::new(futures::stream::iter([asked]));
    let mut client = Grpc::new(channel);
    client.ready().await.expect("a channel is always ready");
    let mut answers = client.streaming(asked, path, codec).await?.into_inner();
    let answer = answers.message().await?.expect("an answer");
    Ok(answer.message_response.expect("it says something"))
}

async fn listed(channel: Channel, version: &str) -> Vec<String> {
    let all = MessageRequest::ListServices(String::new());
    match ask(channel, version, all).await {
        Ok(MessageResponse::ListServicesResponse(list)) => {
            let mut names: Vec<_> = list.service.into_iter().map(|one| one.name).collect();
            names.sort_unstable();
            names
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_door_tells_of_its_own_service_and_of_nothing_else_in_both_versions() {
    let zone = Zone::new().await;
    let target = |door: &str| Target::from(zone.address(door));
    let admin = zone.admin().await;
    let control = rpc::connect_as(&target("litekube.control"), &zone.trust(), &admin).await;
    let bootstrap = rpc::connect(&target("litekube.bootstrap"), &zone.trust()).await;
    for (channel, service, other) in [
        (
            control.expect("it answers"),
            "pb.LiteKubeNCService",
            "soke.v1.JobService",
        ),
        (
            bootstrap.expect("it answers"),
            "pb.LiteKubeNCBootstrapService",
            "soke.v1.SessionService",
        ),
    ] {
        for version in VERSIONS {
            assert_eq!(listed(channel.clone(), version).await, [version, service]);
            let symbol = MessageRequest::FileContainingSymbol(service.to_owned());
            let answer = ask(channel.clone(), version, symbol).await;
            let Ok(MessageResponse::FileDescriptorResponse(files)) = answer else {
                panic!("{answer:?}");
            };
            let file = files.file_descriptor_proto.first().expect("a file");
            let file = prost_types::FileDescriptorProto::decode(file.as_slice()).expect("a file");
            assert_eq!(file.package(), "pb");
            let symbol = MessageRequest::FileContainingSymbol(other.to_owned());
            let refused = ask(channel.clone(), version, symbol).await.expect_err("not here");
            assert_eq!(refused.code(), Code::NotFound, "{other}");
        }
    }
}

#[tokio::test]
async fn the_control_door_tells_nothing_to_who_shows_no_certificate() {
    let zone = Zone::new().await;
    let target = Target::from(zone.address("litekube.control"));
    // Whether the connection or the call is refused: nothing is told.
    let Ok(channel) = rpc::connect(&target, &zone.trust()).await else {
        return;
    };
    for version in VERSIONS {
        let all = MessageRequest::ListServices(String::new());
        let refused = ask(channel.clone(), version, all).await.expect_err("refused");
        assert!(
            matches!(refused.code(), Code::Unauthenticated | Code::Unavailable),
            "{refused}"
        );
    }
}

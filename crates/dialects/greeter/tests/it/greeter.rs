//! What the document shows, and what a tool finds out by itself.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use greeter::{Error, Handle, Parts, start};
use model::ErrorKind;
use rpc::{
    Channel, ClientCertificates, Identity, ListenAddress, Security, Target, TlsSource, Trust, server_config,
};
use tasks::Tasks;
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};
use wire::{
    hello::{HelloRequest, hello_service_client::HelloServiceClient},
    helloworld::{self, greeter_client::GreeterClient},
};

const SOON: Duration = Duration::from_secs(10);

async fn open() -> (Handle, Channel, Tasks) {
    let tasks = Tasks::new();
    let handle = start(Parts {
        address: ListenAddress::loopback(0),
        security: Security::Plain,
        insecure: false,
        tasks: tasks.clone(),
    });
    let handle = handle.await.unwrap();
    let channel = rpc::connect(&Target::from(handle.address()), &Trust::Plaintext).await;
    (handle, channel.unwrap(), tasks)
}

fn greeting(text: &str) -> HelloRequest {
    HelloRequest {
        greeting: text.to_owned(),
    }
}

#[tokio::test]
async fn the_greeter_says_what_the_document_prints() {
    let (handle, channel, _tasks) = open().await;
    let mut client = GreeterClient::new(channel);
    for (name, message) in [("张三", "Hello,张三!"), ("", "Hello,!"), ("a\nb", "Hello,a\nb!")] {
        let name = name.to_owned();
        let said = client.say_hello(helloworld::HelloRequest { name }).await.unwrap();
        assert_eq!(said.into_inner().message, message);
    }
    let name = "x".repeat(70_000);
    let long = client
        .say_hello(helloworld::HelloRequest { name })
        .await
        .unwrap_err();
    assert_eq!(long.code(), Code::ResourceExhausted);
    assert!(handle.stop(SOON).await.late.is_empty());
}

#[tokio::test]
async fn the_greeter_says_the_same_in_json() {
    let (_handle, channel, _tasks) = open().await;
    let json = rpc::Json::new(wire::DESCRIPTORS).unwrap();
    let mut client = GreeterClient::new(json.over(channel.clone()));
    let name = "张三".to_owned();
    let said = client.say_hello(helloworld::HelloRequest { name }).await.unwrap();
    assert_eq!(said.into_inner().message, "Hello,张三!");
    let mut client = HelloServiceClient::new(json.over(channel));
    let many = client.lots_of_replies(greeting("Ada")).await.unwrap();
    let many: Vec<String> = many
        .into_inner()
        .map(|reply| reply.unwrap().reply)
        .collect()
        .await;
    assert_eq!(many, ["Hello,Ada! 1", "Hello,Ada! 2", "Hello,Ada! 3"]);
}

#[tokio::test]
async fn hello_service_shows_the_four_kinds_of_call() {
    let (_handle, channel, _tasks) = open().await;
    let mut client = HelloServiceClient::new(channel);
    let one = client.say_hello(greeting("Ada")).await.unwrap();
    assert_eq!(one.into_inner().reply, "Hello,Ada!");
    let many = client
        .lots_of_replies(greeting("Ada"))
        .await
        .unwrap()
        .into_inner();
    let many: Vec<String> = many.map(|reply| reply.unwrap().reply).collect().await;
    assert_eq!(many, ["Hello,Ada! 1", "Hello,Ada! 2", "Hello,Ada! 3"]);
    let all = client
        .lots_of_greetings(stream::iter(["Ada", "Ben"].map(greeting)))
        .await;
    assert_eq!(all.unwrap().into_inner().reply, "Hello,Ada,Ben!");
    let none = client.lots_of_greetings(stream::iter([])).await.unwrap();
    assert_eq!(none.into_inner().reply, "Hello,!");
    let endless = stream::iter(std::iter::repeat_with(|| greeting("Ada")).take(100_000));
    let refused = client.lots_of_greetings(endless).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let (says, said) = tokio::sync::mpsc::unbounded_channel::<HelloRequest>();
    let said = stream::unfold(said, async |mut said| Some((said.recv().await?, said)));
    let mut replies = client.bidi_hello(said).await.unwrap().into_inner();
    for name in ["Ada", "Ben"] {
        says.send(greeting(name)).unwrap();
        let reply = replies.message().await.unwrap().unwrap();
        assert_eq!(reply.reply, format!("Hello,{name}!"));
    }
    drop(says);
    assert_eq!(replies.message().await.unwrap(), None);
}

const SERVICES: [&str; 5] = [
    "HelloService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "helloworld.Greeter",
];

#[tokio::test]
async fn reflection_shows_these_services_in_both_versions_and_no_others() {
    let (_handle, channel, _tasks) = open().await;
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let asks = |request| v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(request),
    };
    use v1::{server_reflection_request::MessageRequest, server_reflection_response::MessageResponse};
    let wanted = [
        asks(MessageRequest::ListServices(String::new())),
        asks(MessageRequest::FileContainingSymbol(
            "HelloService.BidiHello".to_owned(),
        )),
        asks(MessageRequest::FileContainingSymbol(
            "soke.v1.SessionService".to_owned(),
        )),
    ];
    let answers = client.server_reflection_info(stream::iter(wanted)).await.unwrap();
    let answers: Vec<_> = answers.into_inner().collect().await;
    let Some(MessageResponse::ListServicesResponse(list)) = &answers[0].as_ref().unwrap().message_response
    else {
        panic!("{answers:?}");
    };
    let mut names: Vec<&str> = list.service.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.iter().all(|name| SERVICES.contains(name)), "{names:?}");
    for name in ["HelloService", "helloworld.Greeter", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let described = answers[1].as_ref().unwrap().message_response.as_ref();
    assert!(
        matches!(described, Some(MessageResponse::FileDescriptorResponse(_))),
        "{answers:?}"
    );
    assert_eq!(answers[2].as_ref().unwrap_err().code(), Code::NotFound);

    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let wanted = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(list),
    };
    let mut answers = client
        .server_reflection_info(stream::iter([wanted]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let text = format!("{answer:?}");
    assert!(
        text.contains("helloworld.Greeter") && text.contains("\"HelloService\""),
        "{text}"
    );
    assert!(!text.contains("soke"), "{text}");
}

#[tokio::test]
async fn health_knows_the_two_services_and_the_whole() {
    let (_handle, channel, _tasks) = open().await;
    let mut client = HealthClient::new(channel);
    for service in ["", "helloworld.Greeter", "HelloService"] {
        let service = service.to_owned();
        let answer = client.check(HealthCheckRequest { service }).await.unwrap();
        assert_eq!(answer.into_inner().status, 1);
    }
    let service = "soke.v1.SessionService".to_owned();
    let unknown = client.check(HealthCheckRequest { service }).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn a_plain_greeter_stays_on_this_machine_and_tls_may_go_out() {
    let everywhere: ListenAddress = "0.0.0.0:0".parse().unwrap();
    let open = async |security, insecure| {
        let tasks = Tasks::new();
        let parts = Parts {
            address: everywhere,
            security,
            insecure,
            tasks,
        };
        start(parts).await
    };
    let refused = open(Security::Plain, false).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(matches!(refused, Error::Plaintext { .. }));
    assert!(open(Security::Plain, true).await.is_ok());
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(&key.cert.pem(), &key.signing_key.serialize_pem()).unwrap();
    let settings = server_config(identity, &ClientCertificates::Unasked).unwrap();
    let handle = open(Security::Tls(TlsSource::new(settings)), false)
        .await
        .unwrap();
    let target = Target::from(std::net::SocketAddr::from((
        [127, 0, 0, 1],
        handle.address().port(),
    )));
    let trust = Trust::Authority { pem: key.cert.pem() };
    let channel = rpc::connect(&target.with_server_name("localhost").unwrap(), &trust)
        .await
        .unwrap();
    let name = "TLS".to_owned();
    let said = GreeterClient::new(channel)
        .say_hello(helloworld::HelloRequest { name })
        .await
        .unwrap();
    assert_eq!(said.into_inner().message, "Hello,TLS!");
}

//! Both numberings of GetToken's answer, read by clients of their time.

use litekube::Numbering;
use tonic::{Request, client::Grpc};
use tonic_prost::ProstCodec;

use crate::bed::{Wish, Zone, bootstrap_token, get_token};

/// The answer as clients of April 2022 read it.
#[derive(Clone, PartialEq, prost::Message)]
struct InApril2022 {
    #[prost(string, tag = "1")]
    code: String,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(string, tag = "3")]
    token: String,
    #[prost(string, tag = "4")]
    grpc_ca_cert: String,
    #[prost(string, tag = "5")]
    grpc_client_key: String,
    #[prost(string, tag = "9")]
    network_client_cert: String,
    #[prost(string, tag = "10")]
    nothing: String,
}

#[tokio::test]
async fn clients_of_april_2022_find_what_they_know_where_they_know_it() {
    let wish = Wish {
        numbering: Numbering::April2022,
        ..Wish::default()
    };
    let zone = Zone::with(wish).await;
    let mut admin = zone.as_admin().await;
    let request = wire::pb::GetBootStrapTokenRequest { expire_time: 10 };
    let made = admin.get_boot_strap_token(request).await.unwrap().into_inner();
    assert_eq!(
        made.port,
        zone.address("litekube.control").port().to_string(),
        "as the document shows"
    );
    let target = rpc::Target::from(zone.address("litekube.bootstrap"));
    let channel = rpc::connect(&target, &zone.trust()).await.unwrap();
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let request = Request::new(wire::pb::GetTokenRequest {
        boot_strap_token: made.boot_strap_token,
    });
    let path = "/pb.LiteKubeNCBootstrapService/GetToken".parse().unwrap();
    let codec: ProstCodec<wire::pb::GetTokenRequest, InApril2022> = ProstCodec::default();
    let answer = client.unary(request, path, codec).await.unwrap().into_inner();
    assert_eq!(
        (answer.code.as_str(), answer.message.as_str(), answer.token.len()),
        ("200", "ok", 16)
    );
    let begins =
        |field: &str, label: &str| crate::bed::pem(field).starts_with(&format!("-----BEGIN {label}-----"));
    assert!(begins(&answer.grpc_ca_cert, "CERTIFICATE"));
    assert!(begins(&answer.grpc_client_key, "EC PRIVATE KEY"));
    assert!(begins(&answer.network_client_cert, "CERTIFICATE"));
    assert_eq!(answer.nothing, "", "nothing behind the ninth field");
    assert!(!format!("{:?}", Numbering::April2022).is_empty());
    // Every other call is the same in both.
    let mut bootstrap = zone.bootstrap().await;
    let well = bootstrap
        .health_check(wire::pb::HealthCheckRequest {})
        .await
        .unwrap();
    assert_eq!(well.into_inner().code, "200");
}

#[tokio::test]
async fn the_later_numbering_is_the_default() {
    assert_eq!(Numbering::default(), Numbering::Later);
    let zone = Zone::new().await;
    let token = bootstrap_token(&mut zone.as_admin().await, 0).await;
    let answer = get_token(&mut zone.bootstrap().await, &token).await;
    assert_eq!(answer.network_server_port, "6441");
    assert!(crate::bed::pem(&answer.network_client_cert).starts_with("-----BEGIN CERTIFICATE-----"));
}

//! Joining over the network: who is shown the token, and what is kept when the join is cut off.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use access::Secret;
use agent::node::{Error, Invitation};
use model::ErrorKind;
use rcgen::{CertificateParams, KeyPair};
use rpc::{
    CallLimits, Calls, Channel, Identity, Limits, ListenAddress, Listener, Security, Serving, Target,
    TlsSource, Trust,
    link::{Dial, Holder, Pace},
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tonic::{Code, Request, Response, Status, service::Routes};
use wire::soke::agent::v1::{
    self,
    node_service_client::NodeServiceClient,
    node_service_server::{NodeService, NodeServiceServer},
};

use crate::bed::{Computer, Zone, tls};

/// A server that hears joins, and passes them on where it has somebody to pass them to, but loses the answer.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<AtomicUsize>,
    passes_to: Option<nodes::Handle>,
}

#[tonic::async_trait]
impl NodeService for Ear {
    async fn join(&self, request: Request<v1::JoinRequest>) -> Result<Response<v1::JoinResponse>, Status> {
        self.heard.fetch_add(1, Ordering::SeqCst);
        let message = request.into_inner();
        if let Some(nodes) = &self.passes_to {
            let wish = nodes::Wish {
                token: Secret::from(message.token),
                name: message.name,
                request: message.certificate_request,
                device_key: message.device_key,
                overlay_key: message.overlay_key,
            };
            let peer = access::Peer::new(None, "test");
            nodes.join(&peer, &wish).await.expect("joined");
        }
        Err(Status::unavailable("the answer is lost"))
    }
}

impl Ear {
    async fn listen(&self, security: Security, zone: &Zone) -> Serving {
        let listener = Listener::bind(ListenAddress::loopback(0), security)
            .await
            .unwrap();
        let calls = Calls::new(
            Routes::new(NodeServiceServer::new(self.clone())),
            CallLimits::default(),
        );
        rpc::serve(listener, calls, &zone.tasks, Limits::default())
    }
}

#[tokio::test]
async fn a_machine_joins_and_keeps_its_keys_to_itself() {
    let zone = Zone::new().await;
    let computer = Computer::new();
    let invitation = zone.invitation("one").await;
    let member = computer.join(&invitation).await.unwrap();
    assert_eq!(
        (member.name.as_str(), member.address.as_str()),
        ("one", "10.77.0.3")
    );
    assert_eq!(computer.member(), member);
    let file = std::fs::metadata(computer.file()).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(computer.file()).unwrap();
    assert!(
        !text.contains(invitation.token.expose()),
        "the token is of no use any more"
    );
    let again = computer.join(&invitation).await.unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Exists);
    assert_eq!(zone.listed().await, [("one".to_owned(), false)]);
}

#[tokio::test]
async fn j05_the_token_is_sent_to_no_server_but_that_of_its_authority() {
    let (zone, evil) = (Zone::new().await, Zone::new().await);
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let forged = evil.access.zone().issue_server_certificate(&names).unwrap();
    // The evil server shows the true authority's certificate as well: it is no secret.
    let chain = vec![forged.chain[0].clone(), zone.access.zone().ca_der().clone()];
    let forged = rpc::server_config(
        Identity::new(chain, forged.key),
        &rpc::ClientCertificates::Unasked,
    );
    let forged = Security::Tls(TlsSource::new(forged.unwrap()));
    for security in [tls(&evil.access), forged, Security::Plain] {
        let ear = Ear::default();
        let serving = ear.listen(security, &evil).await;
        let invitation = Invitation {
            server: serving.address().to_string(),
            token: zone.token().await,
            name: "one".to_owned(),
        };
        let computer = Computer::new();
        let error = computer.join(&invitation).await.unwrap_err();
        assert!(matches!(error, Error::Reach(_)), "{error}");
        assert!(error.to_string().contains("the token was not sent"), "{error}");
        assert_eq!(ear.heard.load(Ordering::SeqCst), 0);
        let invitation = Invitation {
            server: zone.serving.address().to_string(),
            token: Secret::from(invitation.token.expose().to_owned()),
            name: format!("n{}", serving.address().port()),
        };
        computer
            .join(&invitation)
            .await
            .expect("the token is as good as before");
    }
}

#[tokio::test]
async fn j02_j03_a_join_that_was_cut_off_goes_on_with_the_same_keys() {
    let zone = Zone::new().await;
    let ear = Ear {
        heard: Arc::default(),
        passes_to: Some(zone.nodes.clone()),
    };
    let serving = ear.listen(tls(&zone.access), &zone).await;
    let computer = Computer::new();
    let invitation = Invitation {
        server: serving.address().to_string(),
        token: zone.token().await,
        name: "one".to_owned(),
    };
    for _ in 0..2 {
        let lost = computer.join(&invitation).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(ear.heard.load(Ordering::SeqCst), 2);
    serving.stop(crate::bed::SOON).await;
    // The same address, and now a server whose answers arrive.
    let mut routes = Routes::builder();
    let parts = agent::Parts {
        access: zone.access.clone(),
        nodes: zone.nodes.clone(),
    };
    agent::add_to(&mut routes, parts);
    let calls = Calls::new(routes.routes(), CallLimits::default());
    let address = ListenAddress::from(serving.address());
    let listener = Listener::bind(address, tls(&zone.access)).await.unwrap();
    let _serving = rpc::serve(listener, calls, &zone.tasks, Limits::default());
    let member = computer.join(&invitation).await.unwrap();
    assert_eq!(member.address, "10.77.0.3");
    assert_eq!(zone.listed().await.len(), 1);
}

#[tokio::test]
async fn a_refused_join_says_why_and_leaves_nothing_behind() {
    let zone = Zone::new().await;
    let invitation = zone.invitation("one").await;
    Computer::new().join(&invitation).await.unwrap();
    let computer = Computer::new();
    let used = computer.join(&invitation).await.unwrap_err();
    assert_eq!(used.kind(), ErrorKind::Unauthenticated);
    assert!(used.to_string().contains("token used"), "{used}");
    assert!(!computer.file().exists());
    let no_token = Invitation {
        token: Secret::from("soke-node.x.y".to_owned()),
        ..zone.invitation("two").await
    };
    assert_eq!(
        computer.join(&no_token).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    let bad_name = zone.invitation("Two").await;
    let refused = computer.join(&bad_name).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("name"), "{refused}");
}

/// A node whose keys lie in this process, so that its certificate can be shown from here.
async fn by_hand(zone: &Zone, name: &str) -> (NodeServiceClient<Channel>, Vec<u8>, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    let request = request.der().to_vec();
    let wish = nodes::Wish {
        token: zone.token().await,
        name: name.to_owned(),
        request: request.clone(),
        device_key: vec![2; 32],
        overlay_key: vec![3; 32],
    };
    let peer = access::Peer::new(None, "test");
    let joined = zone.nodes.join(&peer, &wish).await.unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let holder = Holder::new(Identity::new(joined.certificate.chain.clone(), private)).unwrap();
    let target: Target = zone.serving.address().into();
    let dial = Dial::new(target, &trust(zone), &holder, Pace::default()).unwrap();
    let client = NodeServiceClient::new(dial.channel());
    (client, request, joined.node.id.to_string())
}

fn trust(zone: &Zone) -> Trust {
    let pem = zone.access.zone().ca_pem().to_owned();
    Trust::Authority { pem }
}

#[tokio::test]
async fn j09_calls_of_nodes_need_a_certificate_and_reach_their_holder_only() {
    let zone = Zone::new().await;
    let one = Computer::new().join(&zone.invitation("one").await).await.unwrap();
    let theirs = one.node_id;
    let ask = |node_id: &str| v1::GetNodeRequest {
        node_id: node_id.to_owned(),
    };
    let leave = |node_id: &str| v1::LeaveRequest {
        node_id: node_id.to_owned(),
    };
    let target: Target = zone.serving.address().into();
    let channel = rpc::connect(&target, &trust(&zone)).await.unwrap();
    let refused = NodeServiceClient::new(channel).get_node(ask(&theirs)).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
    let (mut two, certificate_request, own) = by_hand(&zone, "two").await;
    let node = two.get_node(ask(&own)).await.unwrap().into_inner().node.unwrap();
    assert_eq!((node.name.as_str(), node.node_id), ("two", own));
    let renew = v1::RenewRequest {
        node_id: theirs.clone(),
        certificate_request,
    };
    let codes = [
        two.get_node(ask(&theirs)).await.unwrap_err().code(),
        two.leave(leave(&theirs)).await.unwrap_err().code(),
        two.renew(renew).await.unwrap_err().code(),
    ];
    assert_eq!(codes, [Code::NotFound; 3]);
    let no_id = two.leave(leave("x")).await.unwrap_err();
    assert_eq!(no_id.code(), Code::InvalidArgument);
    assert_eq!(zone.listed().await.len(), 2);
}

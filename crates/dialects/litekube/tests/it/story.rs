//! The life of a machine as LiteKube's clients see it, and who may do what on the way.

use access::{NodePermit, Secret};
use model::Span;
use nodes::{Heartbeat, Told};
use rpc::{Target, Trust};
use tonic::{Code, Request};
use wire::pb;

use crate::bed::{
    Bootstrap, Control, Wish, Zone, address, bootstrap_token, get_token, holder, peer, signed, state,
    unregister,
};

#[tokio::test]
async fn a_machine_registers_connects_and_is_ended_as_the_contract_says() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let request = pb::GetBootStrapTokenRequest { expire_time: 10 };
    let made = admin.get_boot_strap_token(request).await.unwrap().into_inner();
    assert_eq!((made.code.as_str(), made.message.as_str()), ("200", "ok"));
    assert_eq!(made.cloud_ip, "127.0.0.1");
    assert_eq!(made.port, zone.address("litekube.bootstrap").port().to_string());
    let is_hex =
        |text: &str| text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert!(is_hex(&made.boot_strap_token));

    let node = get_token(&mut zone.bootstrap().await, &made.boot_strap_token).await;
    assert!(is_hex(&node.token));
    assert_eq!(node.network_server_ip, "127.0.0.1");
    assert_eq!(node.network_server_port, "6441");
    assert_eq!(node.grpc_server_ip, "127.0.0.1");
    assert_eq!(
        node.grpc_server_port,
        zone.address("litekube.control").port().to_string()
    );

    // Registered and never connected; connecting; connected; left.
    let id = zone.id_of(&node.token).await;
    let seen = async |admin: &mut Control| {
        let answer = state(admin, &node.token).await.unwrap();
        assert_eq!((answer.code.as_str(), answer.message.as_str()), ("200", "ok"));
        let ip = address(admin, &node.token).await.unwrap();
        assert_eq!((ip.code.as_str(), &ip.ip), ("200", &answer.bind_ip));
        (answer.conn_state, answer.bind_ip)
    };
    assert_eq!(seen(&mut admin).await, (-1, String::new()));
    zone.set_present(id, true);
    assert_eq!(seen(&mut admin).await, (3, "10.77.0.3".to_owned()));
    zone.set_present(id, false);
    assert_eq!(seen(&mut admin).await, (-1, String::new()));
    let permit = heartbeat_permit(&zone, &node).await;
    zone.nodes.heartbeat(&permit, id, Told::default()).await.unwrap();
    assert_eq!(seen(&mut admin).await, (1, "10.77.0.3".to_owned()));
    zone.pass(Span::from_secs(31));
    assert_eq!(seen(&mut admin).await, (-1, "10.77.0.3".to_owned()));

    let ended = unregister(&mut admin, &node.token).await.unwrap();
    assert_eq!(
        (ended.code.as_str(), ended.message.as_str(), ended.result),
        ("200", "ok", true)
    );
    let again = unregister(&mut admin, &node.token).await.unwrap();
    let told = (again.code.as_str(), again.message.as_str(), again.result);
    assert_eq!(told, ("400", "fail to find such item", false));
}

async fn heartbeat_permit(zone: &Zone, node: &pb::GetTokenResponse) -> NodePermit<Heartbeat> {
    let identity = rpc::Identity::from_pem(
        &crate::bed::pem(&node.network_client_cert),
        &crate::bed::pem(&node.network_client_key),
    );
    drop(identity.expect("PEM"));
    let pem = crate::bed::pem(&node.network_client_cert);
    use rustls_pki_types::{CertificateDer, pem::PemObject as _};
    let leaf = CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM");
    let actor = zone
        .access
        .authenticate_node(&leaf, &peer())
        .await
        .expect("known");
    zone.access.permit_node(&actor, &peer()).await.expect("may")
}

#[tokio::test]
async fn hello_and_health_answer_on_their_services_and_on_no_other() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let hello_text = "anything".to_owned();
    let hello = admin
        .hello_world(pb::HelloWorldRequest { hello_text })
        .await
        .unwrap();
    assert_eq!(hello.into_inner().thanks_text, "hello,this wanna");
    let well = admin.health_check(pb::HealthCheckRequest {}).await.unwrap();
    assert_eq!(well.into_inner().code, "200");
    let mut bootstrap = zone.bootstrap().await;
    let well = bootstrap.health_check(pb::HealthCheckRequest {}).await.unwrap();
    assert_eq!(well.into_inner().code, "200");
    let (control_at, bootstrap_at) = (
        zone.address("litekube.control"),
        zone.address("litekube.bootstrap"),
    );
    let elsewhere = rpc::connect(&Target::from(bootstrap_at), &zone.trust())
        .await
        .unwrap();
    let refused = Control::new(elsewhere)
        .health_check(pb::HealthCheckRequest {})
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    let holder = zone.admin().await;
    let elsewhere = rpc::connect_as(&Target::from(control_at), &zone.trust(), &holder).await;
    let refused = Bootstrap::new(elsewhere.unwrap())
        .health_check(pb::HealthCheckRequest {})
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn the_control_service_wants_a_certificate_of_this_zone_that_counts_still() {
    let zone = Zone::new().await;
    let target = Target::from(zone.address("litekube.control"));
    let nobody = rpc::connect(&target, &zone.trust()).await;
    if let Ok(channel) = nobody {
        // In TLS 1.3 the refusal may come after the client's own part is done.
        let refused = Control::new(channel)
            .health_check(pb::HealthCheckRequest {})
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    }
    let other = Zone::new().await;
    let foreign = other.admin().await;
    if let Ok(channel) = rpc::connect_as(&target, &zone.trust(), &foreign).await {
        let refused = Control::new(channel)
            .health_check(pb::HealthCheckRequest {})
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    }
    // The bootstrap service takes one where one is shown.
    let target = Target::from(zone.address("litekube.bootstrap"));
    let channel = rpc::connect_as(&target, &zone.trust(), &zone.admin().await)
        .await
        .unwrap();
    let well = Bootstrap::new(channel)
        .health_check(pb::HealthCheckRequest {})
        .await;
    assert_eq!(well.unwrap().into_inner().code, "200");
}

#[tokio::test]
async fn an_ended_machine_and_an_administrator_whose_sessions_were_revoked_are_nobody() {
    let zone = Zone::new().await;
    let node = zone.registered().await;
    let mut machine = zone
        .control(&holder(&node.grpc_client_cert, &node.grpc_client_key))
        .await;
    assert_eq!(state(&mut machine, &node.token).await.unwrap().conn_state, -1);
    let mut admin = zone.as_admin().await;
    assert!(unregister(&mut admin, &node.token).await.unwrap().result);
    assert_eq!(
        state(&mut machine, &node.token).await.unwrap_err(),
        Code::Unauthenticated
    );
    let hello = machine.hello_world(pb::HelloWorldRequest::default()).await;
    assert_eq!(hello.unwrap_err().code(), Code::Unauthenticated);
    let well = machine.health_check(pb::HealthCheckRequest {}).await;
    assert_eq!(well.unwrap_err().code(), Code::Unauthenticated);

    let permit = zone.permit::<access::user::Revoke>().await;
    assert!(zone.access.revoke_sessions(&permit, "ada").await.unwrap() >= 2);
    let refused = admin
        .get_boot_strap_token(pb::GetBootStrapTokenRequest { expire_time: 1 })
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_session_of_an_administrator_does_as_well_as_a_certificate() {
    let zone = Zone::new().await;
    let node = zone.registered().await;
    let mut machine = zone
        .control(&holder(&node.grpc_client_cert, &node.grpc_client_key))
        .await;
    let made = machine
        .get_boot_strap_token(signed(pb::GetBootStrapTokenRequest::default(), &zone.bearer))
        .await;
    assert_eq!(made.unwrap().into_inner().code, "200");
    let wrong = Secret::from("no.token.atall".to_owned());
    let refused = machine
        .get_boot_strap_token(signed(pb::GetBootStrapTokenRequest::default(), &wrong))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn the_words_of_litekubes_own_server_read_as_connected_for_administrators() {
    let zone = Zone::new().await;
    let mut admin = zone.as_admin().await;
    let own = state(&mut admin, "reserverd").await.unwrap();
    assert_eq!(
        (own.code.as_str(), own.conn_state, own.bind_ip.as_str()),
        ("200", 3, "10.77.0.1")
    );
    assert_eq!(address(&mut admin, "reserverd").await.unwrap().ip, "10.77.0.1");
    assert_eq!(unregister(&mut admin, "reserverd").await.unwrap().code, "400");
    let node = zone.registered().await;
    let mut machine = zone
        .control(&holder(&node.grpc_client_cert, &node.grpc_client_key))
        .await;
    assert_eq!(state(&mut machine, "reserverd").await.unwrap().code, "400");
}

#[tokio::test]
async fn get_token_works_on_both_services_and_as_often_as_is_set() {
    let wish = Wish {
        token_uses: 2,
        ..Wish::default()
    };
    let zone = Zone::with(wish).await;
    let mut admin = zone.as_admin().await;
    let token = bootstrap_token(&mut admin, 5).await;
    let boot_strap_token = token.clone();
    let first = admin
        .get_token(pb::GetTokenRequest { boot_strap_token })
        .await
        .unwrap();
    assert_eq!(first.into_inner().code, "200");
    let mut bootstrap = zone.bootstrap().await;
    assert_eq!(get_token(&mut bootstrap, &token).await.code, "200");
    let third = get_token(&mut bootstrap, &token).await;
    assert_eq!(
        (third.code.as_str(), third.message.as_str()),
        ("400", "fail to find such item")
    );
    assert_eq!((third.token.as_str(), third.grpc_client_key.as_str()), ("", ""));
    assert_eq!(third.network_server_ip, "127.0.0.1", "side fields are filled");
}

#[tokio::test]
async fn without_encryption_nobody_is_heard_but_in_a_zone_to_try_clients_out() {
    let zone = Zone::new().await;
    for name in ["litekube.bootstrap", "litekube.control"] {
        let target = Target::from(zone.address(name));
        if let Ok(channel) = rpc::connect(&target, &Trust::Plaintext).await {
            let refused = Control::new(channel)
                .hello_world(pb::HelloWorldRequest::default())
                .await;
            assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
        }
    }
    let wish = Wish {
        strangers: true,
        ..Wish::default()
    };
    let zone = Zone::with(wish).await;
    let target = Target::from(zone.address("litekube.control"));
    let mut plain = Control::new(rpc::connect(&target, &Trust::Plaintext).await.unwrap());
    let token = bootstrap_token(&mut plain, 10).await;
    let target = Target::from(zone.address("litekube.bootstrap"));
    let mut bootstrap = Bootstrap::new(rpc::connect(&target, &Trust::Plaintext).await.unwrap());
    let node = get_token(&mut bootstrap, &token).await;
    assert_eq!(state(&mut plain, &node.token).await.unwrap().conn_state, -1);
    // Whoever shows something is judged by it.
    let wrong = Secret::from("no.token.atall".to_owned());
    let request: Request<_> = signed(pb::GetBootStrapTokenRequest::default(), &wrong);
    let refused = plain.get_boot_strap_token(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
}

//! Services over the wire: what is answered, what is refused by field, and who sees what.

use tonic::{Code, Status};
use wire::soke::v1::{self, ServiceState};

use crate::zone::{Zone, bearing, refusal};

const MANIFEST: &str = "kind: Process\nname: web\ncommand: [python3, -m, http.server]\n";

fn manifest(text: &str, node: &str) -> v1::DeployServiceRequest {
    v1::DeployServiceRequest {
        manifest: text.to_owned(),
        node: node.to_owned(),
    }
}

async fn deploy(zone: &Zone, token: &str, text: &str) -> Result<v1::Service, Status> {
    let answer = zone
        .services()
        .deploy_service(bearing(token, manifest(text, "")))
        .await;
    Ok(answer?.into_inner().service.expect("a service"))
}

fn named(name: &str) -> v1::GetServiceRequest {
    v1::GetServiceRequest {
        name: name.to_owned(),
        ..v1::GetServiceRequest::default()
    }
}

#[tokio::test]
async fn a_service_is_deployed_shown_listed_and_stopped() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let deployed = deploy(&zone, &owner, MANIFEST).await.expect("deployed");
    assert_eq!(deployed.state(), ServiceState::Pending);
    assert_eq!(
        (deployed.name.as_str(), deployed.user_name.as_str()),
        ("web", "ada")
    );
    assert_eq!(
        (deployed.generation, deployed.log_path.as_str()),
        (1, "services/web.log")
    );
    let same = deploy(&zone, &owner, MANIFEST).await.expect("deployed");
    assert_eq!(same.service_id, deployed.service_id);

    let mut by_id = named("");
    by_id.service_id = deployed.service_id.clone();
    by_id.wait = Some(prost_types::Duration { seconds: 0, nanos: 1 });
    for asked in [named("web"), by_id] {
        let found = zone
            .services()
            .get_service(bearing(&owner, asked))
            .await
            .expect("it is there");
        assert_eq!(
            found.into_inner().service.expect("a service").service_id,
            deployed.service_id
        );
    }
    let stop = v1::StopServiceRequest {
        name: "web".to_owned(),
        ..v1::StopServiceRequest::default()
    };
    let stopped = zone
        .services()
        .stop_service(bearing(&owner, stop))
        .await
        .expect("stopped");
    assert_eq!(
        stopped.into_inner().service.expect("a service").state(),
        ServiceState::Stopped
    );
    for (with_stopped, expected) in [(false, 0), (true, 1)] {
        let list = v1::ListServicesRequest {
            with_stopped,
            ..v1::ListServicesRequest::default()
        };
        let listed = zone
            .services()
            .list_services(bearing(&owner, list))
            .await
            .expect("a list");
        assert_eq!(listed.into_inner().services.len(), expected);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_deployment_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for (text, node, fields) in [
        ("", "", vec!["manifest"]),
        ("kind: [", "", vec!["manifest"]),
        (
            "kind: Deployment\nport: 80\nspec: {}\n",
            "A b",
            vec![
                "manifest.spec",
                "manifest.kind",
                "manifest.name",
                "manifest.command",
                "manifest.port",
                "node",
            ],
        ),
        (MANIFEST, "nowhere", vec!["node"]),
        (MANIFEST, "A", vec!["node"]),
    ] {
        let answer = zone
            .services()
            .deploy_service(bearing(&owner, manifest(text, node)))
            .await;
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields), "{text} {node}");
    }
    let long = "#".repeat((1 << 20) + 1);
    let answer = zone
        .services()
        .deploy_service(bearing(&owner, manifest(&long, "")))
        .await;
    assert_eq!(
        refusal(answer),
        (Code::InvalidArgument, vec!["manifest".to_owned()])
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let id = "019a0000-0000-7000-8000-000000000001";
    let wait = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
    for (service_id, name, wait, fields) in [
        ("", "", None, vec!["name"]),
        (id, "web", None, vec!["service_id"]),
        ("web", "", None, vec!["service_id"]),
        ("", "Web", None, vec!["name"]),
        ("", "web", wait(61, 0), vec!["wait"]),
        ("", "web", wait(-1, 0), vec!["wait"]),
        ("", "", wait(60, 1), vec!["wait", "name"]),
    ] {
        let asked = v1::GetServiceRequest {
            service_id: service_id.to_owned(),
            name: name.to_owned(),
            wait,
        };
        let expected: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.services().get_service(bearing(&owner, asked)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, expected.clone()));
        if wait.is_none() {
            let stop = v1::StopServiceRequest {
                service_id: service_id.to_owned(),
                name: name.to_owned(),
            };
            let answer = zone.services().stop_service(bearing(&owner, stop)).await;
            assert_eq!(refusal(answer), (Code::InvalidArgument, expected));
        }
    }
    for (page_size, page_token, fields) in [
        (1001, String::new(), vec!["page_size"]),
        (0, "next".to_owned(), vec!["page_token"]),
        (1001, "x".repeat(65), vec!["page_size", "page_token"]),
    ] {
        let list = v1::ListServicesRequest {
            page_size,
            page_token,
            with_stopped: false,
        };
        let fields: Vec<String> = fields.into_iter().map(str::to_owned).collect();
        let answer = zone.services().list_services(bearing(&owner, list)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields));
    }
}

#[tokio::test]
async fn w08_services_of_others_are_not_there() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let deployed = deploy(&zone, &owner, MANIFEST).await.expect("deployed");
    let member = zone.member(&owner, "bob").await;
    let mut by_id = named("");
    by_id.service_id = deployed.service_id.clone();
    for asked in [named("web"), by_id] {
        let stop = v1::StopServiceRequest {
            service_id: asked.service_id.clone(),
            name: asked.name.clone(),
        };
        let hidden = zone.services().get_service(bearing(&member, asked)).await;
        assert_eq!(refusal(hidden).0, Code::NotFound);
        let hidden = zone.services().stop_service(bearing(&member, stop)).await;
        assert_eq!(refusal(hidden).0, Code::NotFound);
    }
    let listed = zone
        .services()
        .list_services(bearing(&member, v1::ListServicesRequest::default()))
        .await;
    assert!(listed.expect("a list").into_inner().services.is_empty());
}

#[test]
fn a_manifest_is_in_no_debug_form() {
    let message = manifest("environment: { KEY: very-secret }", "");
    assert!(!format!("{message:?}").contains("very-secret"));
}

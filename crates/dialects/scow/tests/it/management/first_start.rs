//! The first start: administrators are made until it is ended.

use tonic::Code;
use wire::scow::server::{
    CompleteInitRequest, CreateInitAdminRequest, GetUserInfoRequest, QuerySystemInitializedRequest,
    UserExistsRequest,
};

use super::bed::{Bed, SECRET, refused};
use crate::zone::bearing;

fn admin(user_id: &str) -> CreateInitAdminRequest {
    CreateInitAdminRequest {
        user_id: user_id.to_owned(),
        name: "The First".to_owned(),
        email: "first@example.org".to_owned(),
        password: SECRET.to_owned(),
    }
}

async fn initialized(bed: &Bed) -> bool {
    let asked = bearing(&bed.ada, QuerySystemInitializedRequest {});
    let answer = bed.init().query_system_initialized(asked).await;
    answer.expect("an answer").into_inner().initialized
}

async fn exists(bed: &Bed, user_id: &str) -> (bool, Option<bool>) {
    let user_id = user_id.to_owned();
    let asked = bearing(&bed.ada, UserExistsRequest { user_id });
    let answer = bed
        .init()
        .user_exists(asked)
        .await
        .expect("an answer")
        .into_inner();
    (answer.exists_in_scow, answer.exists_in_auth)
}

#[tokio::test]
async fn administrators_are_made_until_the_initialisation_is_ended() {
    let bed = Bed::new().await;
    assert!(!initialized(&bed).await);
    assert_eq!(exists(&bed, "first").await, (false, Some(false)));
    let made = bed
        .init()
        .create_init_admin(bearing(&bed.ada, admin("first")))
        .await;
    assert!(made.expect("an administrator").into_inner().created_in_auth);
    assert_eq!(exists(&bed, "first").await, (true, Some(true)));
    let again = bed
        .init()
        .create_init_admin(bearing(&bed.ada, admin("first")))
        .await;
    let text = refused("the same again", again, Code::AlreadyExists, &[]);
    assert_eq!(text, "EXISTS_IN_SCOW");

    let asked = GetUserInfoRequest {
        user_id: "first".to_owned(),
    };
    let info = bed.users().get_user_info(bearing(&bed.ada, asked)).await;
    let info = info.expect("the administrator").into_inner();
    assert_eq!((info.platform_roles, info.tenant_roles), (vec![0], vec![0]));

    let ended = bed
        .init()
        .complete_init(bearing(&bed.ada, CompleteInitRequest {}))
        .await;
    ended.expect("ended");
    assert!(initialized(&bed).await);
    let again = bed
        .init()
        .complete_init(bearing(&bed.ada, CompleteInitRequest {}))
        .await;
    refused("ending it twice", again, Code::AlreadyExists, &[]);
    let late = bed
        .init()
        .create_init_admin(bearing(&bed.ada, admin("second")))
        .await;
    refused("an administrator after it", late, Code::FailedPrecondition, &[]);
    assert_eq!(exists(&bed, "second").await, (false, Some(false)));
}

#[tokio::test]
async fn only_administrators_begin() {
    let bed = Bed::new().await;
    let by_bob = bed
        .init()
        .create_init_admin(bearing(&bed.bob, admin("mallory")))
        .await;
    refused("by a member", by_bob, Code::PermissionDenied, &[]);
    let by_bob = bed
        .init()
        .complete_init(bearing(&bed.bob, CompleteInitRequest {}))
        .await;
    refused("ended by a member", by_bob, Code::PermissionDenied, &[]);
    let by_nobody = bed.init().create_init_admin(admin("mallory")).await;
    refused("by nobody", by_nobody, Code::Unauthenticated, &[]);
    assert!(!initialized(&bed).await);
    assert_eq!(exists(&bed, "mallory").await, (false, Some(false)));
}

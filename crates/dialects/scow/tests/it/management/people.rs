//! Users, tenants, accounts and who is in them.

use tonic::Code;
use wire::scow::server::{
    AccountAffiliation, AddUserToAccountRequest, CreateTenantRequest, GetAccountUsersRequest,
    GetAccountsRequest, GetAllTenantsRequest, GetTenantInfoRequest, GetTenantsRequest, GetUserInfoRequest,
    GetUserInfoResponse, GetUserStatusRequest, GetUsersByIdsRequest, GetUsersRequest,
    QueryIsUserInAccountRequest, UserRole,
};

use super::bed::{Bed, SECRET, money, new_account, new_user, refused};
use crate::zone::bearing;

async fn info(bed: &Bed, token: &str, user_id: &str) -> GetUserInfoResponse {
    let user_id = user_id.to_owned();
    let asked = bearing(token, GetUserInfoRequest { user_id });
    bed.users()
        .get_user_info(asked)
        .await
        .expect("a user")
        .into_inner()
}

fn member(account: &str, user: &str) -> AddUserToAccountRequest {
    AddUserToAccountRequest {
        tenant_name: "default".to_owned(),
        user_id: user.to_owned(),
        account_name: account.to_owned(),
    }
}

#[tokio::test]
async fn a_user_is_made_with_what_the_pages_show() {
    let bed = Bed::new().await;
    let made = bed
        .users()
        .create_user(bearing(&bed.ada, new_user("Carol.Imported")))
        .await;
    let made = made.expect("a user").into_inner();
    assert!(made.id > 0 && made.created_in_auth);
    let carol = info(&bed, &bed.ada, "Carol.Imported").await;
    assert_eq!(
        [&carol.name, &carol.email, &carol.tenant_name].map(String::as_str),
        ["Label of Carol.Imported", "Carol.Imported@example.org", "default"]
    );
    assert!(
        carol.affiliations.is_empty() && carol.platform_roles.is_empty() && carol.tenant_roles.is_empty()
    );
    assert!(carol.create_time.expect("a time").seconds > 1_700_000_000);
    let again = bed
        .users()
        .create_user(bearing(&bed.ada, new_user("Carol.Imported")))
        .await;
    let text = refused("the same again", again, Code::AlreadyExists, &[]);
    assert_eq!(text, "EXISTS_IN_SCOW");
    // The zone's owner administers the platform; a user whom SCOW did not make has a place in its words too.
    let ada = info(&bed, &bed.ada, "ada").await;
    assert_eq!(
        (ada.platform_roles, ada.tenant_name.as_str()),
        (vec![0], "default")
    );

    let asked = GetUsersByIdsRequest {
        user_ids: ["nobody", "Carol.Imported", "bob"].map(str::to_owned).to_vec(),
    };
    let found = bed.users().get_users_by_ids(bearing(&bed.ada, asked)).await;
    let found = found.expect("users").into_inner().users;
    let mut found: Vec<_> = found
        .into_iter()
        .map(|user| (user.user_id, user.user_name))
        .collect();
    found.sort();
    let wanted = [("Carol.Imported", "Label of Carol.Imported"), ("bob", "bob")];
    assert_eq!(found, wanted.map(|(id, name)| (id.to_owned(), name.to_owned())));
}

#[tokio::test]
async fn an_account_has_an_owner_and_users_and_is_blocked_until_something_is_paid() {
    let bed = Bed::new().await;
    bed.user("carol").await;
    bed.account("physics", "carol").await;
    let added = bed
        .users()
        .add_user_to_account(bearing(&bed.ada, member("physics", "bob")))
        .await;
    added.expect("added");
    let again = bed
        .users()
        .add_user_to_account(bearing(&bed.ada, member("physics", "bob")))
        .await;
    refused("added twice", again, Code::AlreadyExists, &[]);
    let role = |role: UserRole| AccountAffiliation {
        account_name: "physics".to_owned(),
        role: role.into(),
    };
    assert_eq!(
        info(&bed, &bed.ada, "carol").await.affiliations,
        [role(UserRole::Owner)]
    );
    assert_eq!(
        info(&bed, &bed.bob, "bob").await.affiliations,
        [role(UserRole::User)]
    );

    let all = GetAccountsRequest::default();
    let found = bed.accounts().get_accounts(bearing(&bed.ada, all.clone())).await;
    let mut found = found.expect("accounts").into_inner().results;
    assert_eq!(found.len(), 1);
    let account = found.remove(0);
    assert_eq!(
        [
            &account.tenant_name,
            &account.account_name,
            &account.owner_id,
            &account.owner_name,
            &account.comment
        ]
        .map(String::as_str),
        ["default", "physics", "carol", "Label of carol", "a remark"]
    );
    assert_eq!((account.user_count, account.is_in_whitelist), (2, Some(false)));
    // Normal in itself, and displayed as below its threshold.
    assert_eq!(
        (account.blocked, account.state, account.displayed_state),
        (true, 0, 3)
    );
    assert_eq!(account.balance, Some(money(0, 0)));
    assert_eq!(account.block_threshold_amount, None);
    assert_eq!(account.default_block_threshold_amount, Some(money(0, 0)));

    bed.pay(Some("physics"), money(0, 1)).await;
    let found = bed.accounts().get_accounts(bearing(&bed.ada, all.clone())).await;
    let account = found.expect("accounts").into_inner().results.remove(0);
    assert_eq!((account.blocked, account.displayed_state), (false, 0));

    for (tenant, account, count) in [
        (Some("default"), Some("physics"), 1),
        (Some("default"), Some("chemistry"), 0),
        (Some("elsewhere"), None, 0),
        (None, Some("physics"), 1),
    ] {
        let filter = GetAccountsRequest {
            tenant_name: tenant.map(str::to_owned),
            account_name: account.map(str::to_owned),
        };
        let found = bed.accounts().get_accounts(bearing(&bed.ada, filter)).await;
        assert_eq!(
            found.expect("accounts").into_inner().results.len(),
            count,
            "{tenant:?} {account:?}"
        );
    }
    let again = bed
        .accounts()
        .create_account(bearing(&bed.ada, new_account("physics", "carol")))
        .await;
    refused("the same account", again, Code::AlreadyExists, &[]);
}

#[tokio::test]
async fn tenants_show_what_is_theirs() {
    let bed = Bed::paid().await;
    bed.pay(None, money(7, 5)).await;
    let tenants = bed
        .tenants()
        .get_tenants(bearing(&bed.ada, GetTenantsRequest {}))
        .await;
    assert_eq!(tenants.expect("tenants").into_inner().names, ["default"]);
    let asked = GetTenantInfoRequest {
        tenant_name: "default".to_owned(),
    };
    let tenant = bed.tenants().get_tenant_info(bearing(&bed.ada, asked)).await;
    let tenant = tenant.expect("a tenant").into_inner();
    assert_eq!(tenant.balance, Some(money(7, 5)));
    assert_eq!((tenant.account_count, tenant.user_count), (1, 3));
    assert_eq!(tenant.default_account_block_threshold, Some(money(0, 0)));
    let all = bed
        .tenants()
        .get_all_tenants(bearing(&bed.ada, GetAllTenantsRequest {}))
        .await;
    let all = all.expect("tenants").into_inner();
    assert_eq!(all.total_count, 1);
    assert_eq!(all.platform_tenants[0].balance, Some(money(7, 5)));
    let asked = GetTenantInfoRequest {
        tenant_name: "elsewhere".to_owned(),
    };
    let call = bed.tenants().get_tenant_info(bearing(&bed.ada, asked)).await;
    refused("a tenant that is not there", call, Code::NotFound, &[]);
}

#[tokio::test]
async fn a_member_sees_what_is_his_own_and_makes_nothing() {
    let bed = Bed::paid().await;
    let found = bed
        .accounts()
        .get_accounts(bearing(&bed.bob, GetAccountsRequest::default()))
        .await;
    assert!(found.expect("an answer").into_inner().results.is_empty());
    let asked = GetUserInfoRequest {
        user_id: "carol".to_owned(),
    };
    let call = bed.users().get_user_info(bearing(&bed.bob, asked)).await;
    refused("somebody else", call, Code::NotFound, &[]);
    let call = bed.users().create_user(bearing(&bed.bob, new_user("dave"))).await;
    refused("a user", call, Code::PermissionDenied, &[]);
    let call = bed
        .accounts()
        .create_account(bearing(&bed.bob, new_account("bobs", "bob")))
        .await;
    refused("an account", call, Code::PermissionDenied, &[]);
    // He is no administrator of it, and may not know of it.
    let call = bed
        .users()
        .add_user_to_account(bearing(&bed.bob, member("physics", "bob")))
        .await;
    let text = refused("himself to an account", call, Code::NotFound, &[]);
    assert_eq!(text, "ACCOUNT_OR_TENANT_NOT_FOUND");
}

#[tokio::test]
async fn a_users_standing_in_accounts_is_shown() {
    let bed = Bed::paid().await;
    bed.account("chemistry", "carol").await;
    let asked = |tenant: &str, user: &str| GetUserStatusRequest {
        tenant_name: tenant.to_owned(),
        user_id: user.to_owned(),
    };
    let answer = bed
        .users()
        .get_user_status(bearing(&bed.ada, asked("default", "carol")))
        .await;
    let standing = answer.expect("a standing").into_inner();
    let blocked = |name: &str| standing.account_statuses[name].account_blocked;
    assert_eq!((blocked("physics"), blocked("chemistry")), (false, true));
    let physics = &standing.account_statuses["physics"];
    assert_eq!(physics.balance, Some(money(500, 0)));
    assert_eq!(
        (physics.user_status, physics.block_threshold_amount),
        (0, Some(money(0, 0)))
    );
    assert_eq!(
        standing.storage_quotas.into_iter().collect::<Vec<_>>(),
        [("local".to_owned(), 0)]
    );
    for (tenant, user) in [("elsewhere", "carol"), ("default", "nobody")] {
        let call = bed
            .users()
            .get_user_status(bearing(&bed.ada, asked(tenant, user)))
            .await;
        refused("a standing of nobody", call, Code::NotFound, &[]);
    }
    for (tenant, user, account, wanted) in [
        ("default", "carol", "physics", true),
        ("elsewhere", "carol", "physics", false),
        ("default", "bob", "physics", false),
        ("default", "carol", "nothing", false),
        ("default", "nobody", "physics", false),
    ] {
        let asked = QueryIsUserInAccountRequest {
            tenant_name: tenant.to_owned(),
            user_id: user.to_owned(),
            account_name: account.to_owned(),
        };
        let answer = bed
            .users()
            .query_is_user_in_account(bearing(&bed.ada, asked))
            .await;
        assert_eq!(
            answer.expect("an answer").into_inner().result,
            wanted,
            "{tenant} {user} {account}"
        );
    }
}

fn new_tenant(name: &str, user: &str, password: &str) -> CreateTenantRequest {
    CreateTenantRequest {
        tenant_name: name.to_owned(),
        user_id: user.to_owned(),
        user_name: format!("Label of {user}"),
        user_email: format!("{user}@example.org"),
        user_password: password.to_owned(),
    }
}

async fn users_of(bed: &Bed, token: &str, tenant: &str) -> Vec<String> {
    let asked = GetUsersRequest {
        tenant_name: tenant.to_owned(),
    };
    let answer = bed.users().get_users(bearing(token, asked)).await;
    let users = answer.expect("users").into_inner().users;
    assert!(
        users
            .iter()
            .all(|user| user.tenant_name == tenant && user.create_time.is_some())
    );
    users.into_iter().map(|user| user.user_id).collect()
}

#[tokio::test]
async fn a_tenant_is_made_with_its_administrator_or_not_at_all() {
    let bed = Bed::new().await;
    let made = bed
        .tenants()
        .create_tenant(bearing(&bed.ada, new_tenant("institute", "dora", SECRET)))
        .await;
    let made = made.expect("a tenant").into_inner();
    assert!(made.tenant_id > 0 && made.user_id > 0 && made.created_in_auth);
    let dora = info(&bed, &bed.ada, "dora").await;
    assert_eq!(
        (dora.tenant_name.as_str(), dora.tenant_roles),
        ("institute", vec![0])
    );
    assert!(dora.platform_roles.is_empty());
    for (what, asked, code, fields, word) in [
        (
            "the same tenant",
            new_tenant("Institute", "eve", SECRET),
            Code::AlreadyExists,
            &[][..],
            "TENANT_ALREADY_EXISTS",
        ),
        (
            "a user who is there",
            new_tenant("other", "bob", SECRET),
            Code::AlreadyExists,
            &[],
            "USER_ALREADY_EXISTS",
        ),
        (
            "all fields",
            new_tenant("a/b", "e v e", "short"),
            Code::InvalidArgument,
            &["tenant_name", "user_id", "user_password"],
            "",
        ),
    ] {
        let call = bed.tenants().create_tenant(bearing(&bed.ada, asked)).await;
        let text = refused(what, call, code, fields);
        assert!(word.is_empty() || text == word, "{what}: {text}");
    }
    let call = bed
        .tenants()
        .create_tenant(bearing(&bed.bob, new_tenant("bobs", "eve", SECRET)))
        .await;
    refused("by a member", call, Code::PermissionDenied, &[]);
    let tenants = bed
        .tenants()
        .get_tenants(bearing(&bed.ada, GetTenantsRequest {}))
        .await;
    assert_eq!(
        tenants.expect("tenants").into_inner().names,
        ["default", "institute"]
    );

    assert_eq!(users_of(&bed, &bed.ada, "institute").await, ["dora"]);
    assert_eq!(users_of(&bed, &bed.ada, "default").await, ["ada", "bob"]);
    assert_eq!(users_of(&bed, &bed.bob, "default").await, ["bob"]);
    assert!(users_of(&bed, &bed.ada, "elsewhere").await.is_empty());
    // An account has an owner of its own tenant.
    let call = bed
        .accounts()
        .create_account(bearing(&bed.ada, new_account("physics", "dora")))
        .await;
    refused("an owner of another tenant", call, Code::NotFound, &[]);
}

#[tokio::test]
async fn the_users_of_an_account_are_shown_to_who_looks_after_it() {
    let bed = Bed::new().await;
    bed.user("carol").await;
    bed.account("physics", "carol").await;
    bed.account("bobs", "bob").await;
    for (account, user) in [("physics", "bob"), ("bobs", "carol")] {
        let added = bed
            .users()
            .add_user_to_account(bearing(&bed.ada, member(account, user)))
            .await;
        added.expect("added");
    }
    let users = async |token: &str, tenant: &str, account: &str| {
        let asked = GetAccountUsersRequest {
            tenant_name: tenant.to_owned(),
            account_name: account.to_owned(),
        };
        let answer = bed.users().get_account_users(bearing(token, asked)).await;
        let rows = answer.expect("users").into_inner().results;
        rows.into_iter()
            .map(|row| (row.user_id, row.role, row.status))
            .collect::<Vec<_>>()
    };
    let (user, owner) = (UserRole::User.into(), UserRole::Owner.into());
    let row = |name: &str, role: i32| (name.to_owned(), role, 0);
    let both = [row("bob", user), row("carol", owner)];
    assert_eq!(users(&bed.ada, "default", "physics").await, both);
    assert_eq!(users(&bed.bob, "default", "physics").await, both[..1]);
    assert_eq!(
        users(&bed.bob, "default", "bobs").await,
        [row("bob", owner), row("carol", user)]
    );
    assert!(users(&bed.ada, "default", "nothing").await.is_empty());
    assert!(users(&bed.ada, "elsewhere", "physics").await.is_empty());
}

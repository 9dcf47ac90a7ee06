//! What each call is refused for: bad fields by name, and what is not there.

use tonic::Code;
use wire::scow::{
    common::Money,
    server::{
        AddBillingItemRequest, AddUserToAccountRequest, BlockAccountRequest, CancelJobRequest,
        ChangeTenantRequest, CreateAccountRequest, CreateInitAdminRequest, CreateUserRequest,
        GetBalanceRequest, GetBillingItemsRequest, GetChargeRecordsTotalCountRequest, GetJobsRequest,
        GetPaginatedChargeRecordsRequest, GetUserInfoRequest, JobFilter, PayRequest,
        get_jobs_request::SortBy, get_paginated_charge_records_request,
    },
};

use super::bed::{Bed, SECRET, money, new_account, new_price, new_user, payment, refused};
use crate::zone::bearing;

#[tokio::test]
async fn bad_users_are_refused_by_field() {
    let bed = Bed::new().await;
    let user = |change: fn(&mut CreateUserRequest)| {
        let mut asked = new_user("carol");
        change(&mut asked);
        asked
    };
    for (what, asked, fields) in [
        (
            "no name",
            user(|asked| asked.identity_id.clear()),
            &["identity_id"][..],
        ),
        (
            "a name with a blank",
            user(|asked| asked.identity_id = "a b".to_owned()),
            &["identity_id"],
        ),
        (
            "a long name",
            user(|asked| asked.identity_id = "a".repeat(64)),
            &["identity_id"],
        ),
        (
            "a short password",
            user(|asked| asked.password = "short".to_owned()),
            &["password"],
        ),
        (
            "a long label",
            user(|asked| asked.name = "a".repeat(2000)),
            &["name"],
        ),
        (
            "all at once",
            user(|asked| (asked.identity_id, asked.password) = (" ".to_owned(), String::new())),
            &["identity_id", "password"],
        ),
    ] {
        let call = bed.users().create_user(bearing(&bed.ada, asked)).await;
        let text = refused(what, call, Code::InvalidArgument, fields);
        assert!(!text.contains(SECRET) && !text.contains("short;"), "{text}");
    }
    let elsewhere = user(|asked| asked.tenant_name = "elsewhere".to_owned());
    let call = bed.users().create_user(bearing(&bed.ada, elsewhere)).await;
    refused("a tenant that is not there", call, Code::Internal, &[]);
    let first = CreateInitAdminRequest {
        user_id: "a b".to_owned(),
        name: String::new(),
        email: String::new(),
        password: "short".to_owned(),
    };
    let call = bed.init().create_init_admin(bearing(&bed.ada, first)).await;
    refused(
        "a bad administrator",
        call,
        Code::InvalidArgument,
        &["user_id", "password"],
    );
    let nobody = GetUserInfoRequest::default();
    let call = bed.users().get_user_info(bearing(&bed.ada, nobody)).await;
    refused("nobody's page", call, Code::NotFound, &[]);
}

#[tokio::test]
async fn bad_accounts_and_members_are_refused() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    let account = |change: fn(&mut CreateAccountRequest)| {
        let mut asked = new_account("chemistry", "bob");
        change(&mut asked);
        asked
    };
    for (what, asked, code, fields) in [
        (
            "no name",
            account(|asked| asked.account_name.clear()),
            Code::InvalidArgument,
            &["account_name"][..],
        ),
        (
            "a name with a slash",
            account(|asked| asked.account_name = "a/b".to_owned()),
            Code::InvalidArgument,
            &["account_name"],
        ),
        (
            "a long name",
            account(|asked| asked.account_name = "a".repeat(64)),
            Code::InvalidArgument,
            &["account_name"],
        ),
        (
            "a name in capitals",
            account(|asked| asked.account_name = "PHYSICS".to_owned()),
            Code::AlreadyExists,
            &[],
        ),
        (
            "no such owner",
            account(|asked| asked.owner_id = "nobody".to_owned()),
            Code::NotFound,
            &[],
        ),
        (
            "no such tenant",
            account(|asked| asked.tenant_name = "elsewhere".to_owned()),
            Code::NotFound,
            &[],
        ),
    ] {
        let call = bed.accounts().create_account(bearing(&bed.ada, asked)).await;
        refused(what, call, code, fields);
    }
    for (tenant, account, user, word) in [
        ("default", "physics", "nobody", "USER_OR_TENANT_NOT_FOUND"),
        ("elsewhere", "physics", "ada", "USER_OR_TENANT_NOT_FOUND"),
        ("default", "nothing", "ada", "ACCOUNT_OR_TENANT_NOT_FOUND"),
    ] {
        let asked = AddUserToAccountRequest {
            tenant_name: tenant.to_owned(),
            user_id: user.to_owned(),
            account_name: account.to_owned(),
        };
        let call = bed.users().add_user_to_account(bearing(&bed.ada, asked)).await;
        assert_eq!(refused(word, call, Code::NotFound, &[]), word);
    }
}

#[tokio::test]
async fn bad_payments_are_refused_and_move_nothing() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    let before = bed.ledger().await.books;
    let pay = |change: fn(&mut PayRequest)| {
        let mut asked = payment(Some("physics"), money(1, 0));
        change(&mut asked);
        asked
    };
    for (what, asked, code, fields) in [
        (
            "no amount",
            pay(|asked| asked.amount = None),
            Code::InvalidArgument,
            &["amount"][..],
        ),
        (
            "an empty amount",
            pay(|asked| asked.amount = Some(Money::default())),
            Code::InvalidArgument,
            &["amount"],
        ),
        (
            "a long kind",
            pay(|asked| asked.r#type = "a".repeat(300)),
            Code::InvalidArgument,
            &["type"],
        ),
        (
            "a long remark",
            pay(|asked| asked.comment = "a".repeat(70_000)),
            Code::InvalidArgument,
            &["comment"],
        ),
        (
            "no such account",
            pay(|asked| asked.account_name = Some("nothing".to_owned())),
            Code::NotFound,
            &[],
        ),
        (
            "the account without a name",
            pay(|asked| asked.account_name = Some(String::new())),
            Code::NotFound,
            &[],
        ),
        (
            "no such tenant",
            pay(|asked| asked.tenant_name = "elsewhere".to_owned()),
            Code::NotFound,
            &[],
        ),
    ] {
        let call = bed.charging().pay(bearing(&bed.ada, asked)).await;
        refused(what, call, code, fields);
    }
    let call = bed
        .charging()
        .pay(bearing(&bed.ada, pay(|asked| asked.amount = None)))
        .await;
    let text = refused("no amount", call, Code::InvalidArgument, &["amount"]);
    assert_eq!(text, "Field amount is undefined.");
    let call = bed
        .charging()
        .pay(bearing(&bed.bob, pay(|asked| asked.amount = None)))
        .await;
    refused(
        "by a member, whatever the fields",
        call,
        Code::PermissionDenied,
        &[],
    );
    let call = bed.charging().pay(pay(|_| ())).await;
    refused("by nobody", call, Code::Unauthenticated, &[]);
    assert_eq!(bed.ledger().await.books, before);
}

#[tokio::test]
async fn a_balance_of_nobody_is_not_found() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    for (tenant, account) in [
        ("elsewhere", None),
        ("default", Some("nothing")),
        ("elsewhere", Some("physics")),
    ] {
        let asked = GetBalanceRequest {
            tenant_name: tenant.to_owned(),
            account_name: account.map(str::to_owned),
        };
        let call = bed.charging().get_balance(bearing(&bed.ada, asked)).await;
        refused("a balance of nobody", call, Code::NotFound, &[]);
    }
}

#[tokio::test]
async fn bad_prices_are_refused() {
    let bed = Bed::new().await;
    bed.price("taken", None, money(1, 0)).await;
    let price = |change: fn(&mut AddBillingItemRequest)| {
        let mut asked = new_price("p", None, money(1, 0));
        change(&mut asked);
        asked
    };
    for (what, asked, code, fields) in [
        (
            "no id",
            price(|asked| asked.item_id.clear()),
            Code::InvalidArgument,
            &["item_id"][..],
        ),
        (
            "an id twice",
            price(|asked| asked.item_id = "taken".to_owned()),
            Code::AlreadyExists,
            &[],
        ),
        (
            "no price",
            price(|asked| asked.price = None),
            Code::InvalidArgument,
            &["price"],
        ),
        (
            "a strategy of one's own",
            price(|asked| asked.amount_strategy = "myStrategy".to_owned()),
            Code::InvalidArgument,
            &["amount_strategy"],
        ),
        (
            "no such tenant",
            price(|asked| asked.tenant_name = Some("elsewhere".to_owned())),
            Code::NotFound,
            &[],
        ),
        (
            "all at once",
            price(|asked| {
                asked.item_id.clear();
                asked.price = None;
                asked.amount_strategy.clear();
            }),
            Code::InvalidArgument,
            &["price", "amount_strategy", "item_id"],
        ),
    ] {
        let call = bed.job_calls().add_billing_item(bearing(&bed.ada, asked)).await;
        refused(what, call, code, fields);
    }
    let asked = GetBillingItemsRequest {
        tenant_name: Some("elsewhere".to_owned()),
        active_only: false,
    };
    let call = bed.job_calls().get_billing_items(bearing(&bed.ada, asked)).await;
    refused("prices of no tenant", call, Code::NotFound, &[]);
}

#[tokio::test]
async fn bad_questions_about_jobs_are_refused_by_field() {
    let bed = Bed::new().await;
    let jobs = |change: fn(&mut GetJobsRequest)| {
        let mut asked = GetJobsRequest {
            filter: Some(JobFilter::default()),
            page: 1,
            ..GetJobsRequest::default()
        };
        change(&mut asked);
        asked
    };
    for (what, asked, fields) in [
        ("no filter", jobs(|asked| asked.filter = None), &["filter"][..]),
        ("page 0", jobs(|asked| asked.page = 0), &["page"]),
        (
            "an endless page",
            jobs(|asked| (asked.page, asked.page_size) = (2, Some(u64::MAX))),
            &["page_size"],
        ),
        (
            "an order of nothing",
            jobs(|asked| asked.sort_by = Some(SortBy::Unknown.into())),
            &["sort_by"],
        ),
        ("no order", jobs(|asked| asked.sort_by = Some(77)), &["sort_by"]),
        (
            "no direction",
            jobs(|asked| asked.sort_order = Some(2)),
            &["sort_order"],
        ),
        (
            "no instant",
            jobs(|asked| {
                let bad = prost_types::Timestamp {
                    seconds: 0,
                    nanos: -1,
                };
                asked.filter.as_mut().expect("a filter").job_end_time_end = Some(bad);
            }),
            &["filter.job_end_time_end"],
        ),
        (
            "all at once",
            jobs(|asked| (asked.filter, asked.page) = (None, 0)),
            &["filter", "page"],
        ),
    ] {
        let call = bed.job_calls().get_jobs(bearing(&bed.ada, asked)).await;
        refused(what, call, Code::InvalidArgument, fields);
    }
    let call = bed
        .job_calls()
        .get_jobs(bearing(&bed.ada, jobs(|asked| asked.filter = None)))
        .await;
    let text = refused("no filter", call, Code::InvalidArgument, &["filter"]);
    assert_eq!(text, "Field filter is undefined.");
}

#[tokio::test]
async fn bad_questions_about_charges_are_refused_by_field() {
    let bed = Bed::new().await;
    let empty = GetPaginatedChargeRecordsRequest {
        page: Some(0),
        sort_by: Some(get_paginated_charge_records_request::SortBy::Unknown.into()),
        ..GetPaginatedChargeRecordsRequest::default()
    };
    let call = bed
        .charging()
        .get_paginated_charge_records(bearing(&bed.ada, empty))
        .await;
    let fields = ["start_time", "end_time", "page", "sort_by"];
    let text = refused("charges", call, Code::InvalidArgument, &fields);
    assert!(
        text.starts_with("Field startTime is undefined. Field endTime is undefined. page: "),
        "{text}"
    );
    let empty = GetChargeRecordsTotalCountRequest::default();
    let call = bed
        .charging()
        .get_charge_records_total_count(bearing(&bed.ada, empty))
        .await;
    refused(
        "their sum",
        call,
        Code::InvalidArgument,
        &["start_time", "end_time"],
    );
    let call = bed
        .job_calls()
        .cancel_job(bearing(&bed.ada, CancelJobRequest::default()))
        .await;
    refused("no job", call, Code::InvalidArgument, &["job_id", "user_id"]);
}

#[tokio::test]
async fn a_call_that_is_not_written_is_unimplemented() {
    let bed = Bed::new().await;
    let call = bed
        .accounts()
        .block_account(bearing(&bed.ada, BlockAccountRequest::default()))
        .await;
    refused("blocking", call, Code::Unimplemented, &[]);
    let call = bed
        .users()
        .change_tenant(bearing(&bed.ada, ChangeTenantRequest::default()))
        .await;
    refused("another tenant", call, Code::Unimplemented, &[]);
}

//! Money in, balances, and charges as they are listed.

use tonic::Code;
use wire::scow::{
    common::{Money, SortOrder},
    server::{
        AccountOfTenantTarget, AccountsOfAllTenantsTarget, AccountsOfTenantTarget, AllTenantsTarget,
        GetBalanceRequest, GetChargeRecordsTotalCountRequest, GetPaginatedChargeRecordsRequest,
        GetPaymentRecordsRequest, TenantTarget,
        get_charge_records_total_count_request::Target as TotalTarget,
        get_paginated_charge_records_request::{SortBy, Target},
        get_payment_records_request::Target as PaymentTarget,
    },
};

use super::bed::{Bed, SUBMITTED, minus, money, new_price, payment, refused};
use crate::zone::bearing;

async fn balance(bed: &Bed, account: Option<&str>) -> Option<Money> {
    let asked = GetBalanceRequest {
        tenant_name: "default".to_owned(),
        account_name: account.map(str::to_owned),
    };
    let answer = bed.charging().get_balance(bearing(&bed.ada, asked)).await;
    answer.expect("a balance").into_inner().balance
}

#[tokio::test]
async fn what_is_paid_is_in_the_balance_to_the_last_digit() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    for (account, amount, before, after) in [
        (None, money(1_000, 1), money(0, 0), money(1_000, 1)),
        (Some("physics"), money(0, 1), money(0, 0), money(0, 1)),
        (Some("physics"), minus(3, 2), money(0, 1), minus(3, 1)),
        (Some("physics"), money(3, 1), minus(3, 1), money(0, 0)),
        (
            Some("physics"),
            money(922_337_203_684_000, 5_807),
            money(0, 0),
            money(922_337_203_684_000, 5_807),
        ),
    ] {
        let paid = bed
            .charging()
            .pay(bearing(&bed.ada, payment(account, amount)))
            .await;
        let paid = paid.expect("paid").into_inner();
        assert_eq!(
            (paid.previous_balance, paid.current_balance),
            (Some(before), Some(after))
        );
        assert_eq!(balance(&bed, account).await, Some(after));
    }
    // The account's money is not its tenant's.
    assert_eq!(balance(&bed, None).await, Some(money(1_000, 1)));
    assert_eq!(bed.ledger().await.sum, model::Money::ZERO);
}

#[tokio::test]
async fn w13_an_amount_that_is_none_is_refused_and_the_ledger_is_as_it_was() {
    let bed = Bed::new().await;
    bed.account("physics", "bob").await;
    bed.pay(Some("physics"), money(922_337_203_685_477, 5_807)).await;
    let before = bed.ledger().await;
    for amount in [
        minus(0, 0),
        money(1, 10_000),
        minus(1, u32::MAX),
        money(u64::MAX, 0),
        minus(u64::MAX, 9_999),
    ] {
        for account in [None, Some("physics")] {
            let call = bed
                .charging()
                .pay(bearing(&bed.ada, payment(account, amount)))
                .await;
            refused(&format!("{amount:?}"), call, Code::InvalidArgument, &["amount"]);
        }
        let call = bed
            .job_calls()
            .add_billing_item(bearing(&bed.ada, new_price("p", None, amount)))
            .await;
        refused(
            &format!("a price of {amount:?}"),
            call,
            Code::InvalidArgument,
            &["price"],
        );
    }
    // The sum is more than can be kept, in the account's book and in that of the money outside.
    for account in [Some("physics"), None] {
        let call = bed
            .charging()
            .pay(bearing(
                &bed.ada,
                payment(account, money(922_337_203_684_000, 5_807)),
            ))
            .await;
        refused("a sum too large", call, Code::InvalidArgument, &[]);
    }
    let after = bed.ledger().await;
    assert_eq!((before.books, before.sum), (after.books, after.sum));
}

fn records(target: Option<Target>) -> GetPaginatedChargeRecordsRequest {
    GetPaginatedChargeRecordsRequest {
        start_time: Some(prost_types::Timestamp {
            seconds: SUBMITTED,
            nanos: 0,
        }),
        end_time: Some(prost_types::Timestamp {
            seconds: 4_102_444_800,
            nanos: 0,
        }),
        target,
        ..GetPaginatedChargeRecordsRequest::default()
    }
}

/// Who was charged, in the order of the list: the account or nothing, and the user.
async fn charged(bed: &Bed, token: &str, asked: GetPaginatedChargeRecordsRequest) -> Vec<(String, String)> {
    let answer = bed
        .charging()
        .get_paginated_charge_records(bearing(token, asked))
        .await;
    let rows = answer.expect("records").into_inner().results;
    let row = |row: wire::scow::server::ChargeRecord| {
        (
            row.account_name.unwrap_or_default(),
            row.user_id.unwrap_or_default(),
        )
    };
    rows.into_iter().map(row).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(account, user): &(&str, &str)| ((*account).to_owned(), (*user).to_owned());
    rows.iter().map(owned).collect()
}

/// carol's job on `physics` and bob's on `chemistry`.
async fn two_jobs() -> Bed {
    let bed = Bed::paid().await;
    bed.account("chemistry", "bob").await;
    bed.pay(Some("chemistry"), money(500, 0)).await;
    bed.charged(1, "carol", "physics").await;
    bed.charged(2, "bob", "chemistry").await;
    bed
}

#[tokio::test]
async fn charges_are_listed_by_whose_they_are() {
    let bed = two_jobs().await;
    let accounts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let of_tenant = |tenant: &str, names: &[&str]| {
        Target::AccountsOfTenant(AccountsOfTenantTarget {
            tenant_name: tenant.to_owned(),
            account_names: accounts(names),
        })
    };
    let tenant = |name: &str| {
        Target::Tenant(TenantTarget {
            tenant_name: name.to_owned(),
        })
    };
    let (both, tenants) = (
        [("physics", "carol"), ("chemistry", "bob")],
        [("", "carol"), ("", "bob")],
    );
    for (target, rows) in [
        (of_tenant("default", &[]), &both[..]),
        (of_tenant("default", &["chemistry"]), &both[1..]),
        (of_tenant("elsewhere", &[]), &[]),
        (
            Target::AccountsOfAllTenants(AccountsOfAllTenantsTarget {
                account_names: accounts(&["physics"]),
            }),
            &both[..1],
        ),
        (tenant("default"), &tenants[..]),
        (tenant("elsewhere"), &[]),
        (Target::AllTenants(AllTenantsTarget {}), &tenants[..]),
    ] {
        let asked = records(Some(target.clone()));
        assert_eq!(charged(&bed, &bed.ada, asked).await, pairs(rows), "{target:?}");
    }
    assert_eq!(charged(&bed, &bed.ada, records(None)).await.len(), 4);
    // An account's users see what their own jobs cost, its owner all of it.
    assert_eq!(
        charged(&bed, &bed.bob, records(None)).await,
        pairs(&[("chemistry", "bob")])
    );
}

/// What is asked differently, and what is listed for it.
type Row = (
    &'static str,
    fn(&mut GetPaginatedChargeRecordsRequest),
    Vec<(&'static str, &'static str)>,
);

#[tokio::test]
async fn charges_come_in_pages_and_orders_and_by_kind() {
    let bed = two_jobs().await;
    let of_accounts = || {
        records(Some(Target::AccountsOfAllTenants(
            AccountsOfAllTenantsTarget::default(),
        )))
    };
    let (first, second) = (("physics", "carol"), ("chemistry", "bob"));
    let rows: [Row; 10] = [
        (
            "the second of one",
            |asked| (asked.page, asked.page_size) = (Some(2), Some(1)),
            vec![second],
        ),
        ("none of none", |asked| asked.page_size = Some(0), vec![]),
        ("a page behind", |asked| asked.page = Some(9), vec![]),
        (
            "half an order",
            |asked| asked.sort_by = Some(SortBy::UserId.into()),
            vec![first, second],
        ),
        (
            "by user",
            |asked| {
                asked.sort_by = Some(SortBy::UserId.into());
                asked.sort_order = Some(SortOrder::Ascend.into());
            },
            vec![second, first],
        ),
        (
            "the latest first",
            |asked| {
                asked.sort_by = Some(SortBy::Time.into());
                asked.sort_order = Some(SortOrder::Descend.into());
            },
            vec![second, first],
        ),
        (
            "of a kind",
            |asked| asked.types = vec!["作业费用".to_owned()],
            vec![first, second],
        ),
        (
            "of another kind",
            |asked| asked.types = vec!["cash".to_owned()],
            vec![],
        ),
        (
            "of a user by label",
            |asked| asked.user_ids_or_names = vec!["bel of car".to_owned()],
            vec![first],
        ),
        (
            "of no wildcard",
            |asked| asked.user_ids_or_names = vec!["%".to_owned(), "'".to_owned()],
            vec![],
        ),
    ];
    for (what, change, wanted) in rows {
        let mut asked = of_accounts();
        change(&mut asked);
        assert_eq!(charged(&bed, &bed.ada, asked).await, pairs(&wanted), "{what}");
    }
    for (kind, count) in [("其他", 0), ("作业费用", 2), ("", 2), ("cash", 0)] {
        let mut asked = of_accounts();
        #[expect(deprecated, reason = "old clients send it")]
        {
            asked.r#type = Some(kind.to_owned());
        }
        assert_eq!(charged(&bed, &bed.ada, asked).await.len(), count, "{kind}");
    }
}

#[tokio::test]
async fn charges_are_added_up_and_told_in_full() {
    let bed = two_jobs().await;
    let asked = GetChargeRecordsTotalCountRequest {
        start_time: records(None).start_time,
        end_time: records(None).end_time,
        target: Some(TotalTarget::AccountsOfAllTenants(
            AccountsOfAllTenantsTarget::default(),
        )),
        ..GetChargeRecordsTotalCountRequest::default()
    };
    let total = bed
        .charging()
        .get_charge_records_total_count(bearing(&bed.ada, asked))
        .await;
    let total = total.expect("a total").into_inner();
    assert_eq!((total.total_amount, total.total_count), (Some(money(200, 0)), 2));
    let answer = bed
        .charging()
        .get_paginated_charge_records(bearing(&bed.ada, records(None)))
        .await;
    let rows = answer.expect("records").into_inner().results;
    let row = rows
        .iter()
        .find(|row| row.account_name.as_deref() == Some("physics"));
    let row = row.expect("the charge of the account");
    assert_eq!(
        (row.tenant_name.as_str(), row.r#type.as_str()),
        ("default", "作业费用")
    );
    assert_eq!(row.amount, Some(money(100, 0)));
    assert!(
        row.index > 0 && row.time.is_some() && row.comment.contains('1'),
        "{row:?}"
    );
    assert_eq!(balance(&bed, Some("physics")).await, Some(money(400, 0)));
    assert_eq!(balance(&bed, None).await, Some(minus(20, 0)));
    assert_eq!(bed.ledger().await.sum, model::Money::ZERO);
}

#[tokio::test]
async fn payments_are_listed_the_newest_first_with_their_sum() {
    let bed = Bed::paid().await;
    bed.account("chemistry", "bob").await;
    bed.pay(Some("chemistry"), money(3, 0)).await;
    bed.pay(Some("chemistry"), minus(1, 0)).await;
    bed.pay(None, money(70, 0)).await;
    let account = |name: &str| {
        PaymentTarget::AccountOfTenant(AccountOfTenantTarget {
            account_name: name.to_owned(),
            tenant_name: "default".to_owned(),
        })
    };
    let accounts = PaymentTarget::AccountsOfTenant(AccountsOfTenantTarget {
        tenant_name: "default".to_owned(),
        account_names: vec![],
    });
    let tenant = PaymentTarget::Tenant(TenantTarget {
        tenant_name: "default".to_owned(),
    });
    let (two, cash) = (vec![minus(1, 0), money(3, 0)], vec!["cash".to_owned()]);
    for (target, types, amounts, total) in [
        (account("chemistry"), vec![], two.clone(), money(2, 0)),
        (account("chemistry"), cash, two, money(2, 0)),
        (account("chemistry"), vec!["card".to_owned()], vec![], money(0, 0)),
        (
            accounts,
            vec![],
            vec![minus(1, 0), money(3, 0), money(500, 0)],
            money(502, 0),
        ),
        (tenant, vec![], vec![money(70, 0)], money(70, 0)),
        (
            PaymentTarget::AllTenants(AllTenantsTarget {}),
            vec![],
            vec![money(70, 0)],
            money(70, 0),
        ),
    ] {
        let asked = GetPaymentRecordsRequest {
            start_time: records(None).start_time,
            end_time: records(None).end_time,
            target: Some(target.clone()),
            types,
        };
        let answer = bed.charging().get_payment_records(bearing(&bed.ada, asked)).await;
        let found = answer.expect("payments").into_inner();
        let paid: Vec<_> = found.results.iter().filter_map(|one| one.amount).collect();
        assert_eq!((paid, found.total), (amounts, Some(total)), "{target:?}");
        let whole = |one: &wire::scow::server::PaymentRecord| {
            one.index > 0 && one.time.is_some() && one.operator_id == "ada" && one.ip_address == "192.0.2.1"
        };
        assert!(found.results.iter().all(whole), "{found:?}");
    }
    let empty = GetPaymentRecordsRequest::default();
    let call = bed.charging().get_payment_records(bearing(&bed.ada, empty)).await;
    refused(
        "payments",
        call,
        Code::InvalidArgument,
        &["start_time", "end_time", "target"],
    );
}

//! Money over the wire: what is answered, what is refused by field, and who sees what.

use accounts::{Asked, JobKey, Partition};
use model::{Span, Timestamp};
use tonic::{Code, Status};
use wire::soke::v1::{self, AccountRole, PriceBasis, zone_service_client::ZoneServiceClient};

use crate::zone::{Zone, bearing, refusal};

const fn money(ten_thousandths: i64) -> Option<v1::Money> {
    Some(v1::Money { ten_thousandths })
}

async fn account(zone: &Zone, token: &str, name: &str, owner: &str) -> Result<v1::Account, Status> {
    let message = v1::CreateAccountRequest {
        name: name.to_owned(),
        owner_user_name: owner.to_owned(),
        ..v1::CreateAccountRequest::default()
    };
    let made = zone.accounts().create_account(bearing(token, message)).await?;
    Ok(made.into_inner().account.expect("an account"))
}

async fn pay(
    zone: &Zone,
    token: &str,
    account: &str,
    amount: i64,
    request_id: &str,
) -> Result<v1::PayResponse, Status> {
    let message = v1::PayRequest {
        account: account.to_owned(),
        amount: money(amount),
        request_id: request_id.to_owned(),
        ..v1::PayRequest::default()
    };
    Ok(zone.accounts().pay(bearing(token, message)).await?.into_inner())
}

async fn join(zone: &Zone, token: &str, account: &str, user: &str) -> Result<(), Status> {
    let message = v1::AddMemberRequest {
        account: account.to_owned(),
        user_name: user.to_owned(),
    };
    zone.accounts().add_member(bearing(token, message)).await?;
    Ok(())
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn an_account_is_made_joined_paid_for_and_shown() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let made = account(&zone, &owner, "Lab.1", "").await.expect("made");
    assert_eq!(
        (
            made.name.as_str(),
            made.tenant.as_str(),
            made.owner_user_name.as_str()
        ),
        ("Lab.1", "default", "ada")
    );
    assert_eq!(
        (made.balance, made.held, made.user_count),
        (money(0), money(0), 1)
    );
    assert!(
        made.blocked && !made.reason.is_empty(),
        "nothing was paid yet: {made:?}"
    );
    zone.member(&owner, "bob").await;
    join(&zone, &owner, "Lab.1", "bob").await.expect("joined");
    let paid = pay(&zone, &owner, "Lab.1", 1_000_000, "").await.expect("paid");
    assert_eq!(
        (paid.number, paid.balance_before, paid.balance),
        (1, money(0), money(1_000_000))
    );
    let back = pay(&zone, &owner, "Lab.1", -1, "").await.expect("given back");
    assert_eq!((back.number, back.balance), (2, money(999_999)));

    let message = v1::GetAccountRequest {
        name: "Lab.1".to_owned(),
    };
    let shown = zone.accounts().get_account(bearing(&owner, message)).await;
    let shown = shown.expect("it is there").into_inner();
    let members: Vec<(&str, AccountRole)> = shown
        .members
        .iter()
        .map(|member| (member.user_name.as_str(), member.role()))
        .collect();
    assert_eq!(members, [("ada", AccountRole::Owner), ("bob", AccountRole::User)]);
    let found = shown.account.expect("an account");
    assert_eq!((found.balance, found.user_count), (money(999_999), 2));
    assert!(!found.blocked && found.reason.is_empty());

    let ledger = zone
        .accounts()
        .get_ledger(bearing(&owner, v1::GetLedgerRequest {}))
        .await;
    let ledger = ledger.expect("the books").into_inner();
    assert_eq!(ledger.sum, money(0));
    let of = |name: &str| {
        ledger
            .books
            .iter()
            .find(|book| book.name == name)
            .and_then(|book| book.balance)
    };
    assert_eq!(of("outside"), money(-999_999));
    assert_eq!(of(&format!("account:{}", found.account_id)), money(999_999));
    let tenants = zone
        .accounts()
        .list_tenants(bearing(&owner, v1::ListTenantsRequest {}))
        .await;
    let tenants = tenants.expect("a list").into_inner().tenants;
    assert_eq!((tenants.len(), tenants[0].account_count), (1, 1));
    assert_eq!(of(&format!("tenant:{}", tenants[0].tenant_id)), money(0));
}

#[tokio::test]
async fn a_payment_under_one_request_id_is_made_once() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    account(&zone, &owner, "lab", "").await.expect("made");
    let first = pay(&zone, &owner, "lab", 500, "once").await.expect("paid");
    let again = pay(&zone, &owner, "lab", 500, "once").await.expect("answered");
    assert_eq!(first, again);
    let other = pay(&zone, &owner, "lab", 501, "once")
        .await
        .expect_err("another payment");
    assert_eq!(other.code(), Code::AlreadyExists);
    let list = v1::ListPaymentsRequest::default();
    let listed = zone.accounts().list_payments(bearing(&owner, list)).await;
    assert_eq!(listed.expect("a list").into_inner().payments.len(), 1);
}

#[tokio::test]
async fn payments_come_page_by_page_and_what_comes_meanwhile_moves_nothing() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    account(&zone, &owner, "lab", "").await.expect("made");
    for amount in 1..=5 {
        pay(&zone, &owner, "lab", amount, "").await.expect("paid");
    }
    let (mut page_token, mut amounts) = (String::new(), Vec::new());
    loop {
        let message = v1::ListPaymentsRequest {
            page_size: 2,
            page_token,
            account: "lab".to_owned(),
            ..v1::ListPaymentsRequest::default()
        };
        let page = zone.accounts().list_payments(bearing(&owner, message)).await;
        let page = page.expect("a page").into_inner();
        assert!(page.payments.len() <= 2);
        for payment in page.payments {
            assert_eq!(
                (payment.operator.as_str(), payment.kind.as_str()),
                ("ada", "payment")
            );
            amounts.push(payment.amount.expect("an amount").ten_thousandths);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        page_token = page.next_page_token;
        pay(&zone, &owner, "lab", 1000, "").await.expect("paid meanwhile");
    }
    assert_eq!(amounts, [5, 4, 3, 2, 1]);
    let of_tenants = v1::ListPaymentsRequest {
        of_tenants: true,
        ..v1::ListPaymentsRequest::default()
    };
    let listed = zone.accounts().list_payments(bearing(&owner, of_tenants)).await;
    assert!(listed.expect("a list").into_inner().payments.is_empty());
}

#[tokio::test]
async fn prices_are_set_replaced_and_listed_with_the_rule() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    for (sum, basis) in [(400, PriceBasis::Unspecified), (500, PriceBasis::CoresOrMemory)] {
        let message = v1::SetPriceRequest {
            path: "local.local".to_owned(),
            price: money(sum),
            basis: basis.into(),
            ..v1::SetPriceRequest::default()
        };
        let set = zone.accounts().set_price(bearing(&owner, message)).await;
        let set = set.expect("set").into_inner().price.expect("a price");
        assert!(set.active && !set.price_id.is_empty(), "{set:?}");
    }
    for (with_history, expected) in [
        (false, vec![(500, true)]),
        (true, vec![(500, true), (400, false)]),
    ] {
        let message = v1::ListPricesRequest {
            tenant: String::new(),
            with_history,
        };
        let listed = zone.accounts().list_prices(bearing(&bob, message)).await;
        let listed = listed.expect("a list").into_inner();
        let sums: Vec<(i64, bool)> = listed
            .prices
            .iter()
            .map(|price| (price.price.expect("a sum").ten_thousandths, price.active))
            .collect();
        assert_eq!(sums, expected);
        assert!(listed.rule.contains("rounded half up"), "{}", listed.rule);
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_account_a_payment_or_a_price_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    account(&zone, &owner, "lab", "").await.expect("made");
    let long = "x".repeat(256);
    for (name, comment, wrong) in [
        ("", "", vec!["name"]),
        ("a b", "", vec!["name"]),
        ("\u{e9}", "nul\0", vec!["name", "comment"]),
        (&long[..64], &long, vec!["name", "comment"]),
    ] {
        let message = v1::CreateAccountRequest {
            name: name.to_owned(),
            comment: comment.to_owned(),
            ..v1::CreateAccountRequest::default()
        };
        let answer = zone.accounts().create_account(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)), "{name}");
    }
    let message = v1::PayRequest {
        account: "lab".to_owned(),
        amount: money(1),
        kind: long.clone(),
        comment: long.clone(),
        request_id: long.clone(),
        ..v1::PayRequest::default()
    };
    let answer = zone.accounts().pay(bearing(&owner, message)).await;
    assert_eq!(
        refusal(answer),
        (Code::InvalidArgument, fields(&["kind", "comment", "request_id"]))
    );
    for (path, sum, id, wrong) in [
        ("local", 1, "", vec!["path"]),
        ("a.b.c.d", -1, &long[..], vec!["price_id", "path", "price"]),
    ] {
        let message = v1::SetPriceRequest {
            path: path.to_owned(),
            price: money(sum),
            price_id: id.to_owned(),
            ..v1::SetPriceRequest::default()
        };
        let answer = zone.accounts().set_price(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)), "{path}");
    }
    // A14: more than can be kept is refused, and moves nothing.
    pay(&zone, &owner, "lab", i64::MAX, "")
        .await
        .expect("as much as can be kept");
    let more = pay(&zone, &owner, "lab", 1, "")
        .await
        .expect_err("more than that");
    assert_eq!(more.code(), Code::InvalidArgument);
    let list = v1::ListPaymentsRequest::default();
    let listed = zone.accounts().list_payments(bearing(&owner, list)).await;
    assert_eq!(listed.expect("a list").into_inner().payments.len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_there_is_not_made_again() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    account(&zone, &owner, "lab", "").await.expect("made");
    let codes = [
        account(&zone, &owner, "LAB", "")
            .await
            .expect_err("in another case")
            .code(),
        account(&zone, &owner, "other", "nobody")
            .await
            .expect_err("no owner")
            .code(),
        pay(&zone, &owner, "other", 1, "")
            .await
            .expect_err("no account")
            .code(),
        join(&zone, &owner, "lab", "nobody")
            .await
            .expect_err("no user")
            .code(),
        join(&zone, &owner, "other", "ada")
            .await
            .expect_err("no account")
            .code(),
        join(&zone, &owner, "lab", "ada")
            .await
            .expect_err("in it already")
            .code(),
    ];
    assert_eq!(
        codes,
        [
            Code::AlreadyExists,
            Code::NotFound,
            Code::NotFound,
            Code::NotFound,
            Code::NotFound,
            Code::AlreadyExists
        ]
    );
}

#[tokio::test]
async fn w08_accounts_of_others_are_not_there() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    account(&zone, &owner, "lab", "").await.expect("made");
    pay(&zone, &owner, "lab", 1, "").await.expect("paid");
    let bob = zone.member(&owner, "bob").await;
    let get = || v1::GetAccountRequest {
        name: "lab".to_owned(),
    };
    let hidden = zone.accounts().get_account(bearing(&bob, get())).await;
    assert_eq!(refusal(hidden).0, Code::NotFound);
    let hidden = join(&zone, &bob, "lab", "bob").await;
    assert_eq!(refusal(hidden).0, Code::NotFound);
    let hidden = zone
        .accounts()
        .get_ledger(bearing(&bob, v1::GetLedgerRequest {}))
        .await;
    assert_eq!(refusal(hidden).0, Code::NotFound);
    let listed = zone
        .accounts()
        .list_accounts(bearing(&bob, v1::ListAccountsRequest::default()))
        .await;
    assert!(listed.expect("a list").into_inner().accounts.is_empty());
    let payments = zone
        .accounts()
        .list_payments(bearing(&bob, v1::ListPaymentsRequest::default()))
        .await;
    assert!(payments.expect("a list").into_inner().payments.is_empty());
    // Whoever is let in sees the account, but not what was paid for it.
    join(&zone, &owner, "lab", "bob").await.expect("joined");
    let shown = zone.accounts().get_account(bearing(&bob, get())).await;
    assert_eq!(shown.expect("it is there").into_inner().members.len(), 2);
    let payments = zone
        .accounts()
        .list_payments(bearing(&bob, v1::ListPaymentsRequest::default()))
        .await;
    assert!(payments.expect("a list").into_inner().payments.is_empty());
}

#[tokio::test]
async fn a_price_without_a_sum_or_with_an_unknown_basis_is_refused_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    for (price, basis, wrong) in [
        (None, 0, vec!["price"]),
        (money(400), 5, vec!["basis"]),
        (None, -1, vec!["price", "basis"]),
    ] {
        let message = v1::SetPriceRequest {
            path: "local.local".to_owned(),
            price,
            basis,
            ..v1::SetPriceRequest::default()
        };
        let answer = zone.accounts().set_price(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
    }
}

#[tokio::test]
async fn a_payment_without_a_sum_and_a_question_for_no_account_are_refused_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let message = v1::PayRequest {
        account: "team".to_owned(),
        ..v1::PayRequest::default()
    };
    let answer = zone.accounts().pay(bearing(&owner, message)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&["amount"])));
    let message = v1::GetAccountRequest::default();
    let answer = zone.accounts().get_account(bearing(&owner, message)).await;
    assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&["name"])));
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_said_by_field() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let long = "1".repeat(65);
    for (page_size, page_token, of_tenants, wrong) in [
        (1001, "", false, vec!["page_size"]),
        (0, "next", false, vec!["page_token"]),
        (1001, long.as_str(), false, vec!["page_size", "page_token"]),
        (0, "1.2.3", true, vec!["page_token", "user_name", "account"]),
    ] {
        let message = v1::ListChargesRequest {
            page_size,
            page_token: page_token.to_owned(),
            account: "team".to_owned(),
            user_name: "bob".to_owned(),
            of_tenants,
            ..v1::ListChargesRequest::default()
        };
        let answer = zone.accounts().list_charges(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
        let message = v1::ListPaymentsRequest {
            page_size,
            page_token: page_token.to_owned(),
            account: "team".to_owned(),
            of_tenants,
            ..v1::ListPaymentsRequest::default()
        };
        let wrong: Vec<&str> = wrong.into_iter().filter(|&field| field != "user_name").collect();
        let answer = zone.accounts().list_payments(bearing(&owner, message)).await;
        assert_eq!(refusal(answer), (Code::InvalidArgument, fields(&wrong)));
    }
}

#[tokio::test]
async fn a_member_moves_no_money_and_sets_no_price() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let bob = zone.member(&owner, "bob").await;
    let pay = v1::PayRequest {
        account: "team".to_owned(),
        amount: money(1),
        ..v1::PayRequest::default()
    };
    let price = v1::SetPriceRequest {
        path: "local.local".to_owned(),
        price: money(1),
        ..v1::SetPriceRequest::default()
    };
    let account = v1::CreateAccountRequest {
        name: "mine".to_owned(),
        ..v1::CreateAccountRequest::default()
    };
    let refused: [Status; 3] = [
        zone.accounts()
            .pay(bearing(&bob, pay))
            .await
            .expect_err("refused"),
        zone.accounts()
            .set_price(bearing(&bob, price))
            .await
            .expect_err("refused"),
        zone.accounts()
            .create_account(bearing(&bob, account))
            .await
            .expect_err("refused"),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
    }
}

/// What the zone says of its charges.
async fn charges(zone: &Zone, owner: &str) -> Option<v1::Check> {
    let mut client = ZoneServiceClient::new(zone.calls.clone());
    let answer = client.get_status(bearing(owner, v1::GetStatusRequest {})).await;
    let checks = answer.expect("told").into_inner().checks;
    checks.into_iter().find(|check| check.name == "charges")
}

/// Submits a job of ada's where no price is set.
async fn submit(zone: &Zone) {
    let books = zone.books.clone();
    let work = move |tx: &mut store::Tx<'_>| {
        let ada = access::known::by_name(tx, "ada")?.expect("the owner");
        let submitted_at = Timestamp::from_secs(1_800_000_000);
        let asked = Asked {
            key: JobKey {
                cluster: "local".to_owned(),
                number: 1,
                array_index: 0,
                attempt: 0,
                submitted_at,
            },
            user: ada.id,
            user_name: "ada".to_owned(),
            account: None,
            name: "sleep".to_owned(),
            partition: Partition {
                name: "local".to_owned(),
                ..Partition::default()
            },
            qos: String::new(),
            nodes: 1,
            cpus: 1,
            gpus: 0,
            memory_mb: 1,
            time_limit: Span::from_secs(60),
        };
        books.admit(tx, &asked)
    };
    let permit = access::SystemPermit::new("test.submit");
    let admitted = permit.write(&zone.store, work).await.expect("admitted");
    assert!(!admitted.is_priced);
}

#[tokio::test]
async fn a09_the_zone_says_how_many_jobs_wait_for_a_price() {
    let zone = Zone::new().await;
    let owner = zone.owner().await;
    let account = v1::CreateAccountRequest {
        name: "team".to_owned(),
        ..v1::CreateAccountRequest::default()
    };
    let made = zone.accounts().create_account(bearing(&owner, account)).await;
    made.expect("made");
    let pay = v1::PayRequest {
        account: "team".to_owned(),
        amount: money(10_000),
        ..v1::PayRequest::default()
    };
    zone.accounts().pay(bearing(&owner, pay)).await.expect("paid");
    assert_eq!(charges(&zone, &owner).await, None);
    submit(&zone).await;
    let told = charges(&zone, &owner).await.expect("told");
    assert_eq!(told.health(), v1::Health::Reduced);
    assert!(
        told.text.starts_with("jobs that wait for a price: 1;"),
        "{}",
        told.text
    );
    let price = v1::SetPriceRequest {
        path: "local.local".to_owned(),
        price: money(1),
        ..v1::SetPriceRequest::default()
    };
    let set = zone.accounts().set_price(bearing(&owner, price)).await;
    set.expect("set");
    assert_eq!(charges(&zone, &owner).await, None);
}

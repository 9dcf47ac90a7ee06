//! Payments: what moves, what is refused, and that a refusal moves nothing.

use accounts::{
    Book, ChargeOrder, Charges, DEFAULT_TENANT, Error, Look, Paging, Payment, PaymentFilter, Receipt, Target,
};
use model::{Money, Span};

use crate::bed::{Bed, money, on_both_engines, raw};

on_both_engines!(
    a_payment_moves_money_from_outside_once,
    the_same_request_pays_once_and_another_payment_is_refused,
    w13_an_amount_that_cannot_be_kept_is_refused_and_the_books_are_unchanged,
    bad_payments_move_nothing,
    payments_are_listed_by_target_time_and_kind,
);

fn into(account: Option<&str>, amount: Money) -> Payment {
    Payment {
        tenant: DEFAULT_TENANT.to_owned(),
        account: account.map(str::to_owned),
        amount,
        kind: "cash".to_owned(),
        comment: "counted".to_owned(),
        operator: "ada".to_owned(),
        ip_address: "192.0.2.1".to_owned(),
        request_id: None,
    }
}

async fn a_payment_moves_money_from_outside_once(bed: Bed) {
    let bob = bed.user("bob").await;
    let lab = bed.account("lab", &bob).await;
    let paid = bed.try_pay(into(Some("LAB"), money("12.5"))).await.expect("paid");
    assert_eq!(
        (paid.id, paid.previous, paid.current),
        (1, Money::ZERO, money("12.5"))
    );
    let paid = bed
        .try_pay(into(Some("lab"), money("-2.0001")))
        .await
        .expect("taken out");
    assert_eq!(
        (paid.id, paid.previous, paid.current),
        (2, money("12.5"), money("10.4999"))
    );
    let paid = bed.try_pay(into(None, money("100"))).await.expect("paid");
    assert_eq!((paid.previous, paid.current), (Money::ZERO, money("100")));
    let permit = bed.permit::<Look>().await;
    let tenant = bed.accounts.tenants(&permit).await.expect("listed").remove(0);
    assert_eq!(tenant.balance, money("100"));
    assert_eq!(bed.shown("lab").await.balance, money("10.4999"));
    let mut books = bed.ledger().await.books;
    books.sort_unstable();
    let mut wanted = vec![
        (Book::Account(lab.id), money("10.4999")),
        (Book::Tenant(tenant.id), money("100")),
        (Book::Outside, money("-110.4999")),
        (Book::Earned(tenant.id), Money::ZERO),
        (Book::EarnedZone, Money::ZERO),
    ];
    wanted.sort_unstable();
    assert_eq!(books, wanted);
}

async fn the_same_request_pays_once_and_another_payment_is_refused(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    let request = Payment {
        request_id: Some("r-1".to_owned()),
        ..into(Some("lab"), money("5"))
    };
    let first = bed.try_pay(request.clone()).await.expect("paid");
    bed.pay("lab", "1").await;
    assert_eq!(bed.try_pay(request.clone()).await.expect("answered"), first);
    for other in [
        Payment {
            amount: money("6"),
            ..request.clone()
        },
        Payment {
            account: None,
            ..request.clone()
        },
        Payment {
            comment: "again".to_owned(),
            ..request.clone()
        },
    ] {
        let refused = bed.try_pay(other).await;
        assert!(matches!(refused, Err(Error::OtherRequest { .. })), "{refused:?}");
    }
    assert_eq!(bed.shown("lab").await.balance, money("6"));
    assert_eq!(bed.number("SELECT COUNT(*) FROM payments").await, 2);
    bed.ledger().await;
}

async fn w13_an_amount_that_cannot_be_kept_is_refused_and_the_books_are_unchanged(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.account("attic", &bob).await;
    bed.try_pay(into(Some("lab"), raw(i64::MAX - 5)))
        .await
        .expect("just fits");
    let before = bed.ledger().await;
    for (account, amount) in [
        // The account's sum, the other side's sum, and an amount without another side.
        (Some("lab"), raw(6)),
        (Some("lab"), raw(i64::MAX)),
        (Some("attic"), raw(i64::MAX)),
        (Some("attic"), raw(i64::MIN)),
        (None, raw(i64::MIN)),
    ] {
        let refused = bed.try_pay(into(account, amount)).await.expect_err("refused");
        assert!(matches!(refused, Error::Overflow { .. }), "{amount}: {refused}");
        assert_eq!(refused.kind(), model::ErrorKind::Invalid);
    }
    assert_eq!(bed.ledger().await, before);
    assert_eq!(bed.number("SELECT COUNT(*) FROM ledger_transfers").await, 1);
    assert_eq!(bed.number("SELECT COUNT(*) FROM payments").await, 1);
    bed.try_pay(into(Some("lab"), raw(5)))
        .await
        .expect("the very last");
    bed.ledger().await;
}

async fn bad_payments_move_nothing(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.tenant("physics").await;
    let long = "x".repeat(256);
    let good = into(Some("lab"), money("1"));
    let bad = [
        (
            Payment {
                kind: long.clone(),
                ..good.clone()
            },
            "type",
        ),
        (
            Payment {
                comment: long.clone(),
                ..good.clone()
            },
            "comment",
        ),
        (
            Payment {
                operator: "a\0b".to_owned(),
                ..good.clone()
            },
            "operator_id",
        ),
        (
            Payment {
                ip_address: long.clone(),
                ..good.clone()
            },
            "ip_address",
        ),
        (
            Payment {
                request_id: Some(String::new()),
                ..good.clone()
            },
            "request_id",
        ),
    ];
    for (payment, field) in bad {
        match bed.try_pay(payment).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults.0[0].field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    let nowhere = Payment {
        tenant: "nowhere".to_owned(),
        ..good.clone()
    };
    let refused = bed.try_pay(nowhere).await;
    assert!(
        matches!(refused, Err(Error::TenantNotFound { .. })),
        "{refused:?}"
    );
    // An account of another tenant is not found, though its name is right.
    let elsewhere = Payment {
        tenant: "physics".to_owned(),
        ..good.clone()
    };
    let refused = bed.try_pay(elsewhere).await;
    assert!(
        matches!(refused, Err(Error::AccountNotFound { .. })),
        "{refused:?}"
    );
    assert_eq!(bed.number("SELECT COUNT(*) FROM ledger_entries").await, 0);
}

async fn payments_are_listed_by_target_time_and_kind(bed: Bed) {
    let (bob, cleo) = (bed.user("bob").await, bed.user("cleo").await);
    bed.account("lab", &bob).await;
    bed.account("attic", &cleo).await;
    let begin = bed.clock.now();
    for (account, amount, kind) in [
        (Some("lab"), "1", "cash"),
        (None, "2", "card"),
        (Some("attic"), "3", "card"),
    ] {
        let payment = Payment {
            kind: kind.to_owned(),
            ..into(account, money(amount))
        };
        bed.try_pay(payment).await.expect("paid");
        bed.clock.advance(Span::from_secs(60));
    }
    let listed = async |actor: &access::Actor, filter: PaymentFilter| {
        let permit = bed.permit_of::<Charges>(actor).await;
        let found = bed
            .accounts
            .payments(&permit, filter, Paging::<ChargeOrder>::default())
            .await;
        let found: Vec<Receipt> = found.expect("listed");
        found
            .iter()
            .map(|receipt| receipt.amount.ten_thousandths() / 10_000)
            .collect::<Vec<_>>()
    };
    let target = |target| PaymentFilter {
        target,
        ..PaymentFilter::default()
    };
    let of = |accounts: &[&str]| Target::AccountsOf {
        tenant: DEFAULT_TENANT.to_owned(),
        accounts: accounts.iter().map(|name| (*name).to_owned()).collect(),
    };
    let owner = &bed.owner;
    assert_eq!(listed(owner, PaymentFilter::default()).await, [3, 2, 1]);
    assert_eq!(
        listed(owner, target(Target::Tenant("Default".to_owned()))).await,
        [2]
    );
    assert_eq!(
        listed(owner, target(Target::Tenant("other".to_owned()))).await,
        Vec::<i64>::new()
    );
    assert_eq!(listed(owner, target(Target::AllTenants)).await, [2]);
    assert_eq!(listed(owner, target(of(&[]))).await, [3, 1]);
    assert_eq!(listed(owner, target(of(&["Lab"]))).await, [1]);
    assert_eq!(
        listed(owner, target(Target::Accounts(vec!["attic".to_owned()]))).await,
        [3]
    );
    let kinds = PaymentFilter {
        kinds: vec!["card".to_owned(), "no\0ne".to_owned()],
        ..PaymentFilter::default()
    };
    assert_eq!(listed(owner, kinds).await, [3, 2]);
    let within = PaymentFilter {
        from: Some(begin),
        to: Some(begin + Span::from_secs(60)),
        ..PaymentFilter::default()
    };
    assert_eq!(listed(owner, within).await, [2, 1]);
    assert_eq!(listed(&bob.actor, PaymentFilter::default()).await, [1]);
}

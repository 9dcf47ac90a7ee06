//! A03: many submits at once against a balance for ten, and submits, ends and payments in each other's way.

use accounts::{Create, Error, NewAccount, Payment, Standing};
use futures::future::join_all;
use model::{Money, Span};

use crate::bed::{Bed, job, money, on_both_engines, ran, rounds};

on_both_engines!(
    a03_of_a_thousand_submits_at_once_ten_run_and_the_rest_are_refused,
    submits_ends_and_payments_at_once_keep_the_books,
    one_payment_asked_for_many_times_at_once_is_made_once,
    of_many_accounts_of_one_name_at_once_one_is_made,
);

async fn a03_of_a_thousand_submits_at_once_ten_run_and_the_rest_are_refused(bed: Bed) {
    let (bob, cleo) = (bed.user("bob").await, bed.user("cleo").await);
    bed.account("lab", &bob).await;
    bed.join("lab", &cleo).await;
    bed.pay("lab", "20.0001").await;
    bed.price("local.main", "2").await;
    let submits = (1..=1000).map(|number| {
        let user = if number % 2 == 0 { &bob } else { &cleo };
        bed.submit(job(number, user))
    });
    let mut admitted = Vec::new();
    for (answer, number) in join_all(submits).await.into_iter().zip(1..) {
        match answer {
            Ok(yes) => {
                assert_eq!(yes.hold, money("2"));
                admitted.push(number);
            }
            Err(Error::NotEnough { hold, free, .. }) => {
                assert_eq!((hold, free), (money("2"), money("0.0001")))
            }
            Err(other) => panic!("{}", model::chain(&other)),
        }
    }
    assert_eq!(admitted.len(), 10, "{admitted:?}");
    assert_eq!(bed.number("SELECT COUNT(*) FROM job_bills").await, 10);
    assert_eq!(bed.shown("lab").await.held, money("20"));
    // All of them end at once, each told twice, as late as they may.
    let ends = admitted.iter().chain(&admitted);
    join_all(ends.map(|number| bed.end(ran(*number, 4000)))).await;
    let lab = bed.shown("lab").await;
    assert_eq!((lab.balance, lab.held), (money("0.0001"), Money::ZERO));
    bed.ledger().await;
}

async fn submits_ends_and_payments_at_once_keep_the_books(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.pay("lab", "5").await;
    bed.price("local.main", "1").await;
    let lives = (1..=rounds(60, 1000)).map(async |number| {
        if number % 4 == 0 {
            bed.pay("lab", "0.5").await;
            return 0;
        }
        let mut asked = job(number, &bob);
        asked.time_limit = Span::from_secs(1800);
        match bed.submit(asked).await {
            Ok(admitted) => assert_eq!(admitted.hold, money("0.5")),
            Err(Error::NotEnough { .. }) => return 0,
            Err(Error::Blocked { standing, .. }) => {
                assert_eq!(standing, Standing::BelowThreshold);
                return 0;
            }
            Err(other) => panic!("{}", model::chain(&other)),
        }
        bed.end(ran(number, 360)).await;
        1
    });
    let ran: i64 = join_all(lives).await.into_iter().sum();
    let paid = i64::from(rounds(60, 1000) / 4) * 5000 + 50_000;
    let lab = bed.shown("lab").await;
    assert_eq!(
        (lab.balance.ten_thousandths(), lab.held),
        (paid - ran * 1000, Money::ZERO)
    );
    assert_eq!(bed.number("SELECT COUNT(*) FROM charges").await, 2 * ran);
    bed.ledger().await;
}

async fn one_payment_asked_for_many_times_at_once_is_made_once(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    let payment = Payment {
        tenant: "default".to_owned(),
        account: Some("lab".to_owned()),
        amount: money("3"),
        request_id: Some("the same".to_owned()),
        ..Payment::default()
    };
    let answers = join_all((0..30).map(|_| bed.try_pay(payment.clone()))).await;
    for answer in answers {
        let paid = answer.expect("answered");
        assert_eq!(
            (paid.id, paid.previous, paid.current),
            (1, Money::ZERO, money("3"))
        );
    }
    assert_eq!(bed.shown("lab").await.balance, money("3"));
    bed.ledger().await;
}

async fn of_many_accounts_of_one_name_at_once_one_is_made(bed: Bed) {
    let made = join_all((0..20).map(async |number| {
        let new = NewAccount {
            name: if number % 2 == 0 { "lab" } else { "LAB" }.to_owned(),
            tenant: "default".to_owned(),
            owner: "ada".to_owned(),
            comment: String::new(),
        };
        let permit = bed.permit::<Create>().await;
        bed.accounts.create_account(permit, new).await
    }));
    let (made, refused): (Vec<_>, Vec<_>) = made.await.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        let error = refusal.expect_err("refused");
        assert!(
            matches!(error, Error::AccountExists { .. }),
            "{}",
            model::chain(&error)
        );
    }
}

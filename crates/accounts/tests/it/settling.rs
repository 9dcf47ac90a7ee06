//! From a submit to its charge: what is held, what is refused, what is charged, and that it happens once.

use accounts::{Asked, Charges, Config, Counts, Error, Fetch, JobFilter, Paging, Standing, price::Amount};
use model::{ErrorKind, Money, Span};

use crate::bed::{Bed, Place, SUBMITTED, User, job, key, money, never_ran, on_both_engines, price, ran, raw};

on_both_engines!(
    a_job_holds_the_most_it_can_cost_and_is_charged_what_it_did_cost,
    the_account_is_the_one_named_or_the_only_one,
    what_the_account_cannot_pay_is_refused_and_holds_nothing,
    a01_an_end_delivered_late_twice_or_out_of_order_is_charged_once,
    a09_a_job_without_a_price_waits_for_the_first_and_is_then_charged,
    a_job_keeps_the_price_of_its_submission,
    a14_a_charge_that_cannot_be_kept_waits_and_the_books_are_unchanged,
);

/// A user with an account that has so much.
async fn lab(bed: &Bed, balance: &str) -> User {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.pay("lab", balance).await;
    bob
}

async fn held(bed: &Bed) -> Money {
    bed.shown("lab").await.held
}

async fn billed(bed: &Bed) -> accounts::BilledPage {
    let permit = bed.permit::<Charges>().await;
    let page = bed
        .accounts
        .billed_jobs(&permit, JobFilter::default(), Paging::default())
        .await;
    page.expect("listed")
}

async fn fetch(bed: &Bed) -> u32 {
    let permit = bed.permit::<Fetch>().await;
    bed.accounts.fetch(permit).await.expect("fetched")
}

async fn counts(bed: &Bed) -> (u64, u64) {
    let Counts { unpriced, uncharged } = bed.accounts.counts().await.expect("counted");
    (unpriced, uncharged)
}

async fn a_job_holds_the_most_it_can_cost_and_is_charged_what_it_did_cost(bed: Bed) {
    let bob = lab(&bed, "10").await;
    bed.price("local.main", "2").await;
    let admitted = bed.submit(job(1, &bob)).await.expect("admitted");
    assert_eq!(
        (admitted.account.as_deref(), admitted.hold, admitted.is_priced),
        (Some("lab"), money("2"), true)
    );
    // The same job again is the same hold.
    assert_eq!(bed.submit(job(1, &bob)).await.expect("admitted"), admitted);
    assert_eq!(
        (held(&bed).await, bed.shown("lab").await.balance),
        (money("2"), money("10"))
    );
    bed.submit(job(2, &bob)).await.expect("admitted");
    assert_eq!(held(&bed).await, money("4"));
    // Half an hour and a bit less than a second.
    let mut ended = ran(1, 1800);
    ended.ended_at = ended.ended_at + Span::from_micros(999_999);
    bed.end(ended).await;
    assert_eq!(
        (held(&bed).await, bed.shown("lab").await.balance),
        (money("2"), money("9"))
    );
    // Longer than its limit, because somebody was slow to end it: billed at most the limit.
    bed.end(ran(2, 5000)).await;
    assert_eq!(
        (held(&bed).await, bed.shown("lab").await.balance),
        (money("0"), money("7"))
    );
    bed.submit(job(3, &bob)).await.expect("admitted");
    bed.end(never_ran(3)).await;
    assert_eq!(
        (held(&bed).await, bed.shown("lab").await.balance),
        (money("0"), money("7"))
    );
    let page = billed(&bed).await;
    assert_eq!(
        (page.count, page.account_total, page.tenant_total),
        (2, money("3"), money("3"))
    );
    let newest = &page.jobs[0];
    assert_eq!(
        (
            newest.index,
            newest.number,
            newest.billed_secs,
            newest.limit_secs,
            newest.account_price
        ),
        (2, 2, 3600, 3600, money("2"))
    );
    assert_eq!(
        (newest.account_item.as_str(), newest.tenant_item.as_str()),
        ("P0001", "P0001")
    );
    assert_eq!(fetch(&bed).await, 2);
    assert_eq!(fetch(&bed).await, 0);
    bed.ledger().await;
}

async fn the_account_is_the_one_named_or_the_only_one(bed: Bed) {
    let (bob, cleo) = (bed.user("bob").await, bed.user("cleo").await);
    bed.price("local.main", "1").await;
    // Without any account nobody pays, and the end of such a job is nothing to settle.
    let admitted = bed.submit(job(1, &bob)).await.expect("admitted");
    assert_eq!((admitted.account, admitted.hold), (None, Money::ZERO));
    bed.end(ran(1, 60)).await;
    for (name, owner) in [("lab", &bob), ("attic", &bob), ("roof", &cleo)] {
        bed.account(name, owner).await;
        bed.pay(name, "100").await;
    }
    match bed.submit(job(2, &bob)).await {
        Err(Error::SeveralAccounts { accounts }) => assert_eq!(accounts, ["attic", "lab"]),
        other => panic!("{other:?}"),
    }
    let with = |number, user: &User, account: &str| Asked {
        account: Some(account.to_owned()),
        ..job(number, user)
    };
    let admitted = bed.submit(with(3, &bob, "LAB")).await.expect("admitted");
    assert_eq!(admitted.account.as_deref(), Some("lab"));
    for stranger in ["roof", "none", "", "\0"] {
        let refused = bed.submit(with(4, &bob, stranger)).await.expect_err("refused");
        assert!(matches!(refused, Error::AccountNotFound { .. }), "{refused}");
    }
    let admitted = bed.submit(job(5, &cleo)).await.expect("admitted");
    assert_eq!(admitted.account.as_deref(), Some("roof"));
    assert_eq!(billed(&bed).await.count, 0);
}

async fn what_the_account_cannot_pay_is_refused_and_holds_nothing(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.price("local.main", "2").await;
    let refused = bed.submit(job(1, &bob)).await.expect_err("refused");
    let standing = Standing::BelowThreshold;
    assert!(
        matches!(&refused, Error::Blocked { standing: found, .. } if *found == standing),
        "{refused}"
    );
    assert_eq!(refused.kind(), ErrorKind::Precondition);
    bed.pay("lab", "4.9999").await;
    bed.submit(job(1, &bob)).await.expect("admitted");
    bed.submit(job(2, &bob)).await.expect("admitted");
    match bed.submit(job(3, &bob)).await {
        Err(Error::NotEnough { hold, free, .. }) => assert_eq!((hold, free), (money("2"), money("0.9999"))),
        other => panic!("{other:?}"),
    }
    let mut short = job(3, &bob);
    short.time_limit = Span::from_secs(1799);
    // 0.49 of an hour's core, cut off at two decimals.
    assert_eq!(bed.submit(short).await.expect("admitted").hold, money("0.98"));
    let mut endless = job(4, &bob);
    endless.cpus = u32::MAX;
    endless.time_limit = Span::from_micros(i64::MAX);
    let refused = bed.submit(endless).await.expect_err("refused");
    assert!(
        matches!(refused, Error::Overflow { .. } | Error::NotEnough { .. }),
        "{refused}"
    );
    assert_eq!(held(&bed).await, money("4.98"));
    assert_eq!(bed.number("SELECT COUNT(*) FROM job_bills").await, 3);
}

async fn a01_an_end_delivered_late_twice_or_out_of_order_is_charged_once(bed: Bed) {
    let bob = lab(&bed, "100").await;
    bed.price("local.main", "1").await;
    for number in 1..=4 {
        bed.submit(job(number, &bob)).await.expect("admitted");
    }
    // The same number again, submitted at another instant, in an array, or tried again, is another job.
    let mut others = Vec::new();
    for change in 0..3 {
        let mut asked = job(1, &bob);
        match change {
            0 => asked.key.submitted_at = SUBMITTED + Span::from_micros(1),
            1 => asked.key.array_index = 1,
            _ => asked.key.attempt = 1,
        }
        others.push(asked.key.clone());
        bed.submit(asked).await.expect("admitted");
    }
    assert_eq!(held(&bed).await, money("7"));
    // All in the same second, in any order, some of them twice, one with another story the second time.
    for number in [3, 1, 3, 4, 2, 1, 4, 3] {
        bed.end(ran(number, 1800)).await;
    }
    bed.end(ran(1, 3600)).await;
    bed.end(never_ran(2)).await;
    for key in &others {
        for _ in 0..2 {
            let mut ended = ran(1, 3600);
            ended.key = key.clone();
            bed.end(ended).await;
        }
    }
    // An end of a job that nobody submitted here.
    bed.end(ran(99, 60)).await;
    bed.submit(job(5, &bob)).await.expect("admitted");
    bed.end(never_ran(5)).await;
    bed.end(ran(5, 60)).await;
    let page = billed(&bed).await;
    assert_eq!((page.count, page.account_total), (7, money("5")));
    assert_eq!(held(&bed).await, Money::ZERO);
    assert_eq!(bed.shown("lab").await.balance, money("95"));
    assert_eq!(bed.number("SELECT COUNT(*) FROM charges").await, 14);
    assert_eq!(fetch(&bed).await, 7);
    bed.ledger().await;
}

async fn a09_a_job_without_a_price_waits_for_the_first_and_is_then_charged(bed: Bed) {
    let bob = lab(&bed, "100").await;
    for number in 1..=3 {
        let admitted = bed.submit(job(number, &bob)).await.expect("admitted");
        assert_eq!(
            (admitted.account.as_deref(), admitted.hold, admitted.is_priced),
            (Some("lab"), Money::ZERO, false)
        );
    }
    bed.end(ran(1, 1800)).await;
    bed.end(never_ran(3)).await;
    // Not charged, least of all for nothing.
    assert_eq!((billed(&bed).await.count, counts(&bed).await), (0, (2, 0)));
    assert_eq!(fetch(&bed).await, 0);
    bed.price("local.other", "7").await;
    assert_eq!(counts(&bed).await, (2, 0));
    // The tenant's own price gives the account its price; the tenant still has none.
    let mut own = price("local.main", "4");
    own.tenant = Some("default".to_owned());
    bed.try_price(own).await.expect("set");
    assert_eq!(
        (billed(&bed).await.count, counts(&bed).await, held(&bed).await),
        (0, (2, 0), money("8"))
    );
    bed.price("local.main", "1").await;
    let page = billed(&bed).await;
    assert_eq!(
        (page.count, page.account_total, page.tenant_total),
        (1, money("2"), money("0.5"))
    );
    assert_eq!((counts(&bed).await, held(&bed).await), ((0, 0), money("4")));
    assert_eq!(bed.shown("lab").await.balance, money("98"));
    // A later price changes nothing for the job that runs.
    bed.price("local.main", "50").await;
    bed.end(ran(2, 3600)).await;
    let page = billed(&bed).await;
    assert_eq!(
        (page.count, page.account_total, page.tenant_total),
        (2, money("6"), money("1.5"))
    );
    assert_eq!(held(&bed).await, Money::ZERO);
    assert_eq!(fetch(&bed).await, 2);
    bed.ledger().await;
}

async fn a_job_keeps_the_price_of_its_submission(bed: Bed) {
    let bob = lab(&bed, "100").await;
    bed.price("local.main", "1").await;
    bed.submit(job(1, &bob)).await.expect("admitted");
    bed.price("local.main", "10").await;
    let mut free = price("local.main", "0");
    free.amount = Amount::Gpu;
    bed.submit(job(2, &bob)).await.expect("admitted");
    bed.try_price(free).await.expect("set");
    bed.submit(job(3, &bob)).await.expect("admitted");
    for number in 1..=3 {
        bed.end(ran(number, 3600)).await;
    }
    let costs: Vec<Money> = billed(&bed)
        .await
        .jobs
        .iter()
        .map(|job| job.account_price)
        .collect();
    assert_eq!(costs, ["0", "10", "1"].map(money));
    // A price of zero is a price: its charge is on record.
    assert_eq!(
        bed.number("SELECT COUNT(*) FROM charges WHERE amount = 0").await,
        2
    );
    bed.ledger().await;
}

async fn a14_a_charge_that_cannot_be_kept_waits_and_the_books_are_unchanged(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.tenant("physics").await;
    bed.pay("lab", "10").await;
    bed.price("local.main", "1").await;
    bed.submit(job(1, &bob)).await.expect("admitted");
    // The tenant is taken down to the very last amount that can be kept.
    let payment = accounts::Payment {
        tenant: "default".to_owned(),
        amount: raw(-i64::MAX),
        ..accounts::Payment::default()
    };
    bed.try_pay(payment.clone()).await.expect("taken out");
    let before = bed.ledger().await;
    bed.end(ran(1, 3600)).await;
    assert_eq!((bed.ledger().await, counts(&bed).await), (before, (0, 1)));
    assert_eq!((billed(&bed).await.count, held(&bed).await), (0, money("1")));
    assert_eq!(fetch(&bed).await, 0);
    let back = accounts::Payment {
        amount: raw(i64::MAX),
        ..payment
    };
    bed.try_pay(back).await.expect("paid");
    assert_eq!(fetch(&bed).await, 1);
    assert_eq!(
        (billed(&bed).await.count, held(&bed).await, counts(&bed).await),
        (1, Money::ZERO, (0, 0))
    );
    assert_eq!(bed.shown("lab").await.balance, money("9"));
    bed.ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zone_may_ask_for_an_account() {
    let config = Config {
        required: true,
        ..Config::default()
    };
    let bed = Bed::with(Place::Sqlite, config).await;
    let bob = bed.user("bob").await;
    let refused = bed.submit(job(1, &bob)).await.expect_err("refused");
    assert!(matches!(refused, Error::NoAccount { .. }), "{refused}");
    bed.account("lab", &bob).await;
    bed.pay("lab", "1").await;
    bed.submit(job(1, &bob)).await.expect("admitted");
    assert_eq!(key(1).number, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_a_price_reaches_every_job_that_waits_however_many_they_are() {
    let bed = Bed::sqlite().await;
    let bob = lab(&bed, "2000").await;
    for number in 1..=1100 {
        bed.submit(job(number, &bob)).await.expect("admitted");
        bed.end(ran(number, 1800)).await;
    }
    assert_eq!(counts(&bed).await, (1100, 0));
    bed.price("local.other", "9").await;
    assert_eq!(counts(&bed).await, (1100, 0));
    bed.price("local.main", "1").await;
    assert_eq!((counts(&bed).await, held(&bed).await), ((0, 0), Money::ZERO));
    let page = billed(&bed).await;
    assert_eq!((page.count, page.account_total), (1100, money("550")));
    assert_eq!(fetch(&bed).await, 1100);
    bed.ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_a_job_takes_the_first_price_that_appeared_though_it_is_reached_after_others() {
    let bed = Bed::sqlite().await;
    let bob = lab(&bed, "100").await;
    let mut asked = job(1, &bob);
    asked.qos = "low".to_owned();
    bed.submit(asked).await.expect("admitted");
    bed.end(ran(1, 3600)).await;
    // As if the zone had ended right after the prices were written.
    let set = |tx: &mut store::Tx<'_>| -> Result<(), store::Error> {
        for (number, path, price) in [
            (1, "local.main", 10_000),
            (2, "local.main.low", 20_000),
            (3, "local.main", 30_000),
        ] {
            tx.execute(
                "INSERT INTO price_items (number, id, path, price, amount, description, made_at) \
                 VALUES (?1, ?2, ?3, ?4, 'cpusAlloc', '', 0)",
                store::params![number, format!("p{number}"), path, price],
            )?;
        }
        Ok(())
    };
    access::SystemPermit::new("test.prices")
        .write(&bed.store, set)
        .await
        .expect("written");
    let bed = bed.restarted_after(|_engine, _folder| {}).await;
    let reached = testbed::eventually(std::time::Duration::from_secs(30), async || {
        counts(&bed).await == (0, 0)
    });
    assert!(reached.await, "what waits is carried on at the start");
    let page = billed(&bed).await;
    assert_eq!(
        (page.jobs[0].account_item.as_str(), page.account_total),
        ("p1", money("1"))
    );
    bed.ledger().await;
}

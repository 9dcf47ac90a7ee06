//! Charges and charged jobs: filters, parts, orders, sums, and how far each user sees.

use accounts::{
    BilledPage, Charge, ChargeFilter, ChargeOrder, Charges, Error, JobFilter, JobOrder, Kinds, Paging, Target,
};
use model::{Money, Span};

use crate::bed::{Bed, SUBMITTED, User, job, money, on_both_engines, ran};

on_both_engines!(
    charges_pass_the_filter,
    charges_come_in_the_order_and_part_asked_for_with_the_sum_of_all,
    charged_jobs_pass_the_filter,
    charged_jobs_come_in_the_order_asked_for_with_the_sums_of_all,
    a_user_sees_the_charges_of_their_jobs_and_of_accounts_they_look_after,
    a_comment_holds_what_the_job_has,
);

/// Bob has `lab` with cleo in it, dan has `attic`; jobs 1 and 2 are bob's, 3 is cleo's, 4 is dan's.
async fn zone(bed: &Bed) -> [User; 3] {
    let users = [
        bed.user("bob").await,
        bed.user("cleo").await,
        bed.user("dan_1").await,
    ];
    let [bob, cleo, dan] = &users;
    bed.account("lab", bob).await;
    bed.join("lab", cleo).await;
    bed.account("attic", dan).await;
    for account in ["lab", "attic"] {
        bed.pay(account, "100").await;
    }
    bed.price("local.main", "1").await;
    for (number, user, secs) in [(1, bob, 360), (2, bob, 720), (3, cleo, 1080), (4, dan, 1440)] {
        bed.submit(job(number, user)).await.expect("admitted");
        bed.end(ran(number, secs)).await;
        bed.clock.advance(Span::from_secs(60));
    }
    users
}

async fn listed(
    bed: &Bed,
    actor: &access::Actor,
    filter: ChargeFilter,
    paging: Paging<ChargeOrder>,
) -> Vec<Charge> {
    let permit = bed.permit_of::<Charges>(actor).await;
    bed.accounts
        .charges(&permit, filter, paging)
        .await
        .expect("listed")
}

fn tenths(charges: &[Charge]) -> Vec<i64> {
    charges
        .iter()
        .map(|charge| charge.amount.ten_thousandths() / 1000)
        .collect()
}

/// Charges of accounts that pass what is set.
fn of_accounts(set: impl FnOnce(&mut ChargeFilter)) -> ChargeFilter {
    let mut filter = ChargeFilter {
        target: Target::Accounts(Vec::new()),
        ..ChargeFilter::default()
    };
    set(&mut filter);
    filter
}

async fn find(bed: &Bed, filter: ChargeFilter) -> Vec<i64> {
    tenths(&listed(bed, &bed.owner, filter, Paging::default()).await)
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn charges_pass_the_filter(bed: Bed) {
    let begin = bed.clock.now();
    zone(&bed).await;
    assert_eq!(find(&bed, of_accounts(|_all| {})).await, [4, 3, 2, 1]);
    assert_eq!(find(&bed, ChargeFilter::default()).await.len(), 8);
    let tenants = of_accounts(|filter| filter.target = Target::AllTenants);
    assert_eq!(find(&bed, tenants).await, [4, 3, 2, 1]);
    let bobs = of_accounts(|filter| filter.user = Some("Bob".to_owned()));
    assert_eq!(find(&bed, bobs).await, [2, 1]);
    for (texts, found) in [
        (words(&["BO"]), vec![2, 1]),
        (words(&["an_"]), vec![4]),
        (words(&["_"]), vec![4]),
        (words(&["%"]), vec![]),
        (words(&["\\"]), vec![]),
        (words(&["'"]), vec![]),
        (words(&["\0"]), vec![]),
        (words(&["cleo", "dan"]), vec![4, 3]),
    ] {
        let filter = of_accounts(|filter| filter.users_like.clone_from(&texts));
        assert_eq!(find(&bed, filter).await, found, "{texts:?}");
    }
    for (kinds, count) in [
        (Kinds::Any, 4),
        (Kinds::Only(words(&["作业费用", "other"])), 4),
        (Kinds::Only(words(&["other"])), 0),
        (Kinds::Only(Vec::new()), 0),
        (Kinds::Not(words(&["作业费用"])), 0),
        (Kinds::Not(Vec::new()), 4),
    ] {
        let filter = of_accounts(|filter| filter.kinds = kinds.clone());
        assert_eq!(find(&bed, filter).await.len(), count, "{kinds:?}");
    }
    let within = of_accounts(|filter| {
        filter.from = Some(begin + Span::from_secs(60));
        filter.to = Some(begin + Span::from_secs(120));
    });
    assert_eq!(find(&bed, within).await, [3, 2]);
}

async fn charges_come_in_the_order_and_part_asked_for_with_the_sum_of_all(bed: Bed) {
    zone(&bed).await;
    for (order, offset, limit, found) in [
        ((ChargeOrder::Amount, false), 0, 2, vec![1, 2]),
        ((ChargeOrder::Amount, false), 2, 50, vec![3, 4]),
        ((ChargeOrder::Amount, true), 1, 1, vec![3]),
        ((ChargeOrder::User, true), 0, 2, vec![4, 3]),
        ((ChargeOrder::Time, false), 0, 1, vec![1]),
        ((ChargeOrder::Kind, true), 0, 0, vec![]),
        ((ChargeOrder::Time, true), u64::MAX, u64::MAX, vec![]),
    ] {
        let part = Paging {
            offset,
            limit: Some(limit),
            order: Some(order),
        };
        let charges = listed(&bed, &bed.owner, of_accounts(|_all| {}), part).await;
        assert_eq!(tenths(&charges), found, "{order:?} {offset} {limit}");
    }
    let permit = bed.permit::<Charges>().await;
    let lab = of_accounts(|filter| filter.target = Target::Accounts(words(&["LAB"])));
    let total = bed.accounts.charges_total(&permit, lab).await.expect("added up");
    assert_eq!((total.amount, total.count), (money("0.6"), 3));
    let none = of_accounts(|filter| filter.user = Some("nobody".to_owned()));
    let total = bed.accounts.charges_total(&permit, none).await.expect("added up");
    assert_eq!((total.amount, total.count), (Money::ZERO, 0));
}

async fn found(bed: &Bed, filter: JobFilter, paging: Paging<JobOrder>) -> (Vec<u32>, u64, Money) {
    let permit = bed.permit::<Charges>().await;
    let page = bed.accounts.billed_jobs(&permit, filter, paging).await;
    let page: BilledPage = page.expect("listed");
    let numbers = page.jobs.iter().map(|job| job.number).collect();
    (numbers, page.count, page.account_total)
}

async fn charged_jobs_come_in_the_order_asked_for_with_the_sums_of_all(bed: Bed) {
    zone(&bed).await;
    let all = JobFilter::default;
    assert_eq!(
        found(&bed, all(), Paging::default()).await,
        (vec![4, 3, 2, 1], 4, money("1"))
    );
    let first = Paging {
        offset: 0,
        limit: Some(2),
        order: Some((JobOrder::Number, false)),
    };
    assert_eq!(found(&bed, all(), first).await, (vec![1, 2], 4, money("1")));
    for order in [
        JobOrder::Number,
        JobOrder::Account,
        JobOrder::Cluster,
        JobOrder::Name,
        JobOrder::Partition,
        JobOrder::Qos,
        JobOrder::Ended,
        JobOrder::Submitted,
        JobOrder::User,
        JobOrder::AccountPrice,
    ] {
        let paging = Paging {
            order: Some((order, true)),
            ..Paging::default()
        };
        assert_eq!(found(&bed, all(), paging).await.1, 4, "{order:?}");
    }
}

async fn charged_jobs_pass_the_filter(bed: Bed) {
    zone(&bed).await;
    let end = |secs: i64| Some(SUBMITTED + Span::from_secs(10 + secs));
    let set = |set: &dyn Fn(&mut JobFilter)| {
        let mut filter = JobFilter::default();
        set(&mut filter);
        filter
    };
    for (filter, numbers) in [
        (
            set(&|filter| filter.tenant = Some("default".to_owned())),
            vec![4, 3, 2, 1],
        ),
        (set(&|filter| filter.tenant = Some(String::new())), vec![]),
        (
            set(&|filter| filter.clusters = words(&["local", "x"])),
            vec![4, 3, 2, 1],
        ),
        (set(&|filter| filter.clusters = words(&["x"])), vec![]),
        (set(&|filter| filter.user = Some("bob".to_owned())), vec![2, 1]),
        (set(&|filter| filter.account = Some("attic".to_owned())), vec![4]),
        (set(&|filter| filter.from_index = Some(3)), vec![4, 3]),
        (set(&|filter| filter.from_index = Some(u64::MAX)), vec![]),
        (set(&|filter| filter.number = Some(2)), vec![2]),
        (
            set(&|filter| (filter.ended_from, filter.ended_to) = (end(720), end(1080))),
            vec![3, 2],
        ),
    ] {
        let passed = found(&bed, filter.clone(), Paging::default()).await.0;
        assert_eq!(passed, numbers, "{filter:?}");
    }
}

async fn a_user_sees_the_charges_of_their_jobs_and_of_accounts_they_look_after(bed: Bed) {
    let [bob, cleo, dan] = zone(&bed).await;
    for (user, seen) in [(&bob, vec![3, 2, 1]), (&cleo, vec![3]), (&dan, vec![4])] {
        let charges = listed(&bed, &user.actor, ChargeFilter::default(), Paging::default()).await;
        assert_eq!(tenths(&charges), seen, "{}", user.name);
        assert!(charges.iter().all(|charge| charge.account.is_some()));
        let permit = bed.permit_of::<Charges>(&user.actor).await;
        let page = bed
            .accounts
            .billed_jobs(&permit, JobFilter::default(), Paging::default())
            .await;
        assert_eq!(
            page.expect("listed").count,
            u64::try_from(seen.len()).expect("small")
        );
        let total = bed
            .accounts
            .charges_total(&permit, ChargeFilter::default())
            .await
            .expect("added up");
        assert_eq!(total.amount.ten_thousandths() / 1000, seen.iter().sum::<i64>());
        let books = bed.accounts.ledger(&permit).await;
        assert!(matches!(books, Err(Error::NotFound { .. })), "{books:?}");
    }
}

async fn a_comment_holds_what_the_job_has(bed: Bed) {
    zone(&bed).await;
    let charges = listed(&bed, &bed.owner, ChargeFilter::default(), Paging::default()).await;
    assert_eq!(charges[0].comment, "集群: local，作业ID：4");
    assert_eq!(
        (
            charges[0].job,
            charges[0].user.as_str(),
            charges[0].tenant.as_str()
        ),
        (4, "dan_1", "default")
    );
}

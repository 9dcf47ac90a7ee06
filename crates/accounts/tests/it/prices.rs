//! Prices: which one counts where and for whom.

use accounts::{Error, NewPrice, PriceItem, Prices, price::Amount};

use crate::bed::{Bed, job, money, on_both_engines, price};

on_both_engines!(
    the_newest_price_of_a_path_counts_and_the_others_are_kept,
    a_tenant_s_own_price_stands_before_everybody_s,
    a_price_of_a_quality_of_service_stands_before_its_partition_s,
    bad_prices_are_refused,
);

async fn list(bed: &Bed, tenant: Option<&str>) -> (Vec<String>, Vec<String>) {
    let permit = bed.permit::<Prices>().await;
    let list = bed.accounts.prices(&permit, tenant, false).await.expect("listed");
    let ids = |items: Vec<PriceItem>| items.into_iter().map(|item| item.id).collect();
    (ids(list.active), ids(list.history))
}

fn named(id: &str, tenant: Option<&str>, path: &str) -> NewPrice {
    NewPrice {
        id: Some(id.to_owned()),
        tenant: tenant.map(str::to_owned),
        ..price(path, "1")
    }
}

async fn the_newest_price_of_a_path_counts_and_the_others_are_kept(bed: Bed) {
    let set = bed.try_price(price("local.main", "0.5")).await.expect("set");
    assert_eq!(
        (set.id.as_str(), set.tenant, set.price, set.amount),
        ("P0001", None, money("0.5"), Amount::CpusAlloc)
    );
    bed.try_price(named("b", None, "local.main")).await.expect("set");
    bed.try_price(named("P0003", None, "local.main.low"))
        .await
        .expect("set");
    bed.try_price(named("P0005", None, "other.main"))
        .await
        .expect("set");
    // The zone's own ids pass by those that were given.
    let set = bed.try_price(price("local.main", "0.7")).await.expect("set");
    assert_eq!(set.id, "P0005x");
    let (active, history) = list(&bed, None).await;
    assert_eq!(
        (active, history),
        (
            ["P0005x", "P0003", "P0005"].map(str::to_owned).to_vec(),
            ["P0001", "b"].map(str::to_owned).to_vec(),
        )
    );
    let permit = bed.permit::<Prices>().await;
    let active_only = bed.accounts.prices(&permit, None, true).await.expect("listed");
    assert_eq!((active_only.active.len(), active_only.history.len()), (3, 0));
}

async fn a_tenant_s_own_price_stands_before_everybody_s(bed: Bed) {
    bed.tenant("physics").await;
    let bob = bed.user("bob").await;
    for new in [
        named("all", None, "local.main"),
        named("all-gpu", None, "local.gpu"),
        named("own", Some("Default"), "local.main"),
        named("physics", Some("physics"), "local.gpu"),
    ] {
        bed.try_price(new).await.expect("set");
    }
    let words = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        list(&bed, Some("default")).await,
        (words(&["all-gpu", "own"]), words(&["all"]))
    );
    assert_eq!(
        list(&bed, Some("physics")).await,
        (words(&["physics", "all"]), words(&["all-gpu"]))
    );
    let (active, _) = list(&bed, None).await;
    assert_eq!(active.len(), 4);
    let permit = bed.permit::<Prices>().await;
    let nowhere = bed.accounts.prices(&permit, Some("nowhere"), true).await;
    assert!(
        matches!(nowhere, Err(Error::TenantNotFound { .. })),
        "{nowhere:?}"
    );
    // A member sees what their own tenant's accounts pay, and no other tenant's prices.
    let permit = bed.permit_of::<Prices>(&bob.actor).await;
    for tenant in [None, Some("default")] {
        let own = bed.accounts.prices(&permit, tenant, true).await.expect("listed");
        assert_eq!(
            own.active.into_iter().map(|item| item.id).collect::<Vec<_>>(),
            ["all-gpu", "own"]
        );
    }
    let other = bed.accounts.prices(&permit, Some("physics"), true).await;
    assert!(matches!(other, Err(Error::TenantNotFound { .. })), "{other:?}");
}

async fn a_price_of_a_quality_of_service_stands_before_its_partition_s(bed: Bed) {
    let bob = bed.user("bob").await;
    bed.account("lab", &bob).await;
    bed.pay("lab", "1000").await;
    for (path, unit) in [
        ("local.main", "1"),
        ("local.main.low", "2"),
        ("local.other", "3"),
        ("elsewhere.main", "4"),
    ] {
        bed.price(path, unit).await;
    }
    for (number, partition, qos, hold) in [
        (1, "main", "", "1"),
        (2, "main", "low", "2"),
        (3, "main", "high", "1"),
        (4, "other", "low", "3"),
    ] {
        let mut asked = job(number, &bob);
        asked.partition.name = partition.to_owned();
        asked.qos = qos.to_owned();
        let admitted = bed.submit(asked).await.expect("admitted");
        assert_eq!(admitted.hold, money(hold), "{partition} {qos}");
    }
}

async fn bad_prices_are_refused(bed: Bed) {
    bed.try_price(named("one", None, "local.main"))
        .await
        .expect("set");
    let again = bed.try_price(named("one", None, "local.other")).await;
    assert!(matches!(again, Err(Error::PriceExists { .. })), "{again:?}");
    let nowhere = bed.try_price(named("two", Some("nowhere"), "local.main")).await;
    assert!(
        matches!(nowhere, Err(Error::TenantNotFound { .. })),
        "{nowhere:?}"
    );
    for path in ["", "local", ".", "local.", ".main", "a.b.c.d", "a..c", "a. "] {
        match bed.try_price(price(path, "1")).await {
            Err(Error::Invalid(faults)) => assert_eq!(faults.0[0].field, "path", "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    let mut bad = named("", None, "local");
    bad.price = money("-0.0001");
    bad.description = "d".repeat(256);
    match bed.try_price(bad).await {
        Err(Error::Invalid(faults)) => {
            let fields: Vec<&str> = faults.0.iter().map(|fault| fault.field).collect();
            assert_eq!(fields, ["item_id", "path", "price", "description"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bed.number("SELECT COUNT(*) FROM price_items").await, 1);
}

//! Prices are added, never changed, and listed by path.

use wire::scow::server::{
    GetBillingItemsRequest, GetBillingItemsResponse, GetMissingDefaultPriceItemsRequest,
};

use super::bed::{Bed, money, new_price};
use crate::zone::bearing;

async fn listed(bed: &Bed, tenant: Option<&str>, active_only: bool) -> GetBillingItemsResponse {
    let asked = GetBillingItemsRequest {
        tenant_name: tenant.map(str::to_owned),
        active_only,
    };
    let answer = bed.job_calls().get_billing_items(bearing(&bed.ada, asked)).await;
    answer.expect("prices").into_inner()
}

fn ids(items: &[wire::scow::server::JobBillingItem]) -> Vec<&str> {
    let mut ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn the_newest_price_of_a_path_is_active_and_a_tenants_own_covers_it() {
    let bed = Bed::new().await;
    bed.price("a", None, money(1, 0)).await;
    bed.price("b", None, money(2, 5)).await;
    bed.price("c", Some("default"), money(3, 0)).await;
    let with_qos = wire::scow::server::AddBillingItemRequest {
        path: "local.local.normal".to_owned(),
        amount_strategy: "max-cpusAlloc-mem".to_owned(),
        ..new_price("d", None, money(4, 0))
    };
    let added = bed
        .job_calls()
        .add_billing_item(bearing(&bed.ada, with_qos))
        .await;
    added.expect("a price with a QOS");

    let of_tenant = listed(&bed, Some("default"), false).await;
    assert_eq!(ids(&of_tenant.active_items), ["c", "d"]);
    let of_all = listed(&bed, None, false).await;
    assert_eq!(ids(&of_all.active_items), ["b", "c", "d"]);
    assert_eq!(ids(&of_all.history_items), ["a"]);
    assert!(listed(&bed, None, true).await.history_items.is_empty());

    let b = of_all
        .active_items
        .iter()
        .find(|item| item.id == "b")
        .expect("it is active");
    assert_eq!(
        (b.path.as_str(), b.amount_strategy.as_str()),
        ("local.local", "cpusAlloc")
    );
    assert_eq!((b.price, b.tenant_name.as_deref()), (Some(money(2, 5)), None));
    assert!(b.create_time.is_some());
    let c = of_all
        .active_items
        .iter()
        .find(|item| item.id == "c")
        .expect("it is active");
    assert_eq!(c.tenant_name.as_deref(), Some("default"));
}

#[tokio::test]
async fn a_partition_without_a_price_for_everybody_is_told() {
    let bed = Bed::new().await;
    let missing = async || {
        let asked = bearing(&bed.ada, GetMissingDefaultPriceItemsRequest {});
        let answer = bed.job_calls().get_missing_default_price_items(asked).await;
        answer.expect("paths").into_inner().items
    };
    assert_eq!(missing().await, ["local.local.normal"]);
    bed.price("own", Some("default"), money(1, 0)).await;
    assert_eq!(missing().await, ["local.local.normal"]);
    bed.price("all", None, money(1, 0)).await;
    assert!(missing().await.is_empty());
}

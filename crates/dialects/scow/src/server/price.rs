//! Prices, as SCOW's `JobService` has them: items that are added and listed.
//!
//! What it leaves to others: which of them a job has, and what it costs (`accounts`).

use std::str::FromStr as _;

use accounts::{NewPrice, Price, Prices, price::Amount};
use tonic::{Request, Response, Status};
use wire::scow::server::{
    AddBillingItemRequest, AddBillingItemResponse, GetBillingItemsRequest, GetBillingItemsResponse,
    GetMissingDefaultPriceItemsRequest, GetMissingDefaultPriceItemsResponse,
};

use crate::{
    server::{Management, fault, fields::Fields, fitting, row},
    submit::QOS,
};

/// `AddBillingItem`.
pub(super) async fn add(
    side: &Management,
    request: Request<AddBillingItemRequest>,
) -> Result<Response<AddBillingItemResponse>, Status> {
    let (permit, message) = side.permit::<Price, _>(request).await?;
    let mut fields = Fields::new();
    let price = fields.money("price", message.price.as_ref());
    let amount = Amount::from_str(&message.amount_strategy);
    fields.check(
        amount.is_ok(),
        "amount_strategy",
        "is not known",
        &Amount::ALL.map(Amount::word).join(", "),
    );
    fields.check(
        !message.item_id.is_empty(),
        "item_id",
        "is empty",
        "an id that no other item has",
    );
    fields.finish()?;
    let new = NewPrice {
        id: Some(message.item_id),
        tenant: message.tenant_name,
        path: message.path,
        price,
        amount: amount.unwrap_or(Amount::CpusAlloc),
        description: message.description.unwrap_or_default(),
    };
    let added = side.accounts.add_price(permit, new).await;
    added.map_err(fault::accounts)?;
    Ok(Response::new(AddBillingItemResponse {}))
}

/// `GetMissingDefaultPriceItems`: the zone's partition, where neither it nor its one QOS has a price for everybody.
pub(super) async fn missing(
    side: &Management,
    request: Request<GetMissingDefaultPriceItemsRequest>,
) -> Result<Response<GetMissingDefaultPriceItemsResponse>, Status> {
    let (permit, _) = side.permit::<Prices, _>(request).await?;
    let prices = side.accounts.prices(&permit, None, true).await;
    let prices = prices.map_err(fault::accounts)?;
    let cluster = side.callers.cluster();
    let partition = format!("{cluster}.{cluster}");
    let whole = format!("{partition}.{QOS}");
    let has = |path: &str| {
        prices
            .active
            .iter()
            .any(|item| item.tenant.is_none() && item.path == path)
    };
    let items = if has(&partition) || has(&whole) {
        Vec::new()
    } else {
        vec![whole]
    };
    Ok(Response::new(GetMissingDefaultPriceItemsResponse { items }))
}

/// `GetBillingItems`.
pub(super) async fn list(
    side: &Management,
    request: Request<GetBillingItemsRequest>,
) -> Result<Response<GetBillingItemsResponse>, Status> {
    let (permit, message) = side.permit::<Prices, _>(request).await?;
    let tenant = message.tenant_name.as_deref();
    let prices = side.accounts.prices(&permit, tenant, message.active_only).await;
    let prices = prices.map_err(fault::accounts)?;
    Ok(Response::new(GetBillingItemsResponse {
        active_items: fitting(prices.active.into_iter().map(row::price).collect())?,
        history_items: fitting(prices.history.into_iter().map(row::price).collect())?,
    }))
}

//! The commands about prices: setting one, listing those that hold.
//!
//! What it leaves to others: what a job costs by them (the server, which also tells the rule in words).

use serde_json::{Value, json};
use wire::soke::v1::{self, PriceBasis, account_service_client::AccountServiceClient};

use crate::{
    Error,
    args::{Basis, Price},
    client::{Client, Surroundings},
    json::{instant, money, sum},
    terminal::say,
};

/// Does what was asked.
pub(crate) async fn manage(surroundings: &Surroundings, command: Price) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    match command {
        Price::Set {
            path,
            price,
            basis,
            tenant,
            id,
            description,
            form,
        } => {
            let message = v1::SetPriceRequest {
                price_id: id,
                path,
                tenant,
                price: Some(money(price)),
                basis: on_the_wire(basis).into(),
                description,
            };
            let answer = client
                .call(message, |request| accounts.set_price(request))
                .await?;
            let price = answer.price.ok_or(Error::Answer("a price without a record"))?;
            if form.json {
                return say(as_json(&price));
            }
            let whose = if price.tenant.is_empty() {
                String::new()
            } else {
                format!(" for accounts of tenant {}", price.tenant)
            };
            let (sum, what) = (sum(price.price.as_ref()), told(price.basis()));
            say(format_args!("{}: {sum} per hour of {what}{whose}", price.path))
        }
        Price::List { tenant, all, json } => {
            let message = v1::ListPricesRequest {
                tenant,
                with_history: all,
            };
            let answer = client
                .call(message, |request| accounts.list_prices(request))
                .await?;
            list(&answer, json)
        }
    }
}

fn list(answer: &v1::ListPricesResponse, as_lines: bool) -> Result<(), Error> {
    if as_lines {
        return answer.prices.iter().try_for_each(|price| say(as_json(price)));
    }
    say(format_args!(
        "{:<28} {:>14}  {:<16} {:<16} {:<7}  {}",
        "PATH", "PER HOUR", "OF", "TENANT", "STATE", "ID"
    ))?;
    for price in &answer.prices {
        say(format_args!(
            "{:<28} {:>14}  {:<16} {:<16} {:<7}  {}",
            price.path,
            sum(price.price.as_ref()),
            word(price.basis()),
            price.tenant,
            if price.active { "holds" } else { "past" },
            price.price_id,
        ))?;
    }
    say(&answer.rule)
}

const fn on_the_wire(basis: Basis) -> PriceBasis {
    match basis {
        Basis::Cores => PriceBasis::Cores,
        Basis::Gpus => PriceBasis::Gpus,
        Basis::GpusOrCores => PriceBasis::GpusOrCores,
        Basis::CoresOrMemory => PriceBasis::CoresOrMemory,
    }
}

/// As the command line takes it.
const fn word(basis: PriceBasis) -> &'static str {
    match basis {
        PriceBasis::Unspecified => "unknown",
        PriceBasis::Cores => "cores",
        PriceBasis::Gpus => "gpus",
        PriceBasis::GpusOrCores => "gpus-or-cores",
        PriceBasis::CoresOrMemory => "cores-or-memory",
    }
}

const fn told(basis: PriceBasis) -> &'static str {
    match basis {
        PriceBasis::Unspecified => "what this command does not know",
        PriceBasis::Cores => "one core",
        PriceBasis::Gpus => "one GPU",
        PriceBasis::GpusOrCores => "one GPU, or as many cores as come with one",
        PriceBasis::CoresOrMemory => "one core, or as much memory as comes with one",
    }
}

fn as_json(price: &v1::Price) -> Value {
    json!({
        "price_id": price.price_id,
        "path": price.path,
        "tenant": price.tenant,
        "price": sum(price.price.as_ref()),
        "basis": word(price.basis()),
        "description": price.description,
        "created_at": instant(price.created_at.as_ref()),
        "active": price.active,
    })
}

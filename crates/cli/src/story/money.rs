//! Who pays for the work of the first run: an account, a price, what was held and charged, and the ledger.
//!
//! What it leaves to others: counting money (the zone).

use model::{ErrorKind, Money};
use wire::soke::v1::{self, account_service_client::AccountServiceClient};

use super::{fact, person};
use crate::{
    Error,
    client::Client,
    files::OWN_CLUSTER,
    json::{money, sum},
};

/// What the account is called.
const ACCOUNT: &str = "lab";
/// What is paid in.
const PAID: Money = Money::from_ten_thousandths(1_000_000);
/// What an hour of a core costs.
const PRICE: Money = Money::from_ten_thousandths(10_000);

/// Makes the person an account with money on it, and gives work a price.
pub(super) async fn begin(keeper: &Client) -> Result<(), Error> {
    let mut accounts = AccountServiceClient::new(keeper.channel());
    let message = v1::CreateAccountRequest {
        name: ACCOUNT.to_owned(),
        tenant: String::new(),
        owner_user_name: person::NAME.to_owned(),
        comment: "of the first run".to_owned(),
    };
    keeper
        .call(message, |request| accounts.create_account(request))
        .await?;
    let message = v1::SetPriceRequest {
        path: format!("{OWN_CLUSTER}.{OWN_CLUSTER}"),
        price: Some(money(PRICE)),
        basis: v1::PriceBasis::Cores.into(),
        description: "an hour of a core".to_owned(),
        ..v1::SetPriceRequest::default()
    };
    keeper
        .call(message, |request| accounts.set_price(request))
        .await?;
    let message = v1::PayRequest {
        account: ACCOUNT.to_owned(),
        amount: Some(money(PAID)),
        comment: "of the first run".to_owned(),
        ..v1::PayRequest::default()
    };
    let paid = keeper.call(message, |request| accounts.pay(request)).await?;
    fact(
        format_args!("account {ACCOUNT}"),
        format_args!(
            "{} paid in for {}; an hour of a core costs {}",
            sum(paid.balance.as_ref()),
            person::NAME,
            PRICE
        ),
    )
}

/// Shows what a job was charged, what is left, and that no money was lost.
pub(super) async fn show_charge(keeper: &Client, job: &v1::Job) -> Result<(), Error> {
    let mut accounts = AccountServiceClient::new(keeper.channel());
    let message = v1::ListChargesRequest {
        account: ACCOUNT.to_owned(),
        ..v1::ListChargesRequest::default()
    };
    let charges = keeper
        .call(message, |request| accounts.list_charges(request))
        .await?;
    let charged = charges.total_amount.as_ref();
    if charges.total_count != 1 || charged.is_none_or(|charged| charged.ten_thousandths <= 0) {
        return Err(Error::Answer("the first job was not charged once"));
    }
    let left = balance(keeper).await?;
    let together = ledger_sum(keeper).await?;
    let kept = left.ten_thousandths + charged.map_or(0, |charged| charged.ten_thousandths);
    if together != 0 || kept != PAID.ten_thousandths() {
        return Err(Error::Answer("the books do not add up"));
    }
    fact(
        "charged",
        format_args!(
            "{} of {} held; balance {}; the ledger sums to {together}",
            sum(charged),
            sum(job.held.as_ref()),
            sum(Some(&left))
        ),
    )
}

/// Shows on a later start what the account has, where there is one.
pub(super) async fn show_balance(client: &Client) -> Result<(), Error> {
    let both = async { Ok::<_, Error>((balance(client).await?, ledger_sum(client).await?)) };
    match both.await {
        Ok((left, together)) => fact(
            format_args!("account {ACCOUNT}"),
            format_args!("balance {}; the ledger sums to {together}", sum(Some(&left))),
        ),
        // Not everybody may see them, and not every zone has one.
        Err(fault) if [ErrorKind::NotFound, ErrorKind::Denied].contains(&fault.kind()) => Ok(()),
        Err(other) => Err(other),
    }
}

async fn balance(client: &Client) -> Result<v1::Money, Error> {
    let mut accounts = AccountServiceClient::new(client.channel());
    let message = v1::GetAccountRequest {
        name: ACCOUNT.to_owned(),
    };
    let answer = client
        .call(message, |request| accounts.get_account(request))
        .await?;
    let account = answer
        .account
        .ok_or(Error::Answer("an account without a record"))?;
    account
        .balance
        .ok_or(Error::Answer("an account without a balance"))
}

async fn ledger_sum(client: &Client) -> Result<i64, Error> {
    let mut accounts = AccountServiceClient::new(client.channel());
    let answer = client
        .call(v1::GetLedgerRequest {}, |request| accounts.get_ledger(request))
        .await?;
    answer
        .sum
        .map(|sum| sum.ten_thousandths)
        .ok_or(Error::Answer("a ledger without a sum"))
}

//! The commands about money that moves: paying in, payments, charges, and the ledger that holds both.
//!
//! What it leaves to others: what is charged when (the server).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire::soke::v1::{self, account_service_client::AccountServiceClient};

use crate::{
    Error,
    args::{Charges, Form, Pay, Payments},
    client::{Client, Surroundings},
    json::{instant, money, sum},
    terminal::{remark, say},
};

/// The most of one page.
const PAGE: u32 = 1000;

/// Records a payment.
pub(crate) async fn pay(surroundings: &Surroundings, what: Pay) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    let name = what.account.clone();
    let (account, tenant) = if what.tenant {
        (String::new(), what.account)
    } else {
        let found = crate::accounts::one(&client, &name).await?;
        let account = found
            .account
            .ok_or(Error::Answer("an account without a record"))?;
        (account.name, account.tenant)
    };
    let message = v1::PayRequest {
        account,
        tenant,
        amount: Some(money(what.amount)),
        kind: what.kind,
        comment: what.comment,
        request_id: what.request_id,
    };
    let paid = client.call(message, |request| accounts.pay(request)).await?;
    let (before, now) = (sum(paid.balance_before.as_ref()), sum(paid.balance.as_ref()));
    if what.form.json {
        return say(json!({
            "number": paid.number,
            "name": name,
            "amount": what.amount.to_string(),
            "balance_before": before,
            "balance": now,
        }));
    }
    say(format_args!("{name} has {now}, {before} before"))
}

/// Lists charges.
pub(crate) async fn charges(surroundings: &Surroundings, which: &Charges) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    let mut left = which.most.max(1);
    let mut page_token = String::new();
    if !which.json {
        say(format_args!(
            "{:<20} {:<24} {:<16} {:>16}  {:<12} {}",
            "AT", "CHARGED", "FOR USER", "AMOUNT", "KIND", "COMMENT"
        ))?;
    }
    loop {
        let message = v1::ListChargesRequest {
            page_size: left.min(PAGE),
            page_token,
            account: which.account.clone(),
            tenant: which.tenant.clone(),
            user_name: which.user.clone(),
            of_tenants: which.of_tenants,
        };
        let page = client
            .call(message, |request| accounts.list_charges(request))
            .await?;
        for charge in &page.charges {
            if which.json {
                say(charge_as_json(charge))?;
            } else {
                let whose = whose(&charge.account, &charge.tenant);
                let user = &charge.user_name;
                let (amount, kind) = (sum(charge.amount.as_ref()), &charge.kind);
                let at = short(charge.charged_at.as_ref());
                let comment = &charge.comment;
                say(format_args!(
                    "{at:<20} {whose:<24} {user:<16} {amount:>16}  {kind:<12} {comment}"
                ))?;
            }
        }
        left = left.saturating_sub(u32::try_from(page.charges.len()).unwrap_or(u32::MAX));
        if page.next_page_token.is_empty() || left == 0 {
            let (all, total) = (page.total_count, sum(page.total_amount.as_ref()));
            return remark(format_args!("charges: {all}, together {total}"));
        }
        page_token = page.next_page_token;
    }
}

/// Lists payments.
pub(crate) async fn payments(surroundings: &Surroundings, which: &Payments) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    let mut left = which.most.max(1);
    let mut page_token = String::new();
    if !which.json {
        say(format_args!(
            "{:<20} {:<24} {:>16}  {:<12} {:<16} {}",
            "AT", "FOR", "AMOUNT", "KIND", "RECORDED BY", "COMMENT"
        ))?;
    }
    loop {
        let message = v1::ListPaymentsRequest {
            page_size: left.min(PAGE),
            page_token,
            account: which.account.clone(),
            tenant: which.tenant.clone(),
            of_tenants: which.of_tenants,
        };
        let page = client
            .call(message, |request| accounts.list_payments(request))
            .await?;
        for payment in &page.payments {
            if which.json {
                say(payment_as_json(payment))?;
            } else {
                let whose = whose(&payment.account, &payment.tenant);
                let by = &payment.operator;
                let (amount, kind) = (sum(payment.amount.as_ref()), &payment.kind);
                let at = short(payment.paid_at.as_ref());
                let comment = &payment.comment;
                say(format_args!(
                    "{at:<20} {whose:<24} {amount:>16}  {kind:<12} {by:<16} {comment}"
                ))?;
            }
        }
        left = left.saturating_sub(u32::try_from(page.payments.len()).unwrap_or(u32::MAX));
        if page.next_page_token.is_empty() || left == 0 {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

/// Shows every book and the sum of all.
pub(crate) async fn ledger(surroundings: &Surroundings, form: Form) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    let ledger = client
        .call(v1::GetLedgerRequest {}, |request| accounts.get_ledger(request))
        .await?;
    let names = names(&client).await?;
    let named = |book: &str| match book.split_once(':') {
        Some((kind, id)) => names.get(id).map(|name| format!("{kind}:{name}")),
        None => None,
    };
    let total = sum(ledger.sum.as_ref());
    if form.json {
        let books = ledger.books.iter();
        let books: Vec<Value> = books
            .map(|book| json!({"book": book.name, "named": named(&book.name), "balance": sum(book.balance.as_ref())}))
            .collect();
        return say(json!({"books": books, "sum": total}));
    }
    for book in &ledger.books {
        let name = named(&book.name).unwrap_or_else(|| book.name.clone());
        say(format_args!("{name:<44} {:>20}", sum(book.balance.as_ref())))?;
    }
    say(format_args!("{:<44} {total:>20}", "sum"))
}

/// The names of tenants and accounts by their ids, which the books bear.
async fn names(client: &Client) -> Result<BTreeMap<String, String>, Error> {
    let mut accounts = AccountServiceClient::new(client.channel());
    let tenants = client
        .call(v1::ListTenantsRequest {}, |request| {
            accounts.list_tenants(request)
        })
        .await?;
    let all = client
        .call(v1::ListAccountsRequest::default(), |request| {
            accounts.list_accounts(request)
        })
        .await?;
    let tenants = tenants.tenants.into_iter();
    let names = tenants.map(|tenant| (tenant.tenant_id, tenant.name));
    let accounts = all.accounts.into_iter();
    Ok(names
        .chain(accounts.map(|account| (account.account_id, account.name)))
        .collect())
}

fn whose(account: &str, tenant: &str) -> String {
    if account.is_empty() {
        format!("tenant {tenant}")
    } else {
        account.to_owned()
    }
}

/// An instant to the second.
fn short(at: Option<&prost_types::Timestamp>) -> String {
    let at = at.and_then(|at| jiff::Timestamp::from_second(at.seconds).ok());
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn charge_as_json(charge: &v1::Charge) -> Value {
    json!({
        "number": charge.number,
        "tenant": charge.tenant,
        "account": (!charge.account.is_empty()).then_some(&charge.account),
        "user_name": (!charge.user_name.is_empty()).then_some(&charge.user_name),
        "amount": sum(charge.amount.as_ref()),
        "kind": charge.kind,
        "comment": charge.comment,
        "charged_at": instant(charge.charged_at.as_ref()),
    })
}

fn payment_as_json(payment: &v1::Payment) -> Value {
    json!({
        "number": payment.number,
        "tenant": payment.tenant,
        "account": (!payment.account.is_empty()).then_some(&payment.account),
        "amount": sum(payment.amount.as_ref()),
        "kind": payment.kind,
        "comment": payment.comment,
        "operator": payment.operator,
        "paid_at": instant(payment.paid_at.as_ref()),
    })
}

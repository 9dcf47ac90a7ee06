//! `soke.v1.AccountService`: who pays, what costs how much, what was paid, and the books.
//!
//! What it leaves to others: every rule about money (`accounts`), and its forms on the wire (`account_form`).

use accounts::{
    AccountFilter, Charges, Create, Join, Look, NewAccount, NewMember, NewPrice, Pay, Payment, Price, Prices,
};
use model::Money;
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, account_service_server::AccountService},
};

use caller::Callers;

use crate::{account_form as form, fault, records::Records};

/// What a payment is where the caller names no kind.
const USUAL_KIND: &str = "payment";

/// Serves the calls about money.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub(crate) callers: Callers,
    pub(crate) accounts: accounts::Handle,
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn create_account(
        &self,
        request: Request<v1::CreateAccountRequest>,
    ) -> Result<Response<v1::CreateAccountResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Create>(&metadata, &extensions).await?;
        let owner = match given(message.owner_user_name) {
            Some(owner) => owner,
            None => {
                let caller = permit.user().map_err(caller::fault::access)?;
                caller.name.to_string()
            }
        };
        let new = NewAccount {
            name: message.name,
            tenant: tenant(message.tenant),
            owner,
            comment: message.comment,
        };
        let made = self.accounts.create_account(permit, new).await;
        Ok(Response::new(v1::CreateAccountResponse {
            account: Some(form::account(made.map_err(fault::accounts)?)),
        }))
    }

    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Look>(&metadata, &extensions).await?;
        needed("name", &message.name, "the name of an account")?;
        let filter = AccountFilter {
            name: Some(message.name.clone()),
            tenant: None,
        };
        let found = self.accounts.accounts(&permit, filter).await;
        let found = found.map_err(fault::accounts)?.into_iter().next();
        let members = self.accounts.members(&permit, &message.name).await;
        Ok(Response::new(v1::GetAccountResponse {
            members: form::members(members.map_err(fault::accounts)?),
            account: found.map(form::account),
        }))
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Look>(&metadata, &extensions).await?;
        let filter = AccountFilter {
            tenant: given(message.tenant),
            name: None,
        };
        let found = self.accounts.accounts(&permit, filter).await;
        let found = found.map_err(fault::accounts)?;
        Ok(Response::new(v1::ListAccountsResponse {
            accounts: found.into_iter().map(form::account).collect(),
        }))
    }

    async fn list_tenants(
        &self,
        request: Request<v1::ListTenantsRequest>,
    ) -> Result<Response<v1::ListTenantsResponse>, Status> {
        let (metadata, extensions, _message) = request.into_parts();
        let permit = self.callers.permit::<Look>(&metadata, &extensions).await?;
        let found = self.accounts.tenants(&permit).await.map_err(fault::accounts)?;
        Ok(Response::new(v1::ListTenantsResponse {
            tenants: found.into_iter().map(form::tenant).collect(),
        }))
    }

    async fn add_member(
        &self,
        request: Request<v1::AddMemberRequest>,
    ) -> Result<Response<v1::AddMemberResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Join>(&metadata, &extensions).await?;
        let new = NewMember {
            tenant: None,
            account: message.account,
            user: message.user_name,
        };
        let added = self.accounts.add_user(permit, new).await;
        added.map_err(fault::accounts)?;
        Ok(Response::new(v1::AddMemberResponse {}))
    }

    async fn pay(&self, request: Request<v1::PayRequest>) -> Result<Response<v1::PayResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Pay>(&metadata, &extensions).await?;
        let amount = sum("amount", message.amount.as_ref())?;
        let payer = permit.user().map_err(caller::fault::access)?;
        let address = permit.peer().address;
        let payment = Payment {
            tenant: tenant(message.tenant),
            account: given(message.account),
            amount,
            kind: given(message.kind).unwrap_or_else(|| USUAL_KIND.to_owned()),
            comment: message.comment,
            operator: payer.name.to_string(),
            ip_address: address.map(|address| address.to_string()).unwrap_or_default(),
            request_id: given(message.request_id),
        };
        let paid = self.accounts.pay(permit, payment).await;
        let paid = paid.map_err(fault::accounts)?;
        Ok(Response::new(v1::PayResponse {
            number: paid.id,
            balance_before: Some(form::money(paid.previous)),
            balance: Some(form::money(paid.current)),
        }))
    }

    async fn set_price(
        &self,
        request: Request<v1::SetPriceRequest>,
    ) -> Result<Response<v1::SetPriceResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Price>(&metadata, &extensions).await?;
        let new = new_price(message)?;
        let set = self.accounts.add_price(permit, new).await;
        let set = set.map_err(fault::accounts)?;
        Ok(Response::new(v1::SetPriceResponse {
            price: Some(form::price(set, true)),
        }))
    }

    async fn list_prices(
        &self,
        request: Request<v1::ListPricesRequest>,
    ) -> Result<Response<v1::ListPricesResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Prices>(&metadata, &extensions).await?;
        let tenant = given(message.tenant);
        let listed = self
            .accounts
            .prices(&permit, tenant.as_deref(), !message.with_history);
        let listed = listed.await.map_err(fault::accounts)?;
        let active = listed.active.into_iter().map(|item| form::price(item, true));
        let past = listed.history.into_iter().map(|item| form::price(item, false));
        Ok(Response::new(v1::ListPricesResponse {
            prices: active.chain(past).collect(),
            rule: self.accounts.rule(),
        }))
    }

    async fn list_charges(
        &self,
        request: Request<v1::ListChargesRequest>,
    ) -> Result<Response<v1::ListChargesResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Charges>(&metadata, &extensions).await?;
        Records(&self.accounts).charges(&permit, message).await
    }

    async fn list_payments(
        &self,
        request: Request<v1::ListPaymentsRequest>,
    ) -> Result<Response<v1::ListPaymentsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Charges>(&metadata, &extensions).await?;
        Records(&self.accounts).payments(&permit, message).await
    }

    async fn get_ledger(
        &self,
        request: Request<v1::GetLedgerRequest>,
    ) -> Result<Response<v1::GetLedgerResponse>, Status> {
        let (metadata, extensions, _message) = request.into_parts();
        let permit = self.callers.permit::<Charges>(&metadata, &extensions).await?;
        let ledger = self.accounts.ledger(&permit).await.map_err(fault::accounts)?;
        let books = ledger.books.into_iter().map(|(book, balance)| v1::Book {
            name: book.to_string(),
            balance: Some(form::money(balance)),
        });
        Ok(Response::new(v1::GetLedgerResponse {
            books: books.collect(),
            sum: Some(form::money(ledger.sum)),
        }))
    }
}

/// A field that may be left out.
pub(crate) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn tenant(named: String) -> String {
    given(named).unwrap_or_else(|| accounts::DEFAULT_TENANT.to_owned())
}

fn needed(field: &str, text: &str, want: &str) -> Result<(), Status> {
    let mut faults = FieldFaults::new();
    faults.check(!text.is_empty(), field, "is empty", want);
    faults.finish()
}

/// A sum that may not be left out: nothing is another sum than zero.
fn sum(field: &str, money: Option<&v1::Money>) -> Result<Money, Status> {
    money.map(form::sum).ok_or_else(|| {
        let mut faults = FieldFaults::new();
        faults.add(field, "is missing", "a sum of money");
        faults.into_status()
    })
}

fn new_price(message: v1::SetPriceRequest) -> Result<NewPrice, Status> {
    let mut faults = FieldFaults::new();
    faults.check(
        message.price.is_some(),
        "price",
        "is missing",
        "what an hour costs",
    );
    let amount = form::amount(message.basis);
    faults.check(
        amount.is_some(),
        "basis",
        "is not known",
        "CORES, GPUS, GPUS_OR_CORES or CORES_OR_MEMORY, or nothing for CORES",
    );
    match (message.price, amount) {
        (Some(price), Some(amount)) => Ok(NewPrice {
            id: given(message.price_id),
            tenant: given(message.tenant),
            path: message.path,
            price: form::sum(&price),
            amount,
            description: message.description,
        }),
        _ => Err(faults.into_status()),
    }
}

//! `scow.server.ChargingService`: money paid in, balances, and what was charged.
//!
//! What it leaves to others: the books (`accounts`).

use accounts::{
    AccountFilter, ChargeFilter, ChargeOrder, Charges, Error, Kinds, Look, Paging, Pay, Payment, Target,
};
use tonic::{Request, Response, Status};
use wire::scow::{
    common::SortOrder,
    server::{
        GetBalanceRequest, GetBalanceResponse, GetChargeRecordsTotalCountRequest,
        GetChargeRecordsTotalCountResponse, GetPaginatedChargeRecordsRequest,
        GetPaginatedChargeRecordsResponse, GetPaymentRecordsRequest, GetPaymentRecordsResponse, PayRequest,
        PayResponse,
        charging_service_server::ChargingService,
        get_charge_records_total_count_request::Target as TotalTarget,
        get_paginated_charge_records_request::{SortBy, Target as PageTarget},
    },
};

use crate::server::{
    Management, fault,
    fields::Fields,
    fitting,
    money::written,
    paging::{ORDERS, Page, Zero, order},
    payment, row,
};

/// What SCOW's pages call whatever is no charge of a job.
const OTHER: &str = "其他";
/// The kind that SCOW gives a job's charge when its price is changed afterwards.
const CHANGED_PRICE: &str = "作业费用更改";

#[tonic::async_trait]
impl ChargingService for Management {
    async fn pay(&self, request: Request<PayRequest>) -> Result<Response<PayResponse>, Status> {
        let (permit, message) = self.permit::<Pay, _>(request).await?;
        let mut fields = Fields::new();
        let amount = fields.money("amount", message.amount.as_ref());
        fields.finish()?;
        let payment = Payment {
            tenant: message.tenant_name,
            account: message.account_name,
            amount,
            kind: message.r#type,
            comment: message.comment,
            operator: message.operator_id,
            ip_address: message.ip_address,
            request_id: None,
        };
        let paid = self.accounts.pay(permit, payment).await;
        let paid = paid.map_err(fault::accounts)?;
        Ok(Response::new(PayResponse {
            previous_balance: Some(written(paid.previous)),
            current_balance: Some(written(paid.current)),
        }))
    }

    async fn get_balance(
        &self,
        request: Request<GetBalanceRequest>,
    ) -> Result<Response<GetBalanceResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let balance = match message.account_name {
            None => self.tenant(&permit, &message.tenant_name).await?.balance,
            Some(account) => {
                let filter = AccountFilter {
                    tenant: Some(message.tenant_name),
                    name: Some(account.clone()),
                };
                let found = self.accounts.accounts(&permit, filter).await;
                let mut found = found.map_err(fault::accounts)?;
                let found = found.pop();
                let found = found.ok_or_else(|| fault::accounts(Error::AccountNotFound { account }))?;
                found.balance
            }
        };
        let balance = Some(written(balance));
        Ok(Response::new(GetBalanceResponse { balance }))
    }

    async fn get_payment_records(
        &self,
        request: Request<GetPaymentRecordsRequest>,
    ) -> Result<Response<GetPaymentRecordsResponse>, Status> {
        payment::list(self, request).await
    }

    async fn get_paginated_charge_records(
        &self,
        request: Request<GetPaginatedChargeRecordsRequest>,
    ) -> Result<Response<GetPaginatedChargeRecordsResponse>, Status> {
        let (permit, message) = self.permit::<Charges, _>(request).await?;
        let mut fields = Fields::new();
        fields.few("types", &message.types);
        fields.few("user_ids_or_names", &message.user_ids_or_names);
        let filter = ChargeFilter {
            from: Some(fields.instant("start_time", message.start_time.as_ref())),
            to: Some(fields.instant("end_time", message.end_time.as_ref())),
            target: message.target.map_or(Target::Everything, page_target),
            #[expect(deprecated, reason = "old clients send it")]
            kinds: self.kinds(message.r#type, message.types),
            user: None,
            users_like: message.user_ids_or_names,
        };
        let page = Page::read(&mut fields, message.page, message.page_size, Zero::IsNone);
        let by = fields.choice("sort_by", message.sort_by, "USER_ID, TIME, AMOUNT or TYPE");
        let by = by.and_then(|by| match by {
            SortBy::UserId => Some(ChargeOrder::User),
            SortBy::Time => Some(ChargeOrder::Time),
            SortBy::Amount => Some(ChargeOrder::Amount),
            SortBy::Type => Some(ChargeOrder::Kind),
            SortBy::Unknown => {
                fields.check(false, "sort_by", "is UNKNOWN", "USER_ID, TIME, AMOUNT or TYPE");
                None
            }
        });
        let direction: Option<SortOrder> = fields.choice("sort_order", message.sort_order, ORDERS);
        fields.finish()?;
        let paging = Paging {
            offset: page.skip,
            limit: Some(page.take),
            order: Some(order(by, direction).unwrap_or((ChargeOrder::Time, false))),
        };
        let found = self.accounts.charges(&permit, filter, paging).await;
        let found = found.map_err(fault::accounts)?;
        let results = fitting(found.into_iter().map(row::charge).collect())?;
        Ok(Response::new(GetPaginatedChargeRecordsResponse { results }))
    }

    async fn get_charge_records_total_count(
        &self,
        request: Request<GetChargeRecordsTotalCountRequest>,
    ) -> Result<Response<GetChargeRecordsTotalCountResponse>, Status> {
        let (permit, message) = self.permit::<Charges, _>(request).await?;
        let mut fields = Fields::new();
        fields.few("types", &message.types);
        fields.few("user_ids_or_names", &message.user_ids_or_names);
        let filter = ChargeFilter {
            from: Some(fields.instant("start_time", message.start_time.as_ref())),
            to: Some(fields.instant("end_time", message.end_time.as_ref())),
            target: message.target.map_or(Target::Everything, total_target),
            #[expect(deprecated, reason = "old clients send it")]
            kinds: self.kinds(message.r#type, message.types),
            user: None,
            users_like: message.user_ids_or_names,
        };
        fields.finish()?;
        let total = self.accounts.charges_total(&permit, filter).await;
        let total = total.map_err(fault::accounts)?;
        Ok(Response::new(GetChargeRecordsTotalCountResponse {
            total_amount: Some(written(total.amount)),
            total_count: total.count,
        }))
    }
}

impl Management {
    /// The kinds that a filter's `types` and old `type` ask for (contract of the management side, 6.1).
    fn kinds(&self, kind: Option<String>, kinds: Vec<String>) -> Kinds {
        if !kinds.is_empty() {
            return Kinds::Only(kinds);
        }
        match kind.filter(|kind| !kind.is_empty()) {
            None => Kinds::Any,
            Some(kind) if kind == OTHER => Kinds::Not(vec![
                self.accounts.config().job_charge_type.clone(),
                CHANGED_PRICE.to_owned(),
            ]),
            Some(kind) => Kinds::Only(vec![kind]),
        }
    }
}

fn page_target(target: PageTarget) -> Target {
    match target {
        PageTarget::AccountOfTenant(one) => Target::AccountsOf {
            tenant: one.tenant_name,
            accounts: vec![one.account_name],
        },
        PageTarget::AccountsOfTenant(some) => Target::AccountsOf {
            tenant: some.tenant_name,
            accounts: some.account_names,
        },
        PageTarget::AccountsOfAllTenants(some) => Target::Accounts(some.account_names),
        PageTarget::Tenant(one) => Target::Tenant(one.tenant_name),
        PageTarget::AllTenants(_) => Target::AllTenants,
    }
}

/// The same, of the same messages: each request has an enumeration of its own.
fn total_target(target: TotalTarget) -> Target {
    page_target(match target {
        TotalTarget::AccountOfTenant(one) => PageTarget::AccountOfTenant(one),
        TotalTarget::AccountsOfTenant(some) => PageTarget::AccountsOfTenant(some),
        TotalTarget::AccountsOfAllTenants(some) => PageTarget::AccountsOfAllTenants(some),
        TotalTarget::Tenant(one) => PageTarget::Tenant(one),
        TotalTarget::AllTenants(all) => PageTarget::AllTenants(all),
    })
}

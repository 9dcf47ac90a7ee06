//! Payments, as SCOW's `ChargingService` lists them.
//!
//! What it leaves to others: paying (`charging`), the books (`accounts`).

use accounts::{Charges, Paging, PaymentFilter, Target};
use model::Money;
use tonic::{Request, Response, Status};
use wire::scow::server::{
    GetPaymentRecordsRequest, GetPaymentRecordsResponse, get_payment_records_request::Target as Asked,
};

use crate::server::{Management, fault, fields::Fields, fitting, money::written, paging::MOST_ROWS, row};

/// `GetPaymentRecords`: the newest first.
pub(super) async fn list(
    side: &Management,
    request: Request<GetPaymentRecordsRequest>,
) -> Result<Response<GetPaymentRecordsResponse>, Status> {
    let (permit, message) = side.permit::<Charges, _>(request).await?;
    let mut fields = Fields::new();
    let filter = PaymentFilter {
        from: Some(fields.instant("start_time", message.start_time.as_ref())),
        to: Some(fields.instant("end_time", message.end_time.as_ref())),
        target: fields
            .required("target", message.target)
            .map_or(Target::Everything, target),
        kinds: message.types,
    };
    fields.finish()?;
    let paging = Paging {
        limit: Some(MOST_ROWS),
        ..Paging::default()
    };
    let found = side.accounts.payments(&permit, filter, paging).await;
    let found = found.map_err(fault::accounts)?;
    let sum = found
        .iter()
        .try_fold(Money::ZERO, |sum, one| sum.checked_add(one.amount));
    let step = "add up the payments";
    let sum = sum.ok_or_else(|| fault::accounts(accounts::Error::Overflow { step }))?;
    Ok(Response::new(GetPaymentRecordsResponse {
        results: fitting(found.into_iter().map(row::payment).collect())?,
        total: Some(written(sum)),
    }))
}

fn target(asked: Asked) -> Target {
    match asked {
        // The real program forgets this one, and shows everybody's payments.
        Asked::AccountOfTenant(one) => Target::AccountsOf {
            tenant: one.tenant_name,
            accounts: vec![one.account_name],
        },
        Asked::AccountsOfTenant(some) => Target::AccountsOf {
            tenant: some.tenant_name,
            accounts: some.account_names,
        },
        Asked::Tenant(one) => Target::Tenant(one.tenant_name),
        Asked::AllTenants(_) => Target::AllTenants,
    }
}

//! Lists of charges and payments, page by page.
//!
//! Both only grow. A page token names the newest record of the first page and how many were given since, so that what
//! comes meanwhile moves nothing.
//! What it leaves to others: who sees which record (`accounts`).

use access::Permit;
use accounts::{ChargeFilter, Charges, Paging, PaymentFilter, Target};
use model::Timestamp;
use tonic::{Response, Status};
use wire::{FieldFaults, soke::v1};

use crate::{account::given, account_form as form, fault, page};

/// The lists of one zone.
pub(crate) struct Records<'a>(pub(crate) &'a accounts::Handle);

/// Where a list goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    /// When the newest record of the first page was made.
    newest: Option<Timestamp>,
    /// How many records were given.
    given: u64,
}

impl Records<'_> {
    pub(crate) async fn charges(
        &self,
        permit: &Permit<Charges>,
        message: v1::ListChargesRequest,
    ) -> Result<Response<v1::ListChargesResponse>, Status> {
        let mut faults = FieldFaults::new();
        let (size, place) = asked(&mut faults, message.page_size, &message.page_token);
        let of_tenants = message.of_tenants;
        faults.check(
            !of_tenants || message.user_name.is_empty(),
            "user_name",
            "is given beside `of_tenants`",
            "one of both: a tenant is charged for many users' work",
        );
        let target = target(&mut faults, message.account, message.tenant, of_tenants);
        faults.finish()?;
        let filter = ChargeFilter {
            to: place.newest,
            target,
            user: given(message.user_name),
            ..ChargeFilter::default()
        };
        let total = self.0.charges_total(permit, filter.clone()).await;
        let total = total.map_err(fault::accounts)?;
        let found = self.0.charges(permit, filter, paging(size, place)).await;
        let mut found = found.map_err(fault::accounts)?;
        let next = next(&mut found, size, place, |charge| charge.at);
        Ok(Response::new(v1::ListChargesResponse {
            charges: found.into_iter().map(form::charge).collect(),
            next_page_token: next,
            total_amount: Some(form::money(total.amount)),
            total_count: total.count,
        }))
    }

    pub(crate) async fn payments(
        &self,
        permit: &Permit<Charges>,
        message: v1::ListPaymentsRequest,
    ) -> Result<Response<v1::ListPaymentsResponse>, Status> {
        let mut faults = FieldFaults::new();
        let (size, place) = asked(&mut faults, message.page_size, &message.page_token);
        let target = target(&mut faults, message.account, message.tenant, message.of_tenants);
        faults.finish()?;
        let filter = PaymentFilter {
            to: place.newest,
            target,
            ..PaymentFilter::default()
        };
        let found = self.0.payments(permit, filter, paging(size, place)).await;
        let mut found = found.map_err(fault::accounts)?;
        let next = next(&mut found, size, place, |receipt| receipt.at);
        Ok(Response::new(v1::ListPaymentsResponse {
            payments: found.into_iter().map(form::payment).collect(),
            next_page_token: next,
        }))
    }
}

/// One more than is given, which tells whether the list goes on.
fn paging(size: u32, place: Place) -> Paging<accounts::ChargeOrder> {
    Paging {
        offset: place.given,
        limit: Some(u64::from(size) + 1),
        order: None,
    }
}

/// Cuts what was found to one page, and gives the token of the next.
fn next<R>(found: &mut Vec<R>, size: u32, place: Place, at: impl Fn(&R) -> Timestamp) -> String {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if found.len() <= size {
        return String::new();
    }
    found.truncate(size);
    let newest = place.newest.or_else(|| found.first().map(at));
    let newest = newest.map_or(0, Timestamp::micros);
    let given = place.given.saturating_add(found.len() as u64);
    format!("{newest}.{given}")
}

fn asked(faults: &mut FieldFaults, page_size: u32, page_token: &str) -> (u32, Place) {
    let size = page::size(faults, page_size);
    let Some(token) = page::token(faults, page_token) else {
        return (size, Place::default());
    };
    let place = read(token);
    if place.is_none() && token.len() <= 64 {
        faults.add(
            "page_token",
            "was not given by this call",
            "next_page_token of the page before, or nothing for the first page",
        );
    }
    (size, place.unwrap_or_default())
}

fn read(token: &str) -> Option<Place> {
    let (newest, given) = token.split_once('.')?;
    let newest = newest.parse().ok().map(Timestamp::from_micros)?;
    let given = given.parse().ok().filter(|given| *given <= i64::MAX as u64)?;
    Some(Place {
        newest: Some(newest),
        given,
    })
}

/// Whose records are asked for.
fn target(faults: &mut FieldFaults, account: String, tenant: String, of_tenants: bool) -> Target {
    let (account, tenant) = (given(account), given(tenant));
    faults.check(
        !of_tenants || account.is_none(),
        "account",
        "is given beside `of_tenants`",
        "one of both",
    );
    let accounts: Vec<String> = account.into_iter().collect();
    match (of_tenants, tenant) {
        (true, Some(tenant)) => Target::Tenant(tenant),
        (true, None) => Target::AllTenants,
        (false, Some(tenant)) => Target::AccountsOf { tenant, accounts },
        (false, None) => Target::Accounts(accounts),
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::{Place, next, read};

    #[test]
    fn a_token_leads_to_where_the_page_ended() {
        let at = Timestamp::from_micros;
        let mut found = vec![9, 8, 7];
        let first = next(&mut found, 2, Place::default(), |&micros| at(micros));
        assert_eq!((first.as_str(), found), ("9.2", vec![9, 8]));
        let place = read(&first).expect("a place");
        assert_eq!((place.newest, place.given), (Some(at(9)), 2));
        let mut found = vec![7, 6, 5];
        assert_eq!(next(&mut found, 2, place, |&micros| at(micros)), "9.4");
        let mut found = vec![5];
        assert_eq!(next(&mut found, 2, place, |&micros| at(micros)), "");
    }

    #[test]
    fn what_no_page_gave_is_no_place() {
        for token in [
            "",
            ".",
            "9",
            "9.",
            ".2",
            "9.-1",
            "9.18446744073709551615",
            "x.2",
            "9.2.2",
        ] {
            assert_eq!(read(token), None, "{token}");
        }
    }
}

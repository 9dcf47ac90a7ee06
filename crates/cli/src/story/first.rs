//! The order of the first start.
//!
//! What it leaves to others: each of the steps.

use wire::soke::v1::sign_in_request::Proof;

use super::{Beginning, Invitation, fact, job, machine, money, person, service};
use crate::{
    Error,
    client::{Client, Zone},
    sign_in::sign_in_with,
    users::sign_in_code,
};

/// Shows what the zone can do, and gives a code for the owner to sign in elsewhere.
pub(super) async fn show(
    beginning: &Beginning,
    code: String,
    join: impl FnOnce(Invitation),
) -> Result<String, Error> {
    let data = &beginning.surroundings.data;
    let keeper = Client::to(Zone::here(data)?).await?;
    let who = sign_in_with(&keeper, Proof::LinkCode(code)).await?;
    let roles = who.roles.join(", ");
    fact(
        "signed in",
        format_args!("{} ({roles}), by one-time code", who.user_name),
    )?;
    join(machine::invite(&keeper).await?);
    // It comes while the person signs in.
    let person = person::arrive(&keeper, data).await?;
    let second = machine::until_live(&keeper).await?;
    money::begin(&keeper).await?;
    let job = job::run(&person, &second).await?;
    money::show_charge(&keeper, &job).await?;
    service::deploy(&person, &second, data, beginning.test).await?;
    sign_in_code(&keeper, &who.user_name).await
}

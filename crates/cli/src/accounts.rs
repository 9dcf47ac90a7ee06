//! The commands about accounts: making, listing and showing them, and letting users in.
//!
//! What it leaves to others: who may do so (the server).

use serde_json::{Value, json};
use wire::soke::v1::{self, AccountRole, account_service_client::AccountServiceClient};

use crate::{
    Error,
    args::Account,
    client::{Client, Surroundings},
    json::{instant, sum},
    terminal::say,
};

/// Does what was asked.
pub(crate) async fn manage(surroundings: &Surroundings, command: Account) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut accounts = AccountServiceClient::new(client.channel());
    match command {
        Account::Create {
            name,
            owner,
            tenant,
            comment,
            form,
        } => {
            let message = v1::CreateAccountRequest {
                name,
                tenant,
                owner_user_name: owner,
                comment,
            };
            let answer = client
                .call(message, |request| accounts.create_account(request))
                .await?;
            let account = answer
                .account
                .ok_or(Error::Answer("a new account without a record"))?;
            if form.json {
                return say(as_json(&account));
            }
            let (name, owner) = (&account.name, owner_of(&account));
            say(format_args!(
                "made {name} in tenant {}, owned by {owner}",
                account.tenant
            ))
        }
        Account::List { tenant, form } => {
            let all = listed(&client, &tenant, "").await?;
            if !form.json {
                say(format_args!(
                    "{:<24} {:<16} {:>16} {:>16}  {:<7}  {}",
                    "ACCOUNT", "TENANT", "BALANCE", "HELD", "STATE", "OWNER"
                ))?;
            }
            for account in &all {
                if form.json {
                    say(as_json(account))?;
                } else {
                    say(row(account))?;
                }
            }
            Ok(())
        }
        Account::Show { name, form } => show(&one(&client, &name).await?, form.json),
        Account::AddUser { account, user, form } => {
            let message = v1::AddMemberRequest {
                account,
                user_name: user.clone(),
            };
            let answer = client
                .call(message, |request| accounts.add_member(request))
                .await?;
            let account = answer
                .account
                .ok_or(Error::Answer("a changed account without a record"))?;
            if form.json {
                return say(as_json(&account));
            }
            say(format_args!("{user} may run work that {} pays for", account.name))
        }
    }
}

async fn listed(client: &Client, tenant: &str, name: &str) -> Result<Vec<v1::Account>, Error> {
    let message = v1::ListAccountsRequest {
        tenant: tenant.to_owned(),
        name: name.to_owned(),
    };
    let mut accounts = AccountServiceClient::new(client.channel());
    let answer = client
        .call(message, |request| accounts.list_accounts(request))
        .await?;
    Ok(answer.accounts)
}

/// The account of this name.
pub(crate) async fn one(client: &Client, name: &str) -> Result<v1::Account, Error> {
    let found = listed(client, "", name).await?;
    found.into_iter().next().ok_or_else(|| Error::Refused {
        kind: model::ErrorKind::NotFound,
        message: format!("account {name} not found"),
    })
}

fn show(account: &v1::Account, as_object: bool) -> Result<(), Error> {
    if as_object {
        return say(as_json(account));
    }
    say(format_args!("account   {} ({})", account.name, state(account)))?;
    say(format_args!("tenant    {}", account.tenant))?;
    if !account.comment.is_empty() {
        say(format_args!("comment   {}", account.comment))?;
    }
    say(format_args!("balance   {}", sum(account.balance.as_ref())))?;
    say(format_args!("held      {}", sum(account.held.as_ref())))?;
    let threshold = sum(account.block_threshold.as_ref());
    say(format_args!("blocked   at {threshold} or below"))?;
    for member in &account.members {
        let role = role_word(member.role());
        say(format_args!("{role:<9} {}", member.user_name))?;
    }
    Ok(())
}

fn row(account: &v1::Account) -> String {
    format!(
        "{:<24} {:<16} {:>16} {:>16}  {:<7}  {}",
        account.name,
        account.tenant,
        sum(account.balance.as_ref()),
        sum(account.held.as_ref()),
        state(account),
        owner_of(account),
    )
}

const fn state(account: &v1::Account) -> &'static str {
    if account.blocked { "blocked" } else { "open" }
}

fn owner_of(account: &v1::Account) -> &str {
    let mut members = account.members.iter();
    let owner = members.find(|member| member.role() == AccountRole::Owner);
    owner.map_or("", |owner| &owner.user_name)
}

const fn role_word(role: AccountRole) -> &'static str {
    match role {
        AccountRole::Unspecified => "unknown",
        AccountRole::User => "user",
        AccountRole::Admin => "admin",
        AccountRole::Owner => "owner",
    }
}

fn as_json(account: &v1::Account) -> Value {
    let members = account.members.iter();
    let members: Vec<Value> = members
        .map(|member| json!({"user_name": member.user_name, "role": role_word(member.role())}))
        .collect();
    json!({
        "name": account.name,
        "tenant": account.tenant,
        "comment": account.comment,
        "balance": sum(account.balance.as_ref()),
        "held": sum(account.held.as_ref()),
        "block_threshold": sum(account.block_threshold.as_ref()),
        "blocked": account.blocked,
        "created_at": instant(account.created_at.as_ref()),
        "members": members,
    })
}

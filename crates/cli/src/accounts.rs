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
            let (name, owner) = (&account.name, &account.owner_user_name);
            say(format_args!(
                "made {name} in tenant {}, owned by {owner}",
                account.tenant
            ))
        }
        Account::List { tenant, form } => {
            let message = v1::ListAccountsRequest { tenant };
            let answer = client
                .call(message, |request| accounts.list_accounts(request))
                .await?;
            if !form.json {
                say(format_args!(
                    "{:<24} {:<16} {:>16} {:>16}  {:<7}  {}",
                    "ACCOUNT", "TENANT", "BALANCE", "HELD", "STATE", "OWNER"
                ))?;
            }
            for account in &answer.accounts {
                if form.json {
                    say(as_json(account))?;
                } else {
                    say(row(account))?;
                }
            }
            Ok(())
        }
        Account::Show { name, form } => {
            let found = one(&client, &name).await?;
            show(&found, form.json)
        }
        Account::AddUser { account, user, form } => {
            let told = json!({"account": account, "user_name": user, "role": "user"});
            let sentence = format!("{user} may run work that {account} pays for");
            let message = v1::AddMemberRequest {
                account,
                user_name: user,
            };
            client
                .call(message, |request| accounts.add_member(request))
                .await?;
            if form.json { say(told) } else { say(sentence) }
        }
    }
}

/// The account of this name, and who is in it.
pub(crate) async fn one(client: &Client, name: &str) -> Result<v1::GetAccountResponse, Error> {
    let message = v1::GetAccountRequest {
        name: name.to_owned(),
    };
    let mut accounts = AccountServiceClient::new(client.channel());
    client
        .call(message, |request| accounts.get_account(request))
        .await
}

fn show(found: &v1::GetAccountResponse, as_object: bool) -> Result<(), Error> {
    let account = found
        .account
        .as_ref()
        .ok_or(Error::Answer("an account without a record"))?;
    if as_object {
        let mut told = as_json(account);
        let members = found.members.iter();
        let members =
            members.map(|member| json!({"user_name": member.user_name, "role": role_word(member.role())}));
        told["members"] = members.collect();
        return say(told);
    }
    say(format_args!("account    {}", account.name))?;
    let standing = if account.blocked { &account.reason } else { "open" };
    say(format_args!("state      {standing}"))?;
    say(format_args!("tenant     {}", account.tenant))?;
    if !account.comment.is_empty() {
        say(format_args!("comment    {}", account.comment))?;
    }
    say(format_args!("balance    {}", sum(account.balance.as_ref())))?;
    say(format_args!("held       {}", sum(account.held.as_ref())))?;
    let threshold = sum(account.block_threshold.as_ref());
    say(format_args!("threshold  {threshold}: blocked there and below"))?;
    for member in &found.members {
        let role = role_word(member.role());
        say(format_args!("{role:<10} {}", member.user_name))?;
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
        account.owner_user_name,
    )
}

const fn state(account: &v1::Account) -> &'static str {
    if account.blocked { "blocked" } else { "open" }
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
    json!({
        "account_id": account.account_id,
        "name": account.name,
        "tenant": account.tenant,
        "comment": account.comment,
        "owner_user_name": account.owner_user_name,
        "user_count": account.user_count,
        "balance": sum(account.balance.as_ref()),
        "held": sum(account.held.as_ref()),
        "block_threshold": sum(account.block_threshold.as_ref()),
        "blocked": account.blocked,
        "reason": account.reason,
        "created_at": instant(account.created_at.as_ref()),
    })
}

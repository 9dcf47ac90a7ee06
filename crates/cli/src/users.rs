//! The user commands of an administrator.
//!
//! What it leaves to others: who may give them (the server).

use wire::soke::v1::{self, user_service_client::UserServiceClient};

use crate::{
    Error,
    args::User,
    client::{Client, Surroundings},
    link::SignInLink,
    terminal::say,
};

/// Does what was asked.
pub(crate) async fn manage(surroundings: &Surroundings, command: User) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    match command {
        User::Add {
            name,
            role,
            unix_account,
        } => {
            let message = v1::CreateUserRequest {
                user_name: name,
                role,
                unix_name: unix_account,
            };
            let mut users = UserServiceClient::new(client.channel());
            let answer = client.call(message, |request| users.create_user(request)).await?;
            let user = answer.user.ok_or(Error::Answer("a new user without a name"))?;
            say(format_args!(
                "made {} ({})",
                user.user_name,
                user.roles.join(", ")
            ))?;
            say_link(&client, &answer.sign_in_code).await
        }
        User::List => list(&client).await,
        User::Code { name } => {
            let code = sign_in_code(&client, &name).await?;
            say_link(&client, &code).await
        }
        User::Revoke { name } => {
            let message = v1::RevokeSessionsRequest { user_name: name };
            let mut users = UserServiceClient::new(client.channel());
            let answer = client
                .call(message, |request| users.revoke_sessions(request))
                .await?;
            say(format_args!("sessions ended: {}", answer.ended))
        }
    }
}

/// Asks for a fresh one-time code of a user.
pub(crate) async fn sign_in_code(client: &Client, user_name: &str) -> Result<String, Error> {
    let message = v1::CreateSignInCodeRequest {
        user_name: user_name.to_owned(),
    };
    let mut users = UserServiceClient::new(client.channel());
    let answer = client
        .call(message, |request| users.create_sign_in_code(request))
        .await?;
    Ok(answer.sign_in_code)
}

/// Shows a code as a link that names the zone, so that it works on any machine that reaches it.
async fn say_link(client: &Client, code: &str) -> Result<(), Error> {
    let status = crate::status::status(client).await?;
    let link = SignInLink {
        address: client.reached_by_others().await?,
        code: code.to_owned(),
        ca_fingerprint: status.ca_fingerprint,
    };
    say("one-time sign-in link, good for 15 minutes (run `soke sign-in` and paste it):")?;
    say(link)
}

async fn list(client: &Client) -> Result<(), Error> {
    let mut page_token = String::new();
    loop {
        let message = v1::ListUsersRequest {
            page_size: 0,
            page_token,
        };
        let mut users = UserServiceClient::new(client.channel());
        let page = client.call(message, |request| users.list_users(request)).await?;
        for user in page.users {
            say(format_args!("{:<32} {}", user.user_name, user.roles.join(", ")))?;
        }
        if page.next_page_token.is_empty() {
            return Ok(());
        }
        page_token = page.next_page_token;
    }
}

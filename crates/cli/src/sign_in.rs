//! Signing in and out, and the password.
//!
//! What it leaves to others: judging the proof (the server).

use wire::soke::v1::{self, session_service_client::SessionServiceClient, sign_in_request::Proof};

use crate::{
    Error,
    args::{Form, SignIn},
    client::{Client, Surroundings, Zone},
    link::SignInLink,
    place::Listeners,
    session::{Server, SessionFile},
    terminal::{ask_secret, say},
    wallets,
};

/// Signs in as the arguments say and keeps the session.
pub(crate) async fn sign_in(surroundings: &Surroundings, how: &SignIn) -> Result<(), Error> {
    let named = match (&how.server, &how.ca) {
        (Some(address), Some(ca_fingerprint)) => Some(Server {
            address: address.clone(),
            ca_fingerprint: ca_fingerprint.clone(),
        }),
        _neither => None,
    };
    if let Some(address) = &how.wallet {
        let client = Client::to(place(surroundings, named, None)?).await?;
        let (text, signature) = wallets::signed(&client, address, "").await?;
        return say_who(&sign_in_with(&client, Proof::Wallet(v1::WalletProof { text, signature })).await?);
    }
    let (zone, proof) = match &how.user {
        Some(user_name) => {
            let zone = place(surroundings, named, None)?;
            let password = ask_secret(&format!("password of {user_name}"))?;
            let proof = v1::PasswordProof {
                user_name: user_name.clone(),
                password,
            };
            (zone, Proof::Password(proof))
        }
        None => {
            let text = ask_secret("one-time sign-in link or code")?;
            let text = text.trim();
            let link = SignInLink::parse(text);
            let code = link.as_ref().map_or(text, |link| &link.code).to_owned();
            if code.is_empty() {
                return Err(Error::Usage {
                    what: "no link or code was given".to_owned(),
                    want: "paste the line that `soke up` or `soke user add` has shown".to_owned(),
                });
            }
            (place(surroundings, named, link)?, Proof::LinkCode(code))
        }
    };
    let client = Client::to(zone).await?;
    say_who(&sign_in_with(&client, proof).await?)
}

fn say_who(identity: &v1::Identity) -> Result<(), Error> {
    say(format_args!(
        "signed in as {} ({})",
        identity.user_name,
        identity.roles.join(", ")
    ))
}

/// Signs in with a proof and keeps the session.
pub(crate) async fn sign_in_with(client: &Client, proof: Proof) -> Result<v1::Identity, Error> {
    let message = v1::SignInRequest { proof: Some(proof) };
    let mut sessions = SessionServiceClient::new(client.channel());
    let answer = client
        .call_unsigned(message, |request| sessions.sign_in(request))
        .await?;
    let identity = answer
        .identity
        .ok_or(Error::Answer("a sign-in without an identity"))?;
    let tokens = answer.tokens.ok_or(Error::Answer("a sign-in without tokens"))?;
    client.keep(identity.user_name.clone(), tokens).await?;
    Ok(identity)
}

/// Which zone is meant: the named one, else the one of this data folder unless the link names another, else
/// the link's.
fn place(
    surroundings: &Surroundings,
    named: Option<Server>,
    link: Option<SignInLink>,
) -> Result<Zone, Error> {
    let other = match (named, link) {
        (Some(server), _) => Some(server),
        (None, Some(link)) if !is_here(surroundings, &link) => Some(Server {
            address: link.address,
            ca_fingerprint: link.ca_fingerprint,
        }),
        _here => None,
    };
    let Some(server) = other else {
        return Zone::here(&surroundings.data);
    };
    let settings = surroundings.settings.as_deref().ok_or(Error::Usage {
        what: "there is no folder for the session, because HOME is not set".to_owned(),
        want: "set HOME".to_owned(),
    })?;
    Zone::elsewhere(server, SessionFile::in_settings(settings))
}

/// Tells whether the link leads to the zone of this data folder: the CA is the same.
fn is_here(surroundings: &Surroundings, link: &SignInLink) -> bool {
    let pem = std::fs::read_to_string(Listeners::ca_path(&surroundings.data));
    let own = pem.ok().and_then(|pem| rpc::Fingerprint::of_pem(&pem).ok());
    own.is_some() && own == link.ca_fingerprint.parse().ok()
}

/// Ends the session, here and on the server.
pub(crate) async fn sign_out(surroundings: &Surroundings) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let mut sessions = SessionServiceClient::new(client.channel());
    let answer = client
        .call(v1::SignOutRequest {}, |request| sessions.sign_out(request))
        .await;
    client.forget().await?;
    answer?;
    say("signed out")
}

/// Shows who is signed in.
pub(crate) async fn who_am_i(surroundings: &Surroundings, form: Form) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let identity = identity(&client).await?;
    if form.json {
        return say(serde_json::json!({
            "user_id": identity.user_id,
            "user_name": identity.user_name,
            "session_id": identity.session_id,
            "roles": identity.roles,
        }));
    }
    say(format_args!(
        "{} ({})",
        identity.user_name,
        identity.roles.join(", ")
    ))
}

/// Asks the server who the caller is.
pub(crate) async fn identity(client: &Client) -> Result<v1::Identity, Error> {
    let mut sessions = SessionServiceClient::new(client.channel());
    let answer = client
        .call(v1::WhoAmIRequest {}, |request| sessions.who_am_i(request))
        .await?;
    answer.identity.ok_or(Error::Answer("nobody in WhoAmI"))
}

/// Sets or changes the password.
pub(crate) async fn password(surroundings: &Surroundings) -> Result<(), Error> {
    let client = Client::open(surroundings).await?;
    let message = v1::SetPasswordRequest {
        old_password: ask_secret("old password (empty where none is set)")?,
        new_password: ask_secret("new password")?,
    };
    let mut sessions = SessionServiceClient::new(client.channel());
    client
        .call(message, |request| sessions.set_password(request))
        .await?;
    say("password set; every other session of yours has ended")
}

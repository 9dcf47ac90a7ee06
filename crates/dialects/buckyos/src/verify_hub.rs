//! The service `verify-hub`: sign-in, and the life of session tokens, as clients of BuckyOS know them.
//!
//! Methods, results and texts: sections 5 and 9 of the contract on session tokens. The credential is in the
//! parameters; a token in `sys` is passed over, since one client sends whatever it has. What it leaves to others:
//! proofs, tokens and sessions (`access`).

use access::{JwtFault, PasswordLogin, Peer, Secret, SignedIn};
use krpc::{BadToken, Class, Failure, Jwt, Reply, Request};
use serde_json::{Value, json};

use crate::{answer, door::Shared, fault, params::Params};

/// The issuer of this zone's tokens, and the audience of its refresh tokens.
const HUB: &str = "verify-hub";

const NOT_FOUND: &str = "Refresh token not found or already invalidated";

/// Answers a call.
pub(crate) async fn call(shared: &Shared, request: &Request, peer: &Peer) -> Reply {
    let answered = match request.method.as_str() {
        "login_by_jwt" => login_by_jwt(shared, request, peer).await,
        "login_by_password" => login_by_password(shared, request, peer).await,
        "refresh_token" => refresh_token(shared, request, peer).await,
        "logout" => logout(shared, request, peer).await,
        "verify_token" => verify_token(shared, request, peer).await,
        other => Err(Failure::new(Class::UnknownMethod, answer::repeated(other))),
    };
    Reply::from(answered)
}

fn parse_error(text: impl Into<String>) -> Failure {
    Failure::new(Class::ParseRequest, text)
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn pair(signed_in: &SignedIn) -> Value {
    json!({
        "session_token": signed_in.access_token.expose(),
        "refresh_token": signed_in.refresh_token.expose(),
    })
}

/// Passes where an instance of an app, `<appid>@<owner>`, is one of this app, or none is named.
fn check_instance(params: &Params<'_>, app_id: &str) -> Result<(), Failure> {
    let instance = params.text("app_instance_id")?;
    let of_app = |instance: &str| instance.split_once('@').map_or(instance, |(app, _owner)| app) == app_id;
    if instance.is_none_or(of_app) {
        Ok(())
    } else {
        Err(Failure::reason("app_instance_id mismatch"))
    }
}

async fn login_by_jwt(shared: &Shared, request: &Request, peer: &Peer) -> Result<Value, Failure> {
    let params = Params::of(request, "login")?;
    if params.text("type")?.is_some_and(|kind| kind != "jwt") {
        return Err(parse_error("login type must be jwt"));
    }
    let jwt = params.required("jwt")?;
    let claimed = Jwt::parse(jwt).ok().and_then(|jwt| jwt.claims.app_id);
    if let Some(app_id) = claimed {
        check_instance(&params, &app_id)?;
    }
    let signed_in = shared.access.sign_in_by_jwt(secret(jwt), peer).await;
    signed_in.as_ref().map(pair).map_err(|error| {
        if let access::Error::BadJwt { fault } = error {
            jwt_failure(*fault)
        } else if matches!(error, access::Error::ProofUsed) {
            Failure::reason("Login JWT already used")
        } else {
            fault::of_access(error)
        }
    })
}

fn jwt_failure(fault: JwtFault) -> Failure {
    let reason = |text: &str| Failure::reason(text);
    let denied = |text: &str| Failure::new(Class::NoPermission, text);
    match fault {
        JwtFault::NotJwt | JwtFault::Header => reason("JWT decode header error"),
        JwtFault::Algorithm => reason("JWT algorithm not allowed"),
        JwtFault::Missing("exp") => reason("JWT verify error: Missing exp"),
        JwtFault::Missing(claim) => reason(&format!("Missing {claim}")),
        // An unknown issuer reads the same, so that names cannot be probed.
        JwtFault::Claims | JwtFault::Signature | JwtFault::Expired => reason("JWT verify error"),
        JwtFault::TooLong => reason("JWT verify error: exp lies more than a day ahead"),
        JwtFault::KeyId => reason("JWT verify error: kid and iss differ"),
        JwtFault::Audience => reason("JWT verify error: written for another audience"),
        JwtFault::Subject => denied("iss may speak for no other sub"),
        JwtFault::OwnToken => denied("verify-hub does not exchange its own tokens, refresh them"),
    }
}

async fn login_by_password(shared: &Shared, request: &Request, peer: &Peer) -> Result<Value, Failure> {
    let params = Params::of(request, "login")?;
    if params.text("type")? != Some("password") {
        return Err(parse_error("login type must be password"));
    }
    let (user_name, proof) = (params.required("username")?, params.required("password")?);
    let app_id = params.required("appid")?;
    let nonce = params.number("login_nonce")?;
    check_instance(&params, app_id)?;
    let login = PasswordLogin {
        user_name: user_name.to_owned(),
        proof: secret(proof),
        nonce_millis: krpc::login_nonce(nonce, request.seq),
        app_id: app_id.to_owned(),
    };
    let signed_in = shared.access.sign_in_by_password_proof(login, peer).await;
    let signed_in = signed_in.map_err(|error| proof_failure(&error))?;
    let identity = &signed_in.identity;
    let has = |role: &str| identity.roles.iter().any(|held| held == role);
    let user_type = match () {
        () if has("owner") => "root",
        () if has("admin") => "admin",
        () => "user",
    };
    let mut answer = pair(&signed_in);
    answer["user_info"] = json!({
        "show_name": identity.user_name.as_str(),
        "user_id": identity.user_name.as_str(),
        "state": "active",
        "user_type": user_type,
    });
    Ok(answer)
}

fn proof_failure(error: &access::Error) -> Failure {
    if let access::Error::NonceAstray { now_millis, .. } = error {
        parse_error(format!(
            "Invalid nonce: the clock of this zone reads {now_millis} ms"
        ))
    } else if matches!(error, access::Error::BadProof) {
        Failure::new(Class::InvalidPassword, "")
    } else if matches!(error, access::Error::ProofUsed) {
        Failure::reason("Login nonce already used")
    } else if matches!(error, access::Error::ProofsOff) {
        Failure::reason("NotSupported: login by password proof is switched off in this zone")
    } else {
        fault::of_access(error)
    }
}

async fn refresh_token(shared: &Shared, request: &Request, peer: &Peer) -> Result<Value, Failure> {
    let token = Params::of(request, "refresh_token")?.required("refresh_token")?;
    let signed_in = shared.access.refresh(secret(token), peer).await;
    signed_in
        .as_ref()
        .map(pair)
        .map_err(|error| refresh_failure(error, token))
}

async fn logout(shared: &Shared, request: &Request, peer: &Peer) -> Result<Value, Failure> {
    let token = Params::of(request, "logout")?.required("refresh_token")?;
    let ended = shared.access.sign_out_by_refresh(secret(token), peer).await;
    ended
        .map(|()| Value::Bool(true))
        .map_err(|error| refresh_failure(&error, token))
}

fn refresh_failure(error: &access::Error, token: &str) -> Failure {
    if matches!(error, access::Error::RefreshReused) {
        return Failure::reason("Invalid refresh token jti");
    }
    if matches!(error, access::Error::SessionEnded) {
        return Failure::reason(NOT_FOUND);
    }
    if !matches!(error, access::Error::BadToken) {
        return fault::of_access(error);
    }
    // Which text: told by the token itself, to whoever sent it.
    let Ok(jwt) = Jwt::parse(token) else {
        return Failure::reason("JWT decode header error");
    };
    Failure::reason(if jwt.claims.issuer.as_deref() != Some(HUB) {
        "JWT kid not allowed"
    } else if jwt.claims.session.is_none() {
        "Missing session"
    } else if jwt.claims.audience.is_none() {
        NOT_FOUND
    } else {
        "JWT verify error"
    })
}

async fn verify_token(shared: &Shared, request: &Request, peer: &Peer) -> Result<Value, Failure> {
    let params = Params::of(request, "verify_token")?;
    let token = params.required("session_token")?;
    let app_id = params.text("appid")?;
    let audience = match Jwt::parse(token) {
        Ok(jwt) => jwt.claims.audience,
        Err(BadToken::NotJwt | BadToken::Header) => {
            return Err(Failure::new(Class::InvalidToken, "not a jwt token"));
        }
        Err(BadToken::Algorithm | BadToken::Claims) => return Err(Failure::reason("JWT verify error")),
    };
    if audience.as_deref() == Some(HUB) {
        return Err(Failure::reason("refresh token cannot be used as session token"));
    }
    let verified = shared.access.verify(secret(token), peer).await;
    let verified = verified.map_err(|error| {
        if matches!(error, access::Error::BadToken) {
            Failure::reason("JWT verify error")
        } else if matches!(error, access::Error::SessionEnded) {
            Failure::reason("JWT verify error: the session has ended")
        } else {
            fault::of_access(&error)
        }
    })?;
    if app_id.is_some_and(|app_id| app_id != verified.app_id) {
        return Err(Failure::reason("appid mismatch"));
    }
    check_instance(&params, &verified.app_id)?;
    Ok(Value::Bool(true))
}

//! `soke.v1.SessionService`: signing in and out.
//!
//! What it leaves to others: every judgement (`access`).

use access::{Identity, Proof, Secret, SignedIn, Subject, session};
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, session_service_server::SessionService, sign_in_request},
};

use caller::Callers;

use crate::{stamp::stamp, wallet};

/// Organization and name in the certificate of an administrator: those that LiteKube's clients are used to, which so far
/// are the only ones that show one.
const ADMINISTRATOR: (&str, &str) = ("lknm:register", "register-client");

/// Serves the session calls.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) callers: Callers,
}

#[tonic::async_trait]
impl SessionService for Sessions {
    async fn create_challenge(
        &self,
        request: Request<v1::CreateChallengeRequest>,
    ) -> Result<Response<v1::CreateChallengeResponse>, Status> {
        let message = request.into_inner();
        let challenge = self.callers.access().challenge(&message.user_name);
        let challenge = challenge.map_err(caller::fault::access)?;
        Ok(Response::new(v1::CreateChallengeResponse { challenge }))
    }

    async fn sign_in(
        &self,
        request: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let peer = self.callers.peer(&extensions);
        let proof = proof(message.proof)?;
        let signed_in = self.callers.access().sign_in(proof, &peer).await;
        let signed_in = signed_in.map_err(caller::fault::access)?;
        Ok(Response::new(v1::SignInResponse {
            tokens: Some(tokens(&signed_in)),
            identity: Some(identity(signed_in.identity)),
        }))
    }

    async fn sign_out(
        &self,
        request: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        let (metadata, extensions, v1::SignOutRequest {}) = request.into_parts();
        let permit = self
            .callers
            .permit::<session::SignOut>(&metadata, &extensions)
            .await?;
        self.callers
            .access()
            .sign_out(&permit)
            .await
            .map_err(caller::fault::access)?;
        Ok(Response::new(v1::SignOutResponse {}))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let (metadata, extensions, v1::WhoAmIRequest {}) = request.into_parts();
        let permit = self
            .callers
            .permit::<session::WhoAmI>(&metadata, &extensions)
            .await?;
        let who = self
            .callers
            .access()
            .who_am_i(&permit)
            .await
            .map_err(caller::fault::access)?;
        Ok(Response::new(v1::WhoAmIResponse {
            identity: Some(identity(who)),
        }))
    }

    async fn refresh(
        &self,
        request: Request<v1::RefreshRequest>,
    ) -> Result<Response<v1::RefreshResponse>, Status> {
        let (_, extensions, message) = request.into_parts();
        let peer = self.callers.peer(&extensions);
        let mut faults = FieldFaults::new();
        faults.check(
            !message.refresh_token.is_empty(),
            "refresh_token",
            "is empty",
            "the refresh token of the last sign-in or refresh",
        );
        faults.finish()?;
        let token = Secret::from(message.refresh_token);
        let signed_in = self.callers.access().refresh(token, &peer).await;
        let signed_in = signed_in.map_err(caller::fault::access)?;
        Ok(Response::new(v1::RefreshResponse {
            tokens: Some(tokens(&signed_in)),
        }))
    }

    async fn set_password(
        &self,
        request: Request<v1::SetPasswordRequest>,
    ) -> Result<Response<v1::SetPasswordResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self
            .callers
            .permit::<session::SetPassword>(&metadata, &extensions)
            .await?;
        let old = Some(message.old_password)
            .filter(|old| !old.is_empty())
            .map(Secret::from);
        let new = Secret::from(message.new_password);
        let set = self
            .callers
            .access()
            .set_password(&permit, old.as_ref(), &new)
            .await;
        set.map_err(caller::fault::access)?;
        Ok(Response::new(v1::SetPasswordResponse {}))
    }

    async fn add_key(
        &self,
        request: Request<v1::AddKeyRequest>,
    ) -> Result<Response<v1::AddKeyResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self
            .callers
            .permit::<session::AddKey>(&metadata, &extensions)
            .await?;
        let added = self.callers.access();
        let added = added.add_key(&permit, &message.public_key, &message.label).await;
        added.map_err(caller::fault::access)?;
        Ok(Response::new(v1::AddKeyResponse {}))
    }

    async fn create_wallet_text(
        &self,
        request: Request<v1::CreateWalletTextRequest>,
    ) -> Result<Response<v1::CreateWalletTextResponse>, Status> {
        wallet::text(&self.callers, request)
    }

    async fn add_wallet(
        &self,
        request: Request<v1::AddWalletRequest>,
    ) -> Result<Response<v1::AddWalletResponse>, Status> {
        wallet::add(&self.callers, request).await
    }

    async fn list_wallets(
        &self,
        request: Request<v1::ListWalletsRequest>,
    ) -> Result<Response<v1::ListWalletsResponse>, Status> {
        wallet::list(&self.callers, request).await
    }

    async fn remove_wallet(
        &self,
        request: Request<v1::RemoveWalletRequest>,
    ) -> Result<Response<v1::RemoveWalletResponse>, Status> {
        wallet::remove(&self.callers, request).await
    }

    async fn create_certificate(
        &self,
        request: Request<v1::CreateCertificateRequest>,
    ) -> Result<Response<v1::CreateCertificateResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self
            .callers
            .permit::<session::Certify>(&metadata, &extensions)
            .await?;
        let subject = Subject {
            organization: ADMINISTRATOR.0.to_owned(),
            common_name: ADMINISTRATOR.1.to_owned(),
        };
        let access = self.callers.access();
        let given = access
            .certify(&permit, &message.certificate_request, &subject)
            .await;
        let given = given.map_err(caller::fault::access)?;
        Ok(Response::new(v1::CreateCertificateResponse {
            chain: given.chain.iter().map(|one| one.to_vec()).collect(),
            ends_at: Some(stamp(given.ends_at)),
            session_id: given.session_id.to_string(),
        }))
    }
}

fn proof(given: Option<sign_in_request::Proof>) -> Result<Proof, Status> {
    Ok(match given {
        Some(sign_in_request::Proof::Password(proof)) => Proof::Password {
            user_name: proof.user_name,
            password: Secret::from(proof.password),
        },
        Some(sign_in_request::Proof::Key(proof)) => Proof::Key {
            user_name: proof.user_name,
            challenge: proof.challenge,
            signature: proof.signature,
            public_key: proof.public_key,
        },
        Some(sign_in_request::Proof::LinkCode(code)) => Proof::LinkCode(Secret::from(code)),
        Some(sign_in_request::Proof::Wallet(proof)) => Proof::Wallet {
            text: proof.text,
            signature: proof.signature,
        },
        None => {
            let mut faults = FieldFaults::new();
            faults.add(
                "proof",
                "is missing",
                "one of password, key, link_code and wallet",
            );
            return Err(faults.into_status());
        }
    })
}

fn identity(who: Identity) -> v1::Identity {
    v1::Identity {
        user_id: who.user_id.to_string(),
        user_name: who.user_name.to_string(),
        session_id: who.session_id.to_string(),
        roles: who.roles,
    }
}

fn tokens(signed_in: &SignedIn) -> v1::Tokens {
    v1::Tokens {
        access_token: signed_in.access_token.expose().to_owned(),
        access_expires_at: Some(stamp(signed_in.access_expires_at)),
        refresh_token: signed_in.refresh_token.expose().to_owned(),
        refresh_expires_at: Some(stamp(signed_in.refresh_expires_at)),
    }
}

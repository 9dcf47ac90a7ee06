//! The service `system_config`: the zone's tree, as clients of BuckyOS know it.
//!
//! Methods, results and texts: section 2 of the contract on system_config. What it leaves to others: keys, rights
//! and revisions (`tree`).

use access::{Action, Actor, Credential, Peer, Permit, Secret};
use krpc::{Class, Failure, Reply, Request};
use model::ErrorKind;
use serde_json::{Value, json};
use tree::{Key, Prefix};

use crate::{answer, door::Shared, fault, params::Params, transaction};

/// Who calls, and from where.
struct Caller<'a> {
    shared: &'a Shared,
    actor: Actor,
    peer: &'a Peer,
}

/// Answers a call.
pub(crate) async fn call(shared: &Shared, mut request: Request, peer: &Peer) -> Reply {
    let Some(token) = request.token.take().filter(|token| !token.is_empty()) else {
        drop(shared.access.refuse(peer));
        return Failure::new(Class::NoPermission, "No session token").into();
    };
    let credential = Credential::KrpcToken(Secret::from(token.clone()));
    let actor = match shared.access.authenticate(credential, peer).await {
        Ok(actor) => actor,
        Err(access::Error::BadToken) => return fault::token(&token, shared.clock.now()).into(),
        Err(access::Error::SessionEnded) => {
            return Failure::new(Class::InvalidToken, "the session has ended, log in again").into();
        }
        Err(other) => return fault::of_access(&other).into(),
    };
    drop(Secret::from(token));
    let caller = Caller { shared, actor, peer };
    let answered = match request.method.as_str() {
        "sys_config_get" => caller.get(&request).await,
        "sys_config_set" => caller.set(&request).await,
        "sys_config_create" => caller.create(&request).await,
        "sys_config_delete" => caller.delete(&request).await,
        "sys_config_append" => caller.append(&request).await,
        "sys_config_set_by_json_path" => caller.set_part(&request).await,
        "sys_config_exec_tx" => caller.transact(&request).await,
        "sys_config_list" => caller.list(&request).await,
        // Nothing to read again: keys of signers are looked up with each call.
        "sys_refresh_trust_keys" => Ok(Reply::of(Value::Null)),
        other => Err(Failure::new(Class::UnknownMethod, answer::repeated(other))),
    };
    answered.unwrap_or_else(Reply::from)
}

fn params(request: &Request) -> Result<Params<'_>, Failure> {
    Params::of(request, &answer::repeated(&request.method))
}

fn key(params: &Params<'_>) -> Result<Key, Failure> {
    let text = params.needed("key")?;
    Key::parse(text).map_err(|fault| fault::of_tree(fault.into()))
}

impl Caller<'_> {
    /// The permit for an action; `refusal` is told where no role of the caller has it.
    async fn permit<A: Action>(&self, refusal: impl FnOnce() -> Failure) -> Result<Permit<A>, Failure> {
        let permit = self.shared.access.permit::<A>(&self.actor, self.peer).await;
        permit.map_err(|error| {
            if error.kind() == ErrorKind::Denied {
                refusal()
            } else {
                fault::of_access(&error)
            }
        })
    }

    async fn get(&self, request: &Request) -> Result<Reply, Failure> {
        let key = key(&params(request)?)?;
        let permit = self.permit(no_read).await?;
        let entry = self
            .shared
            .tree
            .get(&permit, &key)
            .await
            .map_err(fault::of_tree)?;
        let result = entry.map(|entry| json!({"value": entry.value, "version": entry.revision}));
        Ok(Reply::of(result.unwrap_or(Value::Null)))
    }

    async fn set(&self, request: &Request) -> Result<Reply, Failure> {
        let params = params(request)?;
        let (key, value) = (key(&params)?, params.needed("value")?);
        let permit = self.permit(|| fault::no_write(&key)).await?;
        let written = self.shared.tree.set(&permit, &key, value).await;
        written.map(Reply::written).map_err(fault::of_tree)
    }

    async fn create(&self, request: &Request) -> Result<Reply, Failure> {
        let params = params(request)?;
        let (key, value) = (key(&params)?, params.needed("value")?);
        let permit = self.permit(|| fault::no_write(&key)).await?;
        let written = self.shared.tree.create(&permit, &key, value).await;
        written.map(Reply::written).map_err(fault::of_tree)
    }

    async fn delete(&self, request: &Request) -> Result<Reply, Failure> {
        let key = key(&params(request)?)?;
        let permit = self.permit(|| fault::no_write(&key)).await?;
        let written = self.shared.tree.delete(&permit, &key).await;
        written.map(Reply::written).map_err(fault::of_tree)
    }

    async fn append(&self, request: &Request) -> Result<Reply, Failure> {
        let params = params(request)?;
        let (key, more) = (key(&params)?, params.needed("append_value")?);
        let permit = self.permit(|| fault::no_write(&key)).await?;
        let written = self.shared.tree.append(&permit, &key, more).await;
        written.map(Reply::written).map_err(|error| {
            // This method has a class of its own for a key that is not there.
            if matches!(error, tree::Error::NotFound { .. }) {
                Failure::new(Class::KeyNotExist, key.to_string())
            } else {
                fault::of_tree(error)
            }
        })
    }

    async fn set_part(&self, request: &Request) -> Result<Reply, Failure> {
        let params = params(request)?;
        let (key, path) = (key(&params)?, params.needed("json_path")?);
        let value = params.needed("value")?;
        let value: Value = serde_json::from_str(value).map_err(|fault| Failure::reason(fault.to_string()))?;
        let permit = self.permit(|| fault::no_write(&key)).await?;
        let written = self.shared.tree.set_part(&permit, &key, path, value).await;
        written.map(Reply::written).map_err(fault::of_tree)
    }

    async fn transact(&self, request: &Request) -> Result<Reply, Failure> {
        let (steps, guard) = transaction::read(&params(request)?)?;
        let first = steps
            .keys()
            .next()
            .or(guard.as_ref().map(|guard| &guard.key))
            .cloned();
        let refusal = || first.as_ref().map_or_else(no_read, fault::no_write);
        let permit = self.permit(refusal).await?;
        let revision = self.shared.tree.transact(&permit, steps, guard).await;
        let revision = revision.map_err(fault::of_tree)?;
        Ok(Reply {
            result: Ok(Value::Null),
            revision,
        })
    }

    async fn list(&self, request: &Request) -> Result<Reply, Failure> {
        let text = params(request)?.needed("key")?;
        let place = Prefix::parse(text).map_err(|fault| fault::of_tree(fault.into()))?;
        let permit = self.permit(no_read).await?;
        let names = self
            .shared
            .tree
            .list(&permit, &place)
            .await
            .map_err(fault::of_tree)?;
        Ok(Reply::of(Value::from(names)))
    }
}

fn no_read() -> Failure {
    Failure::new(Class::NoPermission, "No read permission")
}

//! The calls of `soke.v1.SessionService` about wallets.
//!
//! What it leaves to others: every judgement (`access`).

use access::{Wallet, WalletAddress, session};
use caller::Callers;
use tonic::{Request, Response, Status};
use wire::{FieldFaults, soke::v1};

use crate::stamp::stamp;

pub(crate) fn text(
    callers: &Callers,
    request: Request<v1::CreateWalletTextRequest>,
) -> Result<Response<v1::CreateWalletTextResponse>, Status> {
    let message = request.into_inner();
    let address = address(&message.address)?;
    let link_to = Some(message.link_to.as_str()).filter(|name| !name.is_empty());
    let text = callers.access().wallet_text(address, link_to);
    let text = text.map_err(caller::fault::access)?;
    Ok(Response::new(v1::CreateWalletTextResponse { text }))
}

pub(crate) async fn add(
    callers: &Callers,
    request: Request<v1::AddWalletRequest>,
) -> Result<Response<v1::AddWalletResponse>, Status> {
    let (metadata, extensions, message) = request.into_parts();
    let permit = callers
        .permit::<session::AddWallet>(&metadata, &extensions)
        .await?;
    let v1::AddWalletRequest {
        text,
        signature,
        label,
    } = message;
    let added = callers.access();
    let added = added.add_wallet(&permit, &text, &signature, &label).await;
    let address = added.map_err(caller::fault::access)?.to_string();
    Ok(Response::new(v1::AddWalletResponse { address }))
}

pub(crate) async fn list(
    callers: &Callers,
    request: Request<v1::ListWalletsRequest>,
) -> Result<Response<v1::ListWalletsResponse>, Status> {
    let (metadata, extensions, v1::ListWalletsRequest {}) = request.into_parts();
    let permit = callers
        .permit::<session::ListWallets>(&metadata, &extensions)
        .await?;
    let wallets = callers.access().list_wallets(&permit).await;
    let wallets = wallets.map_err(caller::fault::access)?;
    let encode = |wallet: Wallet| v1::Wallet {
        address: wallet.address.to_string(),
        label: wallet.label,
        added_at: Some(stamp(wallet.added_at)),
    };
    Ok(Response::new(v1::ListWalletsResponse {
        wallets: wallets.into_iter().map(encode).collect(),
    }))
}

pub(crate) async fn remove(
    callers: &Callers,
    request: Request<v1::RemoveWalletRequest>,
) -> Result<Response<v1::RemoveWalletResponse>, Status> {
    let (metadata, extensions, message) = request.into_parts();
    let permit = callers
        .permit::<session::RemoveWallet>(&metadata, &extensions)
        .await?;
    let address = address(&message.address)?;
    let removed = callers.access().remove_wallet(&permit, address).await;
    removed.map_err(caller::fault::access)?;
    Ok(Response::new(v1::RemoveWalletResponse {}))
}

fn address(text: &str) -> Result<WalletAddress, Status> {
    text.parse().map_err(|_fault| {
        let mut faults = FieldFaults::new();
        faults.add("address", "is no address of a wallet", "`0x` and 40 hex digits");
        faults.into_status()
    })
}

//! `scow.server.AccountService`: accounts made and listed.
//!
//! What it leaves to others: the rules (`accounts`).

use accounts::{AccountFilter, Create, Look, NewAccount};
use tonic::{Request, Response, Status};
use wire::scow::server::{
    CreateAccountRequest, CreateAccountResponse, GetAccountsRequest, GetAccountsResponse,
    account_service_server::AccountService,
};

use crate::server::{Management, fault, fitting, row};

#[tonic::async_trait]
impl AccountService for Management {
    async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<Response<CreateAccountResponse>, Status> {
        let (permit, message) = self.permit::<Create, _>(request).await?;
        let new = NewAccount {
            name: message.account_name,
            tenant: message.tenant_name,
            owner: message.owner_id,
            comment: message.comment.unwrap_or_default(),
        };
        let made = self.accounts.create_account(permit, new).await;
        made.map_err(fault::accounts)?;
        Ok(Response::new(CreateAccountResponse {}))
    }

    async fn get_accounts(
        &self,
        request: Request<GetAccountsRequest>,
    ) -> Result<Response<GetAccountsResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let filter = AccountFilter {
            tenant: message.tenant_name,
            name: message.account_name,
        };
        let found = self.accounts.accounts(&permit, filter).await;
        let found = found.map_err(fault::accounts)?;
        let results = fitting(found.into_iter().map(row::account).collect())?;
        Ok(Response::new(GetAccountsResponse { results }))
    }
}

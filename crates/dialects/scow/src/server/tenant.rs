//! `scow.server.TenantService`: which tenants there are, and what they have.
//!
//! What it leaves to others: the rules (`accounts`).

use access::{Permit, Secret};
use accounts::{CreateTenant, Error, Look, NewPerson, Tenant};
use tonic::{Code, Request, Response, Status};
use wire::scow::server::{
    CreateTenantRequest, CreateTenantResponse, GetAllTenantsRequest, GetAllTenantsResponse,
    GetTenantInfoRequest, GetTenantInfoResponse, GetTenantsRequest, GetTenantsResponse,
    get_tenant_info_response::{AdminInfo, FinancialStaffInfo},
    tenant_service_server::TenantService,
};

use crate::server::{Management, fault, fitting, money::written, row};

/// What the message of CreateTenant calls the fields of its user.
const TENANT_FIELDS: fault::Names = &[
    ("user_name", "user_id"),
    ("name", "user_name"),
    ("email", "user_email"),
    ("password", "user_password"),
];

#[tonic::async_trait]
impl TenantService for Management {
    async fn get_tenant_info(
        &self,
        request: Request<GetTenantInfoRequest>,
    ) -> Result<Response<GetTenantInfoResponse>, Status> {
        let (permit, message) = self.permit::<Look, _>(request).await?;
        let tenant = self.tenant(&permit, &message.tenant_name).await?;
        let admins = self.labels(&permit, &tenant.admins).await?;
        let staff = self.labels(&permit, &tenant.financial_staff).await?;
        let admin = |(user_id, user_name)| AdminInfo { user_id, user_name };
        let financial = |(user_id, user_name)| FinancialStaffInfo { user_id, user_name };
        Ok(Response::new(GetTenantInfoResponse {
            balance: Some(written(tenant.balance)),
            account_count: tenant.accounts,
            user_count: tenant.users,
            default_account_block_threshold: Some(written(tenant.block_threshold)),
            admins: admins.into_iter().map(admin).collect(),
            financial_staff: staff.into_iter().map(financial).collect(),
        }))
    }

    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        let (permit, message) = self.permit::<CreateTenant, _>(request).await?;
        let new = NewPerson {
            tenant: message.tenant_name,
            name: message.user_id,
            label: message.user_name,
            email: message.user_email,
            password: Secret::from(message.user_password),
        };
        let made = self.accounts.create_tenant_with_admin(permit, new).await;
        let (tenant, admin) = made.map_err(|error| {
            if matches!(error, Error::TenantExists { .. }) {
                return fault::word(Code::AlreadyExists, "TENANT_ALREADY_EXISTS");
            }
            if matches!(error, Error::UserExists { .. }) {
                return fault::word(Code::AlreadyExists, "USER_ALREADY_EXISTS");
            }
            fault::renamed(error, TENANT_FIELDS)
        })?;
        Ok(Response::new(CreateTenantResponse {
            tenant_id: tenant.number,
            user_id: admin.number,
            created_in_auth: true,
        }))
    }

    async fn get_tenants(
        &self,
        request: Request<GetTenantsRequest>,
    ) -> Result<Response<GetTenantsResponse>, Status> {
        let (permit, _) = self.permit::<Look, _>(request).await?;
        let tenants = self.tenants(&permit).await?;
        let names = tenants.into_iter().map(|tenant| tenant.name).collect();
        Ok(Response::new(GetTenantsResponse { names }))
    }

    async fn get_all_tenants(
        &self,
        request: Request<GetAllTenantsRequest>,
    ) -> Result<Response<GetAllTenantsResponse>, Status> {
        let (permit, _) = self.permit::<Look, _>(request).await?;
        let tenants = self.tenants(&permit).await?;
        let platform_tenants = fitting(tenants.into_iter().map(row::tenant).collect())?;
        Ok(Response::new(GetAllTenantsResponse {
            total_count: u32::try_from(platform_tenants.len()).unwrap_or(u32::MAX),
            platform_tenants,
        }))
    }
}

impl Management {
    async fn tenants(&self, permit: &Permit<Look>) -> Result<Vec<Tenant>, Status> {
        let tenants = self.accounts.tenants(permit).await;
        tenants.map_err(fault::accounts)
    }

    /// The tenant of this name; NOT_FOUND where the caller may know of none.
    pub(super) async fn tenant(&self, permit: &Permit<Look>, name: &str) -> Result<Tenant, Status> {
        let tenants = self.tenants(permit).await?;
        let found = tenants.into_iter().find(|tenant| tenant.name == name);
        found.ok_or_else(|| {
            let tenant = name.to_owned();
            fault::accounts(Error::TenantNotFound { tenant })
        })
    }

    async fn labels(&self, permit: &Permit<Look>, names: &[String]) -> Result<Vec<(String, String)>, Status> {
        let labels = self.accounts.labels(permit, names).await;
        labels.map_err(fault::accounts)
    }
}

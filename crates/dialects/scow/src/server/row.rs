//! Rows of the management side: users, tenants, accounts, prices, charges and ended jobs in SCOW's messages.
//!
//! What it leaves to others: amounts (`money`), and which rows are shown.

use std::collections::BTreeMap;

use accounts::{
    Account, BilledJob, Charge, MemberRole, Person, PlatformRole, PriceItem, Receipt, Standing, State,
    Tenant, TenantRole,
};
use model::{Span, Timestamp};
use wire::scow::{
    common::JobInfo,
    server::{
        self, AccountAffiliation, AccountStatus, AccountUserInfo, ChargeRecord, GetUserInfoResponse,
        JobBillingItem, PaymentRecord, PlatformTenantsInfo, UserRole, UserStatus,
        account::{AccountState, DisplayedAccountState},
        account_user_info::{DisplayedUserState, UserStateInAccount},
    },
};

use crate::server::money::written;

/// A user with roles and accounts.
pub(super) fn person(person: Person) -> GetUserInfoResponse {
    let user = user(person);
    GetUserInfoResponse {
        affiliations: user.account_affiliations,
        platform_roles: user.platform_roles,
        tenant_roles: user.tenant_roles,
        name: user.name,
        tenant_name: user.tenant_name,
        email: user.email,
        create_time: user.create_time,
    }
}

/// The same in a list.
pub(super) fn user(person: Person) -> server::User {
    let affiliations = person
        .memberships
        .into_iter()
        .map(|membership| AccountAffiliation {
            account_name: membership.account,
            role: role(membership.role).into(),
        });
    let platform = |role| match role {
        PlatformRole::Admin => server::PlatformRole::PlatformAdmin.into(),
        PlatformRole::Finance => server::PlatformRole::PlatformFinance.into(),
    };
    let tenant = |role| match role {
        TenantRole::Admin => server::TenantRole::TenantAdmin.into(),
        TenantRole::Finance => server::TenantRole::TenantFinance.into(),
    };
    server::User {
        tenant_name: person.tenant,
        user_id: person.name,
        name: person.label,
        email: person.email,
        create_time: Some(stamp(person.created_at)),
        account_affiliations: affiliations.collect(),
        platform_roles: person.platform_roles.into_iter().map(platform).collect(),
        tenant_roles: person.tenant_roles.into_iter().map(tenant).collect(),
    }
}

/// A user of an account. Nobody is blocked there, has a limit, or has space kept for them.
pub(super) fn member(person: Person, in_account: MemberRole, cluster: &str) -> AccountUserInfo {
    AccountUserInfo {
        user_id: person.name,
        name: person.label,
        email: person.email,
        status: UserStatus::Unblocked.into(),
        role: role(in_account).into(),
        storage_quotas: BTreeMap::from([(cluster.to_owned(), 0)]),
        job_charge_limit: None,
        used_job_charge_limit: None,
        user_state_in_account: UserStateInAccount::Normal.into(),
        displayed_user_state: DisplayedUserState::DisplayedNormal.into(),
    }
}

const fn role(role: MemberRole) -> UserRole {
    match role {
        MemberRole::User => UserRole::User,
        MemberRole::Admin => UserRole::Admin,
        MemberRole::Owner => UserRole::Owner,
    }
}

/// A tenant.
pub(super) fn tenant(tenant: Tenant) -> PlatformTenantsInfo {
    PlatformTenantsInfo {
        tenant_id: tenant.number,
        tenant_name: tenant.name,
        user_count: tenant.users,
        account_count: tenant.accounts,
        balance: Some(written(tenant.balance)),
        create_time: Some(stamp(tenant.created_at)),
    }
}

/// An account. Its own threshold is absent where its tenant's counts.
pub(super) fn account(account: Account) -> server::Account {
    let state = match account.state {
        State::Normal => AccountState::Normal,
        State::Frozen => AccountState::Frozen,
        State::Blocked => AccountState::BlockedByAdmin,
    };
    let displayed = match account.standing {
        Standing::Normal => DisplayedAccountState::DisplayedNormal,
        Standing::Frozen => DisplayedAccountState::DisplayedFrozen,
        Standing::Blocked => DisplayedAccountState::DisplayedBlocked,
        Standing::BelowThreshold => DisplayedAccountState::DisplayedBelowBlockThreshold,
    };
    server::Account {
        tenant_name: account.tenant,
        account_name: account.name,
        user_count: account.users.into(),
        blocked: account.standing.is_blocked(),
        owner_id: account.owner,
        owner_name: account.owner_label,
        comment: account.comment,
        balance: Some(written(account.balance)),
        block_threshold_amount: account.block_threshold.map(written),
        default_block_threshold_amount: Some(written(account.default_block_threshold)),
        state: state.into(),
        is_in_whitelist: Some(false),
        displayed_state: displayed.into(),
    }
}

/// A price.
pub(super) fn price(item: PriceItem) -> JobBillingItem {
    JobBillingItem {
        id: item.id,
        path: item.path,
        tenant_name: item.tenant,
        price: Some(written(item.price)),
        create_time: Some(stamp(item.created_at)),
        amount_strategy: item.amount.word().to_owned(),
    }
}

/// A charge.
pub(super) fn charge(charge: Charge) -> ChargeRecord {
    ChargeRecord {
        index: charge.id,
        tenant_name: charge.tenant,
        account_name: charge.account,
        time: Some(stamp(charge.at)),
        r#type: charge.kind,
        amount: Some(written(charge.amount)),
        comment: charge.comment,
        user_id: Some(charge.user),
        metadata: None,
    }
}

/// A payment.
pub(super) fn payment(receipt: Receipt) -> PaymentRecord {
    PaymentRecord {
        index: receipt.id,
        tenant_name: receipt.tenant,
        account_name: receipt.account,
        time: Some(stamp(receipt.at)),
        r#type: receipt.kind,
        amount: Some(written(receipt.amount)),
        comment: receipt.comment,
        ip_address: receipt.ip_address,
        operator_id: receipt.operator,
    }
}

/// How an account stands to one of its users. Nobody is blocked in an account, and nobody has a limit there.
pub(super) fn standing(account: Account) -> (String, AccountStatus) {
    let threshold = account.block_threshold.unwrap_or(account.default_block_threshold);
    let status = AccountStatus {
        user_status: UserStatus::Unblocked.into(),
        account_blocked: account.standing.is_blocked(),
        job_charge_limit: None,
        used_job_charge: None,
        balance: Some(written(account.balance)),
        is_in_whitelist: Some(false),
        block_threshold_amount: Some(written(threshold)),
    };
    (account.name, status)
}

/// A job that has ended and was charged. Numbers that the message has no room for show as its largest.
pub(super) fn ended_job(job: BilledJob) -> JobInfo {
    let memory = u32::try_from(job.memory_mb).unwrap_or(u32::MAX);
    let waited = (job.started_at - job.submitted_at).max(Span::ZERO).secs();
    JobInfo {
        bi_job_index: job.index,
        id_job: job.number,
        account: job.account,
        user: job.user,
        partition: job.partition,
        nodelist: job.node_list,
        job_name: job.name,
        cluster: job.cluster,
        time_submit: Some(stamp(job.submitted_at)),
        time_start: Some(stamp(job.started_at)),
        time_end: Some(stamp(job.ended_at)),
        gpu: i32::try_from(job.gpus).unwrap_or(i32::MAX),
        cpus_req: job.cpus,
        mem_req: memory,
        nodes_req: job.nodes,
        cpus_alloc: job.cpus,
        mem_alloc: memory,
        nodes_alloc: job.nodes,
        timelimit: u32::try_from(job.limit_secs.div_ceil(60)).unwrap_or(u32::MAX),
        time_used: job.billed_secs,
        time_wait: u64::try_from(waited).unwrap_or(0),
        qos: job.qos,
        record_time: Some(stamp(job.recorded_at)),
        account_price: Some(written(job.account_price)),
        tenant_price: Some(written(job.tenant_price)),
    }
}

fn stamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.secs(),
        nanos: at.subsec_nanos(),
    }
}

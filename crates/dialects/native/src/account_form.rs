//! Money, accounts and prices as messages, and back.
//!
//! What it leaves to others: the calls (`account`, `records`).

use accounts::{Account, Charge, Member, MemberRole, PriceItem, Receipt, Tenant, price::Amount};
use model::Money;
use wire::soke::v1::{self, AccountRole, PriceBasis};

use crate::stamp::stamp;

pub(crate) const fn money(sum: Money) -> v1::Money {
    v1::Money {
        ten_thousandths: sum.ten_thousandths(),
    }
}

pub(crate) const fn sum(money: &v1::Money) -> Money {
    Money::from_ten_thousandths(money.ten_thousandths)
}

pub(crate) fn account(account: Account) -> v1::Account {
    let threshold = account.block_threshold.unwrap_or(account.default_block_threshold);
    let blocked = account.standing.is_blocked();
    v1::Account {
        name: account.name,
        tenant: account.tenant,
        comment: account.comment,
        balance: Some(money(account.balance)),
        held: Some(money(account.held)),
        block_threshold: Some(money(threshold)),
        blocked,
        reason: if blocked {
            account.standing.why().to_owned()
        } else {
            String::new()
        },
        owner_user_name: account.owner,
        user_count: account.users,
        created_at: Some(stamp(account.created_at)),
        account_id: account.id.to_string(),
    }
}

pub(crate) fn tenant(tenant: Tenant) -> v1::Tenant {
    v1::Tenant {
        tenant_id: tenant.id.to_string(),
        name: tenant.name,
        balance: Some(money(tenant.balance)),
        block_threshold: Some(money(tenant.block_threshold)),
        user_count: tenant.users,
        account_count: tenant.accounts,
        created_at: Some(stamp(tenant.created_at)),
    }
}

pub(crate) fn members(members: Vec<Member>) -> Vec<v1::AccountMember> {
    let members = members.into_iter().map(|member| v1::AccountMember {
        user_name: member.user,
        role: role(member.role).into(),
    });
    members.collect()
}

const fn role(role: MemberRole) -> AccountRole {
    match role {
        MemberRole::User => AccountRole::User,
        MemberRole::Admin => AccountRole::Admin,
        MemberRole::Owner => AccountRole::Owner,
    }
}

pub(crate) fn price(item: PriceItem, active: bool) -> v1::Price {
    v1::Price {
        price_id: item.id,
        path: item.path,
        tenant: item.tenant.unwrap_or_default(),
        price: Some(money(item.price)),
        basis: basis(item.amount).into(),
        description: item.description,
        created_at: Some(stamp(item.created_at)),
        active,
    }
}

/// What a number of the wire stands for; cores where the caller names nothing.
pub(crate) fn amount(basis: i32) -> Option<Amount> {
    match PriceBasis::try_from(basis).ok()? {
        PriceBasis::Unspecified | PriceBasis::Cores => Some(Amount::CpusAlloc),
        PriceBasis::Gpus => Some(Amount::Gpu),
        PriceBasis::GpusOrCores => Some(Amount::MaxGpuCpus),
        PriceBasis::CoresOrMemory => Some(Amount::MaxCpusMem),
    }
}

const fn basis(amount: Amount) -> PriceBasis {
    match amount {
        Amount::CpusAlloc => PriceBasis::Cores,
        Amount::Gpu => PriceBasis::Gpus,
        Amount::MaxGpuCpus => PriceBasis::GpusOrCores,
        Amount::MaxCpusMem => PriceBasis::CoresOrMemory,
    }
}

pub(crate) fn charge(charge: Charge) -> v1::Charge {
    v1::Charge {
        number: charge.id,
        tenant: charge.tenant,
        account: charge.account.unwrap_or_default(),
        user_name: charge.user,
        amount: Some(money(charge.amount)),
        kind: charge.kind,
        comment: charge.comment,
        charged_at: Some(stamp(charge.at)),
    }
}

pub(crate) fn payment(receipt: Receipt) -> v1::Payment {
    v1::Payment {
        number: receipt.id,
        tenant: receipt.tenant,
        account: receipt.account.unwrap_or_default(),
        amount: Some(money(receipt.amount)),
        kind: receipt.kind,
        comment: receipt.comment,
        operator: receipt.operator,
        paid_at: Some(stamp(receipt.at)),
    }
}

#[cfg(test)]
mod tests {
    use accounts::price::Amount;

    use super::{amount, basis};

    #[test]
    fn every_basis_comes_back_as_itself() {
        for one in Amount::ALL {
            assert_eq!(amount(basis(one).into()), Some(one));
        }
        assert_eq!(amount(0), Some(Amount::CpusAlloc));
        assert_eq!((amount(5), amount(-1)), (None, None));
    }
}

//! Tenants, users, accounts and who is in them.

use access::Secret;
use accounts::{
    AccountFilter, Create, CreateTenant, DEFAULT_TENANT, Enrol, Error, Initialise, Join, Look, MemberRole,
    Membership, NewAccount, NewMember, NewPerson, PlatformRole, Standing, TenantRole,
};
use model::{ErrorKind, Money};

use crate::bed::{Bed, PASSWORD, User, on_both_engines};

on_both_engines!(
    a_user_and_what_is_known_of_them_stand_or_fall_together,
    every_wrong_field_is_told_at_once,
    the_first_administrators_are_made_until_the_initialisation_ends,
    an_account_has_an_owner_of_its_tenant_and_a_name_of_its_own,
    users_of_the_same_tenant_join_an_account_once,
    whoever_looks_after_an_account_takes_users_in_and_nobody_else_does,
    a_member_sees_themselves_and_the_accounts_they_are_in,
);

fn person(tenant: &str, name: &str) -> NewPerson {
    NewPerson {
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        label: format!("Dr {name}"),
        email: format!("{name}@example.org"),
        password: Secret::from(PASSWORD.to_owned()),
    }
}

fn account(tenant: &str, name: &str, owner: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        tenant: tenant.to_owned(),
        owner: owner.to_owned(),
        comment: "for tests".to_owned(),
    }
}

fn fields(error: Error) -> Vec<&'static str> {
    let Error::Invalid(faults) = error else {
        panic!("{error}");
    };
    faults.0.iter().map(|fault| fault.field).collect()
}

impl Bed {
    async fn enrol(&self, new: NewPerson) -> Result<accounts::Person, Error> {
        let permit = self.permit::<Enrol>().await;
        self.accounts.create_user(permit, new).await
    }

    async fn create(&self, new: NewAccount) -> Result<accounts::Account, Error> {
        let permit = self.permit::<Create>().await;
        self.accounts.create_account(permit, new).await
    }

    async fn join_as(&self, who: &access::Actor, account: &str, user: &str) -> Result<(), Error> {
        let new = NewMember {
            tenant: None,
            account: account.to_owned(),
            user: user.to_owned(),
        };
        let permit = self.permit_of::<Join>(who).await;
        self.accounts.add_user(permit, new).await
    }
}

async fn a_user_and_what_is_known_of_them_stand_or_fall_together(bed: Bed) {
    let lost = bed.enrol(person("nobody", "Grace.H_1")).await;
    assert!(
        matches!(&lost, Err(Error::TenantNotFound { tenant }) if tenant == "nobody"),
        "{lost:?}"
    );
    // The name was not used up by the attempt.
    bed.tenant("physics").await;
    let made = bed.enrol(person("Physics", "Grace.H_1")).await.expect("made");
    assert_eq!(
        (made.name.as_str(), made.tenant.as_str()),
        ("Grace.H_1", "physics")
    );
    let permit = bed.permit::<Look>().await;
    let shown = bed.accounts.person(&permit, "grace.h_1").await.expect("there");
    assert_eq!(shown, made);
    assert_eq!(
        (shown.label.as_str(), shown.email.as_str()),
        ("Dr Grace.H_1", "Grace.H_1@example.org")
    );
    assert_eq!((shown.platform_roles, shown.tenant_roles), (vec![], vec![]));
    bed.sign_in("Grace.H_1").await;
    for taken in ["grace.h_1", "GRACE.H_1", "admin"] {
        let again = bed.enrol(person(DEFAULT_TENANT, taken)).await;
        assert!(
            matches!(again, Err(Error::UserExists { .. })),
            "{taken}: {again:?}"
        );
    }
    let owner = bed.accounts.person(&permit, "ada").await.expect("there");
    assert_eq!(
        (owner.tenant.as_str(), owner.label.as_str(), owner.platform_roles),
        (DEFAULT_TENANT, "ada", vec![PlatformRole::Admin])
    );
    let tenants = bed.accounts.tenants(&permit).await.expect("listed");
    let users: Vec<(u32, &str, u32)> = tenants
        .iter()
        .map(|tenant| (tenant.number, tenant.name.as_str(), tenant.users))
        .collect();
    assert_eq!(users, [(1, DEFAULT_TENANT, 1), (2, "physics", 1)]);
    let names = ["ada".to_owned(), "none".to_owned(), "grace.h_1".to_owned()];
    let labels = bed.accounts.labels(&permit, &names).await.expect("listed");
    let wanted = [("ada", "ada"), ("Grace.H_1", "Dr Grace.H_1")];
    assert_eq!(
        labels,
        wanted.map(|(name, label)| (name.to_owned(), label.to_owned()))
    );
}

async fn every_wrong_field_is_told_at_once(bed: Bed) {
    let mut bad = person(DEFAULT_TENANT, "no spaces");
    bad.email = "x".repeat(256);
    bad.label = "nul\0".to_owned();
    bad.password = Secret::from("short".to_owned());
    let mut found = fields(bed.enrol(bad).await.expect_err("refused"));
    found.sort_unstable();
    assert_eq!(found, ["email", "name", "password", "user_name"]);

    for name in ["", "a b", "a/b", "ä", "a\0", &"a".repeat(64)] {
        let permit = bed.permit::<CreateTenant>().await;
        let refused = bed
            .accounts
            .create_tenant(permit, name)
            .await
            .expect_err("refused");
        assert_eq!(fields(refused), ["tenant_name"], "{name:?}");
        let mut new = account(DEFAULT_TENANT, name, "ada");
        new.comment = "c".repeat(256);
        let refused = bed.create(new).await.expect_err("refused");
        assert_eq!(fields(refused), ["account_name", "comment"], "{name:?}");
    }
    let permit = bed.permit::<CreateTenant>().await;
    let twice = bed
        .accounts
        .create_tenant(permit, "DEFAULT")
        .await
        .expect_err("refused");
    assert!(matches!(twice, Error::TenantExists { .. }), "{twice}");
    // What names nothing is not found, whatever it holds.
    for name in ["", "\0", "' OR 1=1 --", &"x".repeat(1000)] {
        let permit = bed.permit::<Look>().await;
        let error = bed.accounts.person(&permit, name).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        let error = bed
            .create(account(name, "new", "ada"))
            .await
            .expect_err("refused");
        assert!(matches!(error, Error::TenantNotFound { .. }), "{error}");
        let error = bed
            .create(account(DEFAULT_TENANT, "new", name))
            .await
            .expect_err("refused");
        assert!(matches!(error, Error::UserNotFound { .. }), "{error}");
    }
}

async fn the_first_administrators_are_made_until_the_initialisation_ends(bed: Bed) {
    let look = bed.permit::<Look>().await;
    assert_eq!(bed.accounts.initialised(&look).await.expect("told"), None);
    let permit = bed.permit::<Initialise>().await;
    let new = person("this is not looked at", "first");
    let made = bed.accounts.create_first_admin(permit, new).await.expect("made");
    assert_eq!(
        (made.tenant.as_str(), made.tenant_roles, made.platform_roles),
        (DEFAULT_TENANT, vec![TenantRole::Admin], vec![PlatformRole::Admin])
    );
    let tenants = bed.accounts.tenants(&look).await.expect("listed");
    assert_eq!(tenants[0].admins, ["first"]);
    let permit = bed.permit::<Initialise>().await;
    bed.accounts.complete_initialisation(permit).await.expect("ended");
    assert_eq!(
        bed.accounts.initialised(&look).await.expect("told"),
        Some(bed.clock.now())
    );
    let permit = bed.permit::<Initialise>().await;
    let again = bed.accounts.complete_initialisation(permit).await;
    assert!(matches!(again, Err(Error::Initialised { .. })), "{again:?}");
    let permit = bed.permit::<Initialise>().await;
    let late = bed
        .accounts
        .create_first_admin(permit, person("", "second"))
        .await;
    assert!(matches!(late, Err(Error::Initialised { .. })), "{late:?}");
    // The administrator of the pages is one of the zone.
    let first = bed.sign_in("first").await;
    let permit = bed.permit_of::<Enrol>(&first).await;
    let made = bed
        .accounts
        .create_user(permit, person(DEFAULT_TENANT, "third"))
        .await;
    made.expect("made");
}

async fn an_account_has_an_owner_of_its_tenant_and_a_name_of_its_own(bed: Bed) {
    bed.tenant("physics").await;
    bed.enrol(person("physics", "grace")).await.expect("made");
    let made = bed
        .create(account("physics", "Phys_1", "grace"))
        .await
        .expect("made");
    assert_eq!(
        (
            made.name.as_str(),
            made.tenant.as_str(),
            made.owner.as_str(),
            made.owner_label.as_str(),
            made.users
        ),
        ("Phys_1", "physics", "grace", "Dr grace", 1)
    );
    // With nothing in it, it is blocked until somebody pays.
    assert_eq!(
        (made.balance, made.standing),
        (Money::ZERO, Standing::BelowThreshold)
    );
    let elsewhere = bed.create(account(DEFAULT_TENANT, "other", "grace")).await;
    assert!(
        matches!(elsewhere, Err(Error::UserNotFound { .. })),
        "{elsewhere:?}"
    );
    for taken in ["Phys_1", "phys_1"] {
        let again = bed.create(account(DEFAULT_TENANT, taken, "ada")).await;
        assert!(matches!(again, Err(Error::AccountExists { .. })), "{again:?}");
    }
    bed.create(account(DEFAULT_TENANT, "alpha", "ada"))
        .await
        .expect("made");
    let listed = async |tenant: Option<&str>, name: Option<&str>| {
        let filter = AccountFilter {
            tenant: tenant.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        let permit = bed.permit::<Look>().await;
        let accounts = bed.accounts.accounts(&permit, filter).await.expect("listed");
        accounts
            .into_iter()
            .map(|account| account.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(None, None).await, ["alpha", "Phys_1"]);
    assert_eq!(listed(Some("physics"), None).await, ["Phys_1"]);
    assert_eq!(listed(Some("physics"), Some("alpha")).await, Vec::<String>::new());
    assert_eq!(listed(None, Some("alpha")).await, ["alpha"]);
}

async fn users_of_the_same_tenant_join_an_account_once(bed: Bed) {
    bed.tenant("physics").await;
    bed.enrol(person("physics", "grace")).await.expect("made");
    let bob = bed.user("bob").await;
    bed.create(account(DEFAULT_TENANT, "lab", "ada"))
        .await
        .expect("made");
    bed.join_as(&bed.owner, "LAB", "Bob").await.expect("added");
    let again = bed.join_as(&bed.owner, "lab", "bob").await.expect_err("refused");
    assert!(matches!(again, Error::MemberExists { .. }), "{again}");
    let other = bed
        .join_as(&bed.owner, "lab", "grace")
        .await
        .expect_err("refused");
    assert!(matches!(other, Error::UserNotFound { .. }), "{other}");
    for (tenant, account, user) in [
        (Some("nowhere"), "lab", "bob"),
        (Some(DEFAULT_TENANT), "none", "bob"),
        (Some(DEFAULT_TENANT), "lab", "none"),
        (Some("physics"), "lab", "grace"),
        (None, "none", "bob"),
    ] {
        let new = NewMember {
            tenant: tenant.map(str::to_owned),
            account: account.to_owned(),
            user: user.to_owned(),
        };
        let permit = bed.permit::<Join>().await;
        let error = bed.accounts.add_user(permit, new).await.expect_err("refused");
        assert_eq!(
            error.kind(),
            ErrorKind::NotFound,
            "{tenant:?} {account} {user}: {error}"
        );
    }
    let permit = bed.permit::<Look>().await;
    let shown = bed.accounts.person(&permit, "bob").await.expect("there");
    let account = "lab".to_owned();
    let role = MemberRole::User;
    assert_eq!(shown.memberships, [Membership { account, role }]);
    assert_eq!(bed.shown("lab").await.users, 2);
    let usable = bed.accounts.usable_accounts(&permit, bob.id).await.expect("told");
    assert_eq!(usable, [("lab".to_owned(), true)]);
    bed.pay("lab", "1").await;
    let usable = bed.accounts.usable_accounts(&permit, bob.id).await.expect("told");
    assert_eq!(usable, [("lab".to_owned(), false)]);
}

async fn whoever_looks_after_an_account_takes_users_in_and_nobody_else_does(bed: Bed) {
    let users: [User; 3] = [
        bed.user("bob").await,
        bed.user("cleo").await,
        bed.user("dan").await,
    ];
    let [bob, cleo, dan] = &users;
    bed.account("lab", bob).await;
    bed.join_as(&bob.actor, "lab", "cleo").await.expect("bob has it");
    for stranger in [cleo, dan] {
        let refused = bed
            .join_as(&stranger.actor, "lab", "dan")
            .await
            .expect_err("refused");
        assert!(matches!(refused, Error::AccountNotFound { .. }), "{refused}");
    }
    assert_eq!(bed.shown("lab").await.users, 2);
}

async fn a_member_sees_themselves_and_the_accounts_they_are_in(bed: Bed) {
    let (bob, cleo) = (bed.user("bob").await, bed.user("cleo").await);
    bed.account("lab", &bob).await;
    bed.account("attic", &cleo).await;
    let permit = bed.permit_of::<Look>(&bob.actor).await;
    let seen = bed
        .accounts
        .accounts(&permit, AccountFilter::default())
        .await
        .expect("listed");
    assert_eq!(
        seen.iter()
            .map(|account| account.name.as_str())
            .collect::<Vec<_>>(),
        ["lab"]
    );
    bed.accounts.person(&permit, "bob").await.expect("themselves");
    for other in ["cleo", "ada", "none"] {
        let error = bed.accounts.person(&permit, other).await.expect_err("refused");
        assert!(matches!(error, Error::UserNotFound { .. }), "{error}");
    }
    let error = bed
        .accounts
        .usable_accounts(&permit, cleo.id)
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(bed.accounts.tenants(&permit).await.expect("listed"), []);
    let refused = bed.access.permit::<Enrol>(&bob.actor, &crate::bed::peer()).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::Denied));
}

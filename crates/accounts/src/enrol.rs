//! Making users of tenants, and the first administrators while SCOW's pages initialise.
//!
//! The user of `access` and what this room keeps of them are written in one transaction.
//! What it leaves to others: names, passwords and roles over the zone (`access`).

use access::{
    Action, Faults, Permit, Role, Write, grants, known,
    people::{self, Newcomer},
};
use model::{ErrorKind, Timestamp};
use store::{Tx, params};

use crate::{
    CreateTenant, DEFAULT_TENANT, Enrol, Error, Handle, Initialise, Look, NewPerson, Person, Tenant,
    TenantRole, person, tenant, words,
};

impl Handle {
    /// Makes a user of a tenant, with a password.
    ///
    /// # Errors
    /// Invalid: every field at fault. `NotFound`: [`Error::TenantNotFound`]. Exists: [`Error::UserExists`].
    pub async fn create_user(&self, permit: Permit<Enrol>, new: NewPerson) -> Result<Person, Error> {
        let draft = self.draft(new, Role::Member).await?;
        self.enrol(permit, move |write| write_person(write, &draft)).await
    }

    /// Makes an administrator of the zone and of the tenant `default`; the new person's tenant is not looked at.
    ///
    /// # Errors
    /// As [`Handle::create_user`]; Exists: [`Error::Initialised`]. Denied: the actor may not give this role.
    pub async fn create_first_admin(
        &self,
        permit: Permit<Initialise>,
        new: NewPerson,
    ) -> Result<Person, Error> {
        let mut draft = self.draft(new, Role::Admin).await?;
        DEFAULT_TENANT.clone_into(&mut draft.tenant);
        let make = move |write: &mut Write<'_, '_>| {
            if let Some(at) = initialised_at(write)? {
                return Err(Error::Initialised { at });
            }
            let made = write_person(write, &draft)?;
            let tenant = tenant::find(write, DEFAULT_TENANT)?;
            let part = person::part(tenant.id);
            grants::give_in(write, made.id, TenantRole::Admin.word(), &part)?;
            let known = known::by_id(write, made.id)?.ok_or(Error::Row { what: "user" })?;
            person::shown(write, &known)
        };
        self.enrol(permit, make).await
    }

    /// Makes a tenant, and in it a user who looks after it: both or neither.
    ///
    /// # Errors
    /// As [`Handle::create_user`] and [`Handle::create_tenant`].
    pub async fn create_tenant_with_admin(
        &self,
        permit: Permit<CreateTenant>,
        new: NewPerson,
    ) -> Result<(Tenant, Person), Error> {
        let named = words::check(|faults| words::name(faults, "tenant_name", &new.tenant));
        let draft = match (named, self.draft(new, Role::Member).await) {
            (Ok(()), draft) => draft?,
            (Err(Error::Invalid(mut faults)), Err(Error::Invalid(more))) => {
                faults.0.extend(more.0);
                return Err(Error::Invalid(faults));
            }
            (Err(error), _) => return Err(error),
        };
        let make = move |write: &mut Write<'_, '_>| {
            if tenant::by_name(write, &draft.tenant)?.is_some() {
                let tenant = draft.tenant.clone();
                return Err(Error::TenantExists { tenant });
            }
            let now = write.now();
            let id = tenant::insert(write, &draft.tenant, now)?;
            let made = write_person(write, &draft)?;
            grants::give_in(write, made.id, TenantRole::Admin.word(), &person::part(id))?;
            let known = known::by_id(write, made.id)?.ok_or(Error::Row { what: "user" })?;
            write.about(format_args!("tenant {} with user {}", draft.tenant, known.name));
            Ok((tenant::shown(write, id)?, person::shown(write, &known)?))
        };
        permit.write(&self.inner.store, make).await
    }

    /// When the initialisation of SCOW's pages was ended; none: it is open.
    ///
    /// # Errors
    /// The store's own.
    pub async fn initialised(&self, permit: &Permit<Look>) -> Result<Option<Timestamp>, Error> {
        permit.read(&self.inner.store, initialised_at).await
    }

    /// Ends the initialisation.
    ///
    /// # Errors
    /// Exists: [`Error::Initialised`].
    pub async fn complete_initialisation(&self, permit: Permit<Initialise>) -> Result<(), Error> {
        let end = |write: &mut Write<'_, '_>| {
            write.about("the initialisation");
            if let Some(at) = initialised_at(write)? {
                return Err(Error::Initialised { at });
            }
            let now = write.now();
            let sql = "UPDATE accounts_zone SET initialised_at = ?1 WHERE one = 1";
            write.execute(sql, params![now])?;
            Ok(())
        };
        permit.write(&self.inner.store, end).await
    }

    /// Judges every field, and prepares what takes long.
    async fn draft(&self, new: NewPerson, role: Role) -> Result<Draft, Error> {
        let mut faults = Faults::default();
        words::text(&mut faults, "name", &new.label);
        words::text(&mut faults, "email", &new.email);
        let prepared = self.inner.access.newcomer(&new.name, Some(&new.password), role);
        let newcomer = match prepared.await {
            Ok(newcomer) => newcomer,
            Err(access::Error::Invalid(more)) => {
                faults.0.extend(more.0);
                return Err(Error::Invalid(faults));
            }
            Err(other) => return Err(other.into()),
        };
        if !faults.0.is_empty() {
            return Err(Error::Invalid(faults));
        }
        Ok(Draft {
            tenant: new.tenant,
            label: if new.label.is_empty() { new.name } else { new.label },
            email: new.email,
            newcomer,
        })
    }

    async fn enrol<A, F>(&self, permit: Permit<A>, work: F) -> Result<Person, Error>
    where
        A: Action,
        F: Fn(&mut Write<'_, '_>) -> Result<Person, Error> + Send + 'static,
    {
        permit.write(&self.inner.store, work).await
    }
}

/// A user who is to be made, checked.
struct Draft {
    tenant: String,
    label: String,
    email: String,
    newcomer: Newcomer,
}

fn write_person(write: &mut Write<'_, '_>, draft: &Draft) -> Result<Person, Error> {
    let name = draft.newcomer.name();
    write.about(format_args!("user {name} of {}", words::shown(&draft.tenant)));
    let tenant = tenant::find(write, &draft.tenant)?;
    let user = people::enrol(write, &draft.newcomer).map_err(|error| {
        if error.kind() == ErrorKind::Exists {
            let user = name.to_string();
            Error::UserExists { user }
        } else {
            Error::Access(error)
        }
    })?;
    write.execute(
        "INSERT INTO people (user_id, user_name, tenant_id, label, email) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![user, name, tenant.id, &draft.label, &draft.email],
    )?;
    let known = known::by_id(write, user)?.ok_or(Error::Row { what: "user" })?;
    person::shown(write, &known)
}

fn initialised_at(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, Error> {
    let row = tx.row("SELECT initialised_at FROM accounts_zone WHERE one = 1", &[])?;
    Ok(row.ok_or(Error::Row { what: "zone" })?.get(0)?)
}

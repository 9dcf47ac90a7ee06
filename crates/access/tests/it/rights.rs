//! Roles, covers, and what happens to a right while it is being used.

use access::{
    ACTIONS, Access, Action, Cover, Error, NewUser, Permit, Reach, Role, Scope, Table, audit, grants,
    session, user,
};
use model::ErrorKind;

use crate::bed::{Bed, Session, peer, refused};

/// Every action of this room, asked for by one session.
async fn asked(bed: &Bed, session: &Session) -> Vec<(&'static str, Option<Cover>)> {
    async fn one<A: Action>(bed: &Bed, session: &Session) -> (&'static str, Option<Cover>) {
        (
            A::NAME,
            bed.permit::<A>(session).await.ok().map(|permit| *permit.cover()),
        )
    }
    vec![
        one::<session::SignOut>(bed, session).await,
        one::<session::WhoAmI>(bed, session).await,
        one::<session::SetPassword>(bed, session).await,
        one::<session::AddKey>(bed, session).await,
        one::<session::AddWallet>(bed, session).await,
        one::<session::ListWallets>(bed, session).await,
        one::<session::RemoveWallet>(bed, session).await,
        one::<session::Certify>(bed, session).await,
        one::<user::Create>(bed, session).await,
        one::<user::List>(bed, session).await,
        one::<user::Code>(bed, session).await,
        one::<user::Revoke>(bed, session).await,
        one::<access::zone::Status>(bed, session).await,
        one::<audit::Read>(bed, session).await,
    ]
}

#[tokio::test]
async fn z02_every_role_gets_exactly_what_the_table_says() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let (amy, mia) = (
        bed.user(&ada, "amy", "admin").await,
        bed.user(&ada, "mia", "member").await,
    );
    let table = Table::shipped().expect("well formed");
    for (role, session) in [(Role::Owner, &ada), (Role::Admin, &amy), (Role::Member, &mia)] {
        let answers = asked(&bed, session).await;
        assert_eq!(
            answers.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            ACTIONS,
            "every action is asked for"
        );
        for (action, cover) in answers {
            let wanted = table.reach(role, action).map(|reach| match reach {
                Reach::Zone => Cover::Zone,
                Reach::Own => Cover::Own(session.actor.user().expect("a user").id),
            });
            assert_eq!(cover, wanted, "{role} {action}");
        }
    }
    let denied =
        "SELECT COUNT(*) FROM audit WHERE outcome = 'refused' AND reason = 'denied' AND actor_name = 'mia'";
    assert_eq!(bed.count(denied).await, 6, "each denial has its row");
}

#[tokio::test]
async fn z02_a_user_without_a_role_may_do_nothing() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let mia = bed.user(&ada, "mia", "member").await;
    bed.tamper("DELETE FROM grants WHERE role = 'member'").await;
    assert!(asked(&bed, &mia).await.iter().all(|(_, cover)| cover.is_none()));
}

#[tokio::test]
async fn z02_an_action_without_a_line_is_denied_to_the_owner_too() {
    struct Unheard;
    impl Action for Unheard {
        const NAME: &'static str = "zone.unheard";
        const WRITES: bool = true;
    }
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let error = refused(bed.permit::<Unheard>(&ada).await);
    assert!(
        matches!(
            error,
            Error::Denied {
                action: "zone.unheard"
            }
        ),
        "{error}"
    );
}

#[test]
fn a_cover_of_ones_own_finds_nothing_of_others() {
    let now = model::Timestamp::from_secs(1);
    let (mine, theirs) = (model::UserId::fresh(now), model::UserId::fresh(now));
    let own = Cover::Own(mine);
    assert!(own.covers(&Scope::User(mine)) && Cover::Zone.covers(&Scope::User(theirs)));
    for scope in [Scope::User(theirs), Scope::Zone] {
        let error = refused(own.find(&scope, "job 7"));
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::NotFound, "find job 7")
        );
    }
}

async fn take(permit: &Permit<user::Create>, bed: &Bed, whom: &Session, role: Role) -> Result<(), Error> {
    let whom = whom.actor.user().expect("a user").id;
    permit
        .write(&bed.store, move |write| grants::take(write, whom, role))
        .await
}

async fn give(permit: &Permit<user::Create>, bed: &Bed, whom: &Session, role: Role) -> Result<(), Error> {
    let whom = whom.actor.user().expect("a user").id;
    permit
        .write(&bed.store, move |write| grants::give(write, whom, role))
        .await
}

#[tokio::test]
async fn z06_a_permit_of_a_demoted_admin_writes_nothing() {
    z06_a_permit_of_a_demoted_admin_writes_nothing_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z06_a_permit_of_a_demoted_admin_writes_nothing_on_postgresql() {
    z06_a_permit_of_a_demoted_admin_writes_nothing_on(Bed::postgres().await).await;
}

async fn z06_a_permit_of_a_demoted_admin_writes_nothing_on(bed: Bed) {
    let ada = bed.owner().await;
    let amy = bed.user(&ada, "amy", "admin").await;
    let held = bed.permit::<user::Create>(&amy).await.expect("may, now");
    let owner = bed.permit::<user::Create>(&ada).await.expect("may");
    take(&owner, &bed, &amy, Role::Admin).await.expect("is demoted");
    let wanted = NewUser {
        name: "eve".to_owned(),
        ..NewUser::default()
    };
    let late = bed.access.create_user(&held, &wanted).await;
    assert_eq!(refused(late).kind(), ErrorKind::Denied);
    assert_eq!(bed.count("SELECT COUNT(*) FROM users").await, 2);
    let row = "SELECT COUNT(*) FROM audit WHERE action = 'user.create' AND outcome = 'refused' AND actor_name = 'amy'";
    assert_eq!(bed.count(row).await, 1, "the try is on record");
}

#[tokio::test]
async fn z06_a_permit_whose_reach_changed_is_refused_as_a_conflict() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let amy = bed.user(&ada, "amy", "admin").await;
    let owner = bed.permit::<user::Create>(&ada).await.expect("may");
    struct Cancel;
    impl Action for Cancel {
        const NAME: &'static str = "jobs.cancel";
        const WRITES: bool = true;
    }
    let held = bed
        .access
        .permit::<Cancel>(&amy.actor, &peer())
        .await
        .expect("may, over the zone");
    give(&owner, &bed, &amy, Role::Member).await.expect("is given");
    held.write::<_, Error, _>(&bed.store, |_write| Ok(()))
        .await
        .expect("the widest role counts");
    take(&owner, &bed, &amy, Role::Admin).await.expect("is taken");
    let late = held
        .write::<(), Error, _>(&bed.store, |_write| panic!("never runs"))
        .await;
    assert!(matches!(
        refused(late),
        Error::RightsChanged {
            action: "jobs.cancel"
        }
    ));
}

#[tokio::test]
async fn z06_a_permit_of_an_ended_session_writes_nothing() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let amy = bed.user(&ada, "amy", "admin").await;
    let held = bed.permit::<user::Create>(&amy).await.expect("may, now");
    let revoke = bed.permit::<user::Revoke>(&ada).await.expect("may");
    bed.access.revoke_sessions(&revoke, "amy").await.expect("ended");
    let wanted = NewUser {
        name: "eve".to_owned(),
        ..NewUser::default()
    };
    assert_eq!(
        refused(bed.access.create_user(&held, &wanted).await).kind(),
        ErrorKind::Unauthenticated
    );
}

#[tokio::test]
async fn z06_nobody_lifts_themselves_or_anybody_to_their_own_rank() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let (amy, max) = (
        bed.user(&ada, "amy", "admin").await,
        bed.user(&ada, "max", "admin").await,
    );
    let permit = bed.permit::<user::Create>(&amy).await.expect("may make members");
    for (whom, role) in [(&amy, Role::Owner), (&max, Role::Owner), (&max, Role::Admin)] {
        assert_eq!(
            refused(give(&permit, &bed, whom, role).await).kind(),
            ErrorKind::Denied,
            "give {role}"
        );
        assert_eq!(
            refused(take(&permit, &bed, whom, role).await).kind(),
            ErrorKind::Denied,
            "take {role}"
        );
    }
    for role in ["admin", "owner"] {
        let wanted = NewUser {
            name: "eve".to_owned(),
            role: role.to_owned(),
            unix_name: String::new(),
        };
        let error = refused(bed.access.create_user(&permit, &wanted).await);
        assert!(
            matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid),
            "{role}: {error}"
        );
    }
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM names WHERE folded = 'eve'").await,
        0,
        "nothing is left behind"
    );
    let code = bed.permit::<user::Code>(&amy).await.expect("may, for members");
    let revoke = bed.permit::<user::Revoke>(&amy).await.expect("may, for members");
    for name in ["ada", "max"] {
        assert_eq!(
            refused(bed.access.create_sign_in_code(&code, name).await).kind(),
            ErrorKind::Denied
        );
        assert_eq!(
            refused(bed.access.revoke_sessions(&revoke, name).await).kind(),
            ErrorKind::Denied
        );
    }
    bed.access
        .create_sign_in_code(&code, "amy")
        .await
        .expect("for oneself");
}

#[tokio::test]
async fn z06_two_owners_who_demote_each_other_leave_one() {
    z06_two_owners_who_demote_each_other_leave_one_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z06_two_owners_who_demote_each_other_leave_one_on_postgresql() {
    z06_two_owners_who_demote_each_other_leave_one_on(Bed::postgres().await).await;
}

async fn z06_two_owners_who_demote_each_other_leave_one_on(bed: Bed) {
    let ada = bed.owner().await;
    let amy = bed.user(&ada, "amy", "admin").await;
    let first = bed.permit::<user::Create>(&ada).await.expect("may");
    give(&first, &bed, &amy, Role::Owner)
        .await
        .expect("a second owner");
    let second = bed.permit::<user::Create>(&amy).await.expect("may");
    let (one, two) = tokio::join!(
        take(&first, &bed, &amy, Role::Owner),
        take(&second, &bed, &ada, Role::Owner)
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM grants WHERE role = 'owner'")
            .await,
        1
    );
    let last = if one.is_ok() {
        (&first, &ada)
    } else {
        (&second, &amy)
    };
    let alone = refused(take(last.0, &bed, last.1, Role::Owner).await);
    assert_eq!(alone.kind(), ErrorKind::Precondition, "the last owner stays");
}

async fn create(
    access: &Access,
    permit: &Permit<user::Create>,
    name: &str,
    unix_name: &str,
) -> Result<(), Error> {
    let wanted = NewUser {
        name: name.to_owned(),
        role: String::new(),
        unix_name: unix_name.to_owned(),
    };
    access.create_user(permit, &wanted).await.map(|_| ())
}

#[tokio::test]
async fn z07_a_name_is_never_given_twice_even_after_its_user_is_gone() {
    z07_a_name_is_never_given_twice_even_after_its_user_is_gone_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z07_a_name_is_never_given_twice_even_after_its_user_is_gone_on_postgresql() {
    z07_a_name_is_never_given_twice_even_after_its_user_is_gone_on(Bed::postgres().await).await;
}

async fn z07_a_name_is_never_given_twice_even_after_its_user_is_gone_on(bed: Bed) {
    let ada = bed.owner().await;
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    create(&bed.access, &permit, "bob", "").await.expect("is made");
    bed.tamper("DELETE FROM users WHERE name = 'bob'").await;
    let again = refused(create(&bed.access, &permit, "bob", "").await);
    assert!(
        matches!(&again, Error::NameTaken { name } if name == "bob"),
        "{again}"
    );
    for reserved in ["admin", "owner", "kernel", "ood", "verify-hub", "root", "su-bob"] {
        let error = refused(create(&bed.access, &permit, reserved, "").await);
        assert!(matches!(error, Error::NameReserved { .. }), "{reserved}: {error}");
    }
}

#[tokio::test]
async fn a_unix_account_serves_one_user_and_is_never_root() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    create(&bed.access, &permit, "bob", "bob_1")
        .await
        .expect("is made");
    assert_eq!(
        refused(create(&bed.access, &permit, "eve", "bob_1").await).kind(),
        ErrorKind::Exists
    );
    let amy = bed.user(&ada, "amy", "admin").await;
    let by_admin = bed.permit::<user::Create>(&amy).await.expect("may make members");
    let error = refused(create(&bed.access, &by_admin, "eve", "somebody").await);
    assert_eq!(error.kind(), ErrorKind::Denied, "an admin is not the machine's");
    create(&bed.access, &by_admin, "eva", "")
        .await
        .expect("without one it is made");
    for bad in ["root", "a b", "-x", "../x", &"a".repeat(33)] {
        assert_eq!(
            refused(create(&bed.access, &permit, "eve", bad).await).kind(),
            ErrorKind::Invalid,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn users_are_listed_by_name_in_pages() {
    users_are_listed_by_name_in_pages_on(Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_listed_by_name_in_pages_on_postgresql() {
    users_are_listed_by_name_in_pages_on(Bed::postgres().await).await;
}

async fn users_are_listed_by_name_in_pages_on(bed: Bed) {
    let ada = bed.owner().await;
    let create_permit = bed.permit::<user::Create>(&ada).await.expect("may");
    for name in ["eve", "bob", "cid"] {
        create(&bed.access, &create_permit, name, "")
            .await
            .expect("is made");
    }
    let permit = bed.permit::<user::List>(&ada).await.expect("may");
    let (mut names, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = bed
            .access
            .list_users(&permit, 2, after.as_deref())
            .await
            .expect("a page");
        assert!(page.users.len() <= 2);
        names.extend(
            page.users
                .into_iter()
                .map(|user| (user.name.to_string(), user.number, user.roles.join(" "))),
        );
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let wanted = [
        ("ada", 1, "owner"),
        ("bob", 3, "member"),
        ("cid", 4, "member"),
        ("eve", 2, "member"),
    ];
    let wanted = wanted.map(|(name, number, role)| (name.to_owned(), number, role.to_owned()));
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn z04_what_is_open_ends_when_a_role_is_taken_and_not_when_one_is_given() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let (amy, mia) = (
        bed.user(&ada, "amy", "admin").await,
        bed.user(&ada, "mia", "member").await,
    );
    let owner = bed.permit::<user::Create>(&ada).await.expect("may");
    let (open, other) = (
        amy.actor.user().expect("a user").session,
        mia.actor.user().expect("a user").session,
    );
    let (open, other) = (bed.access.until_revoked(open), bed.access.until_revoked(other));
    tokio::pin!(open, other);
    let still = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(still, &mut open).await.is_err());
    give(&owner, &bed, &amy, Role::Member).await.expect("is given");
    assert!(
        tokio::time::timeout(still, &mut open).await.is_err(),
        "more rights end nothing"
    );
    take(&owner, &bed, &amy, Role::Admin).await.expect("is taken");
    crate::bed::soon(open).await;
    assert!(
        tokio::time::timeout(still, other).await.is_err(),
        "nobody else's ends"
    );
    assert!(bed.stands(&amy).await, "the session goes on");
    let again = bed
        .access
        .until_revoked(amy.actor.user().expect("a user").session);
    assert!(
        tokio::time::timeout(still, again).await.is_err(),
        "opened again with what is left"
    );
}

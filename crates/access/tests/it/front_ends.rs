//! Front ends: the token, for whom it speaks, how far its right reaches; and users made in a slice's own write.

use access::{
    Access, Action, Actor, Config, Cover, Credential, Error, FrontEnd, Permit, Role, grants, people, session,
    user,
};
use model::{ErrorKind, UserId};

use crate::bed::{Bed, PASSWORD, Session, by_password, peer, refused, secret, soon};

const TOKEN: &str = "canary-front-end-token-0123456789";

/// An action that members have over their own and administrators over the zone.
struct Cancel;
impl Action for Cancel {
    const NAME: &'static str = "jobs.cancel";
    const WRITES: bool = true;
}

/// An action that everybody has over their own alone.
struct Submit;
impl Action for Submit {
    const NAME: &'static str = "jobs.submit";
    const WRITES: bool = true;
}

async fn bed(ceiling: Role) -> Bed {
    let front_end = FrontEnd::new("scow", &secret(TOKEN), ceiling).expect("a good token");
    assert!(!format!("{front_end:?}").contains(TOKEN));
    Bed::with(Config {
        front_end: Some(front_end),
        ..Config::default()
    })
    .await
}

async fn speak(bed: &Bed, token: &str, user: Option<&str>) -> Result<Actor, Error> {
    let credential = Credential::FrontEnd {
        token: secret(token),
        user: user.map(str::to_owned),
    };
    bed.access.authenticate(credential, &peer()).await
}

async fn may<A: Action>(bed: &Bed, actor: &Actor) -> Result<Permit<A>, Error> {
    bed.access.permit::<A>(actor, &peer()).await
}

fn id(session: &Session) -> UserId {
    session.actor.user().expect("a user").id
}

#[tokio::test]
async fn a_front_end_has_no_more_right_than_its_ceiling_and_the_user_both_have() {
    let bed = bed(Role::Admin).await;
    let ada = bed.owner().await;
    let mia = bed.user(&ada, "mia", "member").await;
    bed.user(&ada, "eve", "member").await;
    bed.tamper("DELETE FROM grants WHERE subject IN (SELECT id FROM users WHERE name = 'eve')")
        .await;

    // For a user: over their own, whoever they are, and never as an owner beyond the ceiling.
    for whom in [&ada, &mia] {
        let name = whom.actor.user().expect("a user").name.to_string();
        let actor = speak(&bed, TOKEN, Some(&name)).await.expect("speaks");
        assert_eq!(actor.user().expect("a user").id, id(whom));
        assert_eq!(actor.user().expect("a user").session, None);
        let (submit, cancel) = (
            may::<Submit>(&bed, &actor).await.expect("may"),
            may::<Cancel>(&bed, &actor).await.expect("may"),
        );
        assert_eq!(
            (submit.cover(), cancel.cover()),
            (&Cover::Own(id(whom)), &Cover::Own(id(whom)))
        );
        assert!(!submit.is_owner());
        assert_eq!(submit.user().expect("a user").id, id(whom));
        // What a session is for stays with the person.
        let refusal = refused(may::<session::SetPassword>(&bed, &actor).await);
        assert_eq!(refusal.kind(), ErrorKind::Denied);
    }
    // A user without the right gets none by a front end, and what the user has not, the front end does not lend.
    let for_eve = speak(&bed, TOKEN, Some("eve")).await.expect("speaks");
    assert!(may::<Submit>(&bed, &for_eve).await.is_err());
    let for_mia = speak(&bed, TOKEN, Some("mia")).await.expect("speaks");
    assert!(may::<user::Create>(&bed, &for_mia).await.is_err());

    // For itself: what the ceiling has over the zone, and nothing that is somebody's own.
    let itself = speak(&bed, TOKEN, None).await.expect("speaks");
    assert_eq!(
        *may::<Cancel>(&bed, &itself).await.expect("may").cover(),
        Cover::Zone
    );
    assert!(may::<Submit>(&bed, &itself).await.is_err());
    assert!(may::<session::WhoAmI>(&bed, &itself).await.is_err());
    assert!(itself.user().is_none());
}

#[tokio::test]
async fn a_low_ceiling_holds_down_whoever_is_spoken_for() {
    let bed = bed(Role::Guest).await;
    bed.owner().await;
    let actor = speak(&bed, TOKEN, Some("ada")).await.expect("speaks");
    assert!(may::<Submit>(&bed, &actor).await.is_err());
    assert!(may::<user::List>(&bed, &actor).await.is_err());
    let itself = speak(&bed, TOKEN, None).await.expect("speaks");
    assert!(may::<user::List>(&bed, &itself).await.is_err());
}

#[tokio::test]
async fn only_the_token_makes_a_front_end_and_only_of_users_who_are_there() {
    let bed = bed(Role::Admin).await;
    let ada = bed.owner().await;
    for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN} "), &TOKEN.to_uppercase()] {
        let refusal = refused(speak(&bed, wrong, Some("ada")).await);
        assert_eq!(refusal.kind(), ErrorKind::Unauthenticated, "{wrong}");
    }
    // A user's own token is that user's, whatever name stands beside it.
    let own = speak(&bed, ada.tokens.access_token.expose(), Some("mia")).await;
    assert_eq!(own.expect("her own"), ada.actor);
    // Nobody else takes the token.
    let bearer = Credential::Bearer(secret(TOKEN));
    assert!(bed.access.authenticate(bearer, &peer()).await.is_err());
    for (name, kind) in [
        ("", ErrorKind::Invalid),
        ("no name!", ErrorKind::Invalid),
        ("nobody", ErrorKind::Denied),
        ("ADA", ErrorKind::Denied),
    ] {
        assert_eq!(
            refused(speak(&bed, TOKEN, Some(name)).await).kind(),
            kind,
            "{name}"
        );
    }
    let rows = "SELECT COUNT(*) FROM audit WHERE actor_kind = 'front end' AND actor_name = 'scow' \
                AND object IN ('user nobody', 'user ADA') AND outcome = 'refused'";
    assert_eq!(bed.count(rows).await, 2);
    // Without one in the configuration there is none.
    let none = Bed::new().await;
    assert!(speak(&none, TOKEN, None).await.is_err());
    let short = FrontEnd::new("scow", &secret(&TOKEN[..31]), Role::Admin);
    assert_eq!(refused(short).kind(), ErrorKind::Invalid);
    assert!(FrontEnd::new("scow", &secret(&format!("{TOKEN}\n")), Role::Admin).is_err());
}

#[tokio::test]
async fn the_audit_trail_names_the_front_end_and_the_user() {
    let bed = bed(Role::Admin).await;
    bed.owner().await;
    for whom in [Some("ada"), None] {
        let actor = speak(&bed, TOKEN, whom).await.expect("speaks");
        let permit = may::<Cancel>(&bed, &actor).await.expect("may");
        let done = permit.write::<_, Error, _>(&bed.store, |write| {
            write.about("job 7");
            Ok(())
        });
        done.await.expect("is done");
        assert!(may::<session::AddKey>(&bed, &actor).await.is_err());
    }
    for (sql, wanted) in [
        (
            "SELECT COUNT(*) FROM audit WHERE actor_kind = 'front end' AND actor_name = 'scow' AND actor_id = '' \
          AND session_id = '' AND speaks_for = 'ada' AND object = 'job 7' AND outcome = 'done'",
            1,
        ),
        (
            "SELECT COUNT(*) FROM audit WHERE actor_kind = 'front end' AND speaks_for = '' AND object = 'job 7'",
            1,
        ),
        (
            "SELECT COUNT(*) FROM audit WHERE actor_kind = 'front end' AND speaks_for = 'ada' \
          AND action = 'session.add_key' AND outcome = 'refused'",
            1,
        ),
    ] {
        assert_eq!(bed.count(sql).await, wanted, "{sql}");
    }
}

#[tokio::test]
async fn a_permit_for_a_user_ends_with_the_users_right() {
    let bed = bed(Role::Admin).await;
    let ada = bed.owner().await;
    bed.user(&ada, "mia", "member").await;
    let actor = speak(&bed, TOKEN, Some("mia")).await.expect("speaks");
    let permit = may::<Cancel>(&bed, &actor).await.expect("may");
    bed.tamper("DELETE FROM grants WHERE role = 'member'").await;
    let written = permit.write::<_, Error, _>(&bed.store, |_write| Ok(())).await;
    assert_eq!(refused(written).kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn what_a_front_end_has_open_ends_with_the_right_and_not_before() {
    let bed = bed(Role::Admin).await;
    let ada = bed.owner().await;
    let mia = bed.user(&ada, "mia", "member").await;
    let actor = speak(&bed, TOKEN, Some("mia")).await.expect("speaks");
    let lasting = may::<Cancel>(&bed, &actor).await.expect("may").lasting();
    let mut ended = std::pin::pin!(bed.access.until_ended(&lasting));
    // Another's role, and the end of the user's own sessions, end nothing.
    let permit = bed.permit::<user::Create>(&ada).await.expect("may");
    let others = id(&bed.user(&ada, "bob", "member").await);
    for (whom, role) in [(others, Role::Member), (id(&mia), Role::Admin)] {
        let change = permit.write::<_, Error, _>(&bed.store, move |write| grants::give(write, whom, role));
        change.await.expect("given");
    }
    let revoke = bed.permit::<user::Revoke>(&ada).await.expect("may");
    bed.access.revoke_sessions(&revoke, "mia").await.expect("ended");
    assert!(futures::poll!(&mut ended).is_pending());
    let whom = id(&mia);
    for role in [Role::Admin, Role::Member] {
        let take = permit.write::<_, Error, _>(&bed.store, move |write| grants::take(write, whom, role));
        take.await.expect("taken");
    }
    soon(ended).await;
}

async fn enrol(
    access: &Access,
    bed: &Bed,
    permit: &Permit<user::Create>,
    name: &str,
    role: Role,
) -> Result<UserId, Error> {
    let newcomer = access.newcomer(name, Some(&secret(PASSWORD)), role).await?;
    permit
        .write(&bed.store, move |write| {
            let user = people::enrol(write, &newcomer)?;
            grants::give_in(write, user, "tenant_admin", &grants::Part::new("tenant", "t-1"))?;
            if newcomer.name().as_str() == "unlucky" {
                return Err(Error::LastOwner);
            }
            Ok(user)
        })
        .await
}

#[tokio::test]
async fn a_user_is_made_in_the_write_of_a_slice_or_not_at_all() {
    let bed = bed(Role::Admin).await;
    let ada = bed.owner().await;
    let (access, itself) = (&bed.access, speak(&bed, TOKEN, None).await.expect("speaks"));
    let permit = may::<user::Create>(&bed, &itself).await.expect("may");
    let person = enrol(access, &bed, &permit, "Zhang.San_1@x", Role::Member)
        .await
        .expect("made");
    let signed_in = bed.session(by_password("Zhang.San_1@x", PASSWORD)).await;
    assert_eq!(id(&signed_in), person);
    // A ceiling of `admin` may make an administrator, which an administrator may not.
    let amy = enrol(access, &bed, &permit, "amy", Role::Admin)
        .await
        .expect("made");
    let amys = bed.session(by_password("amy", PASSWORD)).await;
    let by_amy = bed.permit::<user::Create>(&amys).await.expect("may");
    let refusal = refused(enrol(access, &bed, &by_amy, "second", Role::Admin).await);
    assert_eq!(refusal.kind(), ErrorKind::Denied);
    let by_ada = bed.permit::<user::Create>(&ada).await.expect("may");
    for (name, kind) in [
        ("ADA", ErrorKind::Exists),
        ("admin", ErrorKind::Exists),
        ("", ErrorKind::Invalid),
        ("unlucky", ErrorKind::Precondition),
    ] {
        let answer = enrol(access, &bed, &by_ada, name, Role::Member).await;
        assert_eq!(refused(answer).kind(), kind, "{name}");
    }
    let left = "SELECT COUNT(*) FROM users WHERE name IN ('second', 'unlucky')";
    assert_eq!(bed.count(left).await, 0);
    // SCOW's own pages let 8 characters pass.
    let eight = access
        .newcomer("eight", Some(&secret("12345678")), Role::Member)
        .await;
    assert_eq!(eight.expect("long enough").name().as_str(), "eight");
    let Error::Invalid(faults) = refused(
        access
            .newcomer("a b", Some(&secret("1234567")), Role::Guest)
            .await,
    ) else {
        panic!("three faults");
    };
    let fields: Vec<&str> = faults.0.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["user_name", "password", "role"]);

    // Roles within a tenant count there and nowhere else.
    let part = grants::Part::new("tenant", "t-1");
    let held = permit
        .read::<_, Error, _>(&bed.store, move |tx| {
            Ok((grants::in_scope(tx, &part)?, grants::of_user_in(tx, amy, &part)?))
        })
        .await
        .expect("read");
    assert_eq!(
        held.0,
        [person, amy].map(|user| (user, "tenant_admin".to_owned()))
    );
    assert_eq!(held.1, ["tenant_admin"]);
    let member = may::<user::List>(&bed, &signed_in.actor).await;
    assert_eq!(refused(member).kind(), ErrorKind::Denied);
    let taken = permit.write::<_, Error, _>(&bed.store, move |write| {
        grants::take_in(write, person, "tenant_admin", &grants::Part::new("tenant", "t-1"))
    });
    taken.await.expect("taken");
    assert_eq!(
        bed.count("SELECT COUNT(*) FROM grants WHERE scope = 'tenant:t-1'")
            .await,
        1
    );
}

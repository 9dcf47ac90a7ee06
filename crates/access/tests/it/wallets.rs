//! Wallets: the handshake that signs the time, cookies, the sign-in by a text of the zone, and linking.

use access::{
    Config, Credential, Error, Faults, Handshake, Peer, Proof, Secret, SignedInByCookie, WalletAddress,
    session, user,
};
use model::{ErrorKind, Span};

use crate::bed::{Bed, Session, at, bearer, peer, refused, secret, soon};

const COOKIE: &str = "cookie-of-a-wallet";

/// A wallet, and what it does at this zone.
struct Wallet {
    key: testbed::Wallet,
    address: WalletAddress,
}

impl Wallet {
    fn new(number: u8) -> Self {
        let key = testbed::Wallet::new(number);
        let address = key.address().parse().expect("an address");
        Self { key, address }
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.key.sign_bytes(bytes)
    }

    fn sign_text(&self, text: &str) -> Vec<u8> {
        self.key.sign_text(text)
    }

    /// The handshake over the time that lies so many seconds from the clock.
    fn handshake(&self, bed: &Bed, ahead: i64) -> Handshake {
        let time = (bed.clock.now().secs() + ahead).to_string();
        Handshake {
            signature: self.sign_bytes(time.as_bytes()),
            address: self.address,
            time,
        }
    }

    async fn announce(&self, bed: &Bed) {
        bed.access
            .announce_wallet(self.address, &peer())
            .await
            .expect("is noted");
    }

    async fn greet(&self, bed: &Bed) -> Result<SignedInByCookie, Error> {
        let handshake = self.handshake(bed, 0);
        bed.access.sign_in_by_handshake(&handshake, COOKIE, &peer()).await
    }

    async fn link(&self, bed: &Bed, session: &Session) -> Result<WalletAddress, Error> {
        let name = session.actor.user().expect("a user").name.as_str();
        let text = bed.access.wallet_text(self.address, Some(name)).expect("a text");
        let permit = bed.permit::<session::AddWallet>(session).await.expect("may link");
        let signature = self.sign_text(&text);
        bed.access
            .add_wallet(&permit, &text, &signature, "my wallet")
            .await
    }

    fn proof(&self, bed: &Bed) -> Proof {
        let text = bed.access.wallet_text(self.address, None).expect("a text");
        Proof::Wallet {
            signature: self.sign_text(&text),
            text,
        }
    }
}

fn shown(name: &str, secret: &Secret) -> Credential {
    Credential::Cookie {
        name: name.to_owned(),
        secret: self::secret(secret.expose()),
    }
}

async fn stands(bed: &Bed, cookie: &Secret) -> bool {
    bed.access
        .authenticate(shown(COOKIE, cookie), &peer())
        .await
        .is_ok()
}

fn kind<T>(answer: Result<T, Error>) -> ErrorKind {
    refused(answer).kind()
}

async fn a_wallets_story(bed: &Bed) {
    let (ada, wallet) = (bed.owner().await, Wallet::new(1));
    assert_eq!(
        kind(wallet.greet(bed).await),
        ErrorKind::Unauthenticated,
        "not announced"
    );
    bed.clock.advance(Span::from_secs(1));
    wallet.announce(bed).await;
    let guest = wallet.greet(bed).await.expect("a guest");
    let digits = wallet.address.to_string();
    assert_eq!(guest.identity.user_name.as_str(), format!("w{}", &digits[2..32]));
    assert_eq!(guest.identity.roles, ["guest"]);
    assert_eq!(guest.expires_at, bed.clock.now() + Span::from_secs(86_400));
    let actor = bed
        .access
        .authenticate(shown(COOKIE, &guest.cookie), &peer())
        .await;
    let actor = actor.expect("the cookie is good");
    assert_eq!(actor.user().expect("a user").id, guest.identity.user_id);
    // A guest may leave, and nothing else.
    let who = bed.access.permit::<session::WhoAmI>(&actor, &peer()).await;
    let who = bed.access.who_am_i(&who.expect("may")).await.expect("told");
    assert_eq!(who.user_name, guest.identity.user_name);
    assert!(
        bed.access
            .permit::<session::AddKey>(&actor, &peer())
            .await
            .is_err()
    );
    assert!(bed.access.permit::<user::List>(&actor, &peer()).await.is_err());

    // Linked to somebody, the wallet is theirs from the next call on, and the guest's cookie ends.
    bed.clock.advance(Span::from_secs(1));
    assert_eq!(wallet.link(bed, &ada).await.expect("linked"), wallet.address);
    assert!(!stands(bed, &guest.cookie).await);
    let linked = wallet.greet(bed).await.expect("known, and announced once");
    assert_eq!(linked.identity.user_id, ada.actor.user().expect("a user").id);
    let native = bed.session(wallet.proof(bed)).await;
    assert_eq!(
        native.actor.user().expect("a user").id,
        ada.actor.user().expect("a user").id
    );
    let permit = bed.permit::<session::ListWallets>(&ada).await.expect("may");
    let listed = bed.access.list_wallets(&permit).await.expect("a list");
    assert_eq!((listed.len(), listed[0].label.as_str()), (1, "my wallet"));

    // Taken away, it signs in nobody, and every session but the one that did it has ended.
    let permit = bed.permit::<session::RemoveWallet>(&ada).await.expect("may");
    bed.access
        .remove_wallet(&permit, wallet.address)
        .await
        .expect("removed");
    assert!(!stands(bed, &linked.cookie).await);
    assert!(!bed.stands(&native).await && bed.stands(&ada).await);
    assert_eq!(
        kind(bed.access.remove_wallet(&permit, wallet.address).await),
        ErrorKind::NotFound
    );
    let proof = wallet.proof(bed);
    assert_eq!(
        kind(bed.access.sign_in(proof, &peer()).await),
        ErrorKind::Unauthenticated
    );

    // It may begin anew; a name is never given twice.
    bed.clock.advance(Span::from_secs(1));
    wallet.announce(bed).await;
    let again = wallet.greet(bed).await.expect("another guest");
    assert_ne!(again.identity.user_name, guest.identity.user_name);
    assert!(again.identity.user_name.as_str().starts_with('w'));
    assert_eq!(again.identity.user_name.as_str().len(), 31);
}

#[tokio::test]
async fn a_wallet_is_announced_becomes_a_guest_is_linked_and_taken_away() {
    a_wallets_story(&Bed::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallets_story_is_the_same_on_postgresql() {
    a_wallets_story(&Bed::postgres().await).await;
}

#[tokio::test]
async fn w01_the_minute_has_its_edges_and_the_future_begins_after_5_seconds() {
    let bed = Bed::new().await;
    for (seed, ahead, fits) in [
        (1, 0, true),
        (2, -59, true),
        (3, -60, false),
        (4, -61, false),
        (5, 5, true),
        (6, 6, false),
        (7, 3_600, false),
        (8, 10 * 365 * 86_400, false),
    ] {
        let wallet = Wallet::new(seed);
        wallet.announce(&bed).await;
        let handshake = wallet.handshake(&bed, ahead);
        let answer = bed.access.sign_in_by_handshake(&handshake, COOKIE, &peer()).await;
        assert_eq!(answer.is_ok(), fits, "{ahead} s from now");
    }
    // One that is too far ahead is refused first, and counts when its time comes; it never ages into a second use.
    let wallet = Wallet::new(9);
    wallet.announce(&bed).await;
    let early = wallet.handshake(&bed, 30);
    let mut opened = 0;
    for _second in 0..120 {
        let answer = bed
            .access
            .sign_in_by_handshake(&early, COOKIE, &at("198.51.100.9"))
            .await;
        opened += usize::from(answer.is_ok());
        bed.clock.advance(Span::from_secs(1));
    }
    assert_eq!(opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn w02_a_signature_opens_one_session_whatever_its_form_and_however_many_come_at_once() {
    let bed = Bed::new().await;
    let wallet = Wallet::new(1);
    wallet.announce(&bed).await;
    let one = wallet.handshake(&bed, 0);
    let mut other = one.clone();
    other.signature[64] += 27;
    let calls = (0..16).map(|turn| {
        let (access, handshake) = (
            bed.access.clone(),
            if turn % 2 == 0 { &one } else { &other }.clone(),
        );
        async move {
            access
                .sign_in_by_handshake(&handshake, COOKIE, &peer())
                .await
                .is_ok()
        }
    });
    let opened = soon(futures::future::join_all(calls)).await;
    assert_eq!(opened.into_iter().filter(|ok| *ok).count(), 1);
    assert_eq!(bed.count("SELECT COUNT(*) FROM sessions").await, 1);
    // Two wallets in the same second are two users.
    let (ada, bob) = (Wallet::new(2), Wallet::new(3));
    for wallet in [&ada, &bob] {
        wallet.announce(&bed).await;
    }
    let (ada, bob) = tokio::join!(ada.greet(&bed), bob.greet(&bed));
    let (ada, bob) = (ada.expect("a guest"), bob.expect("a guest"));
    assert_ne!(ada.identity.user_id, bob.identity.user_id);
    assert_ne!(ada.cookie.expose(), bob.cookie.expose());
}

#[tokio::test]
async fn a_handshake_of_somebody_else_or_of_no_shape_opens_nothing() {
    let bed = Bed::new().await;
    let (ada, eve) = (Wallet::new(1), Wallet::new(2));
    for wallet in [&ada, &eve] {
        wallet.announce(&bed).await;
    }
    let good = ada.handshake(&bed, 0);
    let with = |change: &dyn Fn(&mut Handshake)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed
    };
    let by_eve = eve.handshake(&bed, 0);
    for (what, bad) in [
        ("another's address", with(&|it| it.address = eve.address)),
        (
            "another's signature",
            with(&|it| it.signature.clone_from(&by_eve.signature)),
        ),
        (
            "another time",
            with(&|it| it.time = (bed.clock.now().secs() - 1).to_string()),
        ),
        ("no time", with(&|it| it.time.clear())),
        ("a plus", with(&|it| it.time.insert(0, '+'))),
        ("a zero", with(&|it| it.time.insert(0, '0'))),
        ("no signature", with(&|it| it.signature.clear())),
        ("one byte", with(&|it| it.signature.truncate(1))),
        ("64 bytes", with(&|it| it.signature.truncate(64))),
        ("66 bytes", with(&|it| it.signature.push(0))),
        ("another v", with(&|it| it.signature[64] = 29)),
        ("a flipped bit", with(&|it| it.signature[40] ^= 1)),
        ("nothing but zeros", with(&|it| it.signature.fill(0))),
    ] {
        let answer = bed.access.sign_in_by_handshake(&bad, COOKIE, &peer()).await;
        assert_eq!(kind(answer), ErrorKind::Unauthenticated, "{what}");
    }
    assert_eq!(bed.count("SELECT COUNT(*) FROM sessions").await, 0);
    assert!(
        bed.access
            .sign_in_by_handshake(&good, COOKIE, &peer())
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn w04_a_cookie_counts_under_its_own_name_unchanged_and_for_a_day() {
    let bed = Bed::new().await;
    let wallet = Wallet::new(1);
    wallet.announce(&bed).await;
    let given = wallet.greet(&bed).await.expect("a guest");
    let value = given.cookie.expose();
    assert_eq!(value.len(), 43, "256 bits");
    let mut turned = value.to_owned();
    turned.replace_range(..1, if value.starts_with('A') { "B" } else { "A" });
    for (name, value) in [
        ("cookie-of-a-walle", format!("t{value}")),
        ("cookie-of-a-wallett", value[1..].to_owned()),
        ("cookie-of-another", value.to_owned()),
        ("", value.to_owned()),
        (COOKIE, String::new()),
        (COOKIE, turned),
        (COOKIE, format!("{value}A")),
        (COOKIE, value[..42].to_owned()),
    ] {
        let answer = bed
            .access
            .authenticate(shown(name, &secret(&value)), &peer())
            .await;
        assert_eq!(kind(answer), ErrorKind::Unauthenticated, "{name}");
    }
    let long = secret(&"x".repeat(4096));
    let answer = bed.access.authenticate(shown(COOKIE, &long), &peer()).await;
    assert_eq!(kind(answer), ErrorKind::Invalid);
    // It is no bearer, and no bearer is a cookie.
    assert!(
        bed.access
            .authenticate(bearer(&given.cookie), &peer())
            .await
            .is_err()
    );

    bed.clock.advance(Span::from_secs(86_399));
    assert!(stands(&bed, &given.cookie).await);
    bed.clock.advance(Span::from_secs(1));
    assert!(!stands(&bed, &given.cookie).await);
    let again = wallet
        .greet(&bed)
        .await
        .expect("known, without another announcement");
    assert_eq!(again.identity.user_id, given.identity.user_id);
    assert!(stands(&bed, &again.cookie).await && !stands(&bed, &given.cookie).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_ends_with_its_session_on_every_server() {
    let bed = Bed::postgres().await;
    let (ada, wallet) = (bed.owner().await, Wallet::new(1));
    let beside = bed.beside().await;
    wallet.link(&bed, &ada).await.expect("linked");
    wallet.announce(&bed).await;
    let given = wallet.greet(&bed).await.expect("known");
    assert!(stands(&beside, &given.cookie).await);
    let open = beside.access.until_revoked(given.identity.session_id);
    let permit = bed.permit::<user::Revoke>(&ada).await.expect("may");
    bed.access.revoke_sessions(&permit, "ada").await.expect("ended");
    soon(open).await;
    assert!(!stands(&bed, &given.cookie).await && !stands(&beside, &given.cookie).await);
    assert!(!bed.stands(&ada).await);
}

#[tokio::test]
async fn w06_a_text_signs_in_once_for_its_purpose_and_in_its_five_minutes() {
    let bed = Bed::new().await;
    let (ada, wallet, eve) = (bed.owner().await, Wallet::new(1), Wallet::new(2));
    wallet.link(&bed, &ada).await.expect("linked");
    let sign_in = async |text: &str, signature: Vec<u8>| {
        let text = text.to_owned();
        bed.access
            .sign_in(Proof::Wallet { text, signature }, &peer())
            .await
    };
    let text = bed.access.wallet_text(wallet.address, None).expect("a text");
    let for_ada = bed
        .access
        .wallet_text(wallet.address, Some("ada"))
        .expect("a text");
    let changed = text.replace("soke.localhost", "evil.example");
    for (what, text, signature) in [
        ("another domain", &changed, wallet.sign_text(&changed)),
        ("another wallet's signature", &text, eve.sign_text(&text)),
        ("a plain digest", &text, wallet.sign_bytes(text.as_bytes())),
        ("a text to link by", &for_ada, wallet.sign_text(&for_ada)),
    ] {
        let answer = sign_in(text, signature).await;
        assert_eq!(kind(answer), ErrorKind::Unauthenticated, "{what}");
    }
    let signature = wallet.sign_text(&text);
    assert!(sign_in(&text, signature.clone()).await.is_ok());
    let mut other_form = signature.clone();
    other_form[64] -= 27;
    assert_eq!(kind(sign_in(&text, signature).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(sign_in(&text, other_form).await), ErrorKind::Unauthenticated);
    let late = bed.access.wallet_text(wallet.address, None).expect("a text");
    bed.clock.advance(Span::from_secs(300));
    assert_eq!(
        kind(sign_in(&late, wallet.sign_text(&late)).await),
        ErrorKind::Unauthenticated
    );
}

#[tokio::test]
async fn linking_needs_the_wallets_own_word_for_this_user() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let bob = bed.user(&ada, "bob", "member").await;
    let (wallet, eve) = (Wallet::new(1), Wallet::new(2));
    wallet.link(&bed, &ada).await.expect("linked");
    assert_eq!(kind(wallet.link(&bed, &bob).await), ErrorKind::Exists);
    wallet
        .link(&bed, &ada)
        .await
        .expect("again, under another label perhaps");
    // Texts made for somebody else, for signing in, or signed by another wallet.
    let permit = bed.permit::<session::AddWallet>(&bob).await.expect("may");
    let for_ada = bed.access.wallet_text(eve.address, Some("ada")).expect("a text");
    let to_sign_in = bed.access.wallet_text(eve.address, None).expect("a text");
    let for_bob = bed
        .access
        .wallet_text(wallet.address, Some("bob"))
        .expect("a text");
    for text in [&for_ada, &to_sign_in, &for_bob] {
        let answer = bed
            .access
            .add_wallet(&permit, text, &eve.sign_text(text), "x")
            .await;
        assert_eq!(kind(answer), ErrorKind::Unauthenticated);
    }
    // All faults at once.
    let Error::Invalid(Faults(faults)) = refused(bed.access.add_wallet(&permit, "", &[1; 64], "").await)
    else {
        panic!("a request with three faults");
    };
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["text", "signature", "label"]);
    assert!(bed.access.wallet_text(eve.address, Some("no name!")).is_err());
}

#[tokio::test]
async fn a_closed_zone_makes_no_guests_and_only_a_zone_for_tests_believes() {
    let closed = Bed::with(Config {
        enrolment: false,
        ..Config::default()
    })
    .await;
    let (ada, wallet) = (closed.owner().await, Wallet::new(1));
    wallet.announce(&closed).await;
    assert_eq!(kind(wallet.greet(&closed).await), ErrorKind::Unauthenticated);
    wallet.link(&closed, &ada).await.expect("linked");
    assert!(wallet.greet(&closed).await.is_ok());
    let unproven = closed
        .access
        .sign_in_believed(Some(wallet.address), COOKIE, &peer())
        .await;
    assert_eq!(kind(unproven), ErrorKind::Precondition);

    let for_tests = Bed::with(Config {
        believe_wallets: true,
        ..Config::default()
    })
    .await;
    let believe = async |address| {
        let given = for_tests.access.sign_in_believed(address, COOKIE, &peer()).await;
        given.expect("believed").identity
    };
    let (first, again) = (
        believe(Some(wallet.address)).await,
        believe(Some(wallet.address)).await,
    );
    assert_eq!(first.user_id, again.user_id);
    assert!(first.roles.contains(&"member".to_owned()));
    let nobody = believe(None).await;
    assert_eq!(nobody.user_name.as_str(), "test");
    assert_eq!(believe(None).await.user_id, nobody.user_id);
    // Nothing of it outlives the server.
    let last = for_tests.access.sign_in_believed(None, COOKIE, &peer()).await;
    let last = last.expect("believed").cookie;
    assert!(stands(&for_tests, &last).await);
    let again = for_tests.restarted(|_folder| {}).await.expect("starts again");
    assert!(!stands(&again, &last).await);
}

#[tokio::test]
async fn announcements_are_bounded_by_address_and_end_after_an_hour() {
    let bed = Bed::with(Config {
        sign_ins_per_minute: 3,
        ..Config::default()
    })
    .await;
    let crowd = at("198.51.100.1");
    let announce =
        async |seed, from: &Peer| bed.access.announce_wallet(Wallet::new(seed).address, from).await;
    for seed in 1..=3 {
        announce(seed, &crowd).await.expect("within the limit");
    }
    assert_eq!(kind(announce(4, &crowd).await), ErrorKind::Exhausted);
    announce(4, &peer()).await.expect("another address");
    bed.clock.advance(Span::from_secs(3_600));
    assert_eq!(kind(Wallet::new(4).greet(&bed).await), ErrorKind::Unauthenticated);
}

//! Zones for trying clients out: whoever shows nothing may act there as one user of the zone.
//!
//! What it leaves to others: which doors ask for it, and that only this machine reaches them (crate `soke`).

use model::Name;
use store::Tx;

use crate::{
    Access, Actor, Error, Peer, Role,
    audit::{self, Entry, Outcome},
    grants,
    sessions::{self, Opening},
    users,
};

impl Access {
    /// Opens a session for the user of this name, who is made an administrator where there is none. It is for calls
    /// that show nothing, in a zone that was made for trying clients out.
    ///
    /// # Errors
    /// `Denied` where [`Config::strangers`](crate::Config::strangers) does not allow it; the store's own.
    pub async fn admit_strangers(&self, name: &Name, peer: &Peer) -> Result<Actor, Error> {
        let house = &self.house;
        if !house.config.strangers {
            return Err(Error::Denied {
                action: "session.admit_strangers",
            });
        }
        let now = house.clock.now();
        let opening = Opening::draw("nothing", house.config.session_life, now)?;
        let (name, peer) = (name.clone(), peer.clone());
        let open = move |tx: &mut Tx<'_>| {
            let user = match users::id_of(tx, &name)? {
                Some(user) => user,
                None => {
                    let user = users::insert_plain(tx, &name, now)?;
                    grants::insert(tx, user, Role::Admin, None, now)?;
                    user
                }
            };
            let number = opening.write(tx, user, &peer, now)?;
            let entry = Entry::of_system("soke", "session.admit_strangers").about(name.as_str());
            audit::insert(tx, &entry, Outcome::Done, now)?;
            Ok(Actor::User(sessions::standing(tx, number, now)?.user))
        };
        house.write(open).await
    }
}

//! Tests of what follows from what a machine offers.

use crate::{Abilities, Account, Config, Confine, Error, Kind, walls::Walls};

fn abilities(landlock: i32) -> Abilities {
    Abilities {
        root: false,
        change_user: false,
        mounts: false,
        processes: false,
        landlock,
    }
}

fn account(owner: bool) -> Account {
    Account {
        name: "ada".to_owned(),
        number: 1,
        unix_name: Some("ada".to_owned()),
        owner,
    }
}

#[test]
fn without_landlock_only_the_owner_works_and_with_it_everybody_behind_walls() {
    let data = tempfile::tempdir().expect("a folder");
    let plan = |landlock, owner| {
        let config = Config {
            data: data.path().to_owned(),
            first_uid: 200_000,
        };
        Confine::new(config, abilities(landlock)).plan(&account(owner))
    };
    assert!(matches!(plan(0, false), Err(Error::NoWalls { .. })));
    let owner = plan(0, true).expect("the owner may");
    assert_eq!((owner.worker.kind, owner.walls), (Kind::OwnUid, Walls::None));
    for who in [false, true] {
        assert_eq!(plan(1, who).expect("everybody may").walls, Walls::Full);
    }
}

#[test]
fn what_is_missing_is_named_and_what_is_there_is_not() {
    let whole = Abilities {
        root: true,
        change_user: true,
        mounts: true,
        processes: true,
        landlock: 7,
    };
    assert_eq!(whole.reduced(), Vec::<String>::new());
    let bare = abilities(0).reduced();
    assert!(
        bare.iter().any(|text| text.contains("only the zone's owner")),
        "{bare:?}"
    );
    assert!(bare.iter().any(|text| text.contains("no namespaces")), "{bare:?}");
    let powerless = Abilities {
        change_user: false,
        ..whole
    };
    assert!(
        powerless
            .reduced()
            .iter()
            .any(|text| text.contains("no work can run"))
    );
}

#[test]
fn the_environment_holds_nothing_of_the_agents() {
    let data = tempfile::tempdir().expect("a folder");
    let config = Config {
        data: data.path().to_owned(),
        first_uid: 200_000,
    };
    let plan = Confine::new(config, abilities(7))
        .plan(&account(false))
        .expect("a plan");
    let names: Vec<String> = plan.environment().into_keys().collect();
    assert_eq!(
        names,
        ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "USER"]
    );
    assert_eq!(plan.temporary(), plan.worker.home.join(".tmp"));
}

//! Landlock walls: what a process under the agent's own uid may still reach.
//!
//! What it leaves to others: uids and mounts. Source: the kernel's documentation of Landlock; scopes since
//! ABI 6. A walled process cannot trace or signal one outside, nor read its environment in `/proc`.

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};

use crate::{Error, Plan};

/// Which walls go up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Walls {
    /// None: the uid is wall enough, or there is no Landlock.
    None,
    /// Signals and abstract sockets stay inside.
    Scopes,
    /// Files, signals and abstract sockets.
    Full,
}

impl Walls {
    /// The first ABI with scopes.
    pub(crate) const SCOPES_SINCE: i32 = 6;
    /// The first ABI that knows sockets with a path.
    pub(crate) const SOCKETS_SINCE: i32 = 9;
}

/// Folders that everybody may read and run programs from.
const SYSTEM: [&str; 11] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/nix/store",
    "/run/current-system",
];
/// Facts of the machine that programs ask for.
const FACTS: [&str; 4] = [
    "/proc",
    "/sys/devices/system",
    "/run/systemd/resolve",
    "/run/resolvconf",
];
/// Devices that hold nothing.
const DEVICES: [&str; 6] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
];

/// Puts the plan's walls around the present thread and all that it starts.
pub(crate) fn put_up(plan: &Plan) -> Result<(), Error> {
    match plan.walls {
        Walls::None => Ok(()),
        Walls::Scopes => scopes().map_err(Error::Walls),
        Walls::Full => full(plan).map_err(Error::Walls),
    }
}

fn scopes() -> Result<(), landlock::RulesetError> {
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::from_all(ABI::V6))?;
    ruleset.create()?.restrict_self().map(drop)
}

fn full(plan: &Plan) -> Result<(), landlock::RulesetError> {
    // ABI 9 is the newest whose rights are read and understood here; older kernels hold what they know.
    let abi = ABI::V9;
    let own = [plan.worker.home.clone(), plan.temporary()];
    let shared: &[&str] = if plan.separation.mounts() {
        &["/dev/shm"]
    } else {
        &[]
    };
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let facts = AccessFs::ReadFile | AccessFs::ReadDir;
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .scope(Scope::from_all(abi))?;
    let ruleset = ruleset
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, AccessFs::from_read(abi)))?
        .add_rules(path_beneath_rules(FACTS, facts))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .add_rules(path_beneath_rules(own, AccessFs::from_all(abi)))?
        .add_rules(path_beneath_rules(shared, AccessFs::from_all(abi)))?;
    ruleset.restrict_self().map(drop)
}

/// The Landlock ABI of this kernel, 0 without Landlock. Walls the present process in: for the probe only.
pub(crate) fn probe() -> i32 {
    let walled = Ruleset::default()
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    match walled.map(|status| status.landlock) {
        Ok(landlock::LandlockStatus::Available { effective_abi, .. }) => effective_abi as i32,
        Ok(landlock::LandlockStatus::NotEnabled | landlock::LandlockStatus::NotImplemented) | Err(_) => 0,
    }
}

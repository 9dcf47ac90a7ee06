//! `soke up`: the order in which the rooms start and stop, written down in this one place.
//!
//! Start: data folder -> store -> access -> slices -> doors -> this machine as a node, and a second one on it where there is
//! one -> run files -> the owner. Stop: listen to no node -> refuse new calls and drain the running ones, bounded, while the
//! machines here end their links -> the slices' reconcilers -> access -> store. Jobs go on: their stages are processes of
//! their own, and the next start takes them up again. What it leaves to others: what joins two rooms (`wiring`), and what is
//! told at the terminal (`cli::story`).

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use access::Access;
use rustix::process::{Resource, getrlimit, setrlimit};
use store::Store;
use tasks::{Clock, Tasks};
use tokio::runtime::Runtime;

use crate::{
    args::Up,
    config::{Config, Environment, Flags, Place},
    failure::Failure,
    lock::Lock,
    log,
    second::Second,
    signals::StopSignals,
    test_zone,
    wiring::{self, Doors},
};

/// How long running calls may take to end.
const DRAIN: Duration = Duration::from_millis(3_000);
/// How long each further step of the stop may take; together with the drain less than 5 seconds.
const STEP: Duration = Duration::from_millis(500);

/// How many files the server may open, where the system allows so many.
const OPEN_FILES: u64 = 65_536;

/// The exit code when a second signal cut the stop short, as a shell tells SIGTERM.
const CUT_SHORT: u8 = 143;
/// The exit code when a part that must run has ended by itself.
const FELL: u8 = 70;

/// The groups of tasks, in the order in which they stop.
struct Groups {
    /// What listens to the zone's nodes.
    nodes: Tasks,
    /// This machine's own link.
    link: Tasks,
    /// The second machine on this one.
    second: Tasks,
    doors: Tasks,
    slices: Tasks,
    access: Tasks,
    store: Tasks,
    all: Tasks,
}

/// What is told at the terminal.
struct Told {
    /// Whether the first start shows what the zone can do.
    show: bool,
    /// How this program is called for this zone.
    program: String,
}

/// Everything that runs.
struct House {
    groups: Groups,
    store: Store,
    access: Access,
    /// The native listener.
    native: SocketAddr,
    doors: Doors,
    /// Whether there is a second machine on this one.
    has_second: bool,
}

/// Starts the zone and keeps it up until a signal.
pub(crate) fn up(flags: &Up, data: Option<&Path>, environment: &Environment) -> Result<u8, Failure> {
    let layers = Flags {
        data: data.map(Path::to_owned),
        config: flags.config.clone(),
        listen: flags.listen.clone(),
        test: flags.test,
    };
    let config = Config::load(&layers, environment)?;
    log::start(&config.log);
    raise_open_files();
    let lock = Lock::take(&config.data)?;
    test_zone::check(&config.data, config.test)?;
    let runtime = Runtime::new().map_err(Failure::System)?;
    let told = Told {
        show: flags.story,
        program: program(&config, environment),
    };
    let code = runtime.block_on(run(&config, &told));
    // Whatever still blocks a thread has had its time.
    runtime.shutdown_background();
    drop(lock);
    code
}

/// Lets this process open as many files as it may: each connection is one, and the usual bound of 1024 is meant for
/// programs that wait with select(2). Work of users gets limits of its own.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = match (limit.current, limit.maximum) {
        (Some(now), Some(most)) => Some(most.min(OPEN_FILES).max(now)),
        (Some(now), None) => Some(now.max(OPEN_FILES)),
        (None, _) => None,
    };
    if let Err(fault) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%fault, "the bound of open files stays as it is");
    }
}

/// How this program is called for this zone: `--data` only where another folder would be found without it.
fn program(config: &Config, environment: &Environment) -> String {
    let name = std::env::args().next().unwrap_or_else(|| "soke".to_owned());
    match Place::find(None, environment) {
        Ok(place) if place.folder == config.data => name,
        Ok(_) | Err(_) => format!("{name} --data {}", config.data.display()),
    }
}

async fn run(config: &Config, told: &Told) -> Result<u8, Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::System)?;
    let clock = Clock::system();
    let begun = clock.now();
    let house = tokio::select! {
        house = Box::pin(start(config, &clock)) => house?,
        () = signals.next() => return Ok(0),
    };
    let done = tokio::select! {
        done = Box::pin(tell(config, &house, begun, told)) => done,
        () = signals.next() => return stop(house, &mut signals).await,
    };
    if let Err(failure) = done {
        let code = failure.show();
        stop(house, &mut signals).await?;
        return Ok(code);
    }
    let fell = house.groups.all.token();
    tokio::select! {
        () = signals.next() => stop(house, &mut signals).await,
        () = fell.cancelled() => {
            stop(house, &mut signals).await?;
            Ok(FELL)
        }
    }
}

impl Groups {
    fn new() -> Self {
        let all = Tasks::new();
        Self {
            nodes: all.child(),
            link: all.child(),
            second: all.child(),
            doors: all.child(),
            slices: all.child(),
            access: all.child(),
            store: all.child(),
            all,
        }
    }
}

async fn open_access(
    config: &Config,
    store: &Store,
    clock: &Clock,
    groups: &Groups,
) -> Result<Access, Failure> {
    let access = Access::start(access::Parts {
        store: store.clone(),
        tasks: groups.access.clone(),
        clock: clock.clone(),
        keys_dir: config.data.join("keys"),
        zone_host: config.zone.host.clone(),
        config: config.access.clone(),
    });
    Ok(access.await?)
}

async fn start(config: &Config, clock: &Clock) -> Result<House, Failure> {
    let groups = Groups::new();
    let store = Store::open(&config.store, &wiring::migrations(), &groups.store).await?;
    let access = open_access(config, &store, clock, &groups).await?;
    let nodes = wiring::nodes_here(config, &store, &access, clock, &groups.slices).await?;
    let machines = agent::Machines::new();
    let job_nodes = agent::JobNodes::start(nodes.clone(), machines.clone(), &groups.nodes);
    let (slices, news) = (&groups.slices, &groups.nodes);
    let accounts = wiring::accounts_here(config, &store, &access, clock, slices).await?;
    let jobs = wiring::jobs_here(
        config,
        &store,
        &access,
        job_nodes.clone(),
        &accounts,
        clock,
        slices,
    )
    .await?;
    let service_nodes = agent::ServiceNodes::new(nodes.clone(), machines.clone());
    let services = wiring::services_here(config, &store, service_nodes, clock, slices).await?;
    let whereabouts = Arc::new(OnceLock::new());
    let mut routes = tonic::service::Routes::builder();
    let native = native::Parts {
        access: access.clone(),
        jobs: jobs.clone(),
        nodes: nodes.clone(),
        services: services.clone(),
        accounts: accounts.clone(),
        zone: wiring::zone_in_words(config, &store, clock, &whereabouts, job_nodes.clone(), news),
    };
    native::add_to(&mut routes, native);
    let files = agent::LinkedFiles::new(nodes.clone(), machines.clone());
    let files = wiring::files_here(config, &store, files, &access, slices);
    let scow = wiring::scow_portal(config, &access, jobs, accounts, files, clock);
    scow::add_to(&mut routes, scow.clone());
    let links = wiring::door_for_nodes(&mut routes, &access, &nodes, &machines)?;
    let gateway = wiring::open_front_door(config, &access, routes.routes(), links, &groups.doors).await?;
    let native = gateway.address();
    let mut doors = Doors(vec![Box::new(gateway)]);
    let grid = wiring::GridParts {
        access: &access,
        services,
        reach: wiring::reach_services(&machines, &groups.doors),
        clock,
        tasks: &groups.doors,
    };
    let tree = wiring::tree_here(&store, &nodes);
    open_http_doors(config, &mut doors, tree, grid).await?;
    let litekube = wiring::open_litekube_doors(config, &access, &nodes, &machines, &groups.doors).await?;
    doors.0.push(Box::new(litekube));
    let scow = wiring::open_scow_doors(config, scow, &groups.doors).await?;
    doors.0.push(Box::new(scow));
    let bound = doors.bound();
    let in_words = |(name, address): &(&str, SocketAddr)| format!("{name} {address}");
    whereabouts.get_or_init(|| native::Bound {
        address: wiring::reached_at(config, native),
        listeners: bound.iter().map(in_words).collect(),
    });
    let own = wiring::OwnNode {
        config,
        nodes: &nodes,
        jobs: &job_nodes,
        server: native,
        clock,
        link: &groups.link,
        work: slices,
    };
    wiring::start_own_node(own).await?;
    let has_second = second_again(config, &nodes, clock, native, &groups.second).await?;
    write_run_files(config, &access, &bound)?;
    Ok(House {
        groups,
        store,
        access,
        native,
        doors,
        has_second,
    })
}

/// Starts the second machine on this one again, where an earlier start has made one.
async fn second_again(
    config: &Config,
    nodes: &nodes::Handle,
    clock: &Clock,
    native: SocketAddr,
    tasks: &Tasks,
) -> Result<bool, Failure> {
    let second = Second::of(config);
    let server = wiring::own_address(native).to_string();
    let member = wiring::come_back(nodes, clock, &second.record(), &server).await?;
    let is_there = member.is_some();
    if is_there {
        second.keep(None, tasks);
    }
    Ok(is_there)
}

/// Opens the listeners of the protocols that speak plain HTTP.
async fn open_http_doors(
    config: &Config,
    doors: &mut Doors,
    tree: tree::Handle,
    grid: wiring::GridParts<'_>,
) -> Result<(), Failure> {
    let buckyos = wiring::open_buckyos_doors(config, grid.access, tree, grid.clock, grid.tasks).await?;
    doors.0.push(Box::new(buckyos));
    let grid = wiring::open_grid_door(config, grid).await?;
    doors.0.push(Box::new(grid));
    Ok(())
}

/// Tells local clients where the zone stands and how its certificate is known.
fn write_run_files(
    config: &Config,
    access: &Access,
    bound: &[(&'static str, SocketAddr)],
) -> Result<(), Failure> {
    let ca = access.zone().ca_pem();
    cli::write_private(&cli::Listeners::ca_path(&config.data), ca.as_bytes())?;
    let listeners = bound.iter().map(|&(name, address)| cli::Listener {
        name: name.to_owned(),
        address,
    });
    let listeners = cli::Listeners {
        zone_host: config.zone.host.clone(),
        listeners: listeners.collect(),
    };
    Ok(listeners.write(&config.data)?)
}

async fn tell(config: &Config, house: &House, begun: model::Timestamp, told: &Told) -> Result<(), Failure> {
    let zone = house.access.zone();
    let owner_code = house.access.first_owner(config.zone.owner.as_str()).await?;
    let beginning = cli::story::Beginning {
        surroundings: cli::Surroundings {
            data: config.data.clone(),
            named: true,
            settings: None,
            home: None,
        },
        is_new: zone.made_at() >= begun,
        zone_id: zone.zone_id().to_owned(),
        ca_fingerprint: zone.ca_fingerprint().to_owned(),
        store_engine: house.store.engine_name().to_owned(),
        address: wiring::reached_at(config, house.native),
        owner_code: owner_code.map(|code| code.expose().to_owned()),
        show: told.show,
        has_second: house.has_second,
        program: told.program.clone(),
        test: config.test,
    };
    let second = Second::of(config);
    let join = |invitation| second.keep(Some(invitation), &house.groups.second);
    Ok(cli::story::tell(beginning, join).await?)
}

/// Stops everything in order. A second signal ends the process at once.
async fn stop(house: House, signals: &mut StopSignals) -> Result<u8, Failure> {
    let orderly = async {
        let House {
            groups,
            store,
            access,
            native: _,
            doors,
            has_second: _,
        } = house;
        // The streams of news would else hold the doors open.
        let mut late = groups.nodes.stop(STEP).await.late;
        let (closed, unlinked, second) = tokio::join!(
            doors.close(DRAIN),
            groups.link.stop(DRAIN),
            groups.second.stop(DRAIN)
        );
        late.extend(closed);
        late.extend(unlinked.late);
        late.extend(second.late);
        late.extend(groups.doors.stop(STEP).await.late);
        late.extend(groups.slices.stop(STEP).await.late);
        drop(access);
        late.extend(groups.access.stop(STEP).await.late);
        if tokio::time::timeout(STEP, store.close()).await.is_err() {
            late.push("store".to_owned());
        }
        late.extend(groups.store.stop(Duration::ZERO).await.late);
        if !late.is_empty() {
            tracing::warn!(?late, "these did not end in time");
        }
    };
    tokio::select! {
        () = orderly => Ok(0),
        () = signals.next() => Ok(CUT_SHORT),
    }
}

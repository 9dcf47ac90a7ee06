//! The configuration: defaults < `soke.toml` < `SOKE_SECTION__KEY` < flags, checked as a whole.
//!
//! What it is for: one start attempt shows every mistake, each with its key, what was wrong and what would
//! be right, and nothing opens before. This is the only place that reads the environment. What it leaves to
//! others: what the values mean to the rooms that take them.

mod environment;
mod fault;
mod layers;
mod of_accounts;
mod of_grid;
mod of_jobs;
mod of_litekube;
mod of_nodes;
mod of_scow;
mod of_services;
mod place;
mod reader;
mod show;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use model::{Name, Span};

pub(crate) use environment::Environment;
pub(crate) use fault::{Fault, Faults};
pub(crate) use place::Place;

use layers::Layers;
use reader::Reader;
use show::Shown;

/// The checked configuration. Whoever holds one may start.
pub(crate) struct Config {
    /// The data folder, absolute.
    pub(crate) data: PathBuf,
    pub(crate) zone: Zone,
    pub(crate) native: Native,
    pub(crate) store: store::Config,
    pub(crate) access: access::Config,
    pub(crate) jobs: Jobs,
    /// Who pays, and how it is rounded.
    pub(crate) accounts: accounts::Config,
    /// The zone's machines.
    pub(crate) nodes: nodes::Config,
    pub(crate) services: services::Config,
    /// The most bytes of a file that a user puts into the zone.
    pub(crate) most_upload_bytes: u64,
    pub(crate) buckyos: Buckyos,
    pub(crate) grid: Grid,
    pub(crate) litekube: Litekube,
    pub(crate) scow: Scow,
    pub(crate) log: Log,
    /// Whether this zone is for trying clients out: doors may be open that a zone in use never has.
    pub(crate) test: bool,
    shown: Vec<Shown>,
}

/// What the zone is called and who owns it.
pub(crate) struct Zone {
    /// The host name under which the zone is reached.
    pub(crate) host: String,
    /// The name of the owner made on the first start.
    pub(crate) owner: Name,
}

/// The native listener: gRPC, gRPC-Web and the status page over TLS.
pub(crate) struct Native {
    pub(crate) listen: rpc::ListenAddress,
    /// Further host names and addresses under which clients reach the listener.
    pub(crate) hosts: Vec<String>,
}

/// How work of users is done on this machine.
pub(crate) struct Jobs {
    /// The number that a user's number is added to for a uid of the zone.
    pub(crate) first_uid: u32,
    /// What the zone decides.
    pub(crate) zone: jobs::Config,
    /// What the owner of this machine decides.
    pub(crate) node: jobs::agent::Config,
}

/// Where BuckyOS's doors stand. There is no encryption on them.
pub(crate) struct Buckyos {
    /// `system_config` alone.
    pub(crate) system_config: rpc::ListenAddress,
    /// Every service under `/kapi/<service>`.
    pub(crate) node_gateway: rpc::ListenAddress,
}

/// Where Grid's door stands. There is no encryption on it.
pub(crate) struct Grid {
    /// `/greet`, and everything else to the caller's service.
    pub(crate) listen: rpc::ListenAddress,
}

/// Where SCOW's doors stand. There is no encryption on them.
pub(crate) struct Scow {
    /// The management side.
    pub(crate) server: rpc::ListenAddress,
    pub(crate) portal: rpc::ListenAddress,
}

/// Where LiteKube's doors stand and what they tell.
pub(crate) struct Litekube {
    pub(crate) bootstrap: rpc::ListenAddress,
    pub(crate) control: rpc::ListenAddress,
    pub(crate) numbering: litekube::Numbering,
    /// Where clients are told to go.
    pub(crate) told_host: Option<String>,
    /// How many machines may register with one bootstrap token.
    pub(crate) token_uses: u32,
    /// The port of the overlay network that clients are told.
    pub(crate) network_port: u16,
}

/// How and how much is logged to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) json: bool,
    /// A level, or a list of `target=level`.
    pub(crate) level: String,
}

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    pub(crate) data: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) test: bool,
}

impl Config {
    /// Reads all layers and checks every value.
    ///
    /// # Errors
    /// [`Faults`] holds every mistake in all layers.
    pub(crate) fn load(flags: &Flags, environment: &Environment) -> Result<Config, Faults> {
        let mut faults = Faults::default();
        let data = match Place::find(flags.data.as_deref(), environment) {
            Ok(place) => place.folder,
            Err(fault) => {
                faults.add(fault);
                PathBuf::new()
            }
        };
        let layers = Layers::collect(flags, environment, &data, &mut faults);
        let mut reader = Reader::new(layers, faults);
        let zone = zone(&mut reader);
        let native = native(&mut reader);
        let store = store(&mut reader, &data);
        let access = access::Config {
            believe_wallets: flags.test,
            strangers: flags.test,
            front_end: of_scow::front_end(&mut reader, &data),
            ..access(&mut reader)
        };
        let buckyos = buckyos(&mut reader);
        let grid = of_grid::read(&mut reader);
        let litekube = of_litekube::read(&mut reader);
        let scow = of_scow::read(&mut reader);
        let jobs = of_jobs::read(&mut reader);
        let accounts = of_accounts::read(&mut reader, &jobs.zone.cluster);
        let nodes = of_nodes::read(&mut reader);
        let services = of_services::read(&mut reader);
        let most_upload_bytes = reader.whole("files.most_upload_mib", 65_536, 1..=1 << 30) << 20;
        let log = log(&mut reader);
        if flags.test {
            reader.keep_to_this_machine("a zone under `--test` lets in whoever comes");
        }
        let shown = reader.finish()?;
        Ok(Config {
            data,
            zone,
            native,
            store,
            access,
            jobs,
            accounts,
            nodes,
            services,
            most_upload_bytes,
            buckyos,
            grid,
            litekube,
            scow,
            log,
            test: flags.test,
            shown,
        })
    }

    /// The configuration as lines `key = value  # where from`; secrets are left out.
    pub(crate) fn show(&self) -> String {
        show::text(&self.data, &self.shown)
    }
}

fn zone(reader: &mut Reader) -> Zone {
    Zone {
        host: reader.parsed(
            "zone.host",
            "soke.localhost",
            "a host name of a to z, 0 to 9, - and dots, like `soke.localhost`",
            host_name,
        ),
        owner: reader.parsed(
            "zone.owner",
            "keeper",
            "a name of a to z, 0 to 9 and -, at most 32 characters, beginning with a letter",
            |text| text.parse::<Name>().map_err(|fault| fault.to_string()),
        ),
    }
}

fn native(reader: &mut Reader) -> Native {
    Native {
        listen: reader.address("native.listen", "127.0.0.1:7443"),
        hosts: reader.texts(
            "native.hosts",
            "a list of host names or addresses like [\"zone.example.org\", \"192.0.2.7\"]",
            |text| {
                text.parse::<std::net::IpAddr>()
                    .map(|address| address.to_string())
                    .or_else(|_not_an_address| host_name(text))
            },
        ),
    }
}

fn store(reader: &mut Reader, data: &std::path::Path) -> store::Config {
    let engine = reader.parsed(
        "store.engine",
        "sqlite",
        "`sqlite` or `postgresql`",
        |text| match text {
            "sqlite" => Ok(false),
            "postgresql" => Ok(true),
            _ => Err(format!("`{text}` is no engine")),
        },
    );
    let connections = reader.whole("store.connections", 4, 1..=64);
    let url = reader.secret("store.url");
    let engine = match (engine, url) {
        (false, _) => store::Engine::Sqlite {
            path: data.join("store").join("zone.db"),
        },
        (true, Some(url)) => store::Engine::Postgres {
            url,
            connections: usize::try_from(connections).unwrap_or(1),
        },
        (true, None) => {
            reader.fault(
                "store.url",
                "it is missing",
                "with `store.engine = \"postgresql\"`, a URL like `postgres://user:password@host/database`",
            );
            store::Engine::Postgres {
                url: String::new(),
                connections: 1,
            }
        }
    };
    store::Config { engine }
}

fn access(reader: &mut Reader) -> access::Config {
    const DAY: u64 = 86_400;
    let default = access::Config::default();
    let mut secs = |key, default: Span, range| {
        let default = u64::try_from(default.secs()).unwrap_or_default();
        Span::from_secs(i64::try_from(reader.whole(key, default, range)).unwrap_or(i64::MAX))
    };
    let access_life = secs("access.access_token_secs", default.access_life, 2..=3600);
    let refresh_life = secs("access.refresh_token_secs", default.refresh_life, 60..=90 * DAY);
    let session_life = secs("access.session_secs", default.session_life, 60..=365 * DAY);
    let cookie_life = secs("access.cookie_secs", default.cookie_life, 2..=30 * DAY);
    let code_life = secs("access.sign_in_code_secs", default.code_life, 10..=7 * DAY);
    let certificate_life = secs("access.certificate_secs", default.certificate_life, 10..=30 * DAY);
    let token_key_life = secs("access.token_key_secs", default.token_key_life, 3600..=365 * DAY);
    let hashing = reader.whole("access.hashing_at_once", 2, 1..=64);
    let tries = reader.whole("access.sign_ins_per_minute", 120, 1..=100_000);
    access::Config {
        access_life,
        refresh_life,
        session_life,
        cookie_life,
        code_life,
        certificate_life,
        token_key_life,
        hashing_at_once: usize::try_from(hashing).unwrap_or(1),
        sign_ins_per_minute: u32::try_from(tries).unwrap_or(1),
        enrolment: of_grid::enrolment(reader),
        password_proof: reader.flag("buckyos.password_proof", default.password_proof),
        ..default
    }
}

fn buckyos(reader: &mut Reader) -> Buckyos {
    Buckyos {
        system_config: plain_listener(
            reader,
            "buckyos.system_config.address",
            "buckyos.system_config.insecure",
            "127.0.0.1:3200",
        ),
        node_gateway: plain_listener(
            reader,
            "buckyos.node_gateway.address",
            "buckyos.node_gateway.insecure",
            "127.0.0.1:3180",
        ),
    }
}

/// The address of a listener without encryption: others may reach it only where its second key allows that.
fn plain_listener(
    reader: &mut Reader,
    key: &'static str,
    insecure: &'static str,
    default: &str,
) -> rpc::ListenAddress {
    let address = reader.address(key, default);
    let allowed = reader.flag(insecure, false);
    if let Err(fault) = address.check_plaintext(allowed) {
        let want = format!("an address of this machine only, or `{insecure} = true`");
        reader.fault(key, &fault.to_string(), &want);
    }
    address
}

fn log(reader: &mut Reader) -> Log {
    let json = reader.parsed("log.format", "text", "`text` or `json`", |text| match text {
        "text" => Ok(false),
        "json" => Ok(true),
        _ => Err(format!("`{text}` is no format")),
    });
    let level = reader.parsed(
        "log.level",
        "warn",
        "`error`, `warn`, `info`, `debug`, `trace`, or a list like `warn,jobs=debug`",
        |text| {
            tracing_subscriber::EnvFilter::builder()
                .parse(text)
                .map(|_filter| text.to_owned())
                .map_err(|fault| fault.to_string())
        },
    );
    Log { json, level }
}

fn host_name(text: &str) -> Result<String, String> {
    let fits = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if text.len() > 253 || !text.split('.').all(fits) {
        return Err(format!("`{}` is no host name", text.escape_debug()));
    }
    Ok(text.to_owned())
}

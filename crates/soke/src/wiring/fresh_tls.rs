//! Listeners get the zone's certificate from access, and each fresh one after it.
//!
//! What it leaves to others: renewing (`access`), and what is served (whoever opens the listener).

use access::{Access, Asked};
use rpc::TlsSource;
use tasks::{Policy, Tasks};

use crate::{config::Config, failure::Failure};

/// The settings of a listener under these names, swapped for fresh ones as long as `tasks` run.
pub(crate) fn fresh_tls(
    access: &Access,
    names: Vec<String>,
    alpn: &[&[u8]],
    asked: Asked,
    tasks: &Tasks,
) -> Result<TlsSource, Failure> {
    let alpn = alpn.iter().map(|name| name.to_vec()).collect();
    let mut settings = access.server_tls_asking(names, alpn, asked)?;
    let tls = TlsSource::new(settings.borrow_and_update().clone());
    let (source, token) = (tls.clone(), tasks.token());
    tasks.spawn("soke.certificate", Policy::MayEnd, async move {
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                changed = settings.changed() => match changed {
                    Ok(()) => source.swap(settings.borrow_and_update().clone()),
                    Err(_access_has_stopped) => return,
                },
            }
        }
    });
    Ok(tls)
}

/// The names that every certificate of the zone's server carries, and those beside them.
pub(crate) fn names(config: &Config, beside: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names = vec![config.zone.host.clone()];
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names.extend(config.native.hosts.iter().cloned());
    names.extend(beside);
    names.sort();
    names.dedup();
    names
}

/// The address of a listener as a name for its certificate; none where it stands at all of them.
pub(crate) fn as_name(address: rpc::ListenAddress) -> Option<String> {
    let ip = address.socket_address().ip();
    (!ip.is_unspecified()).then(|| ip.to_string())
}

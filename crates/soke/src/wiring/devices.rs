//! The zone's machines shown in the tree as BuckyOS's devices: `devices/<name>/doc` and `devices/<name>/info`.
//!
//! A document in plain JSON, as BuckyOS reads one beside its signed form. What it leaves to others: the machines
//! (`nodes`) and who may read (`tree`).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::{Span, Timestamp};
use nodes::Node;
use serde_json::{Value, json};
use store::{Store, Tx};
use tree::{Entry, Mount, Mounts};

/// What stands below each machine.
const LEAVES: [&str; 2] = ["doc", "info"];
/// How long a document says that it is good. A machine's keys are good until it is taken out, however long that is.
const LIFE: Span = Span::from_secs(10 * 365 * 86_400);

/// Opens the tree, with the machines in it.
pub(crate) fn tree_here(store: &Store, nodes: &nodes::Handle) -> tree::Handle {
    tree::start(tree::Parts {
        store: store.clone(),
        mounts: Mounts::default().with("devices", Devices(nodes.clone())),
    })
}

/// Shows the machines under `devices`.
struct Devices(nodes::Handle);

impl Mount for Devices {
    fn get(&self, tx: &mut Tx<'_>, below: &str) -> Result<Option<Entry>, store::Error> {
        let Some((name, leaf)) = below.split_once('/') else {
            return Ok(None);
        };
        let Some(node) = self.0.named(tx, name)? else {
            return Ok(None);
        };
        let is_own = self.0.own() == Some(node.id);
        Ok(match leaf {
            "doc" => Some(Entry {
                value: document(&node, is_own).to_string(),
                revision: 1,
            }),
            "info" => Some(Entry {
                value: info(&node, is_own).to_string(),
                revision: u64::try_from(seen(&node).secs()).unwrap_or(1).max(1),
            }),
            _ => None,
        })
    }

    fn list(&self, tx: &mut Tx<'_>, below: &str) -> Result<Vec<String>, store::Error> {
        if below.is_empty() {
            return self.0.all_names(tx);
        }
        Ok(match self.0.named(tx, below)? {
            Some(_) => LEAVES.map(str::to_owned).to_vec(),
            None => Vec::new(),
        })
    }
}

fn seen(node: &Node) -> Timestamp {
    node.last_seen.unwrap_or(node.joined_at)
}

/// The machine's public key as a document of the common form.
fn document(node: &Node, is_own: bool) -> Value {
    let key = URL_SAFE_NO_PAD.encode(raw(&node.device_key));
    let id = format!("did:dev:{key}");
    json!({
        "@context": "https://www.w3.org/ns/did/v1",
        "id": id,
        "verificationMethod": [{
            "type": "Ed25519VerificationKey2020",
            "id": "#main_key",
            "controller": id,
            "publicKeyJwk": { "kty": "OKP", "crv": "Ed25519", "x": key },
        }],
        "authentication": ["#main_key"],
        "assertion_method": ["#main_key"],
        "iat": node.joined_at.secs(),
        "exp": (node.joined_at + LIFE).secs(),
        "device_type": if is_own { "ood" } else { "node" },
        "name": node.name.as_str(),
        "ips": [node.address.to_string()],
        "support_container": false,
    })
}

/// The document, and what the machine told of itself last.
fn info(node: &Node, is_own: bool) -> Value {
    let mut info = document(node, is_own);
    if let Value::Object(members) = &mut info {
        let facts = [
            ("ip", json!(node.address.to_string())),
            ("state", json!(if node.is_live { "Ready" } else { "Offline" })),
            ("update_time", json!(seen(node).secs())),
            ("cpu_num", json!(node.cores)),
            ("total_mem", json!(node.memory_bytes)),
            ("version", json!(node.version)),
        ];
        members.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    }
    info
}

/// The bytes of 64 hex digits; none of what is no such text, which no row holds.
fn raw(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2).map(|at| hex.get(at..at + 2));
    let bytes = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use model::{NodeId, Timestamp};
    use nodes::Node;

    use super::{document, info};

    #[test]
    fn a_machine_is_a_device_with_its_key() {
        let node = Node {
            id: NodeId::fresh(Timestamp::from_secs(5)),
            name: "far".parse().expect("a name"),
            address: Ipv4Addr::new(10, 77, 0, 3),
            tls_key: "00".repeat(32),
            device_key: "2a".repeat(32),
            overlay_key: "00".repeat(32),
            certificate_ends_at: None,
            joined_at: Timestamp::from_secs(5),
            last_seen: Some(Timestamp::from_secs(9)),
            is_live: true,
            version: "0.1.0".to_owned(),
            cores: 2,
            memory_bytes: 7,
        };
        let written = document(&node, false);
        let key = "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio";
        assert_eq!(written["id"], format!("did:dev:{key}"));
        assert_eq!(written["verificationMethod"][0]["publicKeyJwk"]["x"], key);
        assert_eq!(
            (&written["device_type"], &written["name"]),
            (&"node".into(), &"far".into())
        );
        assert_eq!(document(&node, true)["device_type"], "ood");
        let told = info(&node, false);
        assert_eq!(
            (&told["state"], &told["cpu_num"], &told["id"]),
            (&"Ready".into(), &2.into(), &written["id"])
        );
    }
}

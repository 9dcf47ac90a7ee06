//! The zone's machines, listed by name.
//!
//! What it leaves to others: what runs there.

use access::{Permit, node};
use store::{Tx, params};

use crate::{Error, Handle, List, Node, record};

/// A part of the list of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Machines by name.
    pub nodes: Vec<Node>,
    /// Where the next page begins; none at the end.
    pub next: Option<String>,
}

impl Handle {
    /// Lists the machines by name: at most `most` (1 to 1000) after the place `after`, which an earlier page gave.
    ///
    /// # Errors
    /// The store's own.
    pub async fn list(&self, permit: &Permit<List>, most: u32, after: Option<&str>) -> Result<Page, Error> {
        let (most, after) = (most.clamp(1, 1000), after.unwrap_or_default().to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let sql = record::query("name > ?1 ORDER BY name LIMIT ?2");
            let rows = tx.rows(&sql, params![after.as_str(), most + 1])?;
            let whole = usize::try_from(most).unwrap_or(usize::MAX);
            let mut nodes = Vec::with_capacity(rows.len());
            for row in rows.iter().take(whole) {
                let mut node: Node = record::read(row)?;
                node.certificate_ends_at = node::certificate_end(tx, node.id)?;
                nodes.push(node);
            }
            let last = nodes.last().map(|node| node.name.to_string());
            Ok::<_, Error>(Page {
                next: last.filter(|_| rows.len() > whole),
                nodes,
            })
        };
        let mut page = permit.read(&self.house.store, read).await?;
        for node in &mut page.nodes {
            self.add_beats(node);
        }
        Ok(page)
    }
}

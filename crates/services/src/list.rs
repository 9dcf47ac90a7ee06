//! Listing services, the newest first, page by page.
//!
//! What it leaves to others: tokens and rows of protocols (the dialects).

use access::{Cover, Permit};
use model::ServiceId;
use store::Value;

use crate::{
    Error, Handle, List, Service,
    get::show,
    record::{Record, query},
};

/// Which services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// Services on one page, 1 to 1000; 0 means 100.
    pub page_size: u32,
    /// Only services made before this one: what [`Page::next`] says.
    pub before: Option<ServiceId>,
    /// Also services that are stopped.
    pub with_stopped: bool,
}

/// Some of the services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The newest first.
    pub services: Vec<Service>,
    /// Where the next page begins; nothing after the last page.
    pub next: Option<ServiceId>,
}

const MOST: u32 = 1000;
const USUAL: u32 = 100;

impl Handle {
    /// Lists the services that the permit covers and the filter lets through.
    ///
    /// # Errors
    /// Invalid: the page is too large. Else as the store says.
    pub async fn list(&self, permit: &Permit<List>, filter: Filter) -> Result<Page, Error> {
        if filter.page_size > MOST {
            return Err(Error::Field {
                field: "page_size",
                what: format!("is {}", filter.page_size),
                want: "0 to 1000".to_owned(),
            });
        }
        let size = if filter.page_size == 0 {
            USUAL
        } else {
            filter.page_size
        };
        let (mut conditions, mut values) = (vec!["1 = 1".to_owned()], Vec::new());
        let mut add = |condition: &str, value: Value| {
            values.push(value);
            conditions.push(format!("{condition} ?{}", values.len()));
        };
        if let Cover::Own(own) = permit.cover() {
            add("user_id =", Value::from(*own));
        }
        if let Some(before) = filter.before {
            add("id <", Value::from(before));
        }
        if !filter.with_stopped {
            conditions.push("state <> 'stopped'".to_owned());
        }
        // One more than asked for tells whether there is a next page.
        let limit = i64::from(size) + 1;
        let sql = query(&format!(
            "{} ORDER BY id DESC LIMIT {limit}",
            conditions.join(" AND ")
        ));
        let read = permit.read(&self.inner.store, move |tx| {
            let rows = tx.rows(&sql, &values)?;
            rows.iter()
                .map(Record::read)
                .collect::<Result<Vec<Record>, Error>>()
        });
        let mut services: Vec<Service> = read
            .await?
            .into_iter()
            .map(|record| show(&self.inner, record))
            .collect();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = services.len() > size;
        services.truncate(size);
        let next = services.last().map(|service| service.id).filter(|_| more);
        Ok(Page { services, next })
    }
}

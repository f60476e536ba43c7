//! The address of a list: filters and place, read from a query and written back into links.

use chrono::{DateTime, Utc};
use url::form_urlencoded::Serializer;
use uuid::Uuid;

use crate::catalog::updates::{Cut, PageKey, TEXT_LEN_MAX, UpdateFilter};

/// What stands in the address, as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, rocket::FromForm)]
pub(super) struct Query {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    product: String,
    #[field(default = "")]
    classification: String,
    expired: bool,
    current: bool,
    #[field(default = "")]
    after: String,
    #[field(default = "")]
    before: String,
}

/// The address, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Address {
    pub filter: UpdateFilter,
    pub cut: Cut,
    /// A product or classification that is none; such an address finds nothing.
    pub strange: bool,
}

impl Address {
    /// Never fails: a place that cannot be read is the first page.
    pub fn read(query: Query) -> Self {
        let product = id(&query.product);
        let classification = id(&query.classification);
        let strange = product.is_err() || classification.is_err();
        let cut = match (place(&query.after), place(&query.before)) {
            (Some(key), _) => Cut::After(key),
            (None, Some(key)) => Cut::Before(key),
            (None, None) => Cut::First,
        };
        let text: String = query.q.trim().chars().filter(|sign| *sign != '\0').take(TEXT_LEN_MAX).collect();
        let filter = UpdateFilter {
            text,
            product: product.unwrap_or_default(),
            classification: classification.unwrap_or_default(),
            include_expired: query.expired,
            hide_superseded: query.current,
        };
        Self { filter, cut, strange }
    }

    /// The same filters at another place.
    pub fn at(&self, cut: Cut) -> String {
        let mut query = Serializer::new(String::new());
        let filter = &self.filter;
        if !filter.text.is_empty() {
            query.append_pair("q", &filter.text);
        }
        for (name, id) in [("product", filter.product), ("classification", filter.classification)] {
            if let Some(id) = id {
                query.append_pair(name, &id.to_string());
            }
        }
        for (name, set) in [("expired", filter.include_expired), ("current", filter.hide_superseded)] {
            if set {
                query.append_pair(name, "true");
            }
        }
        match cut {
            Cut::First => {}
            Cut::After(key) => {
                query.append_pair("after", &written(key));
            }
            Cut::Before(key) => {
                query.append_pair("before", &written(key));
            }
        }
        match query.finish() {
            empty if empty.is_empty() => "/updates".to_owned(),
            query => format!("/updates?{query}"),
        }
    }
}

/// Nothing, an id, or something else.
fn id(text: &str) -> Result<Option<Uuid>, uuid::Error> {
    if text.is_empty() { Ok(None) } else { Uuid::try_parse(text).map(Some) }
}

fn written(key: PageKey) -> String {
    format!("{}.{}", key.created.timestamp_micros(), key.update_row)
}

fn place(text: &str) -> Option<PageKey> {
    let (micros, row) = text.split_once('.')?;
    let created = DateTime::<Utc>::from_timestamp_micros(micros.parse().ok()?)?;
    // Beyond what PostgreSQL holds there is no update.
    let held = -200_000_000_000_000_000..9_000_000_000_000_000_000_i64;
    held.contains(&created.timestamp_micros()).then_some(())?;
    Some(PageKey { created, update_row: row.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_and_place_survive_the_way_through_a_link() {
        let family = Uuid::from_u128(0x6964_aab4);
        let key = PageKey {
            created: DateTime::from_timestamp_micros(1_795_372_346_603_123).unwrap(),
            update_row: 7,
        };
        let address = Address::read(Query {
            q: " KB500 & more ".to_owned(),
            product: family.to_string().to_uppercase(),
            expired: true,
            ..Query::default()
        });
        assert_eq!(address.filter.text, "KB500 & more");
        let link = address.at(Cut::After(key));
        let wanted =
            format!("/updates?q=KB500+%26+more&product={family}&expired=true&after=1795372346603123.7");
        assert_eq!(link, wanted);
        let again = Address::read(Query { after: "1795372346603123.7".to_owned(), ..Query::default() });
        assert_eq!(again.cut, Cut::After(key));
        assert_eq!(Address::default().at(Cut::First), "/updates");
    }

    #[test]
    fn rubbish_is_the_first_page_and_a_strange_id_is_noticed() {
        for after in
            ["", "x", "1.", "1.x", "9223372036854775807.1", "-9223372036854775808.1", "1.99999999999"]
        {
            let address = Address::read(Query { after: after.to_owned(), ..Query::default() });
            assert_eq!(address.cut, Cut::First, "{after}");
        }
        let strange = Address::read(Query { product: "windows".to_owned(), ..Query::default() });
        assert!(strange.strange);
        assert!(strange.filter.product.is_none());
    }
}

//! An update source of a history.

use std::collections::BTreeSet;
use std::time::Duration;

use weir::protocol::ids::RevisionKey;

use crate::support::documents::{self, CRITICAL, Doc};
use crate::support::upstream::Upstream;

/// An update source and a copy of what it offers.
pub(super) struct Source {
    pub server: Upstream,
    pub documents: Vec<Doc>,
    /// Offered, and impossible to get.
    pub lost: BTreeSet<RevisionKey>,
}

impl Source {
    pub async fn start() -> Self {
        let server = Upstream::start().await;
        server.delay(Duration::from_millis(10));
        server.limits(12, 9);
        let mut source = Self { server, documents: Vec::new(), lost: BTreeSet::new() };
        source.publish(documents::categories());
        source.publish(vec![Doc::category(CRITICAL, "UpdateClassification", "Critical Updates", None)]);
        source
    }

    pub fn publish(&mut self, documents: Vec<Doc>) {
        self.documents.extend(documents.iter().cloned());
        self.server.publish(documents);
    }

    /// The bundles that a part is in.
    pub fn bundles_of(&self, part: &Doc) -> impl Iterator<Item = &Doc> {
        let key = part.key;
        self.documents.iter().filter(move |bundle| bundle.names(key))
    }
}

//! What the options in force synchronize, to tell which updates are kept without being synchronized any longer.

use std::collections::BTreeSet;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::tree::{CategoryTree, NodeKind, expand};
use super::{CategoryKind, SyncOptions, known_tree};

/// The products and classifications that are chosen, families as what is below them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synchronized {
    /// A replica takes what its upstream server has.
    everything: bool,
    /// Everything that is known to be a product.
    products: BTreeSet<Uuid>,
    chosen: BTreeSet<Uuid>,
    classifications: BTreeSet<Uuid>,
}

impl Synchronized {
    /// By the saved options.
    ///
    /// # Errors
    /// The database's.
    pub async fn now(conn: &mut AsyncPgConnection, options: &SyncOptions) -> QueryResult<Self> {
        Ok(Self::of(options, &known_tree(conn).await?))
    }

    /// By these options and this tree.
    #[must_use]
    pub fn of(options: &SyncOptions, tree: &CategoryTree) -> Self {
        Self {
            everything: options.replica,
            products: tree
                .nodes()
                .filter(|node| node.kind == NodeKind::Product)
                .map(|node| node.id)
                .collect(),
            chosen: expand(tree, &options.selections),
            classifications: options
                .selected(CategoryKind::Classification)
                .map(|one| one.category_id)
                .collect(),
        }
    }

    /// Whether revisions of an update that names these products, and these classifications, still come. One that
    /// names none is not judged by them.
    #[must_use]
    pub fn takes(
        &self,
        products: impl IntoIterator<Item = Uuid>,
        classifications: impl IntoIterator<Item = Uuid>,
    ) -> bool {
        let products: Vec<Uuid> = products.into_iter().filter(|id| self.products.contains(id)).collect();
        let classifications: Vec<Uuid> = classifications.into_iter().collect();
        let any = |ids: &[Uuid], of: &BTreeSet<Uuid>| ids.is_empty() || ids.iter().any(|id| of.contains(id));
        self.everything || (any(&products, &self.chosen) && any(&classifications, &self.classifications))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s063_an_update_needs_a_chosen_product_and_a_chosen_classification() {
        let [windows, office, security, tools] = [1, 2, 3, 4].map(Uuid::from_u128);
        let mut now = Synchronized {
            everything: false,
            products: BTreeSet::from([windows, office]),
            chosen: BTreeSet::from([windows]),
            classifications: BTreeSet::from([security]),
        };
        assert!(now.takes([windows, office], [security]));
        assert!(!now.takes([office], [security]));
        assert!(!now.takes([windows], [tools]));
        assert!(now.takes([], [security]) && now.takes([Uuid::from_u128(9)], []));
        now.everything = true;
        assert!(now.takes([office], [tools]));
    }
}

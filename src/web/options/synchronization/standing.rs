//! What the page shows to somebody who has not typed anything, kept while the database says that it is still so.
//!
//! The page is opened all day, and what it is made of changes when somebody saves or synchronizes.

use std::sync::Arc;

use diesel_async::AsyncPgConnection;

use super::Scene;
use crate::db::Remembered;
use crate::settings::KnownTrees;
use crate::sync::editions;
use crate::sync::runs::{self, Run};
use crate::web::PageError;

/// The scene, and the runs of the status box.
pub(super) struct Standing {
    pub scene: Scene,
    pub active: Option<Run>,
    pub last: Option<Run>,
}

/// The last one that was read, under the editions of its rows.
pub struct KeptStanding {
    trees: Arc<KnownTrees>,
    kept: Remembered<String, Standing>,
}

impl KeptStanding {
    /// Nothing is kept yet.
    pub fn new(trees: Arc<KnownTrees>) -> Self {
        Self { trees, kept: Remembered::default() }
    }

    /// How things are now. One statement, some more after a change.
    pub(super) async fn now(&self, conn: &mut AsyncPgConnection) -> Result<Arc<Standing>, PageError> {
        let editions = editions::now(conn).await?;
        if let Some(standing) = self.kept.under(&editions) {
            return Ok(standing);
        }
        let tree = self.trees.now(conn).await?;
        let scene = Scene::with_tree(conn, tree).await?;
        let (active, last) = runs::active_and_last_finished(conn).await?;
        Ok(self.kept.keep(editions, Standing { scene, active, last }))
    }
}

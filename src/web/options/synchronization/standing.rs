//! What the page shows to somebody who has not typed anything, kept while the database says that it is still so.
//!
//! The page is opened all day, and what it is made of changes when somebody saves or synchronizes.

use std::sync::Arc;

use chrono::Utc;
use diesel_async::AsyncPgConnection;

use super::Scene;
use super::moments::{self, NextRun};
use super::view::View;
use crate::db::{Reading, Remembered};
use crate::secret::SecretKey;
use crate::settings::KnownTrees;
use crate::settings::validate::Typed;
use crate::sync::editions;
use crate::sync::runs::{self, Run};
use crate::web::PageError;

/// The scene, and the runs of the status box.
pub struct Standing {
    /// For those who may only look, and for those who may save.
    untouched: [Remembered<Option<NextRun>, Untouched>; 2],
    pub(super) scene: Scene,
    pub(super) active: Option<Run>,
    pub(super) last: Option<Run>,
}

/// The form as nobody has typed in it.
pub(super) struct Untouched {
    pub view: View,
    /// The panels as HTML.
    pub panels: String,
}

impl Standing {
    /// The form as it is saved. Made anew when the next run is said in other words: minutes pass.
    pub(super) fn untouched(&self, may_save: bool, key: &SecretKey) -> Result<Arc<Untouched>, PageError> {
        let current = &self.scene.current;
        let next_run = moments::next_run(&current.schedule, Utc::now());
        let kept = &self.untouched[usize::from(may_save)];
        if let Some(untouched) = kept.under(&next_run) {
            return Ok(untouched);
        }
        let mut view = View::new(&self.scene, &Typed::default(), may_save).with_key(key, &current.proxy);
        view.next_run.clone_from(&next_run);
        let panels = view.panels()?;
        Ok(kept.keep(next_run, Untouched { view, panels }))
    }
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
}

impl Reading for KeptStanding {
    type Answer = Arc<Standing>;
    type Error = PageError;

    /// How things are now. One statement, some more after a change.
    async fn read(&self, conn: &mut AsyncPgConnection) -> Result<Arc<Standing>, PageError> {
        let editions = editions::now(conn).await?;
        if let Some(standing) = self.kept.under(&editions) {
            return Ok(standing);
        }
        let tree = self.trees.now(conn).await?;
        let scene = Scene::with_tree(conn, tree).await?;
        let (active, last) = runs::active_and_last_finished(conn).await?;
        Ok(self.kept.keep(editions, Standing { untouched: Default::default(), scene, active, last }))
    }
}

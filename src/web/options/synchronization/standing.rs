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
use crate::sync::runs::{self, Run};
use crate::sync::{SyncError, editions};
use crate::web::PageError;

/// The scene, and the runs of the status box.
pub struct Standing {
    /// For those who may only look, and for those who may save.
    untouched: [Remembered<Said, Untouched>; 2],
    pub(super) scene: Scene,
    pub(super) active: Option<Run>,
    pub(super) last: Option<Run>,
}

/// What the form says of the time: the next run, and where the list of zones with their present offsets is in memory.
type Said = (Option<NextRun>, usize);

/// The form as nobody has typed in it.
pub(super) struct Untouched {
    pub view: View,
    /// The panels as HTML.
    pub panels: String,
}

impl Standing {
    /// The form as it is saved. Made anew when the next run is said in other words, because minutes pass, and when there is
    /// a new list of time zones, because clocks change.
    pub(super) fn untouched(&self, may_save: bool, key: &SecretKey) -> Result<Arc<Untouched>, PageError> {
        let current = &self.scene.current;
        let next_run = moments::next_run(&current.schedule, Utc::now());
        let zones = moments::zones();
        let said = (next_run, zones.as_ptr().addr());
        let kept = &self.untouched[usize::from(may_save)];
        if let Some(untouched) = kept.under(&said) {
            return Ok(untouched);
        }
        let mut view = View::new(&self.scene, &Typed::default(), may_save).with_key(key, &current.proxy);
        view.next_run.clone_from(&said.0);
        // kept with the page, so that no other list comes to the same place
        view.zones = zones;
        let panels = view.panels()?;
        Ok(kept.keep(said, Untouched { view, panels }))
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

    /// How things are now. One statement, some more after a change.
    pub(super) async fn now(&self, conn: &mut AsyncPgConnection) -> Result<Arc<Standing>, PageError> {
        let editions = editions::now(conn).await?;
        self.at(conn, editions).await
    }

    /// How things are at these editions, which were read a moment ago.
    pub(super) async fn at(
        &self,
        conn: &mut AsyncPgConnection,
        editions: String,
    ) -> Result<Arc<Standing>, PageError> {
        if let Some(standing) = self.kept.under(&editions) {
            return Ok(standing);
        }
        let tree = self.trees.now(conn).await?;
        let scene = Scene::with_tree(conn, tree).await?;
        let (active, last) = runs::active_and_last_finished(conn).await?;
        Ok(self.kept.keep(editions, Standing { untouched: Default::default(), scene, active, last }))
    }
}

/// The editions, read as the first of a page.
pub(super) struct Editions;

impl Reading for Editions {
    type Answer = String;
    type Error = SyncError;

    async fn read(&self, conn: &mut AsyncPgConnection) -> Result<String, SyncError> {
        editions::now(conn).await
    }
}

//! One run from its first to its last step: connect, categories, updates, publish.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use tokio::sync::mpsc;

use super::commit::{self, Commit, Ending};
use super::context::SyncContext;
use super::fetch::{Owed, fetch};
use super::import::import;
use super::listing::{self, Listing};
use super::plan::{self, EmptySelection};
use super::progress::{Figures, Progress};
use super::runs::{self, Phase, RunState};
use super::sources::{self, ApprovalPart, CategoryPart, SourceRow, UpdatePart};
use super::{SyncError, facts, selection};
use crate::catalog::import::{missing, outdated};
use crate::catalog::publish::{self, LARGE_FROM, PublicationId};
use crate::catalog::search;
use crate::jobs::Lease;
use crate::protocol::ids::{RevisionKey, SyncAnchor};
use crate::settings::{self, CategoryKind, SyncOptions};
use crate::upstream::{Identity, UpstreamClient};

/// Owed revisions that one run asks for again.
const OWED_MAX: i64 = 20_000;
/// Lines about revisions that are older than what is stored.
const OUTDATED_LINES_MAX: usize = 100;
/// Revisions on their way from the workers to the importer.
const IN_TRANSIT_MAX: usize = 400;

/// Carries out the run `run_id`. Its row is ended on success; after an error the caller ends it.
///
/// # Errors
/// Any [`SyncError`]; what was stored before is kept, and no anchor has moved past it.
pub(super) async fn execute(
    context: &SyncContext,
    run_id: i64,
    lease: &Lease,
    progress: &Arc<Progress>,
) -> Result<(), SyncError> {
    progress.phase(Phase::Connect, None);
    let mut conn = context.pool.get().await?;
    let options = settings::load(&mut conn).await?;
    let categories_only = runs::is_categories_only(&mut conn, run_id).await?;
    if !options.replica && !categories_only {
        refuse_empty_choice(&options)?;
    }
    let (identity, target) = context.target(&options)?;
    let (source, server_id) = sources::open(&mut conn, &identity).await?;
    drop(conn);
    progress.change(|figures| {
        figures.source_id = Some(source.id);
        figures.source_name = options.source.shown();
    });
    let name = Identity::new(server_id, &context.host_name);
    let (noted, probe) = (Arc::clone(progress), context.probe);
    let client = UpstreamClient::new(target, name, context.limits, context.retry)?;
    let client = client.counting_in(progress.traffic.clone()).observed(move |record| {
        probe(&record);
        noted.called(record);
    });
    let client = Arc::new(client);
    let mut run = Run { context, run_id, lease, progress, options, source, client, categories_only };
    match run.phases().await {
        Err(SyncError::Upstream(error)) if error.fault_code() == Some("ServerChanged") => {
            run.start_over().await?;
            run.phases().await
        }
        other => other,
    }
}

/// Only products, or only classifications, would select nothing; none at all would select everything.
fn refuse_empty_choice(options: &SyncOptions) -> Result<(), SyncError> {
    if options.selected(CategoryKind::Product).next().is_none() {
        return Err(SyncError::Unusable("No product is selected.".to_owned()));
    }
    if options.selected(CategoryKind::Classification).next().is_none() {
        return Err(EmptySelection::Classifications.into());
    }
    Ok(())
}

struct Run<'a> {
    context: &'a SyncContext,
    run_id: i64,
    lease: &'a Lease,
    progress: &'a Arc<Progress>,
    options: SyncOptions,
    source: SourceRow,
    client: Arc<UpstreamClient>,
    /// It was to bring no updates when it began. Somebody may ask for everything meanwhile.
    categories_only: bool,
}

/// What a phase stored.
#[derive(Default)]
struct Fetched {
    publication: Option<PublicationId>,
    owed: Owed,
}

impl Run<'_> {
    async fn phases(&mut self) -> Result<(), SyncError> {
        let config = self.client.config_data(self.source.config_anchor()).await?;
        if !(1..=100).contains(&config.updates_max) {
            let text = format!("The update source allows {} revisions in one request.", config.updates_max);
            self.progress.log("warning", text);
        }
        if let Some(notice) = self.client.clock_notice().await {
            self.progress.notice(notice);
        }
        let facts = facts::merge(&self.source.facts, &config);
        let batch_size = plan::batch_size(config.updates_max);

        let mut owed_before = if self.categories_only { Vec::new() } else { self.owed_before().await? };
        self.progress.phase(Phase::Categories, None);
        let listing = listing::categories(&self.client, self.source.category_anchor(), self.progress).await?;
        let asked = owed_before.iter().copied().chain(listing.revisions).collect();
        let fetched = self.fetch(asked, batch_size).await?;
        let part = CategoryPart { anchor: listing.anchor, config_anchor: config.new_config_anchor, facts };
        let waiting = self.commit_categories(fetched, part, &mut owed_before).await?;
        if self.ends_with_categories(waiting.as_ref(), owed_before.len()).await? {
            return Ok(());
        }
        let facts = &waiting.as_ref().map_or(&self.source.facts, |part| &part.facts).clone();

        let mut conn = self.context.pool.get().await?;
        let wanted = selection::expand_now(&mut conn, &self.options, facts).await?;
        drop(conn);
        self.progress.phase(Phase::Updates, None);
        let known = self.source.known();
        let Listing { anchor, revisions } =
            listing::updates(&self.client, &wanted, known.as_ref(), self.progress).await?;
        let fetched = self.fetch(revisions, batch_size).await?;
        let approvals = self.approvals(&anchor).await?;
        self.commit_updates(
            fetched,
            waiting,
            UpdatePart { anchor, selection: wanted, approvals },
            &owed_before,
        )
        .await
    }

    /// A replica takes over what its upstream server approved, bounded by the list it has just taken.
    async fn approvals(&self, anchor: &SyncAnchor) -> Result<Option<ApprovalPart>, SyncError> {
        if !self.options.replica {
            return Ok(None);
        }
        self.progress.phase(Phase::Approvals, None);
        let known = self.source.deployment_anchor();
        let first = known.is_none();
        let answer = self.client.deployments(known, anchor.clone()).await?;
        let text = format!(
            "The upstream server named {} groups, {} changed and {} withdrawn approvals.",
            answer.groups.len(),
            answer.deployments.len(),
            answer.dead_deployments.len()
        );
        self.progress.log("info", text);
        Ok(Some(ApprovalPart { answer, first }))
    }

    /// The source is another one than before under the same address.
    async fn start_over(&mut self) -> Result<(), SyncError> {
        self.progress.notice(
            "The update source was replaced or restored. Everything was listed again; what is stored already was \
             not fetched again.",
        );
        let mut conn = self.context.pool.get().await?;
        sources::reset_anchors(&mut conn, self.source.id).await?;
        self.source.forget_anchors();
        Ok(())
    }

    async fn owed_before(&self) -> Result<Vec<RevisionKey>, SyncError> {
        if !self.source.is_owing {
            return Ok(Vec::new());
        }
        let mut conn = self.context.pool.get().await?;
        let owed = sources::owed(&mut conn, self.source.id, OWED_MAX).await?;
        if !owed.is_empty() {
            let text = format!(
                "{} revisions are owed by earlier synchronizations; they are asked for first.",
                owed.len()
            );
            self.progress.log("info", text);
        }
        Ok(owed)
    }

    /// Fetches those of `listed` that are not stored, and stores them invisibly.
    async fn fetch(&self, listed: Vec<RevisionKey>, batch_size: usize) -> Result<Fetched, SyncError> {
        if listed.is_empty() {
            return Ok(Fetched::default());
        }
        let mut database = crate::db::open_client(&self.context.database).await?;
        let in_list = listed.len();
        let wanted = missing(&database, listed).await?;
        self.progress.change(|figures| figures.total = Some(wanted.len() as i64));
        self.progress.log("info", format!("{} of {in_list} revisions are not stored yet.", wanted.len()));
        if wanted.is_empty() {
            return Ok(Fetched::default());
        }
        for key in outdated(&database, &wanted, OUTDATED_LINES_MAX).await? {
            self.progress.log(
                "warning",
                format!("{key} is listed, but a newer revision is stored and stays current."),
            );
        }
        let mut conn = self.context.pool.get().await?;
        let publication = publish::open(&mut conn, Some(self.run_id)).await?;
        drop(conn);
        let (sender, receiver) = mpsc::channel(IN_TRANSIT_MAX);
        let importing = import(&mut database, publication, self.lease, receiver, self.progress);
        let fetching = fetch(self.client.clone(), wanted, batch_size, sender, self.progress.clone());
        let (imported, fetched) = tokio::join!(importing, fetching);
        // When the importer failed, the workers only noticed that it is gone: its error is the one that counts.
        let refused = imported?;
        let mut owed = fetched?;
        for one in refused {
            self.progress.log("warning", format!("{} is not stored: {}.", one.key, one.reason));
            owed.insert(one.key, one.reason);
        }
        Ok(Fetched { publication: Some(publication), owed })
    }

    /// Publishes the categories. When none came, their anchor waits for the next commit point: the answer.
    async fn commit_categories(
        &mut self,
        mut fetched: Fetched,
        part: CategoryPart,
        owed_before: &mut Vec<RevisionKey>,
    ) -> Result<Option<CategoryPart>, SyncError> {
        if fetched.publication.is_none() && owed_before.is_empty() && !self.source.has_leftovers {
            return Ok(Some(part));
        }
        // What was owed can be updates, which this commit point leaves for the next one.
        self.source.has_leftovers |= !owed_before.is_empty();
        // Everything owed was asked for, so what is owed now is what could not be had this time.
        let arrived: Vec<RevisionKey> =
            owed_before.iter().copied().filter(|key| !fetched.owed.contains_key(key)).collect();
        *owed_before = fetched.owed.keys().copied().collect();
        let mut conn = self.context.pool.get().await?;
        self.adopt_leftovers(&mut conn, &mut fetched).await?;
        let commit = self.commit(&fetched, &arrived);
        commit::categories(&mut conn, &commit, &part).await?;
        self.count_failed(fetched.owed.len());
        self.source.facts = part.facts;
        Ok(None)
    }

    /// Ends a run that brings no updates. Otherwise `false`, and nothing has happened.
    async fn ends_with_categories(
        &self,
        waiting: Option<&CategoryPart>,
        owed: usize,
    ) -> Result<bool, SyncError> {
        if !self.categories_only {
            return Ok(false);
        }
        let mut conn = self.context.pool.get().await?;
        let state = if owed == 0 { RunState::Succeeded } else { RunState::SucceededWithProblems };
        let figures = Figures { phase: None, ..self.progress.figures() };
        let (nothing, ending) = (Fetched::default(), Ending { state, figures: &figures });
        let commit = self.commit(&nothing, &[]);
        let ended = commit::end_with_categories(&mut conn, &commit, waiting, &ending).await?;
        if ended {
            self.progress
                .log("info", "Products and classifications are up to date. No updates were asked for.");
            self.progress.flush_lines(&mut conn).await?;
        }
        Ok(ended)
    }

    async fn commit_updates(
        &self,
        mut fetched: Fetched,
        waiting: Option<CategoryPart>,
        part: UpdatePart,
        owed_before: &[RevisionKey],
    ) -> Result<(), SyncError> {
        self.progress.phase(Phase::Publish, None);
        let mut conn = self.context.pool.get().await?;
        self.adopt_leftovers(&mut conn, &mut fetched).await?;
        let still_owed: BTreeSet<RevisionKey> =
            owed_before.iter().copied().chain(fetched.owed.keys().copied()).collect();
        self.count_failed(still_owed.len());
        let state = if still_owed.is_empty() { RunState::Succeeded } else { RunState::SucceededWithProblems };
        if !still_owed.is_empty() {
            self.progress.notice(format!(
                "{} revisions could not be stored. The next synchronization asks for them first.",
                still_owed.len()
            ));
        }
        self.progress.log("info", "The synchronization is complete.");
        self.progress.flush_lines(&mut conn).await?;
        // A run that has ended is in no phase; until then, the page shows this one.
        let figures = Figures { phase: None, ..self.progress.figures() };
        let commit = self.commit(&fetched, &[]);
        let ending = Ending { state, figures: &figures };
        let mut committing = pin!(commit::updates(&mut conn, &commit, waiting.as_ref(), &part, &ending));
        // The commit waits for what is prepared; when it ends before that, nobody needs it any more.
        tokio::select! {
            committed = &mut committing => drop(committed?),
            () = self.prepare_search(), if fetched.publication.is_some() => drop(committing.await?),
        }
        Ok(())
    }

    /// Where it does not work out, the publication itself does all of it.
    async fn prepare_search(&self) {
        let prepared = match self.context.pool.get().await {
            Ok(mut conn) => search::prepare(&mut conn, LARGE_FROM).await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = prepared {
            tracing::info!(run = self.run_id, error, "the search is made by the publication itself");
        }
    }

    /// What an interrupted run stored needs a publication even when this run stored nothing.
    async fn adopt_leftovers(
        &self,
        conn: &mut AsyncPgConnection,
        fetched: &mut Fetched,
    ) -> Result<(), SyncError> {
        if fetched.publication.is_none() && self.source.has_leftovers {
            fetched.publication = Some(publish::open(conn, Some(self.run_id)).await?);
        }
        Ok(())
    }

    fn commit<'b>(&'b self, fetched: &'b Fetched, arrived: &'b [RevisionKey]) -> Commit<'b> {
        Commit {
            run_id: self.run_id,
            lease: self.lease,
            source_id: self.source.id,
            publication: fetched.publication,
            owed: &fetched.owed,
            arrived,
        }
    }

    fn count_failed(&self, owed: usize) {
        self.progress.change(|figures| figures.failed = owed as i64);
    }
}

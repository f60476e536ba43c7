//! Approvals: the rules of a fresh server, and what a chain of replicas makes of them.

use std::collections::BTreeSet;

use uuid::Uuid;
use weir::accounts::audit;
use weir::approvals::change::{self, Change, GroupChoice};
use weir::approvals::{
    ALL_COMPUTERS, Action, ApprovalError, Side, UNASSIGNED_COMPUTERS, groups, history, mirror, rules,
    run_now, state,
};
use weir::protocol::ids::DeploymentAnchor;
use weir::protocol::server_sync::{GetDeploymentsReply, SyncTargetGroup};
use weir::settings::{CategoryKind, Selected};

use crate::support::TestApp;

const CRITICAL: Uuid = Uuid::from_u128(0xe6cf_1350_c01b_414d_a61f_263d_14d1_33b4);
const SECURITY: Uuid = Uuid::from_u128(0x0fa1_201d_4330_4fa8_8ae9_b877_473b_6441);

fn by_test() -> audit::Entry<'static> {
    audit::Entry { actor: "anna", ..audit::Entry::default() }
}

/// Updates that can be approved, with whether they are critical or security updates.
pub(crate) async fn updates(app: &TestApp) -> Vec<(Uuid, bool)> {
    let sql = "SELECT u.update_id, EXISTS (
            SELECT FROM update_categories m JOIN updates c ON c.update_row = m.category_row
            WHERE m.update_row = u.update_row AND c.update_id = ANY($1))
        FROM updates u WHERE u.approvable AND NOT u.expired ORDER BY u.update_id";
    let rows = app.db.client().await.query(sql, &[&vec![CRITICAL, SECURITY]]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Groups, approvals and declines that count on a server.
async fn decisions(app: &TestApp) -> BTreeSet<String> {
    let mut conn = app.db.conn().await;
    let side = Side::now(&mut conn).await.unwrap();
    let mut found: BTreeSet<String> = groups::tree(&mut conn, side)
        .await
        .unwrap()
        .into_iter()
        .map(|branch| format!("group {} {}", branch.group.group_id, branch.group.name))
        .collect();
    let client = app.db.client().await;
    let sql = "SELECT concat_ws(' ', 'approval', a.approval_id, a.update_id, a.revision_number, a.group_id, a.action,
                   a.deadline)
               FROM approvals a JOIN updates u USING (update_id) WHERE a.mirrored = $1
               UNION ALL SELECT 'declined ' || update_id FROM declined_updates WHERE mirrored = $1
               UNION ALL SELECT 'license ' || license_id FROM accepted_licenses WHERE mirrored = $1";
    let rows = client.query(sql, &[&side.mirrored()]).await.unwrap();
    found.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    found
}

pub(crate) async fn approve(app: &TestApp, updates: &[Uuid], group: Uuid, action: Option<Action>) {
    let change = Change {
        updates: updates.to_vec(),
        groups: vec![GroupChoice { group_id: group, action }],
        accept_licenses: true,
        ..Change::default()
    };
    change::approve(&mut *app.db.conn().await, &change, by_test()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn s157_a_fresh_server_approves_critical_and_security_updates_for_detection_and_nothing_else() {
    let upstream = TestApp::with_sample(200, 1).await;
    let app = TestApp::start().await;
    let updates_class = Uuid::from_u128(0xcd5f_fd1e_e932_4e3a_bf74_18bf_0b1b_bd83);
    let more =
        Selected { category_id: updates_class, kind: CategoryKind::Classification, with_descendants: false };
    app.follow(&upstream, |options| options.selections.push(more)).await;
    app.synchronize().await;

    let updates = updates(&app).await;
    let ids: Vec<Uuid> = updates.iter().map(|(id, _)| *id).collect();
    let approvals = state::of(&mut *app.db.conn().await, Side::Own, &ids).await.unwrap();
    assert!(approvals.iter().all(|one| one.action() == Action::Detect && one.group_id == ALL_COMPUTERS));
    let approved: BTreeSet<Uuid> = approvals.iter().map(|one| one.update_id).collect();
    let wanted: BTreeSet<Uuid> = updates.iter().filter(|(_, fits)| *fits).map(|(id, _)| *id).collect();
    assert!(!wanted.is_empty() && wanted.len() < updates.len());
    assert_eq!(approved, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn p46_a_chain_of_replicas_has_what_its_head_decided() {
    let a = TestApp::with_sample(200, 1).await;
    let (b, c) = (TestApp::start().await, TestApp::start().await);
    b.follow(&a, |options| options.replica = true).await;
    c.follow(&b, |options| options.replica = true).await;
    let down = async || {
        b.synchronize().await;
        c.synchronize().await;
        let wanted = decisions(&a).await;
        let (at_b, at_c) = (decisions(&b).await, decisions(&c).await);
        let differing =
            |found: &BTreeSet<String>| found.symmetric_difference(&wanted).cloned().collect::<Vec<_>>();
        assert!(at_b == wanted, "B differs: {:?}", differing(&at_b));
        assert!(at_c == wanted, "C differs: {:?}", differing(&at_c));
    };

    down().await;
    // A replica takes everything, whatever its own choice of products was.
    let offered = updates(&a).await;
    assert!(offered == updates(&b).await && offered == updates(&c).await);
    let below: Vec<Uuid> = updates(&c).await.into_iter().map(|(id, _)| id).collect();
    let group = groups::add(&mut *a.db.conn().await, "Berlin", ALL_COMPUTERS, by_test()).await.unwrap();
    let inner = groups::add(&mut *a.db.conn().await, "Berlin East", group, by_test()).await.unwrap();
    approve(&a, &below[..3], ALL_COMPUTERS, Some(Action::Detect)).await;
    approve(&a, &below[..2], inner, Some(Action::Install)).await;
    down().await;
    approve(&a, &below[..1], inner, Some(Action::NotApproved)).await;
    approve(&a, &below[1..2], inner, None).await;
    down().await;
    change::decline(&mut *a.db.conn().await, &below[2..4], "", by_test()).await.unwrap();
    groups::rename(&mut *a.db.conn().await, group, "Hamburg", by_test()).await.unwrap();
    down().await;
    change::restore(&mut *a.db.conn().await, &below[3..4], by_test()).await.unwrap();
    groups::delete(&mut *a.db.conn().await, group, by_test()).await.unwrap();
    down().await;

    // A replica decides nothing itself.
    let refused = change::decline(&mut *c.db.conn().await, &below[..1], "", by_test()).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::Replica));
    let refused = groups::add(&mut *c.db.conn().await, "Mine", ALL_COMPUTERS, by_test()).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::Replica));

    // Its own decisions slept, and come back with its independence.
    c.follow(&b, |options| options.replica = false).await;
    assert_eq!(decisions(&c).await.len(), 2, "only the built-in groups");
    c.follow(&b, |options| options.replica = true).await;
    down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_set_inherited_withdrawn_and_written_down() {
    let app = TestApp::with_sample(200, 1).await;
    let ids: Vec<Uuid> = updates(&app).await.into_iter().map(|(id, _)| id).take(3).collect();
    approve(&app, &ids, ALL_COMPUTERS, Some(Action::Install)).await;
    let summary = state::summaries(&mut *app.db.conn().await, Side::Own, &ids).await.unwrap();
    assert!(ids.iter().all(|id| summary[id].words() == "Install"));

    change::decline(&mut *app.db.conn().await, &ids[..1], "", by_test()).await.unwrap();
    let summary = state::summaries(&mut *app.db.conn().await, Side::Own, &ids).await.unwrap();
    assert_eq!(summary[&ids[0]].words(), "Declined");
    approve(&app, &ids[..1], ALL_COMPUTERS, Some(Action::Detect)).await;
    let summary = state::summaries(&mut *app.db.conn().await, Side::Own, &ids).await.unwrap();
    assert_eq!(summary[&ids[0]].words(), "Detect only");
    approve(&app, &ids, ALL_COMPUTERS, Some(Action::NotApproved)).await;
    assert!(state::of(&mut *app.db.conn().await, Side::Own, &ids).await.unwrap().is_empty());

    let unknown = Change { updates: vec![Uuid::from_u128(1)], ..Change::default() };
    let refused = change::approve(&mut *app.db.conn().await, &unknown, by_test()).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::UnknownUpdate));
    let nowhere = Change {
        updates: ids.clone(),
        groups: vec![GroupChoice { group_id: Uuid::from_u128(1), action: Some(Action::Detect) }],
        ..Change::default()
    };
    let refused = change::approve(&mut *app.db.conn().await, &nowhere, by_test()).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::UnknownGroup));

    let sql = "SELECT action FROM audit WHERE actor = 'anna' ORDER BY id";
    let rows = app.db.client().await.query(sql, &[]).await.unwrap();
    let actions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(actions, ["approval.change", "approval.decline", "approval.change", "approval.change"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_saved_once_and_a_second_writer_is_told() {
    let app = TestApp::start().await;
    let mut conn = app.db.conn().await;
    let read = rules::load(&mut conn).await.unwrap();
    assert!(read.detect.on && !read.install.on && read.latest_revision);
    let mut changed = read.clone();
    changed.install.on = true;
    let refused = rules::save(&mut conn, &changed, by_test()).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::RuleWithoutClassification));
    changed.install.classifications = vec![CRITICAL];
    assert!(rules::save(&mut conn, &changed, by_test()).await.unwrap());
    let late = rules::save(&mut conn, &read, by_test()).await.unwrap_err();
    assert!(matches!(late, ApprovalError::RulesChanged));
    let now = rules::load(&mut conn).await.unwrap();
    assert!(!rules::save(&mut conn, &now, by_test()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_the_built_in_groups_is_refused_rather_than_deleting_everything() {
    let app = TestApp::with_sample(200, 1).await;
    let ids: Vec<Uuid> = updates(&app).await.into_iter().map(|(id, _)| id).take(2).collect();
    let group = |id, name: &str| SyncTargetGroup {
        group_id: id,
        parent_id: Uuid::nil(),
        name: name.to_owned(),
        builtin: true,
    };
    let mut answer = GetDeploymentsReply {
        anchor: DeploymentAnchor::parse("1,2026-11-22 18:00:00.000").unwrap(),
        groups: vec![
            group(ALL_COMPUTERS, "All Computers"),
            group(UNASSIGNED_COMPUTERS, "Unassigned Computers"),
        ],
        deployments: Vec::new(),
        dead_deployments: Vec::new(),
        hidden_updates: ids.clone(),
        accepted_licenses: Vec::new(),
    };
    let mut conn = app.db.conn().await;
    mirror::apply(&mut conn, &answer, true).await.unwrap();
    answer.groups.clear();
    answer.hidden_updates.clear();
    let refused = mirror::apply(&mut conn, &answer, true).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::Upstream { .. }));
    let hidden = state::summaries(&mut conn, Side::Mirrored, &ids).await.unwrap();
    assert!(ids.iter().all(|id| hidden[id].declined));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_change_is_undone_once_and_servers_below_follow() {
    let app = TestApp::with_sample(60, 3).await;
    let ids: Vec<Uuid> = updates(&app).await.into_iter().map(|(id, _)| id).take(6).collect();
    approve(&app, &ids[..3], ALL_COMPUTERS, Some(Action::Detect)).await;
    let before =
        decisions(&app).await.into_iter().filter(|line| !line.starts_with("license")).collect::<Vec<_>>();
    let mut conn = app.db.conn().await;
    change::decline(&mut conn, &ids, "they break the printers", by_test()).await.unwrap();
    let past = history::of_update(&mut conn, ids[0]).await.unwrap();
    assert_eq!((past[0].reason.as_str(), past[0].deed), ("they break the printers", history::Deed::Decline));
    assert_eq!((past[0].actor.as_str(), past[0].updates, past[0].undone), ("anna", 6, false));
    let undone = history::undo(&mut conn, by_test()).await.unwrap();
    assert_eq!((undone.updates, undone.approvals), (6, 3));
    let without_ids = |lines: Vec<String>| -> BTreeSet<String> {
        // A withdrawn approval comes back under an id of its own.
        lines
            .iter()
            .map(|line| {
                line.split(' ')
                    .skip(if line.starts_with("approval") { 2 } else { 0 })
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    };
    let after = decisions(&app).await.into_iter().filter(|line| !line.starts_with("license")).collect();
    assert_eq!(without_ids(after), without_ids(before));
    assert!(history::of_update(&mut conn, ids[0]).await.unwrap()[0].undone);
    assert!(history::last(&mut conn).await.unwrap().is_none());
    let again = history::undo(&mut conn, by_test()).await.unwrap_err();
    assert!(matches!(again, ApprovalError::NothingToUndo));

    // What a synchronization has changed since stays.
    approve(&app, &ids[..1], ALL_COMPUTERS, Some(Action::Install)).await;
    let revised = "UPDATE updates SET changed_stamp = 9e15 WHERE update_id = $1";
    app.db.client().await.execute(revised, &[&ids[0]]).await.unwrap();
    let late = history::undo(&mut conn, by_test()).await.unwrap_err();
    assert!(matches!(late, ApprovalError::NothingToUndo));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_run_over_existing_updates_do_what_was_shown_and_no_more() {
    let app = TestApp::with_sample(120, 5).await;
    let all = updates(&app).await;
    let fitting: Vec<Uuid> = all.iter().filter(|(_, fits)| *fits).map(|(id, _)| *id).collect();
    assert!(fitting.len() > 6);
    change::decline(&mut *app.db.conn().await, &fitting[..1], "", by_test()).await.unwrap();
    approve(&app, &fitting[1..2], ALL_COMPUTERS, Some(Action::Install)).await;
    let mut conn = app.db.conn().await;
    let outlook = run_now::outlook(&mut conn).await.unwrap();
    let shown: BTreeSet<Uuid> = outlook.detect.iter().map(|fit| fit.update_id).collect();
    assert_eq!(shown, fitting[2..].iter().copied().collect());
    assert!(outlook.install.is_empty() && outlook.waiting.is_empty());
    let version = rules::load(&mut conn).await.unwrap().version;
    let stale = run_now::run(&mut conn, version + 1, by_test()).await.unwrap_err();
    assert!(matches!(stale, ApprovalError::RulesChanged));
    assert_eq!(run_now::run(&mut conn, version, by_test()).await.unwrap(), shown.len());
    assert_eq!(run_now::outlook(&mut conn).await.unwrap(), run_now::Outlook::default());

    // Installation takes the place of detection, and license terms hold it back.
    let mut saved = rules::load(&mut conn).await.unwrap();
    saved.install = rules::Rule { on: true, ..saved.detect.clone() };
    rules::save(&mut conn, &saved, by_test()).await.unwrap();
    let outlook = run_now::outlook(&mut conn).await.unwrap();
    assert_eq!(outlook.install.len() + outlook.waiting.len(), shown.len());
    assert!(outlook.detect.is_empty());
    let version = rules::load(&mut conn).await.unwrap().version;
    assert_eq!(run_now::run(&mut conn, version, by_test()).await.unwrap(), outlook.install.len());
    for fit in &outlook.waiting {
        let held = state::of(&mut conn, Side::Own, &[fit.update_id]).await.unwrap();
        assert!(held.iter().all(|one| one.action() == Action::Detect));
    }
    let undone = history::undo(&mut conn, by_test()).await.unwrap();
    assert_eq!(undone.updates, outlook.install.len());
    assert_eq!(run_now::outlook(&mut conn).await.unwrap().install.len(), outlook.install.len());
}

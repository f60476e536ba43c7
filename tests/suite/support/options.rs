//! Saving Synchronization Options without the page.

use weir::settings::{self, Actor, CategoryKind, ScheduleMode, Selected, SourceKind, SyncOptions};

use super::TestDatabase;
use super::documents::{PRODUCT, SECURITY};

/// Changes the options in force.
pub async fn change_options(db: &TestDatabase, change: impl FnOnce(&mut SyncOptions)) {
    let mut conn = db.conn().await;
    let mut options = settings::load(&mut conn).await.unwrap();
    change(&mut options);
    options.selections.sort();
    let (name, peer, request_id) = ("test".to_owned(), String::new(), String::new());
    let actor = Actor { name, account_id: None, peer, request_id };
    settings::save(&mut conn, options.version, &options, &actor).await.unwrap();
}

/// A scripted upstream server on `port`, its first product and its classification.
pub fn use_upstream(options: &mut SyncOptions, port: u16) {
    options.source.kind = SourceKind::Upstream;
    options.source.server = "127.0.0.1".to_owned();
    options.source.port = port;
    options.source.ssl = false;
    let selected = |category_id, kind| Selected { category_id, kind, with_descendants: false };
    options.selections =
        vec![selected(PRODUCT, CategoryKind::Product), selected(SECURITY, CategoryKind::Classification)];
}

/// Once a day at a time that is not now.
pub fn daily(options: &mut SyncOptions) {
    options.schedule.mode = ScheduleMode::Daily;
    options.schedule.time = (chrono::Utc::now() + chrono::TimeDelta::hours(12)).time();
    options.schedule.time =
        chrono::NaiveTime::from_hms_opt(chrono::Timelike::hour(&options.schedule.time), 0, 0).unwrap();
    options.schedule.time_zone = chrono_tz::Tz::UTC;
    options.schedule.per_day = 1;
}

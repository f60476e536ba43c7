//! What a choice of Update Files would fetch, and whether the disk has room for it; said before it is saved.

use diesel_async::AsyncPgConnection;

use crate::content::{Store, chosen, limits};
use crate::settings::{FieldError, FileStore, Files, Key, SyncOptions};
use crate::web::PageError;
use crate::web::words::{counted, size};

/// Files that saving would put on the list, against the disk.
pub(super) struct Room {
    /// A sentence for the panel.
    pub words: String,
    /// The files would go into what is kept free.
    pub refusal: Option<FieldError>,
}

/// `None`: saving `meant` asks for no more files than `current` does.
pub(super) async fn look(
    conn: &mut AsyncPgConnection,
    store: &Store,
    current: &SyncOptions,
    meant: &SyncOptions,
) -> Result<Option<Room>, PageError> {
    if !asks_for_more(&current.files, &meant.files) {
        return Ok(None);
    }
    let need = chosen::need(conn, meant.files.deferred, meant.files.express, meant.replica).await?;
    let files = counted(need.files, "file", "files");
    let fetched = match need.files {
        0 => "No file that is known now has to be fetched for this.".to_owned(),
        _ => format!("Saving this fetches {files}, {} in all.", size(need.bytes)),
    };
    if let Some(address) = store.bucket_address() {
        let words =
            format!("{fetched} It is kept in the bucket {address}; how much room there is cannot be told.");
        return Ok(Some(Room { words, refusal: None }));
    }
    let store = store.with_reserve(limits::load(conn).await?.reserve);
    let space = match store.space().await {
        Ok(space) => space,
        Err(error) => {
            let words = format!("{fetched} How much room there is cannot be told: {error}.");
            return Ok(Some(Room { words, refusal: None }));
        }
    };
    let shown = |bytes: u64| size(i64::try_from(bytes).unwrap_or(i64::MAX));
    let usable = space.free.saturating_sub(space.reserve);
    let refusal = (need.bytes.unsigned_abs() > usable).then(|| FieldError {
        key: Key::FilesStore,
        sentence: format!(
            "There is no room for {files}, {} in all: {} may be used. Choose fewer files, or make room on the disk first.",
            size(need.bytes),
            shown(usable)
        ),
        locked: false,
    });
    let words = format!(
        "{fetched} {} are free on the disk, of which {} are always kept free.",
        shown(space.free),
        shown(space.reserve)
    );
    Ok(Some(Room { words, refusal }))
}

fn asks_for_more(current: &Files, meant: &Files) -> bool {
    meant.store == FileStore::Local
        && (current.store != FileStore::Local
            || (current.deferred && !meant.deferred)
            || (!current.express && meant.express))
}

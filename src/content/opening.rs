//! Opens an unfinished file, new or with a beginning, unless the file is here already or the folder is a strange one.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::StoreError;
use super::alone::open_alone;
use super::apart::{apart, hand_over};
use super::block;
use super::digests::Digests;

/// How an unfinished file is opened.
#[derive(Clone)]
pub(super) struct Opening {
    pub folder: PathBuf,
    pub path: PathBuf,
    /// What must be there; `None`: nothing.
    pub mark: Option<PathBuf>,
    /// What must not be there; `None`: nothing.
    pub unless: Option<PathBuf>,
    pub may_go_straight: bool,
}

/// An unfinished file that nobody else has open.
pub(super) struct Opened {
    pub file: Arc<File>,
    pub len: u64,
    /// Its blocks go past the page cache.
    pub straight: bool,
}

impl Opening {
    /// `is_patient`: it is waited for somebody else.
    pub fn open(&self, is_patient: bool) -> io::Result<Result<Opened, NotOpened>> {
        let Self { folder, path, mark, unless, may_go_straight } = self;
        if !mark.as_ref().map_or(Ok(true), |mark| mark.try_exists())? {
            return Ok(Err(NotOpened::Strange));
        }
        let (opened, len) = match open_alone(path, is_patient) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(folder)?;
                open_alone(path, is_patient)?
            }
            opened => opened?,
        };
        // Nearly every file is one that is not here. Looked for only now, because whoever had it open until now may have
        // given it its name, so that this is a new one.
        if unless.as_ref().map_or(Ok(false), |unless| unless.try_exists())? {
            if len == 0 {
                std::fs::remove_file(path)?;
            }
            return Ok(Err(NotOpened::There));
        }
        let straight = *may_go_straight && block::goes_straight(&opened);
        Ok(Ok(Opened { file: Arc::new(opened), len, straight }))
    }
}

/// The digests of what is here of a file; too much of it is thrown away.
pub(super) async fn beginning(opened: &Arc<File>, len: u64, size: u64) -> Result<Digests, StoreError> {
    let file = opened.clone();
    match len {
        0 => Ok(Digests::default()),
        len if len > size => apart(move || file.set_len(0)).await.map(|()| Digests::default()),
        _ => {
            hand_over(move || {
                let mut digests = Digests::default();
                digests.read_now(&mut &*file)?;
                Ok(digests)
            })
            .await
        }
    }
}

/// Why an unfinished file was not opened.
pub(super) enum NotOpened {
    /// Something has the final name.
    There,
    /// The folder has no mark.
    Strange,
}

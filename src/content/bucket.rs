//! A bucket that speaks S3, as the place of finished files.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Place;
use object_store::prefix::PrefixStore;
use object_store::{ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, RetryConfig};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;

use super::StoreError;
use crate::config::BucketConfig;

/// Files that are sent to the bucket at once; each takes a part in memory.
const UPLOADS_MAX: usize = 4;
/// Bytes of a part, and of the largest file sent in one. Larger files have larger parts, so that there are never more
/// than [`PARTS_MAX`]. Source: S3 takes parts from 5 MiB on, and 10,000 of them.
const PART_BYTES: u64 = 8 << 20;
const PARTS_MAX: u64 = 9_000;
/// Objects above this size cannot be copied within a bucket. Source: CopyObject of S3.
const COPY_BYTES_MAX: u64 = 5 << 30;
/// For a connection, and between two bytes of an answer.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
const READ_WAIT: Duration = Duration::from_secs(30);
/// A request is sent again this often, and not later than this.
const RETRIES_MAX: usize = 2;
const RETRY_FOR: Duration = Duration::from_secs(10);
/// A bucket that answered is not asked again whether it does for so long.
const ANSWERS_FOR: Duration = Duration::from_secs(30);
/// Longest reason from the bucket, in characters.
const REASON_LEN_MAX: usize = 200;

/// The bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    objects: Arc<dyn ObjectStore>,
    /// `s3://name/prefix`.
    shown: String,
    uploads: Semaphore,
    /// When it was last found to be the right one; nothing after trouble.
    answered: Mutex<Option<Instant>>,
}

impl Bucket {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// [`StoreError::Bucket`] when the variables make no way to a bucket.
    pub fn open(config: &BucketConfig) -> Result<Self, StoreError> {
        let client = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT_WAIT)
            .with_read_timeout(READ_WAIT);
        let retry =
            RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_FOR, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_client_options(client)
            .with_retry(retry)
            .with_disable_bulk_delete(true)
            .with_bucket_name(&config.name);
        for (name, value) in &config.variables {
            if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let shown = config.to_string();
        let objects = builder.build().map_err(|error| trouble(&shown, &error))?;
        let objects: Arc<dyn ObjectStore> = match config.prefix.as_str() {
            "" => Arc::new(objects),
            prefix => Arc::new(PrefixStore::new(objects, prefix)),
        };
        Ok(Self { objects, shown, uploads: Semaphore::new(UPLOADS_MAX), answered: Mutex::default() })
    }

    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// Its address, for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it was found to be the right one a moment ago, and did not fail since.
    pub fn is_ready(&self) -> bool {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.is_some_and(|at| at.elapsed() < ANSWERS_FOR)
    }

    pub fn note_ready(&self) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// What a failure means; from now on the bucket has to show again that it answers.
    pub fn trouble(&self, error: &(dyn std::error::Error + 'static)) -> StoreError {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = None;
        trouble(&self.shown, error)
    }

    /// Whether an object of this size can be moved within the bucket.
    pub fn can_move(&self, size: u64) -> bool {
        size <= COPY_BYTES_MAX
    }

    /// Sends a file of `size` bytes. The object is there when all of it is, and not before.
    ///
    /// # Errors
    /// [`StoreError::Bucket`]; [`StoreError::Io`] and [`StoreError::Length`] for the file.
    pub async fn send(&self, place: &str, file: &Path, size: u64) -> Result<(), StoreError> {
        let Ok(_turn) = self.uploads.acquire().await else {
            return Err(StoreError::Io(std::io::Error::other("the server is ending")));
        };
        let (place, mut file) = (Place::from(place), File::open(file).await?);
        if size <= PART_BYTES {
            let part = next_part(&mut file, PART_BYTES + 1).await?;
            right_length(part.len() as u64, size)?;
            self.objects.put(&place, part.freeze().into()).await.map_err(|error| self.trouble(&error))?;
            return Ok(());
        }
        let mut upload = self.objects.put_multipart(&place).await.map_err(|error| self.trouble(&error))?;
        let sent = self.send_parts(upload.as_mut(), &mut file, size).await;
        if sent.is_err() && upload.abort().await.is_err() {
            tracing::warn!(bucket = self.shown, "parts of an upload that failed are still in the bucket");
        }
        sent
    }

    async fn send_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        file: &mut File,
        size: u64,
    ) -> Result<(), StoreError> {
        let part_bytes = PART_BYTES.max(size / PARTS_MAX + 1);
        let mut sent = 0;
        loop {
            let part = next_part(file, part_bytes).await?;
            if part.is_empty() {
                break;
            }
            sent += part.len() as u64;
            upload.put_part(part.freeze().into()).await.map_err(|error| self.trouble(&error))?;
        }
        right_length(sent, size)?;
        upload.complete().await.map_err(|error| self.trouble(&error))?;
        Ok(())
    }
}

/// The next bytes of a file, at most `len`; fewer only at its end.
async fn next_part(file: &mut File, len: u64) -> std::io::Result<BytesMut> {
    let mut part = BytesMut::with_capacity(usize::try_from(len).unwrap_or_default());
    let mut rest = file.take(len);
    while rest.read_buf(&mut part).await? > 0 {}
    Ok(part)
}

fn right_length(found: u64, wanted: u64) -> Result<(), StoreError> {
    if found == wanted { Ok(()) } else { Err(StoreError::Length { found, wanted }) }
}

fn trouble(shown: &str, error: &(dyn std::error::Error + 'static)) -> StoreError {
    let reason = match error.downcast_ref::<object_store::Error>() {
        Some(object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }) => {
            "it refuses these credentials".to_owned()
        }
        Some(object_store::Error::NotFound { .. }) => "there is no such bucket".to_owned(),
        _ => {
            let mut cause = error;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            cause.to_string().trim_end_matches('.').chars().take(REASON_LEN_MAX).collect()
        }
    };
    StoreError::Bucket { bucket: shown.to_owned(), reason }
}

//! What can go wrong with jobs.

/// The queue itself failed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    #[error("the job queue's database failed")]
    Query(#[from] diesel::result::Error),
    #[error("no connection to the job queue's database: {0}")]
    Pool(String),
    #[error("the connection that shows this instance is alive failed")]
    Session(#[from] tokio_postgres::Error),
    #[error("the arguments of a job cannot be read")]
    Args(#[from] serde_json::Error),
    #[error("job {job_id} belongs to another worker now")]
    LeaseLost { job_id: i64 },
}

/// Why a job ended without success. The text is kept in the job's row.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Asking again makes no sense; the job is failed.
    #[error("{0}")]
    Failed(String),
    /// Asking again after a while may help; after the last attempt the job is failed.
    #[error("{0}")]
    Later(String),
    /// Somebody asked it to end, and it did.
    #[error("canceled")]
    Canceled,
    /// The work stopped because this process is going down; another worker may take the job at once.
    #[error("interrupted by a shutdown")]
    Interrupted,
    #[error(transparent)]
    Queue(#[from] QueueError),
}

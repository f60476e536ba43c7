//! What is checked on this computer.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::report::Check;
use crate::cli::{CliError, DatabaseHandle, prepare_data_dir};
use crate::config::Config;
use crate::content::{Store, limits, wanted};
use crate::db::{self, Pool};
use crate::listen::TlsFiles;
use crate::secret::SecretKey;
use crate::upstream::probe::Outcome;

/// For an own port to answer.
const PORT_WAIT: Duration = Duration::from_secs(2);
/// A certificate that ends sooner is worth a word.
const RENEWAL_DUE: TimeDelta = TimeDelta::days(14);

/// The data folder can be written.
pub(super) fn data_folder(config: &Config) -> Check {
    let started = Instant::now();
    let outcome = match prepare_data_dir(&config.data_dir) {
        Err(error) => {
            let text = error.text().unwrap_or("The data folder cannot be written.").to_owned();
            Outcome::failed(text, "Give the account that Weir runs as the right to write there.")
        }
        Ok(()) => Outcome::passed(format!("{} can be written.", config.data_dir.display())),
    };
    Check::new("data-folder", "Data folder", outcome, started.elapsed())
}

/// The disk of the files has more room than is kept free: what was saved, or, without a database, what is usual.
pub(super) async fn disk(config: &Config, pool: Option<&Pool>) -> Check {
    let started = Instant::now();
    let reserve = match pool {
        Some(pool) => saved_reserve(pool).await,
        None => None,
    };
    let outcome = match Store::new(&config.content_dir).with_reserve(reserve).space().await {
        Err(error) => Outcome::failed(
            format!("The disk of {} cannot be asked: {error}.", config.content_dir.display()),
            "Check that the disk is mounted.",
        ),
        Ok(space) if space.free < space.reserve => Outcome::failed(
            format!(
                "{} has {} free, and Weir keeps {} free.",
                config.content_dir.display(),
                gigabytes(space.free),
                gigabytes(space.reserve)
            ),
            "Make room on this disk, or keep less of it free: the content store's page has the limits. Until then no files are fetched.",
        ),
        Ok(space) => {
            Outcome::passed(format!("{} has {} free.", config.content_dir.display(), gigabytes(space.free)))
        }
    };
    Check::new("disk", "Disk", outcome, started.elapsed())
}

/// What of the disk is kept free, in bytes; `None`: the usual, also when the settings cannot be read.
async fn saved_reserve(pool: &Pool) -> Option<u64> {
    let mut conn = pool.get().await.ok()?;
    limits::load(&mut conn).await.ok()?.reserve
}

/// The bucket answers, and is the one that the files are in. `None`: there is none.
pub(super) async fn bucket(config: &Config, pool: &Pool) -> Option<Check> {
    let started = Instant::now();
    let bucket = config.content_bucket.as_ref()?;
    let looked = async {
        let known = wanted::some_stored(&mut *pool.get().await.map_err(|error| error.to_string())?).await;
        let known = known.map_err(|error| error.to_string())?;
        let store = Store::open(&config.content_dir, Some(bucket)).map_err(|error| error.to_string())?;
        store.make_ready(&known).await.map_err(|error| error.to_string())
    };
    let outcome = match looked.await {
        Ok(()) => Outcome::passed(format!("The bucket {bucket} answers.")),
        Err(reason) => Outcome::failed(
            format!("The files are out of reach: {reason}."),
            "Check WEIR_CONTENT_URL and the AWS_ variables: address, region, and credentials that may read, write \
             and list. Until then no files are fetched or served.",
        ),
    };
    Some(Check::new("bucket", "Bucket", outcome, started.elapsed()))
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// The database answers, its schema is up to date, and it knows this key.
pub(super) async fn database(
    config: &Config,
    secret: Option<&SecretKey>,
) -> Result<(DatabaseHandle, Pool, String), CliError> {
    let handle = DatabaseHandle::open(config).await?;
    db::migrate(&handle.url).await?;
    let pool = db::connect(&handle.url).await?;
    if let Some(secret) = secret {
        db::claim_key(&handle.url, secret.fingerprint(), false).await?;
    }
    let failed = |error: tokio_postgres::Error| CliError::failed(format!("The database failed: {error}."));
    let client = db::open_client(&handle.url).await?;
    let sql = "SELECT current_setting('server_version'), pg_database_size(current_database())";
    let row = client.query_one(sql, &[]).await.map_err(failed)?;
    let (version, bytes): (String, i64) = (row.get(0), row.get(1));
    let size = gigabytes(u64::try_from(bytes).unwrap_or_default());
    let version = version.split_whitespace().next().unwrap_or_default();
    Ok((handle, pool, format!("PostgreSQL {version} answers, the schema is up to date, {size}.")))
}

/// Each port is answered by a server, or free for one.
pub(super) async fn ports(config: &Config) -> Vec<Check> {
    let listeners = &config.listeners;
    let mut checks = vec![
        port("port-console", "Port of the console", listeners.console).await,
        port("port-services", "Port of the services", listeners.services).await,
    ];
    if let Some(tls) = &listeners.tls {
        checks.push(port("port-services-tls", "Port of the services over TLS", tls.services).await);
    }
    checks
}

/// What `WEIR_REQUIRE_TLS` means here; `None` where it is off.
pub(super) fn required_tls(config: &Config) -> Option<Check> {
    let started = Instant::now();
    let listeners = &config.listeners;
    let by = match &listeners.tls {
        _ if !listeners.require_tls => return None,
        Some(tls) => format!("the services are at port {} for it", tls.services.port()),
        None => "the reverse proxies that are trusted speak it".to_owned(),
    };
    let text = format!(
        "TLS is required; {by}. Over plain HTTP only files of updates are given out, which servers below fetch so \
         and check by their digests."
    );
    Some(Check::new("require-tls", "TLS required", Outcome::passed(text), started.elapsed()))
}

/// The certificate and its key fit, and are good for a while; `None` where none are named.
pub(super) fn certificate(config: &Config) -> Option<Check> {
    let started = Instant::now();
    let tls = config.listeners.tls.as_ref()?;
    let files = TlsFiles { certificate: tls.certificate.clone(), key: tls.key.clone() };
    let outcome = match files.read() {
        Err(error) => Outcome::failed(
            format!("It cannot be used, because {error}."),
            "Correct the files. A server that runs keeps the certificate it had until they are right.",
        ),
        Ok(pair) => {
            let (path, until) = (tls.certificate.display(), pair.until.format("%Y-%m-%d"));
            let left = pair.until - Utc::now();
            if left <= TimeDelta::zero() {
                Outcome::failed(
                    format!("{path} is over since {until}."),
                    "Put a new certificate and its key into the files. A server that runs takes them by itself.",
                )
            } else if left < RENEWAL_DUE {
                Outcome::Noted { text: format!("{path} is good until {until} only: time to renew it.") }
            } else {
                Outcome::passed(format!("{path} fits its key and is good until {until}."))
            }
        }
    };
    Some(Check::new("certificate", "Certificate", outcome, started.elapsed()))
}

async fn port(name: &'static str, title: &'static str, address: SocketAddr) -> Check {
    let started = Instant::now();
    let outcome = match timeout(PORT_WAIT, TcpStream::connect(reachable(address))).await {
        Ok(Ok(_)) => Outcome::passed(format!("A server answers at {address}.")),
        _ => match TcpListener::bind(address).await {
            Ok(_) => Outcome::passed(format!("{address} is free. No server runs there now.")),
            Err(error) => Outcome::failed(
                format!("{address} cannot be used: {error}."),
                "Choose another address or port in the environment or in weir.toml, or end the program that has it.",
            ),
        },
    };
    Check::new(name, title, outcome, started.elapsed())
}

/// Where to ask for a listener on every address.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    address
}

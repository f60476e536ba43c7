//! `weir doctor`: checks this server and the way to its update source, with the settings as saved.

mod checks;
mod report;

use std::time::Instant;

use tokio::sync::mpsc;

use self::report::{Check, Report};
use super::{CliError, DatabaseHandle};
use crate::app::background;
use crate::config::Config;
use crate::db::Pool;
use crate::secret::SecretKey;
use crate::settings;
use crate::sync::Prober;
use crate::upstream::probe::{Outcome, Scope};

/// Steps on their way from the test.
const STEPS_IN_TRANSIT: usize = 16;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Exit code 0 when nothing failed, 1 when something did.
pub(super) async fn run(args: Args, config: Config) -> Result<(), CliError> {
    let mut report = Report::new(args.json);
    examine(&config, &mut report).await;
    match report.finish() {
        true => Ok(()),
        false => Err(CliError::silent(1)),
    }
}

async fn examine(config: &Config, report: &mut Report) {
    report.add(checks::data_folder(config));
    let started = Instant::now();
    let secret = match SecretKey::load_or_create(&config.secret_key_file) {
        Ok(secret) => {
            let text = format!("{} holds the key.", config.secret_key_file.display());
            report.add(Check::new("key-file", "Key file", Outcome::passed(text), started.elapsed()));
            Some(secret)
        }
        Err(error) => {
            let advice = "Restore the key file from a backup. Without it only what was sealed with it is lost: the proxy server's password.";
            let outcome = Outcome::failed(error.to_string(), advice);
            report.add(Check::new("key-file", "Key file", outcome, started.elapsed()));
            None
        }
    };
    for check in checks::ports(config)
        .await
        .into_iter()
        .chain(checks::certificate(config))
        .chain(checks::required_tls(config))
    {
        report.add(check);
    }
    let started = Instant::now();
    match checks::database(config, secret.as_ref()).await {
        Ok((handle, pool, text)) => {
            report.add(Check::new("database", "Database", Outcome::passed(text), started.elapsed()));
            report.add(checks::disk(config, Some(&pool)).await);
            if let Some(check) = checks::bucket(config, &pool).await {
                report.add(check);
            }
            if let Some(secret) = secret {
                source(config, secret, &pool, report).await;
            }
            drop(pool);
            DatabaseHandle::close(handle).await;
        }
        Err(error) => {
            let text = error.text().unwrap_or("The database failed.").to_owned();
            report.add(checks::disk(config, None).await);
            let advice = "The update source cannot be tested without the settings in it.";
            let outcome = Outcome::failed(text, advice);
            report.add(Check::new("database", "Database", outcome, started.elapsed()));
        }
    }
}

/// The same steps as **Test connection**.
async fn source(config: &Config, secret: SecretKey, pool: &Pool, report: &mut Report) {
    let started = Instant::now();
    let probe = async {
        let microsoft = background::microsoft_update(config.microsoft_update.clone())
            .map_err(|error| error.to_string())?;
        let mut conn = pool.get().await.map_err(|error| error.to_string())?;
        let options = settings::load(&mut conn).await.map_err(|error| error.to_string())?;
        report.about(&options);
        let prober = Prober::new(microsoft, secret, background::host_name());
        prober.prepare(&mut conn, &options).await.map_err(|error| error.to_string())
    };
    match probe.await {
        Ok(probe) => {
            let (sender, mut steps) = mpsc::channel(STEPS_IN_TRANSIT);
            tokio::spawn(probe.run(Scope::Source, sender));
            while let Some(step) = steps.recv().await {
                report.add(Check::of(&step));
            }
        }
        Err(text) => {
            let advice = "Correct the update source or the proxy server under Options.";
            let outcome = Outcome::failed(text, advice);
            report.add(Check::new("settings", "Settings", outcome, started.elapsed()));
        }
    }
}

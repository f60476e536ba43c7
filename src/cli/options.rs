//! `weir options`: the synchronization options, as the page has them.

use std::io::BufRead;

use super::{CliError, Context};
use crate::config::Config;
use crate::settings::validate::{self, PasswordInput, Typed, World};
use crate::settings::{self, Actor, Key, OwnServices, Proxy, SettingsError, changes};
use clap::Subcommand;
use zeroize::Zeroizing;

/// Longest first line of standard input taken for a password, in bytes (ours).
const PASSWORD_LINE_MAX: u64 = 4_096;
/// Largest certificate file read, in bytes; its own rule allows less.
const CA_FILE_MAX: u64 = 1_024 * 1_024;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show every option and its value
    Show {
        /// One flat JSON object
        #[arg(long)]
        json: bool,
    },
    /// List the keys and what each accepts
    Keys,
    /// Change options, all or none
    Set {
        /// KEY=VALUE; "weir options keys" lists the keys
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
}

pub(super) async fn run(command: Command, config: Config) -> Result<(), CliError> {
    match command {
        Command::Keys => {
            print!("{}", keys_text());
            Ok(())
        }
        Command::Show { json } => {
            let context = Context::open(config).await?;
            let shown = show(&context, json).await;
            close(context).await;
            println!("{}", shown?);
            Ok(())
        }
        Command::Set { pairs } => {
            let typed = read_pairs(&pairs)?;
            let context = Context::open(config).await?;
            let done = set(&context, &typed).await;
            close(context).await;
            println!("{}", done?);
            Ok(())
        }
    }
}

async fn close(context: Context) {
    drop(context.pool);
    context.database.close().await;
}

fn keys_text() -> String {
    let width = Key::ALL.iter().map(|key| key.name().len()).max().unwrap_or(0);
    Key::ALL.iter().map(|key| format!("{:width$}  {}\n", key.name(), key.help())).collect()
}

async fn show(context: &Context, json: bool) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let options = settings::load(&mut conn).await?;
    if json {
        return Ok(serde_json::Value::Object(settings::keys::flat(&options)).to_string());
    }
    let lines = Key::ALL.iter().map(|key| format!("{}={}", key.name(), key.text(&options)));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

async fn set(context: &Context, typed: &Typed) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let current = settings::load(&mut conn).await?;
    let tree = settings::known_tree(&mut conn).await?;
    let own = OwnServices::of_this_machine(context.config.listeners.services);
    let world = World { tree: &tree, own: &own };
    let valid = validate::check(&current, typed, world)
        .await
        .map_err(|errors| CliError::refused(format!("Nothing was changed.\n{errors}")))?;
    let mut wanted = valid.options;
    if let Some(password) = &valid.new_password {
        wanted.proxy.password = Some(context.secret.seal(Proxy::PASSWORD_PURPOSE, password.as_bytes()));
    }
    let actor = Actor {
        name: "command line".to_owned(),
        account_id: None,
        peer: String::new(),
        request_id: String::new(),
    };
    let saved = settings::save(&mut conn, current.version, &wanted, &actor).await?;
    if saved.changes.is_empty() {
        return Ok("Nothing changed.".to_owned());
    }
    let names: Vec<&str> = saved.changes.iter().map(|one| one.key.name()).collect();
    let panels: Vec<&str> = changes::panels(&saved.changes).iter().map(|one| one.title()).collect();
    Ok(format!("Saved: {} ({}).", names.join(", "), panels.join(", ")))
}

/// The pairs as typed values. Files and standard input are read here, nothing else is judged.
fn read_pairs(pairs: &[String]) -> Result<Typed, CliError> {
    let mut typed = Typed::default();
    for pair in pairs {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            CliError::refused(format!("{pair} is not of the form KEY=VALUE. Nothing was changed."))
        })?;
        let key = Key::parse(name).ok_or_else(|| {
            CliError::refused(format!(
                "There is no option {name}; weir options keys lists them. Nothing was changed."
            ))
        })?;
        let value = match key {
            Key::ProxyPassword => {
                typed.password = read_password(value)?;
                String::new()
            }
            Key::SourceCa => read_certificates(value)?,
            _ => value.to_owned(),
        };
        if typed.values.insert(key, value).is_some() {
            return Err(CliError::refused(format!("{name} is given twice. Nothing was changed.")));
        }
    }
    typed.values.remove(&Key::ProxyPassword);
    Ok(typed)
}

/// The first line of standard input; an empty one removes the password.
fn read_password(value: &str) -> Result<PasswordInput, CliError> {
    if value != "-" {
        let text = "proxy.password takes only -, and then reads the password from standard input, \
                    so that it stays out of the list of processes. Nothing was changed.";
        return Err(CliError::refused(text));
    }
    let mut line = Zeroizing::new(String::new());
    let stdin = std::io::stdin().lock();
    std::io::Read::take(stdin, PASSWORD_LINE_MAX).read_line(&mut line).map_err(|error| {
        CliError::refused(format!("The password cannot be read: {error}. Nothing was changed."))
    })?;
    let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    Ok(if password.is_empty() { PasswordInput::Remove } else { PasswordInput::Replace(password) })
}

/// The text of a certificate file; no name removes the certificates.
fn read_certificates(path: &str) -> Result<String, CliError> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let unreadable =
        |why: String| CliError::refused(format!("{path} cannot be read: {why}. Nothing was changed."));
    let file = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !file.is_file() || file.len() > CA_FILE_MAX {
        return Err(unreadable("it is not a file with certificates".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Database(error) => error.into(),
            SettingsError::Conflict(in_force) => Self::failed(format!(
                "{} saved other settings in the same moment. Nothing was changed; try again.",
                in_force.saved_by
            )),
            SettingsError::Unreadable { .. } => Self::failed(format!("{error}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(texts: &[&str]) -> Result<Typed, CliError> {
        read_pairs(&texts.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn pairs_are_read_by_key() {
        let typed = pairs(&["schedule.mode=daily", "source.server=a=b"]).ok().unwrap();
        assert_eq!(typed.values[&Key::ScheduleMode], "daily");
        assert_eq!(typed.values[&Key::SourceServer], "a=b");
    }

    #[test]
    fn what_cannot_be_read_is_refused_whole() {
        for bad in
            [&["daily"][..], &["color=red"], &["proxy.password=secret"], &["replica=true", "replica=false"]]
        {
            assert!(pairs(bad).is_err(), "{bad:?}");
        }
    }
}

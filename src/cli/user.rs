//! `weir user`: people who may sign in.

use super::{CliError, Context};
use crate::accounts::{self, AccountError, Role, audit};
use crate::config::Config;
use clap::{Subcommand, ValueEnum};
use diesel_async::AsyncConnection;
use std::io::BufRead;
use zeroize::Zeroizing;

/// Longest first line of standard input taken for a password, in bytes (ours).
const PASSWORD_LINE_MAX: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a person; the password is asked for, or read from standard input
    Add {
        /// The name to sign in with
        name: String,
        /// What the person may do
        #[arg(long)]
        role: RoleArg,
        /// Read the password from standard input (its first line) instead of asking
        #[arg(long)]
        password_stdin: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleArg {
    Administrator,
    Operator,
    Reporter,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Administrator => Self::Administrator,
            RoleArg::Operator => Self::Operator,
            RoleArg::Reporter => Self::Reporter,
        }
    }
}

pub(super) async fn run(command: Command, config: Config) -> Result<(), CliError> {
    let Command::Add { name, role, password_stdin } = command;
    let role = Role::from(role);
    let password = if password_stdin { first_line(std::io::stdin().lock())? } else { asked_twice(&name)? };
    let context = Context::open(config).await?;
    let added = add(&context, &name, role, &password).await;
    drop(context.pool);
    context.database.close().await;
    println!("{} may sign in now, as {}.", added?, role.label());
    Ok(())
}

async fn add(context: &Context, name: &str, role: Role, password: &str) -> Result<String, CliError> {
    let mut conn = context.pool.get().await?;
    let account = conn
        .transaction::<_, AccountError, _>(async |conn| {
            let account = accounts::create(conn, name, role, password).await?;
            let entry = audit::Entry {
                actor: "command line",
                action: "user.add",
                object: &account.name,
                after: Some(serde_json::json!({ "role": role.as_str() })),
                ..audit::Entry::default()
            };
            audit::record(conn, entry).await?;
            Ok(account)
        })
        .await
        .map_err(|error| CliError::failed(error.to_string()))?;
    Ok(account.name)
}

/// The password is the first line, without its end; nothing else of it is trimmed.
fn first_line(input: impl BufRead) -> Result<Zeroizing<String>, CliError> {
    let mut line = Zeroizing::new(String::new());
    input
        .take(PASSWORD_LINE_MAX)
        .read_line(&mut line)
        .map_err(|error| CliError::failed(format!("The password could not be read: {error}.")))?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn asked_twice(name: &str) -> Result<Zeroizing<String>, CliError> {
    let ask = |prompt: String| {
        rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| CliError::failed(format!("The password could not be read: {error}.")))
    };
    let password = ask(format!("Password for {name}: "))?;
    let again = ask("The same again: ".to_owned())?;
    if password != again {
        return Err(CliError::failed("The two passwords differ. Nothing was changed."));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_the_line_is_cut_from_a_password() {
        assert_eq!(first_line(&b" with blanks \r\nsecond line\n"[..]).unwrap().as_str(), " with blanks ");
        assert_eq!(first_line(&b"no end"[..]).unwrap().as_str(), "no end");
        assert_eq!(first_line(&b""[..]).unwrap().as_str(), "");
        assert!(first_line(&b"\xff\xfe\n"[..]).is_err());
    }
}

//! `weir status`: asks a server over the network how it is, with an API token.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::CliError;

/// Longest wait for the whole answer.
const WAIT: Duration = Duration::from_secs(30);
/// Largest answer taken, in bytes. Ours.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Largest part of the token file that is read, in bytes. Ours.
const TOKEN_FILE_BYTES_MAX: u64 = 4_096;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the console, such as https://weir.example:8540
    #[arg(long)]
    url: Url,
    /// File whose first line is an API token; tokens are made on the page Profile
    #[arg(long)]
    token_file: PathBuf,
    /// Print the answer as it came
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), CliError> {
    let token = read_token(&args.token_file)?;
    let body = ask(&args.url, &token).await?;
    if args.json {
        println!("{}", String::from_utf8_lossy(&body));
        return Ok(());
    }
    let status: Value = serde_json::from_slice(&body)
        .map_err(|_| CliError::failed(format!("What {} answered is not the status of a Weir.", args.url)))?;
    for line in lines(&status) {
        println!("{line}");
    }
    Ok(())
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| CliError::refused(format!("{} cannot be read: {error}.", path.display())))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(CliError::refused(format!("There is no token in the first line of {}.", path.display())));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// No redirect is followed, so the token goes nowhere else.
async fn ask(server: &Url, token: &str) -> Result<Vec<u8>, CliError> {
    let refused = |error: String| CliError::refused(format!("{server} cannot be asked: {error}."));
    let url = server.join("api/v1/status").map_err(|error| refused(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("the address must begin with https:// or http://".to_owned()));
    }
    let failed =
        |error: reqwest::Error| CliError::failed(format!("{server} did not answer: {}.", innermost(&error)));
    let client = reqwest::Client::builder()
        .timeout(WAIT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(failed)?;
    let mut answer = client.get(url).bearer_auth(token).send().await.map_err(failed)?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(CliError::failed(format!("{server} answered more than a status can be.")));
        }
        body.extend_from_slice(&chunk);
    }
    match status.as_u16() {
        200 => Ok(body),
        401 => Err(CliError::failed(
            "The server refused the token. It is over, was ended, or its owner may not sign in any more.",
        )),
        other => Err(CliError::failed(format!("{server} answered with HTTP status {other}."))),
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

/// Says a value.
type InWords<'a> = &'a dyn Fn(&Value) -> String;

/// One fact a line. What the server does not say is left out.
fn lines(status: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => printable(text),
        other => other.to_string(),
    };
    let run = |run: &Value| format!("{} (number {})", text(&run["state"]), text(&run["id"]));
    let number = |number: &Value| {
        let least = text(&number["at_least"]);
        if number["more"] == Value::Bool(true) { format!("more than {least}") } else { least }
    };
    let facts: [(&str, &Value, InWords<'_>); 7] = [
        ("Version", &status["version"], &text),
        ("Update source", &status["source"], &text),
        ("Synchronizing now", &status["active_run"], &run),
        ("Last synchronization", &status["last_run"], &run),
        ("Next synchronization", &status["next_run_at"], &text),
        ("Updates", &status["updates"], &number),
        ("Not approved", &status["not_approved"], &number),
    ];
    facts
        .into_iter()
        .filter(|(_, value, _)| !value.is_null())
        .map(|(label, value, shown)| format!("{label}: {}", shown(value)))
        .collect()
}

/// Without characters that a terminal would act on.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_reads_well_and_what_is_unknown_is_left_out() {
        let status = json!({
            "version": "0.1.0", "source": "wsus01:8530\u{1b}[2J", "active_run": null,
            "last_run": { "id": 7, "state": "succeeded" }, "updates": { "at_least": 10000, "more": true },
        });
        assert_eq!(
            lines(&status),
            [
                "Version: 0.1.0",
                "Update source: wsus01:8530[2J",
                "Last synchronization: succeeded (number 7)",
                "Updates: more than 10000"
            ]
        );
        assert!(lines(&json!([])).is_empty());
    }
}

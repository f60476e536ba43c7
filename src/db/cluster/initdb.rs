//! Makes a new cluster.

use super::ClusterError;
use super::account::Account;
use super::layout::Layout;
use std::path::Path;
use std::process::Stdio;

/// Nobody needs a password: the kernel says who is at the other end of the socket.
const LOGIN_RULES: &str = "# TYPE DATABASE USER METHOD\nlocal all weir peer map=weir\n";

/// Makes the cluster unless it is there. Built under another name and renamed when complete.
pub(super) fn make_if_missing(layout: &Layout, account: &Account, bin: &Path) -> Result<(), ClusterError> {
    let cluster = layout.cluster();
    if !cluster.exists() {
        let unfinished = layout.unfinished();
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished).map_err(ClusterError::failed)?;
        }
        account.make_folder(&unfinished)?;
        let made = account
            .command(&bin.join("initdb"))
            .args(["--username=weir", "--encoding=UTF8", "--locale=C", "--auth=reject", "-D"])
            .arg(&unfinished)
            .current_dir(&unfinished)
            .stdin(Stdio::null())
            .output()
            .map_err(ClusterError::failed)?;
        if !made.status.success() {
            return Err(ClusterError::failed(last_line(&made.stderr)));
        }
        std::fs::rename(&unfinished, &cluster).map_err(ClusterError::failed)?;
    }
    write_login_rules(&cluster, account)
}

/// Written at each start, since another account than the last may start it.
fn write_login_rules(cluster: &Path, account: &Account) -> Result<(), ClusterError> {
    let mut map = format!("weir {} weir\n", account.name());
    if account.name() != "root" {
        map.push_str("weir root weir\n");
    }
    for (name, text) in [("pg_hba.conf", LOGIN_RULES), ("pg_ident.conf", map.as_str())] {
        // Existing files: owner and mode stay as initdb left them.
        std::fs::write(cluster.join(name), text).map_err(|error| ClusterError::Unwritable {
            folder: cluster.to_owned(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("initdb failed").trim().to_owned()
}

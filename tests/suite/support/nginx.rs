//! A real nginx on a loopback port, set up as the README shows it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::process::free_port;
use super::tls::Identity;

/// nginx's process. Killed with this value.
pub struct Nginx {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Nginx {
    /// Speaks TLS and hands everything below `path` (`/`, or `/weir/`) on to a console.
    pub async fn start(identity: &Identity, path: &str, console: u16) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        identity.write_to(folder.path());
        let at = folder.path().display();
        let recipe = recipe().replace("127.0.0.1:8540", &format!("127.0.0.1:{console}"));
        let server = format!(
            "listen 127.0.0.1:{port} ssl;\n\
             ssl_certificate {at}/cert.pem; ssl_certificate_key {at}/key.pem;\n\
             location {path} {{\n{recipe}\n}}\n"
        );
        Self::launch(folder, port, &server).await
    }

    /// Gives out the files below a folder in plain HTTP.
    pub async fn of_files(root: &Path) -> Self {
        let port = free_port();
        let server = format!("listen 127.0.0.1:{port}; root {}; sendfile on;\n", root.display());
        Self::launch(tempfile::tempdir().unwrap(), port, &server).await
    }

    async fn launch(folder: tempfile::TempDir, port: u16, server: &str) -> Self {
        let at = folder.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {at}/{name};\n"))
            .concat();
        let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
        let text = format!(
            "daemon off; master_process off; {user} pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; {temporary}\n\
             server {{\n{server}}} }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-e", "stderr", "-p"])
            .arg(folder.path())
            .arg("-c")
            .arg(folder.path().join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let mut nginx = Self { child, folder, port };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            let ended = nginx.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "nginx does not start: {}", nginx.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        nginx
    }

    /// What it complains about.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of the README's location, so that what it shows is what is tested.
fn recipe() -> String {
    let readme = include_str!("../../../README.md");
    let start = readme.split_once("location /weir/ {").expect("the README has a recipe").1;
    start.split_once('}').expect("the recipe ends").0.to_owned()
}

//! nginx, giving out a folder on a port of its own; nothing of the machine's own nginx is touched.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::server::free_port;

const START_WAIT: Duration = Duration::from_secs(10);

/// An installed nginx.
pub struct Nginx(PathBuf);

/// A running one. Killed with this value.
pub struct Serving {
    child: Child,
    pub port: u16,
}

impl Nginx {
    pub fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
        folders.map(|folder| folder.join("nginx")).find(|program| program.exists()).map(Self)
    }

    /// Gives out what is below `root`; `state` is a folder for its own files.
    pub async fn serve(self, root: &Path, state: &Path) -> Result<Serving> {
        std::fs::create_dir_all(state)?;
        let port = free_port()?;
        let (root, shown) = (root.display(), state.display());
        let settings = format!(
            "daemon off;\nmaster_process off;\npid {shown}/pid;\nerror_log {shown}/error.log;\n\
             events {{ worker_connections 512; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000; default_type application/octet-stream;\n\
             client_body_temp_path {shown}/body; proxy_temp_path {shown}/proxy; fastcgi_temp_path {shown}/fastcgi;\n\
             uwsgi_temp_path {shown}/uwsgi; scgi_temp_path {shown}/scgi;\n\
             server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
        );
        let file = state.join("nginx.conf");
        std::fs::write(&file, settings)?;
        let child = Command::new(self.0)
            .arg("-c")
            .arg(file)
            .args(["-e".as_ref(), state.join("error.log").as_os_str()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let serving = Serving { child, port };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            ensure!(began.elapsed() < START_WAIT, "nginx does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(serving)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

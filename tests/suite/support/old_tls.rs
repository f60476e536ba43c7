//! A server with old TLS, which the library of the tests does not speak any more.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::process::free_port;
use super::tls::Identity;

/// An `openssl s_server`; ends with the test.
pub struct OldServer {
    pub port: u16,
    child: Child,
}

impl Drop for OldServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl OldServer {
    /// Speaks TLS 1.1 and nothing newer, which needs a lowered security level.
    pub async fn start(identity: &Identity) -> Self {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, &identity.pem).unwrap();
        std::fs::write(&key, &identity.key_pem).unwrap();
        let child = Command::new("openssl")
            .args(["s_server", "-quiet", "-www", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
            .args(["-accept", &format!("127.0.0.1:{port}"), "-cert"])
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts; `make test` installs it");
        let server = Self { port, child };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("openssl s_server does not listen");
    }
}

//! An S3 server for one test, which can go away and come back.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use weir::config::BucketConfig;

const NAME: &str = "updates";
const PREFIX: &str = "weir/files";
const KEY: &str = "key-of-the-test";
const SECRET: &str = "secret-of-the-test";

/// The server. It ends with the test's runtime.
pub struct BucketServer {
    address: SocketAddr,
    root: tempfile::TempDir,
    /// Ends all connections; a cancelled one refuses new ones too.
    way: Arc<Mutex<CancellationToken>>,
}

impl BucketServer {
    /// A server with one empty bucket.
    pub async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(NAME)).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Mutex::new(CancellationToken::new()));
        let shared = way.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (service, end) = (service.clone(), shared.lock().unwrap().clone());
                tokio::spawn(async move {
                    let http = hyper::server::conn::http1::Builder::new();
                    tokio::select! {
                        biased;
                        () = end.cancelled() => {}
                        _ = http.serve_connection(TokioIo::new(stream), service) => {}
                    }
                });
            }
        });
        Self { address, root, way }
    }

    /// Breaks every connection and takes no more.
    pub fn go_away(&self) {
        self.way.lock().unwrap().cancel();
    }

    pub fn come_back(&self) {
        *self.way.lock().unwrap() = CancellationToken::new();
    }

    /// The way to the bucket.
    pub fn config(&self) -> BucketConfig {
        let mut variables = self.variables();
        variables.retain(|(name, _)| name.starts_with("AWS_"));
        BucketConfig { name: NAME.to_owned(), prefix: PREFIX.to_owned(), variables }
    }

    /// The same for a process.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("WEIR_CONTENT_URL", format!("s3://{NAME}/{PREFIX}")),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ]
    }

    /// Where the server keeps an object of the store.
    pub fn object(&self, place: &str) -> PathBuf {
        self.root.path().join(NAME).join(PREFIX).join(place)
    }
}

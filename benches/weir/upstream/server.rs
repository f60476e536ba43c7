//! The process of the scripted update server: HTTP on a port of its own, orders of the bench under `/bench/`.

use std::convert::Infallible;
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use weir::sample::{Catalogue, ChangeCounts};

use super::What;
use super::answers::answer;
use super::shelf::{Shelf, frame};

struct Server {
    catalogue: Catalogue,
    shelf: Mutex<(Shelf, Duration)>,
    frame: (Vec<u8>, Vec<u8>),
}

/// Makes the catalogue, says its port in one line, and serves until its standard input ends.
pub fn serve(what: What) -> Result<()> {
    let catalogue = Catalogue::generate(what.updates, what.seed);
    let mut shelf = Shelf::default();
    shelf.publish(catalogue.revisions())?;
    let server = Server { catalogue, shelf: Mutex::new((shelf, Duration::ZERO)), frame: frame()? };
    // Nobody's child for longer than its parent lives.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(listen(Arc::new(server)))
}

async fn listen(server: Arc<Server>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let serving = service_fn(move |request| Arc::clone(&server).respond(request));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), serving)
                .await;
        });
    }
}

impl Server {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let response = match self.try_respond(request).await {
            Ok(body) => Response::builder().header("content-type", "text/xml; charset=utf-8").body(body),
            Err(error) => {
                eprintln!("the scripted update server: {error:#}");
                let body = Full::new(Bytes::from(error.to_string()));
                Response::builder().status(StatusCode::BAD_REQUEST).body(body)
            }
        };
        Ok(response.unwrap_or_default())
    }

    async fn try_respond(&self, request: Request<Incoming>) -> Result<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        if let Some(order) = path.strip_prefix("/bench/") {
            return Ok(Full::new(self.obey(order)?.into()));
        }
        let body = request.into_body().collect().await?.to_bytes();
        let (answer, latency) = {
            let mut held = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
            let latency = held.1;
            (answer(&mut held.0, &self.frame, &body)?, latency)
        };
        if answer.has_documents && !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        Ok(Full::new(answer.body.into()))
    }

    fn obey(&self, order: &str) -> Result<Vec<u8>> {
        let mut held = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = order.split('/');
        let what = words.next().unwrap_or_default();
        let numbers: Vec<usize> = words.map(str::parse).collect::<Result<_, _>>()?;
        match (what, numbers.as_slice()) {
            ("state", []) => {}
            ("latency", [milliseconds]) => held.1 = Duration::from_millis(*milliseconds as u64),
            ("day", [day, new, revised, expired]) => {
                let counts = ChangeCounts { new: *new, revised: *revised, expired: *expired };
                let day = u32::try_from(*day).context("a day")?;
                held.0.publish(self.catalogue.changes(day, counts))?;
            }
            _ => bail!("no such order: {order}"),
        }
        Ok(serde_json::to_vec(&held.0.state)?)
    }
}

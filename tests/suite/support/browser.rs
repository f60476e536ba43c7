//! Chromium, used as a person does: by what stands on the buttons and beside the fields.

mod axe;
mod forms;

pub use axe::Look;

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Longest wait for something to appear.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest run of one command of the driver: a page that loads, a picture that is taken.
const COMMAND_WAIT: Duration = Duration::from_secs(60);

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// One browser with an empty profile. Close it with [`Browser::close`]; a failed test kills it.
pub struct Browser {
    client: Client,
    driver: Driver,
    profile: tempfile::TempDir,
    session: String,
    scripts: Scripts,
}

impl Browser {
    pub async fn start(scripts: Scripts) -> Self {
        let driver = Driver::start();
        let profile = tempfile::tempdir().unwrap();
        let connector = HttpConnector::new();
        let client = ClientBuilder::new(connector)
            .capabilities(capabilities(profile.path(), scripts))
            .connect(&driver.url())
            .await
            .unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let browser = Self { client, driver, profile, session, scripts };
        browser.resize(1280, 900).await;
        browser
    }

    /// Ends the browser. Fails when a page logged an error, a refused resource or a broken script on the way.
    pub async fn close(self) {
        let complaints = self.complaints().await;
        self.client.clone().close().await.unwrap();
        assert!(complaints.is_empty(), "the browser complained: {complaints:#?}");
    }

    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// As if another person sat down.
    pub async fn forget_cookies(&self) {
        self.client.delete_all_cookies().await.unwrap();
    }

    pub async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// The size of the page itself, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Light or dark, as the system would say; with little motion, so that no colour is still on its way.
    pub async fn prefer_dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": value },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    pub async fn click_button(&self, label: &str) {
        let quoted = quote(label);
        let named = format!("(normalize-space(.)={quoted} or @aria-label={quoted} or @value={quoted})");
        let seen = "not(@aria-hidden='true')"; // what is hidden from readers has no role
        let path =
            format!("//button[{named}][{seen}] | //input[@type='submit'][{named}] | //summary[{named}]");
        self.click_first(&path, &format!("a button {label:?}")).await;
    }

    pub async fn click_link(&self, label: &str) {
        let quoted = quote(label);
        let path = format!("//a[normalize-space(.)={quoted} or @aria-label={quoted}]");
        self.click_first(&path, &format!("a link {label:?}")).await;
    }

    /// The first link whose text contains `part`.
    pub async fn click_link_with(&self, part: &str) {
        let path = format!("//a[contains(normalize-space(.), {})]", quote(part));
        self.click_first(&path, &format!("a link with {part:?}")).await;
    }

    /// Replaces what a field holds.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = self.labelled(label).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Replaces what a field holds, in the panel with this heading.
    pub async fn fill_in(&self, panel: &str, label: &str, text: &str) {
        let panel = format!("//fieldset[legend[normalize-space(.)={}]]", quote(panel));
        let field =
            self.first_visible(&fields(&panel, label), &format!("a field {label:?} in that panel")).await;
        // The driver types within milliseconds of the field before, when a part of the page that field asked for may
        // just be arriving and take the focus along. A person sees that and types again.
        for _ in 0..3 {
            field.clear().await.unwrap();
            field.send_keys(text).await.unwrap();
            if field.prop("value").await.unwrap().as_deref() == Some(text) {
                break;
            }
        }
    }

    /// Ticks a box or takes a choice; one that is taken already stays.
    pub async fn check(&self, label: &str) {
        self.set_checked(label, true).await;
    }

    pub async fn uncheck(&self, label: &str) {
        self.set_checked(label, false).await;
    }

    pub async fn select(&self, label: &str, option: &str) {
        let list = self.labelled(label).await;
        list.select_by_label(option).await.unwrap();
    }

    pub async fn value_of(&self, label: &str) -> String {
        self.labelled(label).await.prop("value").await.unwrap().unwrap_or_default()
    }

    pub async fn is_checked(&self, label: &str) -> bool {
        self.labelled(label).await.is_selected().await.unwrap()
    }

    /// Waits until the page shows `text`.
    pub async fn see(&self, text: &str) {
        self.see_within(text, PATIENCE).await;
    }

    pub async fn see_within(&self, text: &str, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            assert!(
                Instant::now() < until,
                "never saw {text:?} at {}; the page says:\n{shown}",
                self.path().await
            );
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Waits until the page shows one of the texts, and tells which.
    pub async fn see_any<'a>(&self, texts: &[&'a str], patience: Duration) -> &'a str {
        let until = Instant::now() + patience;
        loop {
            let shown = self.text().await;
            if let Some(found) = texts.iter().find(|text| shown.contains(**text)) {
                return found;
            }
            assert!(Instant::now() < until, "never saw any of {texts:?}; the page says:\n{shown}");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// The visible text of the page, blanks collapsed. Empty while a page is being replaced.
    pub async fn text(&self) -> String {
        let Ok(body) = self.client.find(Locator::Css("body")).await else { return String::new() };
        let text = body.text().await.unwrap_or_default();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// How many CSS pixels the page is wider than its window.
    pub async fn sideways_scroll(&self) -> i64 {
        let script = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        self.evaluate(script).await.as_i64().unwrap()
    }

    /// The element that sticks out furthest to the right, for messages.
    pub async fn widest(&self) -> String {
        let script = "(() => { let worst = null, edge = 0;
            for (const one of document.querySelectorAll('body *')) {
                const right = one.getBoundingClientRect().right;
                if (right > edge) { edge = right; worst = one; } }
            return worst ? worst.outerHTML.slice(0, 200) + ' ends at ' + edge : ''; })()";
        self.evaluate(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// The whole page as PNG.
    pub async fn screenshot(&self, file: &Path) {
        let options = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.devtools("Page.captureScreenshot", options).await;
        use base64::Engine as _;
        let png = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, png).unwrap();
    }

    /// What the browser logged since the last look: script errors, refused resources, failed requests.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.post("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().cloned().unwrap_or_default();
        let text = |entry: &Value| entry["message"].as_str().unwrap_or_default().to_owned();
        let bad = entries.iter().filter(|entry| entry["level"] == "SEVERE").map(text);
        // A refused form is an answer we want, and Chromium asks every site for an icon.
        bad.filter(|text| !text.contains(" 422 ") && !text.contains("favicon.ico")).collect()
    }

    async fn set_checked(&self, label: &str, wanted: bool) {
        let field = self.labelled(label).await;
        if field.is_selected().await.unwrap() != wanted {
            self.click(field).await;
        }
    }

    /// The visible field that carries a label: by `for`, inside it, or by `aria-label`.
    async fn labelled(&self, label: &str) -> Element {
        self.first_visible(&fields("", label), &format!("a field {label:?}")).await
    }

    async fn click_first(&self, path: &str, what: &str) {
        self.click(self.first_visible(&[path.to_owned()], what).await).await;
    }

    async fn click(&self, element: Element) {
        // To the middle, as a person would: a bar stays over the top of the page.
        let into_view = "arguments[0].scrollIntoView({ block: 'center' })";
        self.client.execute(into_view, vec![serde_json::to_value(&element).unwrap()]).await.unwrap();
        element.click().await.unwrap();
    }

    async fn first_visible(&self, paths: &[String], what: &str) -> Element {
        let until = Instant::now() + PATIENCE;
        loop {
            for path in paths {
                for element in self.client.find_all(Locator::XPath(path)).await.unwrap_or_default() {
                    if element.is_displayed().await.unwrap_or(false) {
                        return element;
                    }
                }
            }
            if Instant::now() > until {
                panic!("there is no {what} at {}; the page says:\n{}", self.path().await, self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// A command of the developer tools.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("{}/session/{}/{path}", self.driver.url(), self.session);
        let http = reqwest::Client::builder().no_proxy().timeout(COMMAND_WAIT).build().unwrap();
        let answer = http.post(url).header("Content-Type", "application/json").body(body.to_string());
        let answer: Value =
            serde_json::from_str(&answer.send().await.unwrap().text().await.unwrap()).unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }
}

fn capabilities(profile: &Path, scripts: Scripts) -> serde_json::Map<String, Value> {
    let mut options = json!({
        "binary": which("chromium"),
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-default-apps", "--disable-extensions", "--hide-scrollbars", "--no-proxy-server", "--lang=en",
            format!("--user-data-dir={}", profile.display()),
        ],
    });
    if scripts == Scripts::Off {
        options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
    }
    let longest = COMMAND_WAIT.as_millis() as u64;
    let all = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "pageLoad": longest, "script": longest },
    });
    all.as_object().unwrap().clone()
}

/// The first of the search path, as a person's shell would find it.
fn which(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found
        .unwrap_or_else(|| panic!("{program} is not installed; `make test` installs it"))
        .display()
        .to_string()
}

/// A chromedriver on a port of its own; ends with this value, and its browsers with it.
struct Driver {
    child: Child,
    port: u16,
}

impl Driver {
    /// Starts one. On a busy machine chromedriver may find that the port it drew is taken, and end; another draws another.
    fn start() -> Self {
        (0..4).find_map(|_| Self::try_start()).expect("chromedriver does not start")
    }

    fn try_start() -> Option<Self> {
        let mut child = Command::new(which("chromedriver"))
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("started successfully on port ") {
                    let _ = sender.send(port.trim_end_matches('.').parse().ok());
                }
            }
        });
        let mut driver = Self { child, port: 0 }; // ends with this value when it stays silent
        driver.port = told.recv_timeout(PATIENCE).ok()??;
        Some(driver)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // SIGTERM lets chromedriver end its browsers, which SIGKILL would leave behind.
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Whatever is left of the two, browsers included.
        let _ = nix::sys::signal::killpg(pid, nix::sys::signal::Signal::SIGKILL);
        let _ = self.child.wait();
    }
}

/// Where a field with a label may stand below `within`: the exact label first, then one that begins so.
fn fields(within: &str, label: &str) -> Vec<String> {
    let quoted = quote(label);
    let is_field = "self::input[not(@type='hidden')] or self::select or self::textarea";
    let mut paths = Vec::new();
    for says in [format!("normalize-space(.)={quoted}"), format!("starts-with(normalize-space(.), {quoted})")]
    {
        let found = format!("{within}//label[{says}]");
        paths.push(format!("{within}//*[{is_field}][@id={found}/@for]"));
        paths.push(format!("{found}//*[{is_field}]"));
    }
    paths.insert(2, format!("{within}//*[{is_field}][@aria-label={quoted}]"));
    paths
}

/// A string in XPath 1.0, which has no escapes.
fn quote(text: &str) -> String {
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    let parts: Vec<String> = text.split('\'').map(|part| format!("'{part}'")).collect();
    format!("concat({})", parts.join(", \"'\", "))
}

//! A real browser: Chromium without a window, controlled by its DevTools protocol over pipes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long a page may take for anything, on a machine that is busy with other work.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    complaints: Vec<String>,
    _child: Child,
    _profile: TempDir,
}

/// Settings for viewing a page.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Width of the window in pixels.
    pub width: u32,
    /// Height of the window in pixels.
    pub height: u32,
    /// Whether the reader prefers a dark theme.
    pub dark: bool,
}

impl Browser {
    /// Starts a browser with an empty profile. If Chromium is not installed, prints that and
    /// returns `None`.
    pub async fn start() -> Option<Self> {
        let profile = tempfile::tempdir().unwrap();
        // The protocol uses descriptors 3 and 4.
        let script = "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        if !Path::new("/usr/bin/chromium").exists() {
            eprintln!("skipped: Chromium is not installed (Debian's package chromium)");
            return None;
        }
        let mut child = Command::new("sh")
            .args(["-c", script, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut browser = Self {
            requests,
            answers,
            session: None,
            last: 0,
            complaints: Vec::new(),
            _child: child,
            _profile: profile,
        };
        browser.open_tab().await;
        Some(browser)
    }

    /// Opens a tab. All later calls use it. Earlier tabs stay open.
    pub async fn open_tab(&mut self) {
        // These calls are for the browser itself, not for a tab.
        self.session = None;
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", attach).await;
        self.session = attached["sessionId"].as_str().map(Into::into);
        for domain in ["Page", "Runtime", "Log"] {
            self.call(&format!("{domain}.enable"), json!({})).await;
        }
    }

    /// Opens an address.
    pub async fn open(&mut self, url: &str) {
        let opened = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
    }

    /// Sets the size of the window and the theme that the reader prefers.
    pub async fn look(&mut self, look: Look) {
        let Look { width, height, dark } = look;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    /// Returns the value of a JavaScript expression on the page.
    pub async fn value(&mut self, expression: &str) -> Value {
        let ask = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", ask).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Returns all text that is visible on the page.
    pub async fn text(&mut self) -> String {
        self.value("document.body.innerText").await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.value(&format!("Boolean({expression})")).await != json!(true) {
            if tokio::time::Instant::now() > deadline {
                panic!("{expression} did not become true; the page shows:\n{}", self.text().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page shows this text.
    pub async fn until_text(&mut self, text: &str) {
        self.until(&format!("document.body?.innerText.includes({})", json!(text))).await;
    }

    /// Waits for the first element that matches this CSS selector, and clicks its centre.
    pub async fn click(&mut self, selector: &str) {
        let place = self.place(selector).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Waits for the first element that matches this CSS selector, scrolls to it, and returns its
    /// centre.
    async fn place(&mut self, selector: &str) -> Value {
        let element = format!("document.querySelector({})", json!(selector));
        self.until(&format!("{element} && !{element}.disabled")).await;
        let place = format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{ block: 'center' }}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        self.value(&place).await
    }

    /// Types a text into the element with the focus.
    pub async fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    /// Runs a script on each page that this tab loads, before the page's own.
    pub async fn before_load(&mut self, script: &str) {
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// Moves the mouse to the centre of the first element that matches this CSS selector.
    pub async fn hover(&mut self, selector: &str) {
        let place = self.place(selector).await;
        let event = json!({ "type": "mouseMoved", "x": place[0], "y": place[1] });
        self.call("Input.dispatchMouseEvent", event).await;
    }

    /// Stores what the browser downloads in a folder.
    pub async fn download_to(&mut self, folder: &Path) {
        // This call is for the browser itself, not for a tab.
        let session = self.session.take();
        let behavior = json!({ "behavior": "allow", "downloadPath": folder });
        self.call("Browser.setDownloadBehavior", behavior).await;
        self.session = session;
    }

    /// Sets the time zone that the browser is in.
    pub async fn zone(&mut self, name: &str) {
        self.call("Emulation.setTimezoneOverride", json!({ "timezoneId": name })).await;
    }

    /// Presses a key: `Enter`, `Tab`, `Escape`, or a character.
    pub async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            other if other.len() == 1 => (0, other),
            other => panic!("no such key: {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
            self.call("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Returns the page as a PNG.
    pub async fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// Returns what the page reported so far: exceptions, violations of its
    /// Content-Security-Policy, failed requests.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.requests.write_all(&bytes).await.unwrap();
        tokio::time::timeout(PATIENCE, self.answer(method)).await.unwrap_or_else(|_| panic!("{method}: no answer"))
    }

    async fn answer(&mut self, method: &str) -> Value {
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(0, &mut bytes).await.unwrap();
            assert_eq!(bytes.pop(), Some(0), "{method}: the browser is gone");
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            if message["id"] == json!(self.last) {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => self.complaints.push(message["params"].to_string()),
                Some("Log.entryAdded") if message["params"]["entry"]["level"] == "error" => {
                    self.complaints.push(message["params"]["entry"].to_string());
                }
                _ => {}
            }
        }
    }
}

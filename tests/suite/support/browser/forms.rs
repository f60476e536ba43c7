//! What a person notices and does in forms: keys, what can be used, what went away.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;

use super::{Browser, PATIENCE, fields, quote};

impl Browser {
    /// Waits until the page does not show `text` any more.
    pub async fn see_no_more(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while self.text().await.contains(text) {
            assert!(Instant::now() < until, "still shows {text:?} at {}", self.path().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Presses a key where the focus is.
    pub async fn press(&self, key: Key) {
        self.type_keys(&char::from(key).to_string()).await;
    }

    /// Clicks twice as fast as a mouse can.
    pub async fn double_click_button(&self, label: &str) {
        let quoted = quote(label);
        let path = format!("//button[normalize-space(.)={quoted}]");
        let button = self.first_visible(&[path], &format!("a button {label:?}")).await;
        let twice = "arguments[0].click(); arguments[0].click();";
        self.client.execute(twice, vec![serde_json::to_value(&button).unwrap()]).await.unwrap();
    }

    /// Types where the focus is.
    pub async fn type_keys(&self, text: &str) {
        let mut actions = KeyActions::new("keys".to_owned());
        for value in text.chars() {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Presses Tab until the focus is on what is named so.
    pub async fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..80 {
            self.press(Key::Tab).await;
            let here = self.focused().await;
            if here == name {
                return;
            }
            passed.push(here);
        }
        panic!("Tab never came to {name:?}; it passed {passed:?}");
    }

    /// The name of what has the focus: its `aria-label`, its label, or its text.
    pub async fn focused(&self) -> String {
        let script = "const one = document.activeElement; if (!one) return '';
            const label = one.labels && one.labels[0];
            const text = one.getAttribute('aria-label') || (label || one).innerText || '';
            return text.split(/\\s+/).filter(Boolean).join(' ');";
        let name = self.client.execute(script, Vec::new()).await.unwrap();
        name.as_str().unwrap_or_default().to_owned()
    }

    /// Whether a field of a panel can be used.
    pub async fn is_enabled_in(&self, panel: &str, label: &str) -> bool {
        let paths = fields(&panel_path(panel), label);
        let field = self.first_visible(&paths, &format!("a field {label:?} in {panel:?}")).await;
        field.is_enabled().await.unwrap()
    }

    /// What a field of a panel holds.
    pub async fn value_in(&self, panel: &str, label: &str) -> String {
        let paths = fields(&panel_path(panel), label);
        let field = self.first_visible(&paths, &format!("a field {label:?} in {panel:?}")).await;
        field.prop("value").await.unwrap().unwrap_or_default()
    }

    /// Whether a button can be used.
    pub async fn is_button_enabled(&self, label: &str) -> bool {
        let quoted = quote(label);
        let path = format!("//button[normalize-space(.)={quoted} or @aria-label={quoted}]");
        let button = self.first_visible(&[path], &format!("a button {label:?}")).await;
        button.is_enabled().await.unwrap()
    }

    /// The visible texts of the buttons of a part of the page with this heading.
    pub async fn buttons_in(&self, heading: &str) -> Vec<String> {
        let path = format!("//section[h2[normalize-space(.)={}]]//button", quote(heading));
        let mut texts = Vec::new();
        for button in self.client.find_all(Locator::XPath(&path)).await.unwrap() {
            if button.is_displayed().await.unwrap() {
                texts.push(button.text().await.unwrap());
            }
        }
        texts
    }

    /// The message that belongs to a field of a panel; empty when it is fine.
    pub async fn error_in(&self, panel: &str, label: &str) -> String {
        let paths = fields(&panel_path(panel), label);
        let field = self.first_visible(&paths, &format!("a field {label:?} in {panel:?}")).await;
        if field.attr("aria-invalid").await.unwrap().as_deref() != Some("true") {
            return String::new();
        }
        let described = field.attr("aria-describedby").await.unwrap().unwrap_or_default();
        let mut text = String::new();
        for id in described.split_ascii_whitespace().filter(|id| id.ends_with("-error")) {
            let found = self.client.find(Locator::XPath(&format!("//*[@id={}]", quote(id)))).await.unwrap();
            text.push_str(&found.text().await.unwrap());
        }
        text
    }

    /// Whether a field can be used.
    pub async fn is_enabled(&self, label: &str) -> bool {
        self.labelled(label).await.is_enabled().await.unwrap()
    }
}

fn panel_path(panel: &str) -> String {
    format!("//fieldset[legend[normalize-space(.)={}]]", quote(panel))
}

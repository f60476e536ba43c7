//! axe-core on the page as it stands: what people with other eyes and hands would stumble over.

use serde_json::{Value, json};

use super::Browser;

const AXE: &str = include_str!("../../../vendor/axe-4.14.1.min.js");

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Every rule of WCAG 2.2 AA, and the good habits.
    Whole,
    /// Contrast only: what another theme can change on a page that was looked at wholly.
    Colours,
}

impl Browser {
    /// The rules the page breaks, each with the first elements that do.
    pub async fn stumbles(&self, look: Look) -> Vec<String> {
        let rules = match look {
            Look::Whole => json!(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]),
            Look::Colours => json!({ "type": "rule", "values": ["color-contrast", "link-in-text-block"] }),
        };
        if self.evaluate("typeof window.axe").await != "object" {
            self.evaluate(AXE).await;
        }
        let options = json!({ "runOnly": rules, "resultTypes": ["violations"], "preload": false });
        let script = format!(
            "axe.run(document, {options}).then((found) => JSON.stringify(found.violations.map((one) =>
                `${{one.id}} (${{one.help}}): ` + one.nodes.slice(0, 3).map((node) =>
                    node.html.slice(0, 160) + ' ' + node.any.map((check) => check.message).join(' ')).join(' | '))))"
        );
        let found = self.evaluate(&script).await;
        serde_json::from_str(found.as_str().expect("axe answers")).unwrap()
    }

    /// The value of an expression, awaited. The page's own rules for scripts do not bind it.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let script = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.devtools("Runtime.evaluate", script).await;
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }
}

//! The controls of the page, by their labels, and what makes it more than a page: whether it can be
//! installed, what it keeps, and what it notifies of.

use fantoccini::elements::Element;
use serde_json::{Value, json};

use super::Page;
use crate::wait::{SOON, until};

impl Page<'_> {
    /// Switches a control on or off.
    pub async fn switch(&self, label: &str, on: bool) {
        until(&format!("the switch {label:?}"), SOON, async || {
            let control = self.find("input", "checkbox", label).await?;
            let client = self.client().await;
            if control.is_selected().await.ok()? != on {
                control.click().await.ok()?;
            }
            let is_so = control.is_selected().await.ok()? == on;
            drop(client);
            is_so.then_some(())
        })
        .await;
    }

    /// Whether a control is switched on.
    pub async fn is_on(&self, label: &str) -> bool {
        let control = self.wait_for("input", "checkbox", label).await;
        let _client = self.client().await;
        control.is_selected().await.expect("a switch is on or off")
    }

    /// Writes into a field for text or for a number, in place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        let field = self.field(label).await;
        let _client = self.client().await;
        field.clear().await.expect("the field can be emptied");
        // It counts once the field is left.
        field.send_keys(&format!("{text}\u{e004}")).await.expect("the field takes text");
    }

    /// What is written in a field for text or for a number.
    pub async fn written(&self, label: &str) -> String {
        let field = self.field(label).await;
        let _client = self.client().await;
        field.prop("value").await.expect("the field is there").unwrap_or_default()
    }

    /// Chooses from a list.
    pub async fn choose_from(&self, label: &str, option: &str) {
        let list = self.wait_for("select", "combobox", label).await;
        let _client = self.client().await;
        list.select_by_label(option).await.expect("the list has the option");
    }

    async fn field(&self, label: &str) -> Element {
        until(&format!("a field {label:?}"), SOON, async || {
            match self.find("input", "spinbutton", label).await {
                Some(field) => Some(field),
                None => self.find("input, textarea", "textbox", label).await,
            }
        })
        .await
    }

    /// Waits until the page has a service worker and what it keeps; gives the paths of that.
    pub async fn kept_files(&self) -> Vec<String> {
        const LOOK: &str = "
            const look = async () => {
                const kept = await caches.open('shoal-page');
                const paths = (await kept.keys()).map(request => request.url.slice(location.origin.length));
                return navigator.serviceWorker.controller && paths.includes('/') ? paths : null;
            };
            look().then(found => window.kept = found);
            return window.kept ?? null;";
        let kept = self.until("what the service worker keeps", LOOK).await;
        let text = |path: &Value| path.as_str().unwrap_or_default().to_owned();
        kept.as_array().into_iter().flatten().map(text).collect()
    }

    /// What keeps the browser from installing the page, and what is wrong with its manifest. Chromium only.
    pub async fn hindrances(&self) -> Vec<Value> {
        let manifest = self.devtools("Page.getAppManifest", json!({})).await;
        assert_eq!(manifest["manifest"]["name"], "Shoal", "there is no manifest: {manifest}");
        let hindrances = self.devtools("Page.getInstallabilityErrors", json!({})).await;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        [list(&manifest["errors"]), list(&hindrances["installabilityErrors"])].concat()
    }

    /// Lets the page notify people, as if they had been asked. Chromium only.
    pub async fn allow_notifications(&self) {
        let url = self.client().await.current_url().await.expect("the window is open");
        let origin = url.origin().ascii_serialization();
        let granted = json!({ "origin": origin, "permissions": ["notifications"] });
        self.devtools("Browser.grantPermissions", granted).await;
    }

    /// Waits for a notification whose text has a part.
    pub async fn notified(&self, part: &str) {
        let script = format!(
            "navigator.serviceWorker.ready.then(it => it.getNotifications())
                 .then(all => window.notified = all.map(it => it.body));
             return window.notified?.some(it => it.includes({part:?})) || null;"
        );
        self.until(&format!("a notification of {part:?}"), &script).await;
    }
}

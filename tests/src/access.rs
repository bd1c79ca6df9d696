//! What people need who do not see the page, do not use a mouse, read another language or another
//! direction, have a narrow screen or colours of their own: what the page is like to them.
//!
//! How the page looks (colours, width) is set through Chromium's DevTools.

use std::fs;

use fantoccini::Locator;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::page::Page;
use crate::programs;

/// What has the keyboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// Its accessible name, as far as attributes and text give it.
    pub name: String,
    /// The element's name.
    pub element: String,
    /// Whether people see that it has the keyboard.
    pub is_seen: bool,
}

impl Page<'_> {
    /// What axe-core finds wrong with what is shown: all its rules, target sizes included. Each is its
    /// rule and the elements that break it. Contrast is not looked at in colours of people's own, which
    /// axe-core does not see.
    pub async fn violations(&self) -> Vec<String> {
        const LOOK: &str = "
            const done = arguments[arguments.length - 1];
            axe.run(document, {
                resultTypes: ['violations'],
                rules: {
                    'target-size': { enabled: true },
                    'color-contrast': { enabled: !matchMedia('(forced-colors: active)').matches },
                },
                // Style sheets are read as the page has them, not fetched once more.
                preload: false,
            }).then(
                found => done(found.violations.map(rule => `${rule.id}: ${rule.help}: ` +
                    rule.nodes.map(node => `${node.html.slice(0, 200)} ${node.failureSummary}`).join(' | '))),
                error => done([`axe has failed: ${error}`]));";
        let client = self.client().await;
        let here = client.execute("return typeof axe === 'object'", Vec::new()).await;
        if here.expect("the script runs") != Value::Bool(true) {
            let axe = fs::read_to_string(programs::npm("axe-core/axe.min.js"));
            let axe = axe.expect("axe-core can be read");
            client.execute(&axe, Vec::new()).await.expect("axe-core runs");
        }
        let found = client.execute_async(LOOK, Vec::new()).await.expect("axe-core looks");
        let found = found.as_array().into_iter().flatten();
        found.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    /// Has media features as people set them in their system, such as `prefers-color-scheme`.
    pub async fn prefer(&self, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Makes the page so many pixels wide.
    pub async fn set_width(&self, pixels: u32) {
        let metrics = json!({
            "width": pixels, "height": 640, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// A picture of the page in a window of so many pixels, as WebP.
    pub async fn photograph(&self, [width, height]: [u32; 2]) -> Vec<u8> {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let how = json!({ "format": "webp", "quality": 80 });
        let picture = self.devtools("Page.captureScreenshot", how).await;
        let text = picture["data"].as_str().expect("a picture is text in base64");
        data_encoding::BASE64.decode(text.as_bytes()).expect("a picture is text in base64")
    }

    /// What lies beyond the edge, if the page is wider than its window.
    pub async fn overhang(&self) -> Vec<String> {
        const LOOK: &str = "
            const { scrollWidth, clientWidth } = document.documentElement;
            if (scrollWidth <= clientWidth) return [];
            const beyond = [...document.querySelectorAll('body *')].filter(e => {
                const { left, right, width } = e.getBoundingClientRect();
                return width > 0 && (right > clientWidth + 1 || left < -1);
            });
            return [`${scrollWidth} of ${clientWidth} pixels`].concat(beyond.map(e =>
                `${e.localName}.${e.getAttribute('class')}: ${e.textContent.slice(0, 40)}`));";
        let found = self.execute(LOOK).await;
        let found = found.as_array().into_iter().flatten();
        found.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }

    /// Has the browser ask for languages, as set by its user, from the next load on.
    pub async fn ask_for_languages(&self, languages: &str) {
        let agent = self.execute("return navigator.userAgent").await;
        let wish = json!({ "userAgent": agent, "acceptLanguage": languages });
        self.devtools("Emulation.setUserAgentOverride", wish).await;
    }

    /// Chooses the language that calls itself so, and waits until the page speaks it.
    pub async fn choose_language(&self, tag: &str) {
        let client = self.client().await;
        let select =
            client.find(Locator::Css("#language")).await.expect("languages to choose from");
        select.select_by_value(tag).await.expect("the language is among them");
        drop(client);
        let speaks = format!(
            "return document.documentElement.lang === {tag:?} &&
                 document.querySelector('#language')?.value === {tag:?} || null"
        );
        self.until(&format!("the page to speak {tag}"), &speaks).await;
    }

    /// Opens everything that can be unfolded.
    pub async fn unfold(&self) {
        self.execute("document.querySelectorAll('details').forEach(it => { it.open = true; })")
            .await;
    }

    /// Presses a key and tells what has the keyboard then.
    pub async fn key(&self, key: Key) -> Focus {
        let value = key.into();
        let press = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client().await.perform_actions(press).await.expect("a key can be pressed");
        self.focus().await
    }

    /// Presses Tab until what is called so has the keyboard; gives all that had it on the way, this one
    /// included.
    ///
    /// # Panics
    /// If nothing that is called so gets it.
    pub async fn tab_to(&self, name: &str) -> Vec<Focus> {
        let mut way = Vec::new();
        for _ in 0..80 {
            way.push(self.key(Key::Tab).await);
            if way.last().is_some_and(|focus| focus.name == name) {
                return way;
            }
        }
        panic!("Tab does not lead to {name:?}: {way:#?}");
    }

    /// What has the keyboard.
    async fn focus(&self) -> Focus {
        // Whether anything is drawn around it, or around the button it lies over.
        const LOOK: &str = "
            const e = document.activeElement;
            const byId = id => document.getElementById(id)?.textContent ?? '';
            const text = e.getAttribute('aria-label') ??
                (e.getAttribute('aria-labelledby') ?? '').split(/\\s+/).map(byId).join(' ');
            const name = text.trim() || [...e.labels ?? []].map(it => it.textContent).join(' ') ||
                e.textContent;
            const drawn = e => {
                const style = getComputedStyle(e);
                return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 &&
                    parseFloat(style.opacity) > 0;
            };
            return { name: name.trim(), element: e.localName,
                is_seen: drawn(e) || (!!e.parentElement && drawn(e.parentElement)) };";
        let found = self.execute(LOOK).await;
        let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
        Focus {
            name: text("name"),
            element: text("element"),
            is_seen: found["is_seen"].as_bool().unwrap_or_default(),
        }
    }

    /// Starts to count what a screen reader would read out by itself.
    pub async fn listen(&self) {
        const LISTEN: &str = "
            const live = '[role=status], [role=alert], [role=log], [aria-live=polite], [aria-live=assertive]';
            window.readOut = [];
            new MutationObserver(changes => {
                const regions = new Set();
                for (const { target } of changes) {
                    const at = target instanceof Element ? target : target.parentElement;
                    const region = at?.closest(live);
                    if (region && !at.closest('[aria-live=off]')) regions.add(region);
                }
                for (const region of regions) {
                    const text = region.textContent.trim();
                    if (text) window.readOut.push(text);
                }
            }).observe(document.body, { subtree: true, childList: true, characterData: true });";
        self.execute(LISTEN).await;
    }

    /// What would have been read out since [`Page::listen`].
    pub async fn heard(&self) -> Vec<String> {
        let heard = self.execute("return window.readOut").await;
        let heard = heard.as_array().into_iter().flatten();
        heard.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    }
}

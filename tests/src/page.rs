//! The page, by the roles and names that people's assistive technology and scripts go by; the README
//! lists them. What a role or name is, the browser itself computes.

use std::path::Path;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, Locator};
use http::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::MutexGuard;
use tokio::time::sleep;
use url::Url;

use crate::browser::{Browser, keep_picture, test_name};
use crate::wait::{Look, SOON, until, while_progressing};
use crate::{proc, process};

mod controls;

/// What has not moved for so long is at rest.
const AT_REST: Duration = Duration::from_millis(50);

/// A window that shows the page.
#[derive(Debug)]
pub struct Page<'a> {
    browser: &'a Browser,
    window: WindowHandle,
}

/// A share on the shelf, as one look saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Article {
    /// Its accessible name.
    pub title: String,
    /// All its text.
    pub text: String,
    /// The texts of its innermost elements.
    pub texts: Vec<String>,
    /// The lines under "Who sent what" that tell of a peer, if its details are open.
    pub contributions: Vec<String>,
    /// The `aria-valuenow` of its progress bar.
    pub progress: Option<f64>,
}

/// Something that was said in the room, as one look at the page saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// Who said it, and what else stands above it.
    pub head: String,
    /// What.
    pub text: String,
}

impl Article {
    /// Whether its status reads `Complete`.
    pub fn is_complete(&self) -> bool {
        self.texts.iter().any(|text| text == "Complete")
    }
}

impl<'a> Page<'a> {
    pub(crate) fn new(browser: &'a Browser, window: WindowHandle) -> Self {
        Self { browser, window }
    }

    /// The browser it is in.
    pub fn browser(&self) -> &'a Browser {
        self.browser
    }

    /// The WebDriver client, switched to this page. While it is held, no other page of the browser moves.
    pub async fn client(&self) -> MutexGuard<'a, Client> {
        self.browser.client(&self.window).await
    }

    /// Chooses files to share.
    pub async fn choose_files(&self, paths: &[&Path]) {
        // WebDriver takes several files as lines (Element Send Keys).
        let lines: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        self.choose("Choose files", &lines.join("\n")).await;
    }

    /// Clicks on the button to choose files, for a page whose script stands in for the system's dialog.
    pub async fn press_choose_files(&self) {
        // WebDriver refuses to click on file inputs (Element Click, step 4).
        self.with_file_input("Choose files", async |input| {
            let element = serde_json::to_value(&input).expect("an element is an id");
            input.client().execute("arguments[0].click()", vec![element]).await.map(drop)
        })
        .await;
    }

    /// Chooses a folder to share. Only chromedriver can.
    pub async fn choose_folder(&self, path: &Path) {
        self.choose("Choose folder", &path.display().to_string()).await;
    }

    /// Chooses the files of a share of ours once more, which waits for them.
    pub async fn choose_again(&self, paths: &[&Path]) {
        let lines: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        self.choose("Choose the files again", &lines.join("\n")).await;
    }

    /// The link that lets others into this room.
    pub async fn invite_link(&self) -> String {
        until("an invite link on the page", SOON, async || {
            let field = self.find("input, textarea", "textbox", "Invite link").await?;
            let link = field.prop("value").await.ok()??;
            (!link.is_empty()).then_some(link)
        })
        .await
    }

    /// The code to be spoken that is shown.
    pub async fn code(&self) -> String {
        const CODE: &str = "
            const group = document.querySelector('[role=group][aria-label=\"Code to be spoken\"]');
            return group?.innerText.match(/\\d+(-[a-z]+){3}/)?.[0] ?? null;";
        let code = self.until("a code on the page", CODE).await;
        code.as_str().unwrap_or_default().to_owned()
    }

    /// Enters a room from the home screen, by a link or a code.
    pub async fn join(&self, invite: &str) {
        self.type_invite(invite).await;
        self.press("Join").await;
    }

    /// Types an invite on the home screen, or more of one.
    pub async fn type_invite(&self, text: &str) {
        // While it completes a code it is a combo box.
        let name = "Invite link or code";
        let field = until(&format!("a field named {name:?}"), SOON, async || {
            match self.find("input, textarea", "textbox", name).await {
                Some(field) => Some(field),
                None => self.find("input, textarea", "combobox", name).await,
            }
        })
        .await;
        field.send_keys(text).await.expect("the field takes text");
    }

    /// Enters a room beside the page's own program, as those who build on that can; `options` are written
    /// in JavaScript. Then there are `peer`, and `share`, the first on the shelf.
    pub async fn enter(&self, link: &str, options: &str) {
        self.execute(&format!(
            "shoalRoom().then(program => program.Peer.join({link:?}, {options})).then(peer => {{
                 window.peer = peer;
                 peer.onState(state => window.share = state.shares[0]);
             }});"
        ))
        .await;
    }

    /// Waits for an expression in JavaScript about `share` to be true.
    pub async fn becomes(&self, expression: &str) {
        until(expression, SOON, async || {
            self.execute(&format!("return !!(window.share && {expression})"))
                .await
                .as_bool()
                .filter(|is| *is)
        })
        .await;
    }

    /// Says something to the room.
    pub async fn say(&self, text: &str) {
        const SHIFT_ENTER: &str = "\u{e008}\u{e007}\u{e008}";
        const ENTER: &str = "\u{e007}";
        let field = self.wait_for("textarea", "textbox", "Message to the room").await;
        let keys = text.replace('\n', SHIFT_ENTER) + ENTER;
        field.send_keys(&keys).await.expect("the field takes text");
    }

    /// What was said in the room, as far as the page shows it.
    pub async fn lines(&self) -> Vec<Said> {
        const LOOK: &str = "
            const log = document.querySelector('[role=log][aria-label=\"What was said\"]');
            return [...log?.querySelectorAll('li') ?? []].map(li => ({
                head: li.querySelector('.line-head').innerText,
                text: li.querySelector('.line-text').textContent,
            }));";
        let lines = self.execute(LOOK).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let said = |value: &Value| Said { head: text(&value["head"]), text: text(&value["text"]) };
        lines.as_array().into_iter().flatten().map(said).collect()
    }

    /// Presses the page's button of this name.
    pub async fn press(&self, button: &str) {
        let button = self.wait_for("button, [role=button]", "button", button).await;
        click_at_rest(&button).await.expect("the button can be pressed");
    }

    /// Presses a button of the share of this title.
    pub async fn press_on(&self, title: &str, button: &str) {
        let what = format!("the button {button:?} of the share {title:?}");
        until(&what, SOON, async || {
            let article = self.find("article, [role=article]", "article", title).await?;
            // Held until the click is over: a driver talks to one window at a time.
            let client = self.client().await;
            let buttons = article.find_all(Locator::Css("button, [role=button]")).await.ok()?;
            let button = first(&client, buttons, Some("button"), |label| label == button).await?;
            click_at_rest(&button).await.ok()
        })
        .await;
    }

    /// Waits for a share to be on the shelf.
    pub async fn article(&self, title: &str) -> Article {
        self.article_where(title, "on the shelf", |_| true).await
    }

    /// Waits until a share on the shelf is as wanted; `how` completes "the share to be ".
    pub async fn article_where(
        &self,
        title: &str,
        how: &str,
        wanted: impl Fn(&Article) -> bool,
    ) -> Article {
        until(&format!("the share {title:?} to be {how}"), SOON, async || {
            self.shelf().await.into_iter().find(|article| article.title == title && wanted(article))
        })
        .await
    }

    /// Waits for a share to be complete, for as long as it takes while there is progress.
    pub async fn complete(&self, title: &str) -> Article {
        self.complete_seeing(title, |_| ()).await
    }

    /// The same, passing on the progress in percent at each look.
    pub async fn complete_seeing(&self, title: &str, mut see: impl FnMut(f64)) -> Article {
        while_progressing(&format!("the share {title:?} to be complete"), async || {
            let shelf = self.shelf().await;
            match shelf.into_iter().find(|article| article.title == title) {
                Some(article) if article.is_complete() => Look::Done(article),
                article => {
                    let progress = article.and_then(|article| article.progress);
                    see(progress.unwrap_or(0.0));
                    Look::Progress(progress)
                }
            }
        })
        .await
    }

    /// Opens the details of a share: its files with their hashes, and who sent what.
    pub async fn open_details(&self, title: &str) {
        let what = format!("the details of the share {title:?}");
        until(&what, SOON, async || {
            let article = self.find("article, [role=article]", "article", title).await?;
            let client = self.client().await;
            let summary = article.find(Locator::Css("summary")).await.ok()?;
            summary.click().await.ok()?;
            let open = article.find(Locator::Css("details[open]")).await.is_ok();
            drop(client);
            open.then_some(())
        })
        .await;
    }

    /// The contributions that the open details of a share list, as "NAME: SIZE (PERCENTAGE)".
    pub async fn contributions(&self, title: &str) -> Vec<String> {
        let article = self.shelf().await.into_iter().find(|article| article.title == title);
        article.map(|article| article.contributions).unwrap_or_default()
    }

    /// What is on the shelf now.
    pub async fn shelf(&self) -> Vec<Article> {
        const LOOK: &str = "
            const byId = id => document.getElementById(id)?.textContent ?? '';
            const name = e => (e.getAttribute('aria-label') ??
                (e.getAttribute('aria-labelledby') ?? '').split(/\\s+/).map(byId).join(' ')).trim();
            return [...document.querySelectorAll('article, [role=article]')].map(e => ({
                title: name(e),
                text: e.innerText,
                texts: [...e.querySelectorAll('*')].filter(e => !e.children.length)
                    .map(e => e.textContent.trim()).filter(text => text),
                contributions: [...e.querySelectorAll('h2, h3, h4, h5')]
                    .filter(e => e.textContent.trim() === 'Who sent what')
                    .flatMap(e => [...e.nextElementSibling.querySelectorAll('li')])
                    .map(e => e.textContent.trim()).filter(line => line.endsWith('%)')),
                progress: parseFloat(
                    e.querySelector('[role=progressbar]')?.getAttribute('aria-valuenow') ??
                    e.querySelector('progress')?.value),
            }));";
        let shelf = self.execute(LOOK).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let texts = |value: &Value| value.as_array().into_iter().flatten().map(text).collect();
        let article = |value: &Value| Article {
            title: text(&value["title"]),
            text: text(&value["text"]),
            texts: texts(&value["texts"]),
            contributions: texts(&value["contributions"]),
            progress: value["progress"].as_f64(),
        };
        shelf.as_array().into_iter().flatten().map(article).collect()
    }

    /// All text that is visible.
    pub async fn text(&self) -> String {
        let text = self.execute("return document.body.innerText").await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says something.
    pub async fn says(&self, what: &str) {
        until(&format!("the page to say {what:?}"), SOON, async || {
            self.text().await.contains(what).then_some(())
        })
        .await;
    }

    /// Waits until a script returns something that is not null, and gives it.
    pub async fn until(&self, what: &str, script: &str) -> Value {
        until(what, SOON, async || Some(self.execute(script).await).filter(|it| !it.is_null()))
            .await
    }

    /// Runs a script in the page and gives what it returns.
    ///
    /// # Panics
    /// If it throws.
    pub async fn execute(&self, script: &str) -> Value {
        let client = self.client().await;
        client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Keeps a picture of it under `target/screenshots`.
    pub async fn keep_picture(&self, name: &str) {
        let picture = self.client().await.screenshot().await.expect("a picture can be taken");
        keep_picture(&test_name(), name, &picture);
    }

    /// Closes the window, as a person closes a tab.
    pub async fn close(self) {
        self.client().await.close_window().await.expect("the window is open");
    }

    /// Loads the page again, as a person does.
    pub async fn reload(&self) {
        self.client().await.refresh().await.expect("the page loads again");
    }

    /// Kills the process that the page and its worker run in. It must be the browser's only page of ours.
    ///
    /// # Panics
    /// If the process does not end.
    pub async fn crash(self) {
        for pid in self.browser.worker_processes() {
            process::signal(pid, Signal::KILL);
            let gone = async || (!proc::is_running(pid)).then_some(());
            until("the end of the page's process", SOON, gone).await;
        }
        self.browser.forget(&self.window).await;
    }

    /// Stops the page and its worker, as browsers do to a tab that nobody looks at. Chromium only.
    pub async fn freeze(&self) {
        self.devtools("Page.setWebLifecycleState", json!({ "state": "frozen" })).await;
    }

    /// Lets a frozen page go on. Chromium only.
    pub async fn thaw(&self) {
        self.devtools("Page.setWebLifecycleState", json!({ "state": "active" })).await;
    }

    /// Lets the page's site store so many bytes and no more, for as long as this window is open; as many
    /// as usual without a number. Chromium only. `navigator.storage.estimate` does not heed it.
    pub async fn set_quota(&self, bytes: Option<u64>) {
        let url = self.client().await.current_url().await.expect("the window is open");
        let mut quota = json!({ "origin": url.origin().ascii_serialization() });
        if let Some(bytes) = bytes {
            quota["quotaSize"] = bytes.into();
        }
        self.devtools("Storage.overrideQuotaForOrigin", quota).await;
    }

    /// Takes the network from the page, or gives it back. Chromium only; data channels do not heed it.
    pub async fn set_offline(&self, offline: bool) {
        let conditions = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.devtools("Network.emulateNetworkConditions", conditions).await;
    }

    /// Runs a script before any of the page's own, each time this window loads something, and lets it do
    /// what the content security policy forbids. Chromium only.
    pub async fn run_at_every_load(&self, script: &str) {
        self.devtools("Page.setBypassCSP", json!({ "enabled": true })).await;
        self.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script })).await;
    }

    /// A command of the DevTools protocol.
    pub(crate) async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let client = self.client().await;
        let answer = client.issue_cmd(DevTools { command, parameters }).await;
        answer.unwrap_or_else(|error| panic!("{command} failed: {error}"))
    }

    async fn choose(&self, input: &str, keys: &str) {
        self.with_file_input(input, async |input| input.send_keys(keys).await).await;
    }

    /// Does something to the file input of this label once it is there.
    async fn with_file_input(
        &self,
        label: &str,
        act: impl AsyncFn(Element) -> Result<(), CmdError>,
    ) {
        until(&format!("a file input labelled {label:?}"), SOON, async || {
            let client = self.client().await;
            let inputs = client.find_all(Locator::Css("input[type=file]")).await.ok()?;
            // ARIA has no role for file inputs, and Firefox reads out what is chosen after the label.
            let is_named = |found: &str| {
                found
                    .strip_prefix(label)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            let input = first(&client, inputs, None, is_named).await?;
            act(input).await.ok()
        })
        .await;
    }

    async fn wait_for(&self, candidates: &str, role: &str, name: &str) -> Element {
        until(&format!("a {role} named {name:?}"), SOON, async || {
            self.find(candidates, role, name).await
        })
        .await
    }

    async fn find(&self, candidates: &str, role: &str, name: &str) -> Option<Element> {
        let client = self.client().await;
        let elements = client.find_all(Locator::Css(candidates)).await.ok()?;
        first(&client, elements, Some(role), |label| label == name).await
    }
}

/// Clicks once the element stays where it is, as people do: a page that is still filling moves its parts, and a
/// click goes to what is under it by then.
async fn click_at_rest(element: &Element) -> Result<(), CmdError> {
    let mut before = element.rectangle().await?;
    loop {
        sleep(AT_REST).await;
        let now = element.rectangle().await?;
        if now == before {
            return element.click().await;
        }
        before = now;
    }
}

/// The first of the elements with this role and a fitting name.
async fn first(
    client: &Client,
    elements: Vec<Element>,
    role: Option<&str>,
    is_named: impl Fn(&str) -> bool,
) -> Option<Element> {
    for element in elements {
        // It may be gone again by now: then it is not the one.
        let label = computed(client, &element, "label").await.unwrap_or_default();
        if !is_named(label.trim()) {
            continue;
        }
        let Some(role) = role else { return Some(element) };
        if computed(client, &element, "role").await.ok().as_deref() == Some(role) {
            return Some(element);
        }
    }
    None
}

async fn computed(
    client: &Client,
    element: &Element,
    what: &'static str,
) -> Result<String, CmdError> {
    let element = element.element_id().to_string();
    let answer = client.issue_cmd(Computed { element, what }).await?;
    Ok(answer.as_str().unwrap_or_default().to_owned())
}

/// chromedriver's own command to pass one on to DevTools.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

/// WebDriver's Get Computed Role and Get Computed Label.
#[derive(Debug)]
struct Computed {
    element: String,
    what: &'static str,
}

impl WebDriverCompatibleCommand for Computed {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/element/{}/computed{}", self.element, self.what))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::GET, None)
    }
}

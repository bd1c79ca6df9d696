//! What browsers write to their consoles, as far as it matters to tests: what chromedriver and Firefox itself
//! keep of it.

use fantoccini::Client;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::json;
use url::Url;

/// Errors of all pages and their workers since the last time, out of the log that chromedriver keeps.
pub(super) async fn of_chromium(client: &Client) -> Result<Vec<String>, CmdError> {
    let log = client.issue_cmd(ConsoleLog).await?;
    let entries = log.as_array().cloned().unwrap_or_default();
    let severe = entries.iter().filter(|entry| entry["level"] == "SEVERE");
    let messages = severe.map(|entry| entry["message"].to_string());
    // A page asks before it is closed only where a person, and not a driver, has used it.
    Ok(messages.filter(|message| !message.contains("'beforeunload' confirmation")).collect())
}

/// Whether a complaint is about a Content Security Policy, as both browsers word it.
pub(super) fn is_breach(complaint: &str) -> bool {
    ["Content Security Policy", "Content-Security-Policy", "'Trusted"]
        .iter()
        .any(|words| complaint.contains(words))
}

/// What was refused by a Content Security Policy since the last time, out of the console that Firefox keeps
/// of all its processes. It holds the last 250 messages.
pub(super) async fn of_firefox(client: &Client) -> Result<Vec<String>, CmdError> {
    const REFUSED: &str = "
        const refused = Services.console.getMessageArray().filter(message =>
            message instanceof Ci.nsIScriptError && message.category.startsWith('CSP') &&
            !(message.flags & Ci.nsIScriptError.warningFlag));
        Services.console.reset();
        return refused.map(message => `${message.sourceName}: ${message.errorMessage}`);";
    // The window it was last switched to may be closed by now.
    if let Some(open) = client.windows().await?.into_iter().next() {
        client.switch_to_window(open).await?;
    }
    client.issue_cmd(MozContext("chrome")).await?;
    let refused = client.execute(REFUSED, Vec::new()).await;
    client.issue_cmd(MozContext("content")).await?;
    let texts = refused?;
    let texts = texts.as_array().into_iter().flatten();
    Ok(texts.filter_map(|text| text.as_str().map(str::to_owned)).collect())
}

/// Takes what the browser logged since the last time; chromedriver's own command.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// Whether scripts run in the page or in Firefox itself; geckodriver's own command.
#[derive(Debug)]
struct MozContext(&'static str);

impl WebDriverCompatibleCommand for MozContext {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/moz/context", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "context": self.0 }).to_string()))
    }
}

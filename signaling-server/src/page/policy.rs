//! What the page may do in the browser: a Content Security Policy (CSP3) for a page that needs only
//! itself and its WebSocket, Trusted Types, and the other headers that close what is not used.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

/// Headers that every answer has.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), autoplay=(), bluetooth=(), browsing-topics=(), camera=(self), \
         clipboard-read=(), display-capture=(), encrypted-media=(), fullscreen=(), gamepad=(), \
         geolocation=(), gyroscope=(), hid=(), identity-credentials-get=(), idle-detection=(), \
         local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), \
         publickey-credentials-get=(), serial=(), storage-access=(), sync-xhr=(), usb=(), \
         window-management=(), xr-spatial-tracking=()",
    ),
];

/// Adds the headers that every answer has. An answer that is not of the page gets a policy that allows
/// nothing at all.
pub(crate) async fn harden(mut response: Response) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ));
    response
}

/// The policy of a file of the page. `html` is its text if it is HTML: the scripts inside it, such as
/// Trunk's loader, are allowed by their hash. Workers have the policy of their own script.
///
/// Text never becomes HTML or the address of a script (`require-trusted-types-for`), but by way of the two
/// policies that the page starts its worker (wasm-peer, `trusted.rs`) and its service worker (`start.js`) with;
/// each lets one address pass. Pictures come from the page
/// alone, so that nothing received can be shown.
///
/// `connect-src 'self'` includes the WebSocket of the same host and port (CSP3, section 6.7.2.8), shown in
/// Chromium 156 and Firefox 153, page and worker.
pub(crate) fn content_security_policy(html: &[u8]) -> HeaderValue {
    let hashes: String = inline_scripts(html)
        .map(|script| format!(" 'sha256-{}'", BASE64.encode(&Sha256::digest(script))))
        .collect();
    let policy = format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{hashes}; worker-src 'self'; \
         connect-src 'self'; img-src 'self'; style-src 'self'; font-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types shoal shoal-service"
    );
    HeaderValue::try_from(policy).expect("a policy is plain text")
}

/// The text of each `<script>` that has no `src`, as the browser hashes it. This is for HTML of our own
/// making: it knows comments, and no more of the language.
fn inline_scripts(html: &[u8]) -> impl Iterator<Item = String> {
    // The HTML parser makes line feeds of all line ends before anything is hashed.
    let html = String::from_utf8_lossy(html).replace("\r\n", "\n").replace('\r', "\n");
    // Same length, so that positions agree.
    let lower = html.to_ascii_lowercase();
    let mut scripts = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find('<') {
        at += found;
        if lower[at..].starts_with("<!--") {
            let Some(end) = lower[at..].find("-->") else { break };
            at += end;
        } else if lower[at..].starts_with("<script") {
            let Some(end) = lower[at..].find('>') else { break };
            let (attributes, body) = (at + "<script".len(), at + end + 1);
            let Some(length) = lower[body..].find("</script") else { break };
            let has_source = lower[attributes..body].split_ascii_whitespace().any(|attribute| {
                attribute.strip_prefix("src").is_some_and(|rest| rest.starts_with('='))
            });
            if !has_source && length > 0 {
                scripts.push(html[body..body + length].to_owned());
            }
            at = body + length;
        }
        at += 1;
    }
    scripts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_found_as_a_browser_hashes_them() {
        let html = b"<!DOCTYPE html><!-- <script>comment</script> --><SCRIPT type=module>\r\nlet a = 1 < 2;\r\n</SCRIPT>\
            <script src=\"a.js\"></script><script nomodule>x</script>\
            <script\n  type=module\n  src=b.js></script><p>a < b</p>";
        let scripts: Vec<_> = inline_scripts(html).collect();
        assert_eq!(scripts, ["\nlet a = 1 < 2;\n", "x"]);
    }

    #[test]
    fn html_that_breaks_off_is_no_trouble() {
        for html in ["<script", "<script>", "<script>a", "<!--", "<", "é<script>ü</script>"] {
            let _ = inline_scripts(html.as_bytes()).count();
        }
    }

    #[test]
    fn the_policy_names_the_hash_of_an_inline_script() {
        // printf %s 'alert(1)' | openssl dgst -sha256 -binary | base64
        let policy = content_security_policy(b"<script>alert(1)</script>");
        assert!(
            policy.to_str().unwrap().contains(
                "'wasm-unsafe-eval' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=';"
            )
        );
        let without = content_security_policy(b"");
        assert!(!without.to_str().unwrap().contains("sha256"));
    }
}

//! The page: which files it has, and how they are served.
//!
//! The files are those inside the program (`build.rs`), or for development those of a folder. Compressed
//! forms exist only of the former. What a page may do in the browser is in `policy`.

mod policy;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub(crate) use policy::harden;

/// A file put into the program by `build.rs`, with its compressed forms.
struct EmbeddedFile {
    name: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static EMBEDDED: &[EmbeddedFile] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// A year, as RFC 9111 suggests for what never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// May be kept, but must be asked about each time.
const REVALIDATE: &str = "no-cache";

/// The page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The folder given as [`Options::page`](crate::Options::page) is not a built page.
    #[error("could not read {}: {source}; build the page first, or name its folder with --page", path.display())]
    NotThere {
        /// The `index.html` that was looked for.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },
}

/// The files of the page.
pub(crate) enum Page {
    Embedded(HashMap<&'static str, Asset>),
    Folder(PathBuf),
}

/// One file with everything about it that does not depend on the request.
pub(crate) struct Asset {
    content_type: &'static str,
    cache_control: &'static str,
    policy: HeaderValue,
    /// Hash of the file, without the quotes of an entity tag.
    hash: String,
    identity: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

impl Page {
    /// The page in `folder`, or else the one inside the program.
    pub(crate) fn new(folder: Option<&Path>) -> Result<Self, PageError> {
        if let Some(folder) = folder {
            let path = folder.join("index.html");
            return match std::fs::metadata(&path) {
                Ok(_) => Ok(Self::Folder(folder.to_owned())),
                Err(source) => Err(PageError::NotThere { path, source }),
            };
        }
        let assets = EMBEDDED.iter().map(|file| {
            let mut asset = Asset::new(file.name, Bytes::from_static(file.identity));
            asset.brotli = file.brotli.map(Bytes::from_static);
            asset.gzip = file.gzip.map(Bytes::from_static);
            (file.name, asset)
        });
        Ok(Self::Embedded(assets.collect()))
    }

    /// Answers a request for anything that is not the server's own.
    pub(crate) async fn respond(&self, request: &Parts) -> Response {
        if request.method != Method::GET && request.method != Method::HEAD {
            let allow = [(header::ALLOW, HeaderValue::from_static("GET, HEAD"))];
            return (StatusCode::METHOD_NOT_ALLOWED, allow, "only GET and HEAD\n").into_response();
        }
        let name = match request.uri.path() {
            "/" => "index.html",
            path => path.trim_start_matches('/'),
        };
        let headers = &request.headers;
        let found = match self {
            Self::Embedded(assets) => assets.get(name).map(|asset| asset.respond(headers)),
            Self::Folder(folder) => read(folder, name).await.map(|asset| asset.respond(headers)),
        };
        found.unwrap_or_else(|| {
            let headers = [(header::CACHE_CONTROL, REVALIDATE)];
            (StatusCode::NOT_FOUND, headers, "there is nothing here\n").into_response()
        })
    }
}

/// Reads a file below `folder`; `None` also for what is no plain name, such as one with `..`.
async fn read(folder: &Path, name: &str) -> Option<Asset> {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    if !name.split('/').all(plain) {
        return None;
    }
    let content = tokio::fs::read(folder.join(name)).await.ok()?;
    Some(Asset::new(name, content.into()))
}

impl Asset {
    fn new(name: &str, identity: Bytes) -> Self {
        let content_type = content_type(name);
        let html = if content_type.starts_with("text/html") { &identity[..] } else { &[] };
        Self {
            content_type,
            cache_control: if is_named_by_content(name) { IMMUTABLE } else { REVALIDATE },
            policy: policy::content_security_policy(html),
            hash: HEXLOWER.encode(&Sha256::digest(&identity)[..16]),
            identity,
            brotli: None,
            gzip: None,
        }
    }

    fn respond(&self, request: &HeaderMap) -> Response {
        let (encoding, body) = self.negotiate(request);
        // Each form is another sequence of bytes and so has another strong tag (RFC 9110, 8.8.3.3).
        let etag = match encoding {
            Some(encoding) => format!("\"{}-{encoding}\"", self.hash),
            None => format!("\"{}\"", self.hash),
        };
        let mut response = if matches_any(request, &etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = Response::new(Body::from(body.clone()));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            // Said here because an answer to HEAD has the length of a body that is not there.
            headers.insert(header::CONTENT_LENGTH, body.len().into());
            if let Some(encoding) = encoding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        };
        let headers = response.headers_mut();
        let etag = HeaderValue::try_from(etag).expect("hexadecimal fits into a header");
        headers.insert(header::ETAG, etag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        response
    }

    /// The smallest form that the client takes.
    fn negotiate(&self, request: &HeaderMap) -> (Option<&'static str>, &Bytes) {
        let forms = [("br", &self.brotli), ("gzip", &self.gzip)];
        forms
            .into_iter()
            .filter_map(|(encoding, body)| Some((Some(encoding), body.as_ref()?)))
            .filter(|(encoding, _)| encoding.is_some_and(|encoding| accepts(request, encoding)))
            .chain([(None, &self.identity)])
            .min_by_key(|(_, body)| body.len())
            .expect("there is always the file as it is")
    }
}

/// Whether `Accept-Encoding` names this encoding with a weight above zero (RFC 9110, 12.5.3). `*` is not
/// taken as leave: who means it gets the file as it is, which is always right.
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    list(request, header::ACCEPT_ENCODING).any(|item| {
        let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameters.trim().strip_prefix("q=").map(|weight| weight.trim().parse());
        name.trim().eq_ignore_ascii_case(encoding)
            && match weight {
                None => true,
                Some(weight) => weight.is_ok_and(|weight: f32| weight > 0.0),
            }
    })
}

/// Whether `If-None-Match` has this tag, compared weakly (RFC 9110, 13.1.2).
fn matches_any(request: &HeaderMap, etag: &str) -> bool {
    list(request, header::IF_NONE_MATCH)
        .any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == etag)
}

/// The items of a header that is a list, over all lines of that name.
fn list(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

/// Whether a name has a hash of the content in it, as Trunk writes it: `web-0123456789abcdef_bg.wasm`.
/// Only of the file itself: the hash of a folder is of what it belongs to.
fn is_named_by_content(name: &str) -> bool {
    // Sixteen, without the zeros in front.
    const HASH_DIGITS: usize = 12;
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('-').is_some_and(|(_, rest)| {
        let digits = rest.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).unwrap_or(0);
        digits >= HASH_DIGITS && rest[digits..].starts_with(['.', '_'])
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn encodings_are_taken_by_name_and_weight() {
        let accepts = |value, encoding| accepts(&request(header::ACCEPT_ENCODING, value), encoding);
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("gzip;q=0.5, BR;q=1.0", "br"));
        assert!(!accepts("gzip, br;q=0", "br"));
        assert!(!accepts("gzip, br;q=x", "br"));
        assert!(!accepts("brotli", "br"));
        assert!(!accepts("*", "br"));
    }

    #[test]
    fn the_smallest_accepted_form_is_served_under_its_own_tag() {
        let mut asset = Asset::new("a.js", Bytes::from_static(b"0123456789"));
        asset.brotli = Some(Bytes::from_static(b"br"));
        asset.gzip = Some(Bytes::from_static(b"gzip"));
        let negotiate = |value| asset.negotiate(&request(header::ACCEPT_ENCODING, value)).0;
        assert_eq!(negotiate("gzip, br"), Some("br"));
        assert_eq!(negotiate("gzip"), Some("gzip"));
        assert_eq!(negotiate("zstd"), None);
        asset.gzip = Some(Bytes::from_static(b"larger than it was"));
        assert_eq!(asset.negotiate(&request(header::ACCEPT_ENCODING, "gzip")).0, None);
    }

    #[test]
    fn a_known_tag_matches_however_it_is_listed() {
        let matches = |value| matches_any(&request(header::IF_NONE_MATCH, value), "\"tag\"");
        assert!(matches("\"tag\""));
        assert!(matches("\"other\", W/\"tag\""));
        assert!(matches("*"));
        assert!(!matches("\"tag-br\""));
    }

    #[test]
    fn only_names_with_a_hash_of_the_content_may_be_kept_forever() {
        for name in
            ["web-0123456789abcdef.js", "web-0123456789ab_bg.wasm", "a/b-0123456789abcdef0.css"]
        {
            assert!(is_named_by_content(name), "{name}");
        }
        for name in [
            "index.html",
            "worker.js",
            "worker_bg.wasm",
            "web-0123456789a.js",
            "snippets/web-0123456789abcdef/inline0.js",
            "web-0123456789abcdefg.js",
            "0123456789abcdef.js",
            "web-",
        ] {
            assert!(!is_named_by_content(name), "{name}");
        }
    }
}

//! How the page is served: the one in the program, and that of a folder.

mod common;

use std::fs;
use std::io::Read;

use common::TestServer;
use signaling_server::{Options, PageError, Server};
use tempfile::TempDir;

const INDEX: &str =
    "<!doctype html><script type=\"module\">import init from '/web.js';</script><p>page</p>";

fn folder_with(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn serve(folder: &TempDir) -> TestServer {
    TestServer::start(Options { page: Some(folder.path().into()), ..Options::default() })
}

#[tokio::test]
async fn the_page_in_the_program_comes_as_small_as_the_client_takes_it() {
    let server = TestServer::start(Options::default());
    let plain = server.http("GET", "/", "").await;
    assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
    assert!(plain.body.starts_with(b"<!"));

    let brotli = server.http("GET", "/", "Accept-Encoding: gzip, br\r\n").await;
    assert_eq!(brotli.header("content-encoding"), Some("br"));
    let mut decompressed = Vec::new();
    brotli::BrotliDecompress(&mut &brotli.body[..], &mut decompressed).unwrap();
    assert_eq!(decompressed, plain.body);

    let gzip = server.http("GET", "/index.html", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut decompressed = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut decompressed).unwrap();
    assert_eq!(decompressed, plain.body);

    for answer in [&plain, &brotli, &gzip] {
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    }
    let tags = [&plain, &brotli, &gzip].map(|answer| answer.header("etag").unwrap());
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
}

#[tokio::test]
async fn a_client_that_has_it_already_is_sent_nothing() {
    let server = TestServer::start(Options::default());
    let encoding = "Accept-Encoding: br\r\n";
    let first = server.http("GET", "/", encoding).await;
    let tag = first.header("etag").unwrap();
    let again =
        server.http("GET", "/", &format!("{encoding}If-None-Match: \"x\", {tag}\r\n")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag));
    assert_eq!(again.header("cache-control"), Some("no-cache"));
    // Another form is another thing.
    let other = server.http("GET", "/", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn head_says_what_get_would_and_other_methods_and_names_are_refused() {
    let server = TestServer::start(Options::default());
    let (get, head) = (server.http("GET", "/", "").await, server.http("HEAD", "/", "").await);
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-length", "content-type", "etag", "content-security-policy"] {
        assert_eq!(get.header(name), head.header(name), "{name}");
        assert!(get.header(name).is_some(), "{name}");
    }
    let post = server.http("POST", "/", "Content-Length: 0\r\n").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    for path in ["/nothing", "/index.html/", "/../Cargo.toml", "/%2e%2e/Cargo.toml"] {
        assert_eq!(server.http("GET", path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn files_of_a_folder_have_their_types_and_the_right_time_to_live() {
    let folder = folder_with(&[
        ("index.html", INDEX),
        ("web-0123456789abcdef.js", "js"),
        ("web-0123456789abcdef_bg.wasm", "wasm"),
        ("worker.js", "worker"),
        ("snippets/a-0123456789abcdef/inline0.js", "snippet"),
    ]);
    let server = serve(&folder);
    let forever = Some("public, max-age=31536000, immutable");
    for (path, content_type, cache) in [
        ("/", "text/html; charset=utf-8", Some("no-cache")),
        ("/web-0123456789abcdef.js", "text/javascript; charset=utf-8", forever),
        ("/web-0123456789abcdef_bg.wasm", "application/wasm", forever),
        ("/worker.js", "text/javascript; charset=utf-8", Some("no-cache")),
        (
            "/snippets/a-0123456789abcdef/inline0.js",
            "text/javascript; charset=utf-8",
            Some("no-cache"),
        ),
    ] {
        let answer = server.http("GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
        assert_eq!(answer.header("cache-control"), cache, "{path}");
    }
    // What changes is served changed.
    let tag = server.http("GET", "/worker.js", "").await.header("etag").unwrap().to_owned();
    fs::write(folder.path().join("worker.js"), "changed").unwrap();
    let changed = server.http("GET", "/worker.js", &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((changed.status, changed.text().as_str()), (200, "changed"));
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let outer = folder_with(&[("secret.txt", "secret"), ("page/index.html", INDEX)]);
    fs::write(outer.path().join("page/.hidden"), "hidden").unwrap();
    let page = outer.path().join("page");
    let server = TestServer::start(Options { page: Some(page), ..Options::default() });
    assert_eq!(server.http("GET", "/", "").await.status, 200);
    let absolute = format!("/{}", outer.path().join("secret.txt").display());
    for path in ["/../secret.txt", "/./../secret.txt", "//../secret.txt", "/.hidden", &absolute] {
        assert_eq!(server.http("GET", path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_page_may_do_what_it_needs_and_no_more() {
    let folder = folder_with(&[("index.html", INDEX), ("worker.js", "")]);
    let server = serve(&folder);
    let page = server.http("GET", "/", "").await;
    let policy = page.header("content-security-policy").unwrap();
    let directive = |name: &str| {
        let found = policy.split("; ").find_map(|directive| directive.strip_prefix(name));
        found.unwrap_or_else(|| panic!("no {name} in {policy}")).trim()
    };
    // printf %s "import init from '/web.js';" | openssl dgst -sha256 -binary | base64
    let scripts = "'self' 'wasm-unsafe-eval' 'sha256-k5w3gkYDFRJibG5hFIedUXWdfUbdJbqmh3Oa8sqkszw='";
    assert_eq!(directive("script-src"), scripts);
    for (name, sources) in [
        ("default-src", "'none'"),
        ("connect-src", "'self'"),
        ("worker-src", "'self'"),
        ("img-src", "'self'"),
        ("style-src", "'self'"),
        ("frame-ancestors", "'none'"),
        ("base-uri", "'none'"),
        ("form-action", "'none'"),
        ("require-trusted-types-for", "'script'"),
        ("trusted-types", "shoal shoal-service"),
    ] {
        assert_eq!(directive(name), sources);
    }
    for loose in ["unsafe-inline", "'unsafe-eval'", "http:", "https:", "*", "data:", "blob:"] {
        assert!(!policy.contains(loose), "{loose} in {policy}");
    }
    // A worker's policy is that of its script, which must be able to start WebAssembly.
    let worker = server.http("GET", "/worker.js", "").await;
    let worker = worker.header("content-security-policy").unwrap();
    assert!(worker.contains("'wasm-unsafe-eval';"));
    assert!(worker.contains("require-trusted-types-for 'script'"));
}

#[tokio::test]
async fn every_answer_is_hardened() {
    let server = TestServer::start(Options::default());
    for path in ["/", "/nothing", "/healthz", "/metrics", "/ws"] {
        let answer = server.http("GET", path, "").await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} of {path}");
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(answer.header("permissions-policy").unwrap().contains("geolocation=()"));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[tokio::test]
async fn health_tells_the_version_and_the_load() {
    let server = TestServer::start(Options::default());
    let _member = server.join(common::ROOM).await;
    let answer = server.http("GET", "/healthz", "").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let health: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        health,
        serde_json::json!({ "status": "ok", "version": version, "rooms": 1, "sockets": 1 })
    );
}

#[test]
fn a_folder_without_a_page_is_refused_at_the_start() {
    let folder = folder_with(&[]);
    let options = Options { page: Some(folder.path().into()), ..Options::default() };
    let PageError::NotThere { path, .. } = Server::new(options).err().unwrap();
    assert_eq!(path, folder.path().join("index.html"));
}

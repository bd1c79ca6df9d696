//! What a browser's statistics say about a connection: the certificates in use and the path that
//! packets take (webrtc-stats). Reading only; browsers that leave something out give `None`.

use std::net::{IpAddr, Ipv6Addr};

use protocol::io::Fingerprint;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::RtcStatsReport;

use crate::api::PathKind;
use crate::connection::property;

/// The SHA-256 fingerprints of both certificates, ours first, as the transport uses them.
pub(crate) fn fingerprints(report: &RtcStatsReport) -> Option<([u8; 32], [u8; 32])> {
    let transport = transport(report)?;
    let fingerprint = |side: &str| {
        let certificate = by_id(report, &property(&transport, side))?;
        let algorithm = property(&certificate, "fingerprintAlgorithm").as_string()?;
        let text = property(&certificate, "fingerprint").as_string()?;
        let fingerprint: Fingerprint = text.parse().ok()?;
        algorithm.eq_ignore_ascii_case("sha-256").then_some(fingerprint.0)
    };
    Some((fingerprint("localCertificateId")?, fingerprint("remoteCertificateId")?))
}

/// The kind of the selected path, and its round trip in milliseconds.
pub(crate) fn path(report: &RtcStatsReport) -> Option<(PathKind, Option<f64>)> {
    let pair = transport(report)
        .and_then(|transport| by_id(report, &property(&transport, "selectedCandidatePairId")))
        .or_else(|| {
            // Firefox marks the pair itself.
            find(report, |entry| {
                kind_is(entry, "candidate-pair") && property(entry, "selected").is_truthy()
            })
        })?;
    let local = by_id(report, &property(&pair, "localCandidateId"))?;
    let remote = by_id(report, &property(&pair, "remoteCandidateId"))?;
    let end = |candidate: &JsValue| {
        let kind = property(candidate, "candidateType").as_string().unwrap_or_default();
        let address = property(candidate, "address").as_string();
        end_of_path(&kind, address.as_deref())
    };
    let kind = farther(end(&local), end(&remote));
    let round_trip = property(&pair, "currentRoundTripTime").as_f64().map(|seconds| seconds * 1e3);
    Some((kind, round_trip))
}

/// What one end's candidate says of the path.
fn end_of_path(kind: &str, address: Option<&str>) -> PathKind {
    match kind {
        "relay" => PathKind::Relayed,
        "host" => PathKind::Lan,
        // Learned from packets: inside a LAN where host names were hidden (mDNS), or behind an
        // address translation. Only the address tells, if it is shown.
        "prflx" if address.is_none_or(is_local) => PathKind::Lan,
        _ => PathKind::Direct,
    }
}

fn is_local(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => {
            v6.is_loopback() || v6.is_unique_local() || Ipv6Addr::is_unicast_link_local(&v6)
        }
        // Empty, or an mDNS name.
        Err(_) => true,
    }
}

fn farther(a: PathKind, b: PathKind) -> PathKind {
    match (a, b) {
        (PathKind::Relayed, _) | (_, PathKind::Relayed) => PathKind::Relayed,
        (PathKind::Direct, _) | (_, PathKind::Direct) => PathKind::Direct,
        (PathKind::Lan, PathKind::Lan) => PathKind::Lan,
    }
}

fn transport(report: &RtcStatsReport) -> Option<JsValue> {
    find(report, |entry| kind_is(entry, "transport"))
}

fn kind_is(entry: &JsValue, kind: &str) -> bool {
    property(entry, "type").as_string().as_deref() == Some(kind)
}

fn by_id(report: &RtcStatsReport, id: &JsValue) -> Option<JsValue> {
    let found = entries(report).get(id);
    found.is_object().then_some(found)
}

fn find(report: &RtcStatsReport, matches: impl Fn(&JsValue) -> bool) -> Option<JsValue> {
    entries(report).values().into_iter().filter_map(Result::ok).find(matches)
}

/// A report has the methods of a `Map`, though it is none.
fn entries(report: &RtcStatsReport) -> &js_sys::Map {
    report.unchecked_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_as_far_as_its_farther_end() {
        let path = |a, b| farther(end_of_path(a, Some("10.0.0.7")), end_of_path(b, None));
        assert_eq!(path("host", "host"), PathKind::Lan);
        assert_eq!(path("prflx", "host"), PathKind::Lan);
        assert_eq!(path("host", "srflx"), PathKind::Direct);
        assert_eq!(path("relay", "srflx"), PathKind::Relayed);
        assert_eq!(end_of_path("prflx", Some("203.0.113.9")), PathKind::Direct);
        assert_eq!(end_of_path("prflx", Some("fd00::1")), PathKind::Lan);
        assert_eq!(end_of_path("prflx", Some("")), PathKind::Lan);
    }
}

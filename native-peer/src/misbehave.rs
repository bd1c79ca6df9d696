//! Seams through which a test plays a peer that does not keep to the rules. Without the feature `misbehave`,
//! which is never part of a product, all of it does nothing.

use protocol::io::{ConnectionEvent, Transmit};
use rtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;

/// Changes a message before it is sent.
#[cfg(feature = "misbehave")]
pub type TamperWith = Box<dyn FnMut(&mut Transmit) + Send>;

/// May change what is sent.
pub(crate) struct Tamper {
    #[cfg(feature = "misbehave")]
    pub(crate) change: Option<TamperWith>,
}

impl Tamper {
    #[cfg_attr(
        not(feature = "misbehave"),
        expect(clippy::unused_self, clippy::needless_pass_by_ref_mut)
    )]
    pub(crate) fn apply(&mut self, _transmit: &mut Transmit) {
        #[cfg(feature = "misbehave")]
        if let Some(change) = &mut self.change {
            change(_transmit);
        }
    }
}

/// What a peer does wrong with the certificates of its connections.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(not(feature = "misbehave"), expect(unreachable_pub, reason = "public with the feature"))]
pub struct Certificates {
    /// It announces another certificate than it uses.
    #[cfg(feature = "misbehave")]
    pub announces_another: bool,
    /// It does not let the WebRTC library compare what is announced with what is used.
    #[cfg(feature = "misbehave")]
    pub unchecked: bool,
    /// It is the server of the DTLS handshake when it answers an offer, rather than the client.
    #[cfg(feature = "misbehave")]
    pub answers_as_server: bool,
}

#[cfg(not(feature = "misbehave"))]
impl Certificates {
    #[expect(clippy::unused_self)]
    pub(crate) fn announce(self, _event: &mut ConnectionEvent) {}

    #[expect(clippy::unused_self)]
    pub(crate) fn settings(self, settings: SettingEngineBuilder) -> SettingEngineBuilder {
        settings
    }
}

#[cfg(feature = "misbehave")]
impl Certificates {
    /// Changes the fingerprint in a description of ours.
    pub(crate) fn announce(self, event: &mut ConnectionEvent) {
        use protocol::io::Description;
        let ConnectionEvent::LocalDescription(description) = event else { return };
        let (Description::Offer(sdp) | Description::Answer(sdp)) = description;
        if !self.announces_another {
            return;
        }
        let changed = |line: &str| match line.strip_prefix("a=fingerprint:sha-256 ") {
            Some(value) => {
                let last = if value.ends_with("00") { "01" } else { "00" };
                format!("a=fingerprint:sha-256 {}{last}\r\n", &value[..value.len() - 2])
            }
            None => format!("{line}\r\n"),
        };
        *sdp = sdp.lines().map(changed).collect();
    }

    pub(crate) fn settings(self, settings: SettingEngineBuilder) -> SettingEngineBuilder {
        use rtc::peer_connection::transport::RTCDtlsRole;
        let settings = settings.with_disable_certificate_fingerprint_verification(self.unchecked);
        if self.answers_as_server {
            settings.with_answering_dtls_role(RTCDtlsRole::Server)
        } else {
            settings
        }
    }
}

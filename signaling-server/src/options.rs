//! What can be set about a server, with the reasons for the defaults.
//!
//! Memory is bounded by these: a socket that is idle costs some 8 KiB (docs/hosting.md has the
//! measurement), one in use at most [`MAX_CLIENT_MESSAGE_BYTES`] for what it sends, and what waits for
//! slow readers is at most `queued_bytes_total + max_sockets × queued_bytes_assured`.

use std::path::PathBuf;
use std::time::Duration;

use protocol::signaling::{MAX_CLIENT_MESSAGE_BYTES, MAX_ENVELOPE_BYTES};

use crate::ice::IceServers;

/// Everything that can be set about a server; the default is what the command does without flags.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much of everything.
    pub limits: Limits,
    /// How long everything.
    pub timeouts: Timeouts,
    /// STUN and TURN servers that newcomers are told to use; none by default.
    pub ice_servers: IceServers,
    /// Serve the page from this folder, read anew for every request, instead of the page inside the
    /// program. For development.
    pub page: Option<PathBuf>,
    /// Take a client's address from the last entry of `X-Forwarded-For`. Only behind a reverse proxy that
    /// sets it: otherwise clients choose their address, and with it escape the limits per address.
    pub trust_forwarded_for: bool,
}

/// How much a server, an address and a socket may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rooms with somebody in them.
    pub max_rooms: usize,
    /// Members of one room.
    pub max_members: usize,
    /// WebSockets.
    pub max_sockets: usize,
    /// WebSockets from one IPv4 address or IPv6 /64 network. A school behind one address is a use we want.
    pub max_sockets_per_address: usize,
    /// Connections beyond the WebSockets: for loading the page, and to tell a client it is refused.
    pub spare_connections: usize,
    /// The same, for one address. Browsers open six connections to load a page.
    pub spare_connections_per_address: usize,
    /// Messages that a socket may send at once. Entering a full room means a dozen for each of
    /// [`MAX_MEMBERS_TOLD`](protocol::signaling::MAX_MEMBERS_TOLD) members.
    pub message_burst: u32,
    /// Messages per second that a socket may send in the long run.
    pub messages_per_second: u32,
    /// Bytes that a socket may send at once.
    pub byte_burst: u32,
    /// Bytes per second that a socket may send in the long run. Far too few to relay files through us.
    pub bytes_per_second: u32,
    /// Nameplates of codes to be spoken, in use or at rest; at most 99 999 count.
    pub max_codes: usize,
    /// The same for what one address has offered. A class in one school is a use we want.
    pub max_codes_per_address: usize,
    /// Nameplates that an address may claim at once, be there codes behind them or not. Whoever claims one
    /// burns the code, so this is what keeps somebody from burning everybody's.
    pub claim_burst: u32,
    /// Nameplates per minute that an address may claim in the long run.
    pub claims_per_minute: u32,
    /// Messages that may wait for one slow reader.
    pub queued_messages: usize,
    /// Bytes that may wait for one slow reader.
    pub queued_bytes: usize,
    /// Bytes that may wait for one reader even when `queued_bytes_total` is used up.
    pub queued_bytes_assured: usize,
    /// Bytes that may wait for all readers together.
    pub queued_bytes_total: usize,
}

impl Limits {
    pub(crate) fn max_connections(&self) -> usize {
        self.max_sockets.saturating_add(self.spare_connections)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_rooms: 10_000,
            max_members: 512,
            max_sockets: 10_000,
            max_sockets_per_address: 256,
            spare_connections: 1_000,
            spare_connections_per_address: 64,
            message_burst: 1_024,
            messages_per_second: 64,
            byte_burst: 4 << 20,
            bytes_per_second: 64 << 10,
            max_codes: 10_000,
            max_codes_per_address: 64,
            claim_burst: 20,
            claims_per_minute: 10,
            queued_messages: 1_024,
            queued_bytes: 512 << 10,
            queued_bytes_assured: 2 * MAX_CLIENT_MESSAGE_BYTES,
            queued_bytes_total: 256 << 20,
        }
    }
}

/// How long a client may take, and how long we take.
#[derive(Clone, Debug)]
pub struct Timeouts {
    /// For the head of a request to arrive; also how long an unused connection is kept open.
    pub header: Duration,
    /// For a connection that did not become a WebSocket, however busy: a client that reads an answer a
    /// byte at a time holds a connection no longer than this.
    pub connection: Duration,
    /// For the first message on a WebSocket: `join`, `offer-code` or `claim-code`.
    pub join: Duration,
    /// Between pings to a WebSocket. One that was silent for a whole interval is taken for dead, as is
    /// one that accepts no byte of ours for that long. Proxies often close what is idle for 60 s.
    pub ping: Duration,
    /// For somebody to claim a code that was offered. It is said to be ten minutes at most, and clients hold
    /// to that.
    pub code_life: Duration,
    /// For the two who met by a code, to say what they have to.
    pub code_exchange: Duration,
    /// Before a nameplate is given out again, so that a code which was heard late leads nowhere.
    pub code_rest: Duration,
    /// For a client to take in why it is being dropped, and to close its side.
    pub goodbye: Duration,
    /// For everything to end at shutdown; what is left then is cut off.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            connection: Duration::from_secs(300),
            join: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            code_life: Duration::from_secs(600),
            code_exchange: Duration::from_secs(60),
            code_rest: Duration::from_secs(600),
            goodbye: Duration::from_secs(2),
            drain: Duration::from_secs(5),
        }
    }
}

/// The largest envelope's size in JSON: a message that cannot be read and is longer than this is
/// reported as too large.
pub(crate) const MAX_ENVELOPE_TEXT: usize = MAX_ENVELOPE_BYTES.div_ceil(3) * 4;

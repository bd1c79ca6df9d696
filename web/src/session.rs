//! The one room the page is in, or none: entering and leaving it, what people ask of it, and what it tells,
//! as signals that the views read. No view talks to the [`Peer`] itself.
//!
//! What people ask is in `requests` and `files`, what the peer tells and what is kept of that in `told`; here is
//! the rest: what there is to read, and how a room is entered and left.

mod files;
mod requests;
mod told;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_peer::api::{PieceMap, ServerState, ShareInfo, ShareState, State};
use wasm_peer::peer::Peer;
use web::front::drop::Chosen;
use web::front::{Front, Wish, browser, kept};
use web::invite;
use web::roster::Roster;
use web::text::text;
use web::usage::Usage;

use crate::chat::Talk;
use crate::preferences::{Preferences, without};
use crate::status;

/// What fills the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Home,
    /// On the way into a room.
    Entering {
        /// Whether we make it.
        ours: bool,
    },
    Room {
        /// Whether we made it just now: then passing the link on comes first.
        ours: bool,
    },
}

/// See the module. A handle: copies are the same session.
#[derive(Clone, Copy)]
pub(crate) struct Session {
    pub(crate) screen: RwSignal<Screen>,
    /// What the peer told last.
    pub(crate) state: RwSignal<Option<State>>,
    /// What the first screen has too.
    front: Front,
    /// The link to the room that takes the place of this one.
    pub(crate) new_room: RwSignal<Option<String>>,
    /// Something happened that a screen reader should say.
    pub(crate) announcement: RwSignal<String>,
    /// Whether to show the controls as soon as there is the button for them.
    pub(crate) settings_wanted: RwSignal<bool>,
    /// Shares being handed to the browser as a download.
    saving: RwSignal<HashSet<String>>,
    /// Shares for which people picked a folder, into which they are written once they are complete.
    into_folder: RwSignal<HashSet<String>>,
    /// Why what people last asked of a share failed.
    troubles: RwSignal<HashMap<String, String>>,
    /// A clock that ticks every second, for what waits, and when the state was told by it. Milliseconds.
    clock: RwSignal<f64>,
    told_ms: RwSignal<f64>,
    /// Since when we have been alone in the room, and since when the server has been as it is.
    alone_since_ms: RwSignal<Option<f64>>,
    server_since_ms: RwSignal<f64>,
    roster: RwSignal<Roster>,
    /// What is said in the room.
    pub(crate) talk: Talk,
    peer: StoredValue<Option<Peer>, LocalStorage>,
    callbacks: StoredValue<Option<Callbacks>, LocalStorage>,
    /// Counts the rooms, so that what answers late for an earlier one is not taken for this one.
    visit: StoredValue<u32>,
    /// Shares that save themselves once they are complete.
    save_when_complete: StoredValue<HashSet<String>>,
    uploads: RwSignal<Uploads>,
    /// Shares of ours that somebody has received, who may be gone by now.
    received: StoredValue<HashSet<String>>,
    /// Files that were chosen again for a share that waits for them, while some are still missing.
    chosen_again: StoredValue<HashMap<String, Vec<Chosen>>, LocalStorage>,
    /// What people set.
    pub(crate) preferences: RwSignal<Preferences>,
    /// The public keys of those from whom people disconnected, until they leave the room.
    shut: RwSignal<Vec<String>>,
    /// What was sent and received since the page was loaded, and in all.
    pub(crate) usage: RwSignal<Usage>,
    pub(crate) usage_in_all: RwSignal<Usage>,
    /// What of this room is in these figures.
    counted: StoredValue<Usage>,
    /// Whether the peer told something that is not noted in the list of rooms.
    to_note: StoredValue<bool>,
    /// Shares to go on with as soon as they are there.
    resume_when_there: StoredValue<HashSet<String>>,
}

/// What the peer calls; must live as long as it may.
struct Callbacks {
    _state: Closure<dyn FnMut(JsValue)>,
    _event: Closure<dyn FnMut(JsValue)>,
}

/// Whether anybody fetches from us.
#[derive(Clone, Copy)]
struct Uploads {
    bytes: u64,
    last_ms: f64,
}

impl Default for Uploads {
    fn default() -> Self {
        Self { bytes: 0, last_ms: f64::NEG_INFINITY }
    }
}

/// So long after the last byte sent somebody still counts as fetching.
const UPLOAD_RECENT_MS: f64 = 5_000.0;

/// Colours that `style/people.css` has for peers.
pub(crate) const TONES: usize = 6;

impl Session {
    pub(crate) fn new(front: Front) -> Self {
        let session = Self {
            screen: RwSignal::new(Screen::Home),
            state: RwSignal::new(None),
            front,
            new_room: RwSignal::new(None),
            announcement: RwSignal::new(String::new()),
            settings_wanted: RwSignal::new(false),
            saving: RwSignal::new(HashSet::new()),
            into_folder: RwSignal::new(HashSet::new()),
            troubles: RwSignal::new(HashMap::new()),
            clock: RwSignal::new(browser::now_ms()),
            told_ms: RwSignal::new(0.0),
            alone_since_ms: RwSignal::new(None),
            server_since_ms: RwSignal::new(0.0),
            roster: RwSignal::new(Roster::default()),
            talk: Talk::new(),
            peer: StoredValue::new_local(None),
            callbacks: StoredValue::new_local(None),
            visit: StoredValue::new(0),
            save_when_complete: StoredValue::new(HashSet::new()),
            uploads: RwSignal::new(Uploads::default()),
            received: StoredValue::new(HashSet::new()),
            chosen_again: StoredValue::new_local(HashMap::new()),
            preferences: RwSignal::new(Preferences::load()),
            shut: RwSignal::new(Vec::new()),
            usage: RwSignal::new(Usage::default()),
            usage_in_all: RwSignal::new(kept::load(kept::USAGE)),
            counted: StoredValue::new(Usage::default()),
            to_note: StoredValue::new(false),
            resume_when_there: StoredValue::new(HashSet::new()),
        };
        let tick = move || {
            session.clock.set(browser::now_ms());
            session.note_room();
        };
        set_interval(tick, Duration::from_secs(1));
        session
    }

    /// The session of this page.
    pub(crate) fn of_page() -> Self {
        expect_context()
    }

    // What views ask.

    /// The share with this id, while it is on the shelf.
    pub(crate) fn share_info(self, id: &str) -> Option<ShareInfo> {
        self.state.with(|state| {
            let share = state.as_ref()?.shares.iter().find(|share| share.id == id)?;
            Some(ShareInfo { title: text().title(&share.title, share.file_count), ..share.clone() })
        })
    }

    /// What to call a peer, so that it can be told from others of the same name.
    pub(crate) fn peer_name(self, id: &str) -> String {
        self.roster.with(|roster| match roster.name(id) {
            None | Some(("", _)) => text().someone.to_owned(),
            Some((name, 1)) => name.to_owned(),
            Some((name, number)) => (text().namesake)(name, number),
        })
    }

    pub(crate) fn invite_link(self) -> String {
        self.peer.with_value(|peer| peer.as_ref().map(Peer::invite_link)).unwrap_or_default()
    }

    /// Whether a share that is complete is on its way to where people keep it.
    pub(crate) fn is_saving(self, share: &ShareInfo) -> bool {
        self.saving.with(|saving| saving.contains(&share.id))
            || (!share.saved
                && share.error.is_none()
                && self.into_folder.with(|shares| shares.contains(&share.id)))
    }

    pub(crate) fn trouble(self, id: &str) -> Option<String> {
        self.troubles.with(|troubles| troubles.get(id).cloned())
    }

    /// A clock in milliseconds, which ticks every second and with every state.
    pub(crate) fn now_ms(self) -> f64 {
        self.clock.get()
    }

    /// When the state was told, by that clock.
    pub(crate) fn told_ms(self) -> f64 {
        self.told_ms.get()
    }

    /// How the pieces of a share stand, in at most so many cells; none once it is gone.
    pub(crate) async fn pieces(self, id: String, cells: u32) -> Option<PieceMap> {
        let peer = self.peer.get_value()?;
        let map = peer.pieces(id, cells).await.ok()?;
        serde_wasm_bindgen::from_value(map).ok()
    }

    /// Milliseconds since the state was told, by a clock that ticks.
    pub(crate) fn passed_ms(self) -> f64 {
        (self.clock.get() - self.told_ms.get()).max(0.0)
    }

    /// For how many milliseconds the server has been as it is.
    pub(crate) fn server_for_ms(self) -> f64 {
        (self.clock.get() - self.server_since_ms.get()).max(0.0)
    }

    /// For how many milliseconds we have been alone in the room, if we are.
    pub(crate) fn alone_for_ms(self) -> Option<f64> {
        self.alone_since_ms.get().map(|since| (self.clock.get() - since).max(0.0))
    }

    /// Whether bytes are on their way, in or out.
    pub(crate) fn is_moving(self) -> bool {
        let fetching = self.state.with(|state| {
            let mut shares = state.iter().flat_map(|state| &state.shares);
            shares.any(|share| status::is_moving(share.state) && share.waiting.is_none())
        });
        fetching || self.clock.get() - self.uploads.get().last_ms < UPLOAD_RECENT_MS
    }

    /// Which of the colours for peers is this one's.
    pub(crate) fn tone(self, peer: &str) -> usize {
        self.roster.with(|roster| roster.place(peer)).unwrap_or(0) % TONES
    }

    /// Whether closing the page now would cost somebody something.
    pub(crate) fn would_lose(self) -> bool {
        if self.front.adding.get_untracked().is_some() {
            return true;
        }
        let uploads = self.uploads.get_untracked();
        let recent = browser::now_ms() - uploads.last_ms < UPLOAD_RECENT_MS;
        let received = |id: &String| self.received.with_value(|received| received.contains(id));
        self.state.with_untracked(|state| {
            state.iter().flat_map(|state| &state.shares).any(|share| match share.state {
                ShareState::Shared => recent || !(share.origin_may_leave || received(&share.id)),
                ShareState::Opening | ShareState::Receiving | ShareState::Finishing => true,
                // Somebody fetches from the only copy that there is.
                ShareState::Complete => !share.saved || (recent && share.copies < 2.0),
                ShareState::Detached | ShareState::Available | ShareState::Failed => false,
            })
        })
    }

    /// Whether people disconnected from somebody.
    pub(crate) fn is_shut(self, public_key: &str) -> bool {
        self.shut.with(|shut| shut.iter().any(|key| key == public_key))
    }

    // Entering and leaving.

    /// Does what people want of the first screen, wherever they are.
    pub(crate) fn fulfil(self, wish: Wish) {
        match wish {
            Wish::Address => match browser::fragment() {
                fragment if fragment.is_empty() => {}
                fragment => self.join(invite::link(&browser::origin(), &fragment)),
            },
            Wish::Share(files) => self.share(files),
            Wish::Enter(invite, shares) => {
                self.join(invite);
                self.resume_when_there.update_value(|ids| ids.extend(shares));
            }
            Wish::Settings => self.settings_wanted.set(true),
        }
    }

    async fn make_room(self) -> bool {
        self.screen.set(Screen::Entering { ours: true });
        let visit = self.next_visit();
        self.entered(visit, Peer::create(self.options()).await, true)
    }

    fn next_visit(self) -> u32 {
        self.visit.update_value(|visit| *visit += 1);
        self.visit.get_value()
    }

    /// Takes the peer over, unless people went elsewhere meanwhile.
    fn entered(self, visit: u32, peer: Result<Peer, JsValue>, ours: bool) -> bool {
        let current = self.visit.get_value() == visit;
        match peer {
            Ok(peer) if current => {
                browser::set_fragment(Some(invite::fragment(&peer.invite_link())));
                self.listen(&peer);
                self.peer.set_value(Some(peer));
                // What was changed on the way in holds too.
                self.apply_policy();
                self.screen.set(Screen::Room { ours });
            }
            Ok(late) => spawn_local(async move { drop(late.leave().await) }),
            Err(error) if current => {
                self.screen.set(Screen::Home);
                self.complain(text().sentence(&browser::sentence(&error)));
            }
            Err(_) => {}
        }
        current && self.peer.with_value(Option::is_some)
    }

    fn listen(self, peer: &Peer) {
        let visit = self.visit.get_value();
        let current = move || self.visit.get_value() == visit;
        let on_state = Closure::<dyn FnMut(JsValue)>::new(move |value| {
            if let (true, Ok(state)) = (current(), serde_wasm_bindgen::from_value(value)) {
                self.handle_state(state);
            }
        });
        let on_event = Closure::<dyn FnMut(JsValue)>::new(move |value| {
            if let (true, Ok(event)) = (current(), serde_wasm_bindgen::from_value(value)) {
                self.handle_event(event);
            }
        });
        peer.on_state(Some(on_state.as_ref().unchecked_ref::<js_sys::Function>().clone()));
        peer.on_event(Some(on_event.as_ref().unchecked_ref::<js_sys::Function>().clone()));
        self.callbacks.set_value(Some(Callbacks { _state: on_state, _event: on_event }));
    }

    /// Lets go of the room, if there is one.
    fn end(self) {
        self.note_room();
        self.next_visit();
        let Some(peer) = self.peer.try_update_value(Option::take).flatten() else { return };
        peer.on_state(None);
        peer.on_event(None);
        // We may be called from within one of them.
        let callbacks = self.callbacks.try_update_value(Option::take);
        spawn_local(async move {
            // It fails only if the worker has ended already, which is what we want.
            let _ = peer.leave().await;
            drop(callbacks);
        });
        self.state.set(None);
        self.new_room.set(None);
        self.front.adding.set(None);
        self.saving.update(HashSet::clear);
        self.into_folder.update(HashSet::clear);
        self.troubles.update(HashMap::clear);
        self.alone_since_ms.set(None);
        self.roster.set(Roster::default());
        self.talk.clear();
        self.save_when_complete.update_value(HashSet::clear);
        self.uploads.set(Uploads::default());
        self.received.update_value(HashSet::clear);
        self.chosen_again.update_value(HashMap::clear);
        self.shut.update(Vec::clear);
        self.counted.set_value(Usage::default());
        self.resume_when_there.update_value(HashSet::clear);
    }

    fn options(self) -> JsValue {
        let options = self.preferences.with_untracked(Preferences::options);
        serde_wasm_bindgen::to_value(&options).unwrap_or_default()
    }

    /// Puts in force what people set.
    fn apply_policy(self) {
        let policy = self
            .preferences
            .with_untracked(|it| self.shut.with_untracked(|shut| without(&it.policy, shut)));
        self.ask(async move |peer| peer.set_policy(serde_wasm_bindgen::to_value(&policy)?).await);
    }

    /// Asks the peer for something of which only a failure is to be told; the rest shows in the state.
    fn ask(self, request: impl AsyncFnOnce(Peer) -> Result<(), JsValue> + 'static) {
        let Some(peer) = self.peer.get_value() else { return };
        spawn_local(async move {
            if let Err(error) = request(peer).await {
                self.complain(text().sentence(&browser::sentence(&error)));
            }
        });
    }

    /// The same for something about a share: a failure is told where the share stands.
    fn ask_about(
        self,
        id: String,
        request: impl AsyncFnOnce(Peer) -> Result<(), JsValue> + 'static,
    ) {
        let Some(peer) = self.peer.get_value() else { return };
        spawn_local(async move {
            if let Err(error) = request(peer).await {
                self.tell_trouble(id, text().sentence(&browser::sentence(&error)));
            }
        });
    }

    fn tell_trouble(self, id: String, sentence: String) {
        self.troubles.update(|troubles| {
            troubles.insert(id, sentence);
        });
    }

    fn forget_trouble(self, id: &str) {
        self.troubles.update(|troubles| {
            troubles.remove(id);
        });
    }
}

/// The connection to the server, while in a room.
pub(crate) fn server_state(session: Session) -> Memo<Option<ServerState>> {
    Memo::new(move |_| session.state.with(|state| state.as_ref().map(|state| state.server)))
}

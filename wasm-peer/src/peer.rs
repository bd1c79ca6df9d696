//! One room as the window holds it: the class that embedders use, from Rust and JavaScript alike.
//!
//! It starts the worker, passes calls and answers, and lets [`Broker`] make the connections. The core,
//! the channels and the files are the worker's ([`crate::driver`]); how things look is the embedder's.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use futures_channel::oneshot;
use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{
    Blob, ErrorEvent, FileSystemDirectoryHandle, HtmlAnchorElement, MessageEvent,
    PageTransitionEvent, Storage, Url, Window, Worker,
};

use crate::api::{
    DEFAULT_WORKER_URL, EventKind, PeerEvent, PeerOptions, Person, Policy, SharedFile,
};
use crate::connection::Broker;
use crate::wire::{self, Command, ToWindow, ToWorker};
use crate::{error, handles, trusted};

/// How long the address of a saved blob stays valid, in milliseconds. The browser needs it only until
/// the download has begun; until then people may be asked where to put it.
const SAVED_URL_KEPT_MS: i32 = 600_000;

/// Where the window's session keeps the names of the stores that this tab had, the last one first. It
/// survives a reload, and ends with the tab.
const STORES: &str = "shoal-stores";
/// So many are remembered: one for each room that people may go back to.
const MAX_STORES: usize = 16;

/// A peer in one room. Clones are the same peer.
///
/// Dropping the last clone (`free()` in JavaScript) ends it without a goodbye; [`Peer::leave`] says one.
#[wasm_bindgen]
#[derive(Clone)]
pub struct Peer(Rc<Inner>);

struct Inner {
    worker: Worker,
    broker: Broker,
    calls: RefCell<BTreeMap<u32, oneshot::Sender<Result<JsValue, String>>>>,
    next_call: Cell<u32>,
    ready: RefCell<Option<oneshot::Sender<Result<(), String>>>>,
    /// Why there is no worker any more.
    ended: RefCell<Option<String>>,
    invite_link: RefCell<String>,
    /// The name of the worker's store; none in memory.
    store: RefCell<Option<String>>,
    state: RefCell<JsValue>,
    on_state: RefCell<Option<Function>>,
    on_event: RefCell<Option<Function>>,
    handlers: RefCell<Option<Handlers>>,
}

/// What the browser calls; dropped with the peer.
struct Handlers {
    message: Closure<dyn FnMut(MessageEvent)>,
    error: Closure<dyn FnMut(ErrorEvent)>,
    page_hide: Closure<dyn FnMut(PageTransitionEvent)>,
}

#[wasm_bindgen]
impl Peer {
    /// Makes a new room with a fresh secret, and enters it.
    ///
    /// # Errors
    /// An `Error` with a sentence for people if the worker cannot be started.
    pub async fn create(
        #[wasm_bindgen(unchecked_optional_param_type = "PeerOptions")] options: JsValue,
    ) -> Result<Peer, JsValue> {
        Self::start(None, &options).await
    }

    /// Enters the room that an invite leads to: a link, or a code to be spoken that was made at the server
    /// of `options`. A code is used up by that, be it right or wrong.
    ///
    /// # Errors
    /// An `Error` with a sentence for people if the invite is bad or the worker cannot be started.
    pub async fn join(
        invite: String,
        #[wasm_bindgen(unchecked_optional_param_type = "PeerOptions")] options: JsValue,
    ) -> Result<Peer, JsValue> {
        Self::start(Some(invite), &options).await
    }

    /// The link that lets others in. Whoever has it can enter.
    #[wasm_bindgen(getter, js_name = inviteLink)]
    pub fn invite_link(&self) -> String {
        self.0.invite_link.borrow().clone()
    }

    /// Puts files into the room; resolves with the share's id as soon as names and sizes are known.
    /// The files must stay as they are.
    ///
    /// # Errors
    /// An `Error` with a sentence for people if they cannot be shared.
    pub async fn share(
        &self,
        #[wasm_bindgen(unchecked_param_type = "SharedFile[]")] files: JsValue,
    ) -> Result<String, JsValue> {
        let files: Vec<SharedFile> = parse(files)?;
        let share = self.0.call(Command::Share { files }).await?;
        Ok(share.as_string().unwrap_or_default())
    }

    /// Fetches a share, or tries again after a failure. With a directory the finished files are
    /// written there; without, they are kept until [`Peer::save`].
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn receive(
        &self,
        share: String,
        directory: Option<FileSystemDirectoryHandle>,
    ) -> Result<(), JsValue> {
        self.0.call(Command::Receive { share, directory }).await.map(drop)
    }

    /// Stops fetching a share; `discard` erases what came of it.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn stop(&self, share: String, discard: bool) -> Result<(), JsValue> {
        self.0.call(Command::Stop { share, discard }).await.map(drop)
    }

    /// Withdraws a share of ours.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn unshare(&self, share: String) -> Result<(), JsValue> {
        self.0.call(Command::Unshare { share }).await.map(drop)
    }

    /// Goes on sharing a share of ours that is `detached` with access `permission`: asks for permission to
    /// read the files that are remembered. To be called from a click, as browsers ask only then.
    ///
    /// # Errors
    /// An `Error` if permission is not given, or with the names of files that are missing or changed.
    pub async fn reattach(&self, share: String) -> Result<(), JsValue> {
        let store = self.0.store.borrow().clone();
        let handles = match store {
            Some(store) => handles::recall(&store, &share).await,
            None => None,
        };
        let handles = handles.ok_or_else(|| {
            error::to_js("this browser does not remember the files; choose them again")
        })?;
        if !handles::are_readable(&handles, true).await {
            return Err(error::to_js(
                "the files may not be read; allow it when the browser asks, or choose them again",
            ));
        }
        let files = handles::files(&handles).await;
        self.0.call(Command::Reattach { share, files }).await.map(drop)
    }

    /// Goes on sharing a share of ours that is `detached`, with the same files chosen again. They are
    /// recognised by their paths, or by their names where only one file has it.
    ///
    /// # Errors
    /// An `Error` with the names of files that are missing or changed.
    #[wasm_bindgen(js_name = reattachFiles)]
    pub async fn reattach_files(
        &self,
        share: String,
        #[wasm_bindgen(unchecked_param_type = "SharedFile[]")] files: JsValue,
    ) -> Result<(), JsValue> {
        let files: Vec<SharedFile> = parse(files)?;
        self.0.call(Command::ReattachFiles { share, files }).await.map(drop)
    }

    /// Trusts or avoids somebody from now on, in all rooms of this browser; `"neutral"` forgets them. `name`
    /// is what the user calls them.
    ///
    /// # Errors
    /// An `Error` if it is no public key.
    #[wasm_bindgen(js_name = setStanding)]
    pub async fn set_standing(
        &self,
        public_key: String,
        #[wasm_bindgen(unchecked_param_type = "Standing")] standing: JsValue,
        name: String,
    ) -> Result<(), JsValue> {
        let standing = parse(standing)?;
        self.0.call(Command::SetStanding(Person { public_key, standing, name })).await.map(drop)
    }

    /// Locks the room, so that only those are let in who have been here, or opens it again.
    ///
    /// # Errors
    /// An `Error` if somebody else made the room.
    #[wasm_bindgen(js_name = setLocked)]
    pub async fn set_locked(&self, locked: bool) -> Result<(), JsValue> {
        self.0.call(Command::SetLocked { locked }).await.map(drop)
    }

    /// Makes a room that is to take the place of this one, tells everybody connected of it but those with
    /// these public keys, and resolves with its link. To go on there, leave this one and enter it.
    ///
    /// # Errors
    /// An `Error` if somebody else made the room.
    #[wasm_bindgen(js_name = startAnew)]
    pub async fn start_anew(&self, without: Vec<String>) -> Result<String, JsValue> {
        let link = self.0.call(Command::StartAnew { without }).await?;
        Ok(link.as_string().unwrap_or_default())
    }

    /// Says something to the room: to everybody who is there, and to whoever comes soon. At most 16 KiB.
    ///
    /// # Errors
    /// An `Error` if there is nothing to say, or too much at once, or chat is switched off.
    pub async fn say(&self, text: String) -> Result<(), JsValue> {
        self.0.call(Command::Say { text }).await.map(drop)
    }

    /// Tries to reach the server now, if it is lost.
    ///
    /// # Errors
    /// An `Error` if the worker has ended.
    #[wasm_bindgen(js_name = retryServer)]
    pub async fn retry_server(&self) -> Result<(), JsValue> {
        self.0.call(Command::RetryServer).await.map(drop)
    }

    /// A complete share as something to save: its file, or a ZIP of its files and directories. Only
    /// small files of a ZIP are read and copied for it.
    ///
    /// # Errors
    /// An `Error` if the share is not complete, or gone; of one file, if that is not.
    #[wasm_bindgen(unchecked_return_type = "SaveableBlob")]
    pub async fn blob(&self, share: String, file: Option<u32>) -> Result<JsValue, JsValue> {
        self.0.call(Command::Blob { share, file }).await
    }

    /// Hands [`Peer::blob`] to the browser as a download. Without a file it marks the share saved.
    ///
    /// # Errors
    /// An `Error` if the share is not complete; of one file, if that is not.
    pub async fn save(&self, share: String, file: Option<u32>) -> Result<(), JsValue> {
        let saveable = self.0.call(Command::Blob { share: share.clone(), file }).await?;
        let blob: Blob = Reflect::get(&saveable, &"blob".into())?.unchecked_into();
        let name = Reflect::get(&saveable, &"name".into())?.as_string().unwrap_or_default();
        download(&blob, &name)?;
        match file {
            Some(_) => Ok(()),
            None => self.0.call(Command::Saved { share }).await.map(drop),
        }
    }

    /// The files of a share. Their places in it are what other calls name them by.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    #[wasm_bindgen(unchecked_return_type = "FileList")]
    pub async fn files(&self, share: String) -> Result<JsValue, JsValue> {
        self.0.call(Command::Files { share }).await
    }

    /// Looks at some files of a share, by their places in [`Peer::files`]: their hashes, and how much of
    /// them is here.
    ///
    /// # Errors
    /// An `Error` if there is no such share, or file.
    #[wasm_bindgen(unchecked_return_type = "FileDetail[]")]
    pub async fn look(&self, share: String, files: Vec<u32>) -> Result<JsValue, JsValue> {
        self.0.call(Command::Look { share, files }).await
    }

    /// Looks for shares in whose title, and for files in whose path, all words of `text` occur, be it in
    /// small or capital letters. A later search ends this one: then nothing is found.
    ///
    /// # Errors
    /// An `Error` if the worker has ended.
    #[wasm_bindgen(unchecked_return_type = "Found[]")]
    pub async fn search(&self, text: String) -> Result<JsValue, JsValue> {
        self.0.call(Command::Search { text }).await
    }

    /// Chooses which files of a share are wanted and how urgently; before, all are. More can be wanted
    /// at any time, even when what was wanted is complete. It is remembered across a reload, like
    /// [`Peer::set_priority`] and [`Peer::set_serving`].
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn select(
        &self,
        share: String,
        #[wasm_bindgen(unchecked_param_type = "Selection")] selection: JsValue,
    ) -> Result<(), JsValue> {
        let selection = parse(selection)?;
        self.0.call(Command::Select { share, selection }).await.map(drop)
    }

    /// Asks for no more of a share until [`Peer::resume`]; what is here is served on.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn pause(&self, share: String) -> Result<(), JsValue> {
        self.0.call(Command::SetPaused { share, paused: true }).await.map(drop)
    }

    /// Goes on where [`Peer::pause`] stopped.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    pub async fn resume(&self, share: String) -> Result<(), JsValue> {
        self.0.call(Command::SetPaused { share, paused: false }).await.map(drop)
    }

    /// How urgent a share is among several.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    #[wasm_bindgen(js_name = setPriority)]
    pub async fn set_priority(
        &self,
        share: String,
        #[wasm_bindgen(unchecked_param_type = "Priority")] priority: JsValue,
    ) -> Result<(), JsValue> {
        let priority = parse(priority)?;
        self.0.call(Command::SetPriority { share, priority }).await.map(drop)
    }

    /// Whether a share, ours or received, is served to others.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    #[wasm_bindgen(js_name = setServing)]
    pub async fn set_serving(&self, share: String, serve: bool) -> Result<(), JsValue> {
        self.0.call(Command::SetServing { share, serve }).await.map(drop)
    }

    /// How the pieces of a share stand, in at most so many cells: to be drawn. Cheap enough to be asked for
    /// with every state.
    ///
    /// # Errors
    /// An `Error` if there is no such share.
    #[wasm_bindgen(unchecked_return_type = "PieceMap")]
    pub async fn pieces(&self, share: String, cells: u32) -> Result<JsValue, JsValue> {
        self.0.call(Command::Pieces { share, cells }).await
    }

    /// Makes a code to be spoken, such as `4-brave-otter-lamp`, in place of the one before: good for one
    /// guest and ten minutes. It shows in [`State::code`](crate::api::State::code), and so does what
    /// becomes of it.
    ///
    /// # Errors
    /// An `Error` if the worker has ended.
    #[wasm_bindgen(js_name = offerCode)]
    pub async fn offer_code(&self) -> Result<(), JsValue> {
        self.0.call(Command::OfferCode).await.map(drop)
    }

    /// Takes the code back: nobody can use it any more.
    ///
    /// # Errors
    /// An `Error` if the worker has ended.
    #[wasm_bindgen(js_name = withdrawCode)]
    pub async fn withdraw_code(&self) -> Result<(), JsValue> {
        self.0.call(Command::WithdrawCode).await.map(drop)
    }

    /// Puts another policy in force, at once; what it leaves out is as usual.
    ///
    /// # Errors
    /// An `Error` if it is none.
    #[wasm_bindgen(js_name = setPolicy)]
    pub async fn set_policy(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Policy")] policy: JsValue,
    ) -> Result<(), JsValue> {
        let policy: Policy = parse(policy)?;
        self.0.call(Command::SetPolicy(Box::new(policy))).await.map(drop)
    }

    /// Says goodbye to everyone and lets go of everything. The peer is of no use afterwards.
    ///
    /// # Errors
    /// An `Error` if the worker had ended already.
    pub async fn leave(&self) -> Result<(), JsValue> {
        let left = self.0.call(Command::Leave).await.map(drop);
        self.0.end("you left the room");
        left
    }

    /// Calls back with the state at most four times a second while something changes, and once now if
    /// there is one already. `undefined` stops that.
    #[wasm_bindgen(js_name = onState)]
    pub fn on_state(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "(state: State) => void")] callback: Option<
            Function,
        >,
    ) {
        self.0.on_state.replace(callback);
        self.0.tell_state();
    }

    /// Calls back with everything that happens. `undefined` stops that.
    #[wasm_bindgen(js_name = onEvent)]
    pub fn on_event(
        &self,
        #[wasm_bindgen(unchecked_optional_param_type = "(event: PeerEvent) => void")]
        callback: Option<Function>,
    ) {
        self.0.on_event.replace(callback);
    }
}

impl Peer {
    async fn start(link: Option<String>, options: &JsValue) -> Result<Self, JsValue> {
        let mut options: PeerOptions = if options.is_undefined() || options.is_null() {
            PeerOptions::default()
        } else {
            parse(options.clone())?
        };
        if options.server.is_none() {
            options.server = Some(window().location().origin()?);
        }
        let inner = Inner::new(options.worker_url.as_deref().unwrap_or(DEFAULT_WORKER_URL))?;
        let (sender, ready) = oneshot::channel();
        inner.ready.replace(Some(sender));
        match ready.await {
            Ok(Ok(())) => {}
            Ok(Err(sentence)) => return Err(error::to_js(&sentence)),
            Err(oneshot::Canceled) => return Err(error::to_js("the peer was dropped")),
        }
        let (options, stores) = (Box::new(options), remembered_stores());
        let started = inner.call(Command::Start { link, options, stores }).await?;
        let wire::Started { invite_link, store } = parse(started)?;
        if let Some(store) = &store {
            remember_store(store);
        }
        inner.invite_link.replace(invite_link);
        inner.store.replace(store);
        Ok(Self(inner))
    }
}

impl Inner {
    fn new(worker_url: &str) -> Result<Rc<Self>, JsValue> {
        let worker = trusted::worker(worker_url)?;
        let post = worker.clone();
        let broker = Broker::new(Rc::new(move |connection, report, transfer: &Array| {
            let message = wire::to_js(&ToWorker::Connection { connection, report });
            post.post_message_with_transfer(&message, transfer)
        }));
        let inner = Rc::new(Self {
            worker,
            broker,
            calls: RefCell::default(),
            next_call: Cell::new(0),
            ready: RefCell::default(),
            ended: RefCell::default(),
            invite_link: RefCell::default(),
            store: RefCell::default(),
            state: RefCell::new(JsValue::UNDEFINED),
            on_state: RefCell::default(),
            on_event: RefCell::default(),
            handlers: RefCell::default(),
        });
        let handlers = Handlers::new(&Rc::downgrade(&inner));
        inner.worker.set_onmessage(Some(handlers.message.as_ref().unchecked_ref()));
        inner.worker.set_onerror(Some(handlers.error.as_ref().unchecked_ref()));
        let page_hide = handlers.page_hide.as_ref().unchecked_ref();
        window().add_event_listener_with_callback("pagehide", page_hide)?;
        inner.handlers.replace(Some(handlers));
        Ok(inner)
    }

    async fn call(&self, command: Command) -> Result<JsValue, JsValue> {
        if let Some(reason) = &*self.ended.borrow() {
            return Err(error::to_js(reason));
        }
        let call = self.next_call.get();
        self.next_call.set(call.wrapping_add(1));
        let (sender, answer) = oneshot::channel();
        self.calls.borrow_mut().insert(call, sender);
        self.worker.post_message(&wire::to_js(&ToWorker::Call { call, command }))?;
        match answer.await {
            Ok(answer) => answer.map_err(|sentence| error::to_js(&sentence)),
            Err(oneshot::Canceled) => Err(error::to_js("the peer was dropped")),
        }
    }

    fn handle(&self, message: JsValue) {
        let message = match serde_wasm_bindgen::from_value(message) {
            Ok(message) => message,
            Err(error) => return self.crashed(&error.to_string()),
        };
        match message {
            ToWindow::Ready => {
                if let Some(ready) = self.ready.take() {
                    // Nobody waits any more if the peer was dropped meanwhile.
                    let _ = ready.send(Ok(()));
                }
            }
            ToWindow::Reply { call, error, value } => {
                let answer = error.map_or(Ok(value), Err);
                if let Some(sender) = self.calls.borrow_mut().remove(&call) {
                    let _ = sender.send(answer);
                }
            }
            ToWindow::State(state) => {
                self.state.replace(state);
                self.tell_state();
            }
            ToWindow::Event(event) => self.tell_event(&event),
            ToWindow::Connection { connection, request } => {
                self.broker.handle(connection, request);
            }
            ToWindow::Crashed { message } => self.crashed(&message),
        }
    }

    fn tell_state(&self) {
        let (callback, state) = (self.on_state.borrow().clone(), self.state.borrow().clone());
        if let (Some(callback), false) = (callback, state.is_undefined()) {
            tell(&callback, &state);
        }
    }

    fn tell_event(&self, event: &PeerEvent) {
        let callback = self.on_event.borrow().clone();
        if let Some(callback) = callback {
            tell(&callback, &wire::to_js(event));
        }
    }

    fn crashed(&self, cause: &str) {
        let starting = self.ready.borrow().is_some();
        let what = if starting { "could not start" } else { "has stopped" };
        let sentence = format!("Shoal {what}; reload the page to try again ({cause})");
        let told = self.ended.borrow().is_some();
        self.end(&sentence);
        if !told {
            self.tell_event(&PeerEvent {
                kind: EventKind::Failed,
                share: None,
                peer: None,
                name: None,
                message: Some(sentence),
                link: None,
                line: None,
            });
        }
    }

    /// Ends the worker and all connections, and answers every call with the reason.
    fn end(&self, reason: &str) {
        self.ended.borrow_mut().get_or_insert_with(|| reason.to_owned());
        self.broker.close_all();
        self.worker.terminate();
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Err(reason.to_owned()));
        }
        for sender in self.calls.take().into_values() {
            let _ = sender.send(Err(reason.to_owned()));
        }
    }
}

impl Handlers {
    fn new(inner: &Weak<Inner>) -> Self {
        let (for_message, for_error, for_hide) = (inner.clone(), inner.clone(), inner.clone());
        Self {
            message: Closure::new(move |event: MessageEvent| {
                if let Some(inner) = for_message.upgrade() {
                    inner.handle(event.data());
                }
            }),
            error: Closure::new(move |event: ErrorEvent| {
                if let Some(inner) = for_error.upgrade() {
                    // A script that cannot be fetched gives a plain event without a message.
                    let message = Reflect::get(&event, &"message".into()).ok();
                    let message = message.and_then(|message| message.as_string());
                    inner.crashed(message.as_deref().unwrap_or("its worker could not be loaded"));
                }
            }),
            page_hide: Closure::new(move |event: PageTransitionEvent| {
                // A page that the browser keeps may come back; the others get a goodbye if it can
                // still be sent.
                if let (Some(inner), false) = (for_hide.upgrade(), event.persisted()) {
                    let leave = ToWorker::Call { call: u32::MAX, command: Command::Leave };
                    let _ = inner.worker.post_message(&wire::to_js(&leave));
                }
            }),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        if let Some(handlers) = self.handlers.take() {
            let page_hide = handlers.page_hide.as_ref().unchecked_ref();
            let _ = window().remove_event_listener_with_callback("pagehide", page_hide);
        }
        self.end("the peer was dropped");
    }
}

fn remembered_stores() -> Vec<String> {
    let stores = session().and_then(|session| session.get_item(STORES).ok()?);
    stores.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn remember_store(store: &str) {
    let mut stores = remembered_stores();
    stores.retain(|name| name != store);
    stores.insert(0, store.to_owned());
    stores.truncate(MAX_STORES);
    if let Some(session) = session() {
        // Without, a reloaded tab takes a store that nobody holds, and that is most often the same.
        let _ = session.set_item(STORES, &stores.join(" "));
    }
}

/// The window's session, where the browser grants one.
fn session() -> Option<Storage> {
    window().session_storage().ok()?
}

/// Starts a download.
fn download(blob: &Blob, name: &str) -> Result<(), JsValue> {
    let url = Url::create_object_url_with_blob(blob)?;
    let document = window().document().expect("a window has a document");
    let anchor: HtmlAnchorElement = document.create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    let revoke = Closure::once_into_js(move || {
        let _ = Url::revoke_object_url(&url);
    });
    window().set_timeout_with_callback_and_timeout_and_arguments_0(
        revoke.unchecked_ref(),
        SAVED_URL_KEPT_MS,
    )?;
    Ok(())
}

/// What an embedder's callback throws is shown in the console and goes no further.
fn tell(callback: &Function, value: &JsValue) {
    if let Err(thrown) = callback.call1(&JsValue::UNDEFINED, value) {
        web_sys::console::error_1(&thrown);
    }
}

fn parse<T: serde::de::DeserializeOwned>(value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(JsValue::from)
}

fn window() -> Window {
    web_sys::window().expect("a peer is made by a window")
}

//! What people ask of the room, but for single files (`files`).

use std::collections::HashSet;

use js_sys::Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_peer::api::Standing;
use wasm_peer::peer::Peer;
use web::front::drop::Chosen;
use web::front::{Adding, browser, kept};
use web::text::text;
use web::usage::Usage;
use web_sys::FileSystemDirectoryHandle;

use super::{Screen, Session};
use crate::notify;
use crate::preferences::Preferences;

impl Session {
    /// Shares files, in a new room if we are in none; see [`Wish::Share`](web::front::Wish::Share).
    pub(super) fn share(self, files: Array) {
        self.front.adding.set(Some(Adding::Sharing(files.length() as usize)));
        spawn_local(async move {
            let visit = self.visit.get_value();
            if self.peer.with_value(Option::is_none) && !self.make_room().await {
                self.front.adding.set(None);
                return;
            }
            if let Some(peer) = self.peer.get_value()
                && let Err(error) = peer.share(files.into()).await
            {
                self.complain((text().not_added)(&browser::sentence(&error)));
            }
            if self.visit.get_value() <= visit + 1 {
                self.front.adding.set(None);
            }
        });
    }

    /// Enters the room of an invite, be it a link or a code, out of any other.
    pub(crate) fn join(self, invite: String) {
        self.end();
        self.front.notice.set(None);
        self.screen.set(Screen::Entering { ours: false });
        spawn_local(async move {
            let visit = self.next_visit();
            self.entered(visit, Peer::join(invite, self.options()).await, false);
        });
    }

    /// Leaves the room and forgets its invite.
    pub(crate) fn leave(self) {
        self.end();
        browser::set_fragment(None);
        self.front.notice.set(None);
        self.screen.set(Screen::Home);
    }

    /// Fetches a share. Without a directory it saves itself as a download once it is complete.
    pub(crate) fn receive(self, id: String, directory: Option<FileSystemDirectoryHandle>) {
        self.forget_trouble(&id);
        let change = |ids: &mut HashSet<String>, member: bool| {
            if member {
                ids.insert(id.clone())
            } else {
                ids.remove(&id)
            };
        };
        self.save_when_complete.update_value(|ids| change(ids, directory.is_none()));
        self.into_folder.update(|ids| change(ids, directory.is_some()));
        self.ask(async move |peer| peer.receive(id, directory).await);
    }

    /// Stops fetching; what is here stays for the next time, unless it is to be erased.
    pub(crate) fn stop(self, id: String, erase: bool) {
        self.save_when_complete.update_value(|ids| {
            ids.remove(&id);
        });
        self.ask(async move |peer| peer.stop(id, erase).await);
    }

    /// Asks for no more of a share until [`Session::resume`].
    pub(crate) fn pause(self, id: String) {
        self.ask(async move |peer| peer.pause(id).await);
    }

    /// Goes on with a share that was paused, or tries at once what is waited for.
    pub(crate) fn resume(self, id: String) {
        self.ask(async move |peer| peer.resume(id).await);
    }

    /// Tries to reach the server now.
    pub(crate) fn retry_server(self) {
        self.ask(async move |peer| peer.retry_server().await);
    }

    /// Says something to the room.
    pub(crate) async fn say(self, said: String) -> Result<(), JsValue> {
        match self.peer.get_value() {
            Some(peer) => peer.say(said).await,
            None => Ok(()),
        }
    }

    /// Makes a code to be spoken, in place of the one before.
    pub(crate) fn offer_code(self) {
        self.ask(async move |peer| peer.offer_code().await);
    }

    /// Takes the code back.
    pub(crate) fn withdraw_code(self) {
        self.ask(async move |peer| peer.withdraw_code().await);
    }

    /// Goes on sharing files that the browser remembers, if people permit it. To be called from a click.
    pub(crate) fn allow_access(self, id: String) {
        self.forget_trouble(&id);
        self.ask_about(id.clone(), async move |peer| peer.reattach(id).await);
    }

    /// Goes on sharing with the same files, chosen again, all at once or some after others.
    pub(crate) fn choose_again(self, id: String, files: Vec<Chosen>) {
        self.forget_trouble(&id);
        let chosen = self.chosen_again.try_update_value(|chosen| {
            let chosen = chosen.entry(id.clone()).or_default();
            chosen.retain(|before| files.iter().all(|file| file.path != before.path));
            chosen.extend(files);
            chosen.iter().map(Chosen::to_js).collect::<Array>()
        });
        self.ask_about(id.clone(), async move |peer| {
            let chosen = chosen.expect("the session lives as long as the page");
            peer.reattach_files(id.clone(), chosen.into()).await?;
            self.chosen_again.update_value(|chosen| {
                chosen.remove(&id);
            });
            Ok(())
        });
    }

    /// Trusts or avoids somebody from now on, in all rooms.
    pub(crate) fn set_standing(self, public_key: String, standing: Standing, name: String) {
        self.ask(async move |peer| {
            peer.set_standing(public_key, serde_wasm_bindgen::to_value(&standing)?, name).await
        });
    }

    /// Lets nobody new in, or everybody with the link again.
    pub(crate) fn set_locked(self, locked: bool) {
        self.ask(async move |peer| peer.set_locked(locked).await);
    }

    /// Starts the room anew without some, and goes there.
    pub(crate) fn start_anew(self, without: Vec<String>) {
        self.ask(async move |peer| {
            let link = peer.start_anew(without).await?;
            self.join(link);
            Ok(())
        });
    }

    /// Changes what people set; it is kept, and holds at once.
    pub(crate) fn prefer(self, change: impl FnOnce(&mut Preferences)) {
        let before = self.preferences.with_untracked(|it| it.policy.clone());
        self.preferences.update(change);
        self.preferences.with_untracked(Preferences::keep);
        if self.preferences.with_untracked(|it| it.policy != before) {
            self.apply_policy();
        }
    }

    /// Disconnects from somebody for as long as we are in this room, or lets them connect again.
    pub(crate) fn set_shut(self, public_key: String, shut: bool) {
        self.shut.update(|keys| {
            keys.retain(|key| *key != public_key);
            if shut {
                keys.push(public_key);
            }
        });
        self.apply_policy();
    }

    /// Counts what is sent and received from nothing on.
    pub(crate) fn forget_usage(self) {
        self.usage.set(Usage::default());
        self.usage_in_all.set(Usage::default());
        kept::keep(kept::USAGE, &Usage::default());
    }

    /// Withdraws a share of ours.
    pub(crate) fn unshare(self, id: String) {
        self.ask(async move |peer| peer.unshare(id).await);
    }

    /// Hands a complete share to the browser as a download.
    pub(crate) fn save(self, id: String) {
        if !self.saving.try_update(|saving| saving.insert(id.clone())).unwrap_or(false) {
            return;
        }
        self.forget_trouble(&id);
        spawn_local(async move {
            let Some(peer) = self.peer.get_value() else { return };
            let saved = peer.save(id.clone(), None).await;
            self.saving.update(|saving| {
                saving.remove(&id);
            });
            if let Err(error) = saved {
                self.tell_trouble(id, (text().not_saved)(&browser::sentence(&error)));
            }
        });
    }

    /// Has a screen reader say something.
    pub(crate) fn announce(self, sentence: impl Into<String>) {
        self.announcement.set(sentence.into());
    }

    /// Tells people who do not see the page, if they want that.
    pub(crate) fn notify(self, sentence: &str) {
        if self.preferences.with_untracked(|it| it.notify) {
            notify::show(sentence);
        }
    }

    /// Tells people that something went wrong.
    pub(crate) fn complain(self, sentence: String) {
        self.front.complain(sentence);
    }
}

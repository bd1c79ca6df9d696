//! Tells people what happens while they do not look at the page, if they want that: notifications of the
//! system, by way of the service worker (`sw.js`), which brings the page back when one is clicked.

use js_sys::{Object, Reflect};
use leptos::prelude::window;
use wasm_bindgen_futures::JsFuture;
use wasm_peer::api::EventKind;
use web::text::text;
use web_sys::{Notification, NotificationPermission};

use web::front::browser;

/// Whether the browser has notifications, and a service worker to show them.
pub(crate) fn are_there() -> bool {
    browser::has(&window(), "Notification") && browser::has(&window().navigator(), "serviceWorker")
}

/// Asks people for leave, as browsers want it. To be called from a click.
pub(crate) async fn ask() -> bool {
    let Ok(asked) = Notification::request_permission() else { return false };
    // An error is a no.
    JsFuture::from(asked).await.is_ok_and(|answer| answer == "granted")
}

/// What happened, if it is worth a notification.
pub(crate) fn of_event(kind: EventKind, name: &str, title: &str) -> Option<String> {
    let text = text();
    Some(match kind {
        EventKind::PeerConnected => (text.joined_event)(name),
        EventKind::ShareAdded => (text.share_added_event)(title),
        EventKind::Received => (text.received_event)(name, title),
        EventKind::Completed => (text.complete_event)(title),
        EventKind::NotConfirmed => (text.not_confirmed_event)(name),
        EventKind::Banned => (text.banned_event)(name),
        _ => return None,
    })
}

/// Shows a notification, if nobody sees the page.
pub(crate) fn show(sentence: &str) {
    let is_granted = || Notification::permission() == NotificationPermission::Granted;
    if browser::is_visible() || !are_there() || !is_granted() {
        return;
    }
    // None on the first visit, until it has started.
    let Some(worker) = browser::service_worker() else { return };
    let message = Object::new();
    let _ = Reflect::set(&message, &"notify".into(), &sentence.into());
    let _ = Reflect::set(&message, &"title".into(), &text().product.into());
    let _ = worker.post_message(&message);
}

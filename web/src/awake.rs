//! Keeps the device awake while something moves, where the browser can: a phone that falls asleep stops
//! sending. Browsers give it up when people look away, so it is asked for anew when they come back.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use web::front::browser;

use crate::session::Session;

/// Does so from now on.
pub(crate) fn keep_awake_while_moving(session: Session) {
    let moving = Memo::new(move |_| session.is_moving());
    let visible = RwSignal::new(browser::is_visible());
    let _ = window_event_listener_untyped("visibilitychange", move |_| {
        visible.set(browser::is_visible());
    });
    let held = StoredValue::new_local(None::<JsValue>);
    let let_sleep = move || {
        if let Some(held) = held.try_update_value(Option::take).flatten() {
            browser::let_sleep(&held);
        }
    };
    Effect::new(move |_| {
        if !moving.get() || !visible.get() {
            return let_sleep();
        }
        spawn_local(async move {
            let lock = browser::keep_awake().await;
            let_sleep();
            held.set_value(lock);
            if !moving.get_untracked() {
                let_sleep();
            }
        });
    });
}

//! Web Locks: what tabs of one browser hold each for itself. The browser releases them when the worker
//! ends, in whatever way.

use std::cell::RefCell;
use std::rc::Rc;

use futures_channel::oneshot;
use futures_util::future::{Either, select};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::WorkerGlobalScope;

use crate::clock;

/// A Web Lock. Released once dropped.
pub(crate) struct Lock {
    release: Function,
}

/// How long to wait for a lock that somebody else has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Milliseconds(i32),
    Endless,
}

impl Lock {
    /// Whether the browser has locks.
    pub(crate) fn are_there() -> bool {
        locks().is_some()
    }

    /// Takes a lock. `None` if somebody has it for longer than that, and where there are no locks.
    pub(crate) async fn take(name: &str, patience: Patience) -> Option<Self> {
        let options = js_sys::Object::new();
        let at_once = patience == Patience::None;
        Reflect::set(&options, &"ifAvailable".into(), &at_once.into()).ok()?;
        let (sender, taken) = oneshot::channel();
        let sender = Rc::new(RefCell::new(Some(sender)));
        let granted = sender.clone();
        let callback = Closure::once_into_js(move |lock: JsValue| -> JsValue {
            if lock.is_null() {
                return JsValue::UNDEFINED;
            }
            // The lock is held until this promise resolves.
            let mut release = None;
            let held = Promise::new(&mut |resolve, _| release = Some(resolve));
            if let (Some(granted), Some(release)) = (granted.take(), release) {
                // If nobody waits any more, it comes back and is released.
                let _ = granted.send(Self { release });
            }
            held.into()
        });
        let asked = locks()?.request(name, &options, callback.unchecked_ref());
        spawn_local(async move {
            let _ = JsFuture::from(asked).await;
            // Nobody answered: not available, or refused.
            sender.take();
        });
        match patience {
            Patience::Milliseconds(time) => {
                match select(taken, Box::pin(clock::sleep(time))).await {
                    Either::Left((taken, _)) => taken.ok(),
                    Either::Right(_) => None,
                }
            }
            Patience::None | Patience::Endless => taken.await.ok(),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

// web-sys counts the Web Locks API as unstable and hides it.
#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method)]
    fn request(this: &LockManager, name: &str, options: &JsValue, callback: &Function) -> Promise;
}

fn locks() -> Option<LockManager> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    let locks = Reflect::get(&scope.navigator(), &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

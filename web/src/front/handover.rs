//! From the program of the first screen to the one for rooms: a wish, as a list that JavaScript can carry. The
//! latter is loaded by `start.js`, once.

use js_sys::{Array, Function, Promise, Reflect};
use leptos::prelude::window;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::Wish;

/// What `start.js` calls the function that loads the program for rooms.
const LOAD: &str = "shoalRoom";
/// The function of that program which takes a wish (`main.rs`).
const ENTER: &str = "enter";

/// The program for rooms.
#[derive(Debug)]
pub struct Program(JsValue);

impl Program {
    /// Loads it, unless it is here.
    ///
    /// # Errors
    /// What the browser says if it does not come.
    pub async fn load() -> Result<Self, JsValue> {
        let load: Function = Reflect::get(&window(), &LOAD.into())?.dyn_into()?;
        let loading: Promise = load.call0(&JsValue::UNDEFINED)?.dyn_into()?;
        JsFuture::from(loading).await.map(Self)
    }

    /// Has it take the place of this one, whose part of the page is to be gone then, and do what people want.
    pub fn enter(&self, wish: &Wish) {
        let enter = Reflect::get(&self.0, &ENTER.into()).and_then(JsCast::dyn_into::<Function>);
        if let Ok(enter) = enter {
            // It shows by itself what goes wrong.
            let _ = enter.call1(&JsValue::UNDEFINED, &wish.to_js());
        }
    }
}

impl Wish {
    /// For [`Wish::from_js`]: its name, and what belongs to it.
    fn to_js(&self) -> Array {
        match self {
            Self::Address => Array::of1(&"address".into()),
            Self::Share(files) => Array::of2(&"share".into(), files),
            Self::Enter(invite, shares) => {
                let shares: Array = shares.iter().map(|id| JsValue::from_str(id)).collect();
                Array::of3(&"enter".into(), &invite.into(), &shares)
            }
            Self::Settings => Array::of1(&"settings".into()),
        }
    }

    /// What [`Program::enter`] passed on; [`Wish::Address`] if it is nothing we know.
    pub fn from_js(wish: &Array) -> Self {
        let array = |value: JsValue| value.dyn_into::<Array>().unwrap_or_default();
        match wish.get(0).as_string().as_deref() {
            Some("share") => Self::Share(array(wish.get(1))),
            Some("enter") => Self::Enter(
                wish.get(1).as_string().unwrap_or_default(),
                array(wish.get(2)).iter().filter_map(|id| id.as_string()).collect(),
            ),
            Some("settings") => Self::Settings,
            _ => Self::Address,
        }
    }
}

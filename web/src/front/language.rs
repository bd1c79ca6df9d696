//! The language of the page: taken over from `start.js` at the beginning, changed by people at any time.
//! Whatever is on the screen is then drawn anew ([`Spoken`]); the room and all it does go on.

use std::time::Duration;

use js_sys::{Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlElement, HtmlSelectElement, Response};

use super::{Front, kept};
use crate::text::language::{LANGUAGES, Language, of};
use crate::text::{loaded, text};

/// The id of what it is chosen with.
const CHOICE: &str = "language";

/// Where the files of languages are, by their tags, for whichever program starts next: promises, the first made
/// by `start.js`. An empty file is none.
const FILES: &str = "shoalLanguages";

/// What is spoken, by its tag.
#[derive(Clone, Copy, Debug)]
pub struct Spoken(RwSignal<&'static str>);

impl Spoken {
    /// What is spoken now.
    pub fn now() -> Self {
        Self(RwSignal::new(text().language.tag))
    }

    /// The tag; whoever reads it is run again when another language is spoken.
    pub fn tag(self) -> &'static str {
        self.0.get()
    }
}

/// Speaks the language that `start.js` has chosen, or people in the program before, once its file is here.
pub async fn take_over() {
    let chosen = document().document_element().and_then(|root| root.get_attribute("lang"));
    let Some(language) = chosen.as_deref().and_then(of) else { return };
    let promise = files().and_then(|files| Reflect::get(&files, &language.tag.into()));
    if let Ok(Ok(promise)) = promise.map(JsCast::dyn_into::<Promise>) {
        let file = JsFuture::from(promise).await.ok().and_then(|file| file.as_string());
        if let Some(file) = file.filter(|file| !file.is_empty()) {
            loaded::keep(language, &file);
            loaded::speak(language);
        }
    }
}

/// Changes the language, and remembers it.
fn choose(front: Front, spoken: Spoken, language: &'static Language) {
    spawn_local(async move {
        if !loaded::is_here(language) {
            match fetch(language).await {
                Ok(file) => {
                    loaded::keep(language, &file);
                    pass_on(language, &file);
                }
                Err(_) => return front.complain((text().language_missing)(language.name)),
            }
        }
        kept::keep_text(kept::LANGUAGE, Some(language.tag));
        loaded::speak(language);
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute("lang", language.tag);
            let _ = root.set_attribute("dir", language.direction());
        }
        spoken.0.set(language.tag);
        // People go on where they were, once all is drawn.
        set_timeout(focus, Duration::ZERO);
    });
}

fn files() -> Result<JsValue, JsValue> {
    Reflect::get(&window(), &FILES.into())
}

/// Leaves the file of a language to the program that starts next.
fn pass_on(language: &Language, file: &str) {
    let promise = Promise::resolve(&JsValue::from_str(file));
    // Without it that program speaks English.
    let _ = files().and_then(|files| Reflect::set(&files, &language.tag.into(), &promise));
}

async fn fetch(language: &Language) -> Result<String, JsValue> {
    let address = format!("/languages/{}.txt", language.tag);
    let answer: Response = JsFuture::from(window().fetch_with_str(&address)).await?.dyn_into()?;
    if !answer.ok() {
        return Err(answer.status().into());
    }
    let file = JsFuture::from(answer.text()?).await?;
    file.as_string().ok_or(file)
}

fn focus() {
    let choice = document().get_element_by_id(CHOICE);
    if let Some(choice) = choice.and_then(|choice| choice.dyn_into::<HtmlElement>().ok()) {
        let _ = choice.focus();
    }
}

/// The choice of a language; each is written in itself.
#[component]
pub fn LanguageChoice() -> impl IntoView {
    let front = Front::of_page();
    let spoken: Spoken = expect_context();
    let choose = move |select: HtmlSelectElement| {
        if let Some(language) = of(&select.value()) {
            choose(front, spoken, language);
        }
        // Until it is spoken; it may not come.
        select.set_value(text().language.tag);
    };
    let options = LANGUAGES.iter().map(|language| {
        view! {
            <option
                value=language.tag
                lang=language.tag
                selected=language.tag == text().language.tag
            >
                {language.name}
            </option>
        }
    });
    view! {
        <div class="language">
            <label for=CHOICE>{text().language_label}</label>
            <select
                id=CHOICE
                class="field"
                on:change:target=move |event| choose(event.target())
            >
                {options.collect_view()}
            </select>
        </div>
    }
}

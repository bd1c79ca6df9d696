//! Small questions to the browser, asked in one place.

use js_sys::{Function, Reflect};
use leptos::prelude::{document, window};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    DataTransferItem, Element, FileSystemDirectoryHandle, FileSystemFileHandle,
    IntersectionObserver, IntersectionObserverEntry, IntersectionObserverInit,
};

use crate::text::causes::translated;
use crate::text::text;

/// Scheme, host and port of this page.
pub fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// What is behind the `#` in the address bar.
pub fn fragment() -> String {
    window().location().hash().unwrap_or_default().trim_start_matches('#').to_owned()
}

/// What is behind the path in the address bar, from the `?` on.
pub fn query() -> String {
    window().location().search().unwrap_or_default()
}

/// Puts `fragment` behind the address, or takes it away, without a new entry in the history.
pub fn set_fragment(fragment: Option<&str>) {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let address = match fragment {
        Some(fragment) => format!("{path}#{fragment}"),
        None => path,
    };
    if let Ok(history) = window().history() {
        // Browsers that are called too often refuse; the address then stays as it was.
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&address));
    }
}

/// Opens another address in place of this page.
pub fn go_to(address: &str) {
    let _ = window().location().assign(address);
}

/// Loads this page anew.
pub fn reload() {
    let _ = window().location().reload();
}

/// Whether the browser has a network at all.
pub fn is_online() -> bool {
    window().navigator().on_line()
}

/// Whether the window is wide enough for two columns; the same width as in `style/modes.css`.
pub fn is_wide() -> bool {
    window().match_media("(min-width: 56rem)").ok().flatten().is_some_and(|query| query.matches())
}

/// The size of the page's letters, which is what a `rem` is in style sheets, in pixels.
pub fn rem_px() -> f64 {
    const USUAL: f64 = 16.0;
    let size = document().document_element().and_then(|root| {
        let style = window().get_computed_style(&root).ok()??;
        style.get_property_value("font-size").ok()?.trim_end_matches("px").parse().ok()
    });
    size.unwrap_or(USUAL)
}

/// Whether the page is written from right to left.
pub fn is_right_to_left() -> bool {
    document().document_element().is_some_and(|root| {
        let style = window().get_computed_style(&root).ok().flatten();
        style.is_some_and(|style| style.get_property_value("direction").is_ok_and(|it| it == "rtl"))
    })
}

/// Says whether an element is within `margin`, as style sheets write it, of what is in sight, now and whenever
/// that changes. Ends when it is dropped.
pub fn watch_nearness(
    element: &Element,
    margin: &str,
    note: impl Fn(bool) + 'static,
) -> Option<Nearness> {
    let noted = Closure::<dyn Fn(js_sys::Array)>::new(move |entries: js_sys::Array| {
        // Of several the last is how it is now.
        if let Some(entry) = entries.iter().last() {
            note(entry.unchecked_into::<IntersectionObserverEntry>().is_intersecting());
        }
    });
    let options = IntersectionObserverInit::new();
    options.set_root_margin(margin);
    let callback = noted.as_ref().unchecked_ref();
    let observer = IntersectionObserver::new_with_options(callback, &options).ok()?;
    observer.observe(element);
    Some(Nearness { observer, _noted: noted })
}

/// See [`watch_nearness`].
pub struct Nearness {
    observer: IntersectionObserver,
    _noted: Closure<dyn Fn(js_sys::Array)>,
}

impl Drop for Nearness {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// Milliseconds since the page was loaded.
pub fn now_ms() -> f64 {
    window().performance().map_or(0.0, |performance| performance.now())
}

/// Puts `text` on the clipboard; false where the browser does not let us, as on plain HTTP.
pub async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    if !has(&navigator, "clipboard") {
        return false;
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Selects what is in an element, to be copied by hand.
pub fn select(element: &web_sys::Node) {
    if let Ok(Some(selection)) = window().get_selection() {
        let _ = selection.select_all_children(element);
    }
}

/// A time in milliseconds since 1970 as people here write it: the time of day, with the date if it is
/// another day's. Nothing if there is no such time, as members may say.
pub fn time_of_day(ms: f64) -> String {
    let (time, now) = (js_sys::Date::new(&ms.into()), js_sys::Date::new_0());
    if time.get_time().is_nan() {
        return String::new();
    }
    let options = js_sys::Object::new();
    if time.to_date_string() != now.to_date_string() {
        let _ = Reflect::set(&options, &"dateStyle".into(), &"short".into());
    }
    let _ = Reflect::set(&options, &"timeStyle".into(), &"short".into());
    time.to_locale_string(text().language.locale, &options).into()
}

/// A time as a part of a file's name: `2026-11-26 14.05.09` by the local clock.
pub fn date_for_name(ms: f64) -> String {
    let time = js_sys::Date::new(&ms.into());
    let (year, month, day) = (time.get_full_year(), time.get_month() + 1, time.get_date());
    let (hours, minutes, seconds) = (time.get_hours(), time.get_minutes(), time.get_seconds());
    format!("{year}-{month:02}-{day:02} {hours:02}.{minutes:02}.{seconds:02}")
}

/// A time for programs.
pub fn iso_time(ms: f64) -> String {
    let time = js_sys::Date::new(&ms.into());
    if time.get_time().is_nan() { String::new() } else { time.to_iso_string().into() }
}

/// Whether the system can pass a link on to another program.
pub fn can_pass_on() -> bool {
    has(&window().navigator(), "share")
}

/// Lets the system pass `link` on.
pub async fn pass_on(link: &str) {
    let data = web_sys::ShareData::new();
    data.set_title(text().product);
    data.set_url(link);
    // An error is people changing their mind.
    let _ = JsFuture::from(window().navigator().share_with_data(&data)).await;
}

/// Whether people can pick a folder to write into.
pub fn can_pick_directory() -> bool {
    has(&window(), "showDirectoryPicker")
}

/// Asks for a folder to write into; `None` if people change their mind. Must be called right after a click.
pub async fn pick_directory() -> Option<FileSystemDirectoryHandle> {
    let options = js_sys::Object::new();
    let _ = Reflect::set(&options, &"mode".into(), &"readwrite".into());
    let window = window();
    let pick: Function =
        Reflect::get(&window, &"showDirectoryPicker".into()).ok()?.dyn_into().ok()?;
    let promise: js_sys::Promise = pick.call1(&window, &options).ok()?.dyn_into().ok()?;
    JsFuture::from(promise).await.ok().map(JsCast::unchecked_into)
}

/// Whether people can pick files in a way that lets us read them again after a reload. Programs that drive
/// a browser expect the file input's own chooser.
pub fn can_pick_files() -> bool {
    let driven = Reflect::get(&window().navigator(), &"webdriver".into());
    has(&window(), "showOpenFilePicker") && !driven.is_ok_and(|driven| driven.is_truthy())
}

/// Asks for files, as handles; none if people change their mind. Must be called right after a click.
pub async fn pick_files() -> Vec<FileSystemFileHandle> {
    let options = js_sys::Object::new();
    let _ = Reflect::set(&options, &"multiple".into(), &true.into());
    let window = window();
    let picked = async {
        let pick: Function =
            Reflect::get(&window, &"showOpenFilePicker".into()).ok()?.dyn_into().ok()?;
        let promise: js_sys::Promise = pick.call1(&window, &options).ok()?.dyn_into().ok()?;
        JsFuture::from(promise).await.ok()
    };
    let handles = picked.await.map(|handles| js_sys::Array::from(&handles)).unwrap_or_default();
    handles.iter().map(JsCast::unchecked_into).collect()
}

/// The handle of what is dropped, where the browser has such; to be called while the event is handled.
pub fn handle_of(item: &DataTransferItem) -> Option<js_sys::Promise> {
    let ask = Reflect::get(item, &"getAsFileSystemHandle".into()).ok()?;
    ask.dyn_ref::<Function>()?.call0(item).ok()?.dyn_into().ok()
}

/// Whether people see this page at the moment.
pub fn is_visible() -> bool {
    !document().hidden()
}

/// Keeps the screen, and with it the device, awake until [`let_sleep`] or until nobody sees the page any
/// more. `None` where the browser cannot, or will not.
pub async fn keep_awake() -> Option<JsValue> {
    let lock = Reflect::get(&window().navigator(), &"wakeLock".into()).ok()?;
    let ask: Function = Reflect::get(&lock, &"request".into()).ok()?.dyn_into().ok()?;
    let promise: js_sys::Promise = ask.call1(&lock, &"screen".into()).ok()?.dyn_into().ok()?;
    JsFuture::from(promise).await.ok()
}

/// Gives back what [`keep_awake`] gave.
pub fn let_sleep(held: &JsValue) {
    let release = Reflect::get(held, &"release".into());
    if let Some(release) = release.ok().and_then(|release| release.dyn_into::<Function>().ok()) {
        // It is released already if people looked away meanwhile.
        let _ = release.call0(held);
    }
}

/// Notes that something has come about now, in the browser's own record (`performance`).
pub fn mark(name: &str) {
    if let Some(performance) = window().performance() {
        // It refuses the names of events alone.
        let _ = performance.mark(name);
    }
}

/// Shows `title` on the tab.
pub fn set_title(title: &str) {
    document().set_title(title);
}

/// What an exception says, fit to be shown, in the language of the page if it is one of ours.
pub fn sentence(error: &JsValue) -> String {
    let sentence = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.as_string())
        .filter(|message| !message.is_empty());
    sentence.map_or_else(|| text().unknown_error.to_owned(), |sentence| translated(&sentence))
}

/// A date and time as people here write them, from milliseconds since 1970.
pub fn date_and_time(unix_ms: f64) -> String {
    let options = js_sys::Object::new();
    for (part, style) in [("dateStyle", "medium"), ("timeStyle", "short")] {
        let _ = Reflect::set(&options, &part.into(), &style.into());
    }
    let date = js_sys::Date::new(&unix_ms.into());
    date.to_locale_string(text().language.locale, &options).into()
}

/// Waits.
pub async fn wait(milliseconds: i32) {
    let waited = js_sys::Promise::new(&mut |done, _| {
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&done, milliseconds);
    });
    let _ = JsFuture::from(waited).await;
}

/// The service worker, once it looks after this page.
pub fn service_worker() -> Option<web_sys::ServiceWorker> {
    let navigator = window().navigator();
    has(&navigator, "serviceWorker").then(|| navigator.service_worker().controller()).flatten()
}

/// Whether an object has something of this name.
pub fn has(object: &JsValue, name: &str) -> bool {
    Reflect::get(object, &name.into()).is_ok_and(|value| !value.is_undefined() && !value.is_null())
}

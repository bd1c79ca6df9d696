//! The QR code of an invite, read with the camera: where the browser has a camera to offer and reads QR codes
//! itself (`BarcodeDetector`). Pictures stay in the page; the camera is off as soon as a code is read or
//! the dialog is closed.

use js_sys::{Array, Function, Object, Promise, Reflect};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{HtmlVideoElement, MediaStream, MediaStreamTrack};

use super::browser;
use crate::text::text;

/// Pictures looked at per second: five are quick enough for people, and easy on a phone.
const LOOK_EVERY_MS: i32 = 200;

/// A button that reads a code and hands over what it says; nothing where the browser cannot.
#[component]
pub fn Scan(
    /// Called with what a code says.
    found: Callback<String>,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let video = NodeRef::<html::Video>::new();
    let problem = RwSignal::new(None::<&'static str>);
    let camera = StoredValue::new_local(None::<MediaStream>);
    // Also when another screen takes the place of this one.
    let turn_off = move || {
        if let Some(stream) = camera.try_update_value(Option::take).flatten() {
            stop(&stream);
        }
    };
    on_cleanup(turn_off);
    let open = move |_| {
        let Some(shown) = dialog.get_untracked() else { return };
        problem.set(None);
        let _ = shown.show_modal();
        spawn_local(async move {
            let Some(stream) = open_camera().await else {
                return problem.set(Some(text().no_camera));
            };
            // People may have closed it while the browser asked them.
            let is_open = || shown.open() && shown.is_connected();
            let (Some(video), true) = (video.get_untracked(), is_open()) else {
                return stop(&stream);
            };
            video.set_src_object(Some(&stream));
            camera.set_value(Some(stream));
            // What may be wrong with it shows as a picture without a code.
            let _ = video.play().map(JsFuture::from);
            if let Some(said) = read(&video, is_open).await {
                shown.close();
                turn_off();
                found.run(said);
            }
        });
    };
    is_there().then(|| {
        view! {
            <button class="button" type="button" on:click=open>{text().scan}</button>
            <dialog class="dialog scan" aria-labelledby="scan-title" node_ref=dialog on:close=move |_| turn_off()>
                <h2 id="scan-title" class="section-title">{text().scan_title}</h2>
                <video class="scan-picture" node_ref=video muted=true playsinline=true aria-hidden="true"></video>
                <p class="hint" role="status" class:is-problem=move || problem.get().is_some()>
                    {move || problem.get().unwrap_or(text().scan_hint)}
                </p>
                <button
                    class="button"
                    type="button"
                    on:click=move |_| {
                        if let Some(dialog) = dialog.get_untracked() {
                            dialog.close();
                        }
                    }
                >
                    {text().close}
                </button>
            </dialog>
        }
    })
}

fn is_there() -> bool {
    detector_class().is_some() && browser::has(&window().navigator(), "mediaDevices")
}

fn detector_class() -> Option<Function> {
    Reflect::get(&window(), &"BarcodeDetector".into()).ok()?.dyn_into().ok()
}

/// The camera at the back, where there are several; `None` if there is none or people do not permit it.
async fn open_camera() -> Option<MediaStream> {
    let (wanted, side) = (Object::new(), Object::new());
    Reflect::set(&side, &"facingMode".into(), &"environment".into()).ok()?;
    Reflect::set(&wanted, &"video".into(), &side).ok()?;
    let devices = Reflect::get(&window().navigator(), &"mediaDevices".into()).ok()?;
    let ask: Function = Reflect::get(&devices, &"getUserMedia".into()).ok()?.dyn_into().ok()?;
    let asked: Promise = ask.call1(&devices, &wanted).ok()?.dyn_into().ok()?;
    JsFuture::from(asked).await.ok().map(JsCast::unchecked_into)
}

fn stop(stream: &MediaStream) {
    for track in stream.get_tracks().iter() {
        track.unchecked_into::<MediaStreamTrack>().stop();
    }
}

/// Looks until a code is in the picture, or for as long as people want.
async fn read(video: &HtmlVideoElement, goes_on: impl Fn() -> bool) -> Option<String> {
    let options = Object::new();
    Reflect::set(&options, &"formats".into(), &Array::of1(&"qr_code".into())).ok()?;
    let detector = Reflect::construct(&detector_class()?, &Array::of1(&options)).ok()?;
    let detect: Function = Reflect::get(&detector, &"detect".into()).ok()?.dyn_into().ok()?;
    while goes_on() {
        let looked = detect.call1(&detector, video).ok()?.dyn_into::<Promise>().ok()?;
        // It fails as long as there is no picture yet.
        let codes = JsFuture::from(looked).await.map(|codes| Array::from(&codes));
        let said = codes.unwrap_or_default().iter().find_map(|code| {
            Reflect::get(&code, &"rawValue".into()).ok()?.as_string().filter(|it| !it.is_empty())
        });
        if said.is_some() {
            return said;
        }
        browser::wait(LOOK_EVERY_MS).await;
    }
    None
}

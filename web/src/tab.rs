//! What the tab shows of the room: how far what is being received has got, as the title and the icon, and how
//! much was said that nobody has seen.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_peer::api::ShareState;
use web::format;
use web::front::browser;
use web::front::language::Spoken;
use web::text::text;
use web_sys::Element;

use crate::session::Session;

/// The icons that show progress, in `progress/`: from 1 to 8 eighths.
const STEPS: u8 = 8;

/// Does so from now on.
pub(crate) fn show_progress(session: Session, spoken: Spoken) {
    let percent = Memo::new(move |_| {
        session.state.with(|state| {
            let receiving = state
                .iter()
                .flat_map(|state| &state.shares)
                .filter(|share| share.state == ShareState::Receiving);
            let (have, total) = receiving.fold((0u64, 0u64), |(have, total), share| {
                (have + share.have, total + share.total)
            });
            (total > 0).then(|| format::percent(have, total))
        })
    });
    Effect::new(move |_| {
        spoken.tag();
        let unread = Some(session.talk.unread.get()).filter(|&unread| unread > 0);
        let unread = unread.map(|unread| format!("({})", text().units.whole(unread as u64)));
        let percent = percent.get().map(|percent| text().units.percentage(percent) + " ·");
        let parts = unread.into_iter().chain(percent).chain([text().product.to_owned()]);
        browser::set_title(&parts.collect::<Vec<_>>().join(" "));
    });
    let step = Memo::new(move |_| percent.get().map(|percent| percent / 13 + 1));
    Effect::new(move |usual: Option<Option<String>>| {
        let icon = icon()?;
        let usual = usual.flatten().or_else(|| icon.get_attribute("href"))?;
        let href =
            step.get().map_or(usual.clone(), |step| format!("/progress/{}.svg", step.min(STEPS)));
        if icon.get_attribute("href").as_ref() != Some(&href) {
            // What is there is checked against a hash that is only the usual one's.
            let _ = icon.remove_attribute("integrity");
            let _ = icon.set_attribute("href", &href);
        }
        Some(usual)
    });
}

fn icon() -> Option<Element> {
    document().query_selector("link[rel=icon]").ok()?.map(JsCast::unchecked_into)
}

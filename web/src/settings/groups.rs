//! The controls, group by group.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_peer::api::{Accept, PathPolicy, Service};
use web::front::theme::Theme;
use web::text::text;

use super::control::{cap, choice, chosen, group, note_id, number, said, switch, switched};
use crate::notify;
use crate::preferences::{Preferences, own_name};
use crate::session::Session;

/// Who we are to others.
pub(super) fn identity() -> AnyView {
    let text = text();
    group(
        text.identity_title,
        vec![
            name(),
            switch(
                said("set-fresh-key", text.fresh_key, text.fresh_key_note),
                |it| it.fresh_key,
                |it, on| it.fresh_key = on,
            ),
            switch(
                said("set-remember-rooms", text.remember_rooms, text.remember_rooms_note),
                |it| !it.forget_rooms,
                |it, on| it.forget_rooms = !on,
            ),
        ],
    )
}

/// What we do, for ourselves and for others.
pub(super) fn services() -> AnyView {
    const ACCEPT: [(&str, Accept); 3] =
        [("ask", Accept::Ask), ("trusted", Accept::Trusted), ("all", Accept::All)];
    let text = text();
    let labels = [text.accept_ask, text.accept_trusted, text.accept_all];
    let options: Vec<_> =
        ACCEPT.iter().zip(labels).map(|((value, _), label)| (*value, label)).collect();
    group(
        text.services_title,
        vec![
            choice(
                said("set-accept", text.accept, text.accept_note),
                &options,
                |it| named(&ACCEPT, &it.policy.accept),
                |it, value| it.policy.accept = valued(&ACCEPT, value),
            ),
            switch(
                said("set-share", text.service_share, text.service_share_note),
                |it| is_on(it, Service::Share),
                |it, on| turn(it, Service::Share, on),
            ),
            switch(
                said("set-receive", text.service_receive, text.service_receive_note),
                |it| is_on(it, Service::Receive),
                |it, on| turn(it, Service::Receive, on),
            ),
            switch(
                said("set-serve-on", text.service_serve_on, text.service_serve_on_note),
                |it| is_on(it, Service::ServeOn),
                |it, on| turn(it, Service::ServeOn, on),
            ),
            switch(
                said("set-introduce", text.service_introduce, text.service_introduce_note),
                |it| is_on(it, Service::Introduce),
                |it, on| turn(it, Service::Introduce, on),
            ),
            switch(
                said("set-chat", text.service_chat, text.service_chat_note),
                |it| is_on(it, Service::Chat),
                |it, on| turn(it, Service::Chat, on),
            ),
        ],
    )
}

/// How many at once.
pub(super) fn connections() -> AnyView {
    let text = text();
    group(
        text.connections_title,
        vec![
            number(
                said("set-connections", text.connections, text.connections_note),
                "32".to_owned(),
                (1.0, 128.0),
                |it| it.policy.connections.map(f64::from),
                |it, value| it.policy.connections = value.map(|it| it as u32),
            ),
            number(
                said("set-slots", text.upload_slots, text.upload_slots_note),
                "8".to_owned(),
                (1.0, 64.0),
                |it| it.policy.upload_slots.map(f64::from),
                |it, value| it.policy.upload_slots = value.map(|it| it as u32),
            ),
        ],
    )
}

/// By which ways.
pub(super) fn systems() -> AnyView {
    const PATHS: [(&str, PathPolicy); 4] = [
        ("any", PathPolicy::Any),
        ("lan", PathPolicy::LanOnly),
        ("direct", PathPolicy::DirectOnly),
        ("relay", PathPolicy::RelayOnly),
    ];
    let text = text();
    let labels = [text.paths_any, text.paths_lan, text.paths_direct, text.paths_relay];
    let options: Vec<_> =
        PATHS.iter().zip(labels).map(|((value, _), label)| (*value, label)).collect();
    group(
        text.systems_title,
        vec![choice(
            said("set-path", text.paths, text.paths_note),
            &options,
            |it| named(&PATHS, &it.policy.path),
            |it, value| it.policy.path = valued(&PATHS, value),
        )],
    )
}

/// How much of everything.
pub(super) fn resources() -> AnyView {
    let text = text();
    let size = |label: &str, unit: usize| format!("{label} ({})", text.units.bytes[unit]);
    group(
        text.resources_title,
        vec![
            cap(
                said("set-upload", text.upload_cap, text.upload_cap_note),
                |it| it.policy.upload,
                |it, value| it.policy.upload = value,
            ),
            cap(
                said("set-download", text.download_cap, text.download_cap_note),
                |it| it.policy.download,
                |it, value| it.policy.download = value,
            ),
            cap(
                said("set-upload-each", text.upload_each_cap, text.upload_each_cap_note),
                |it| it.policy.upload_per_peer,
                |it, value| it.policy.upload_per_peer = value,
            ),
            cap(
                said("set-download-each", text.download_each_cap, text.download_each_cap_note),
                |it| it.policy.download_per_peer,
                |it, value| it.policy.download_per_peer = value,
            ),
            switch(
                said("set-lan-exempt", text.lan_exempt, text.lan_exempt_note),
                |it| it.policy.lan_exempt,
                |it, on| it.policy.lan_exempt = on,
            ),
            number(
                said("set-storage", &size(text.storage_budget, 3), text.storage_budget_note),
                text.unlimited.to_owned(),
                (0.01, 1e5),
                |it| it.policy.storage.map(|it| it as f64 / 1e9),
                |it, value| it.policy.storage = bytes(value, 1e9),
            ),
            number(
                said("set-memory", &size(text.memory_in_flight, 2), text.memory_in_flight_note),
                text.units.size(16 << 20),
                (1.0, 1e3),
                |it| it.policy.memory_in_flight.map(|it| it as f64 / 1e6),
                |it, value| it.policy.memory_in_flight = bytes(value, 1e6),
            ),
            number(
                said("set-ratio", text.stop_at_ratio, text.stop_at_ratio_note),
                text.never.to_owned(),
                (0.1, 1e3),
                |it| it.policy.stop_at_ratio,
                |it, value| it.policy.stop_at_ratio = value,
            ),
            number(
                said(
                    "set-time",
                    &format!("{} ({})", text.stop_after, text.units.time[1]),
                    text.stop_after_note,
                ),
                text.never.to_owned(),
                (1.0, 1e5),
                |it| it.policy.stop_after_seconds.map(|it| it / 60.0),
                |it, value| it.policy.stop_after_seconds = value.map(|it| it * 60.0),
            ),
        ],
    )
}

/// How the page looks, and when it speaks up.
pub(super) fn appearance() -> AnyView {
    let text = text();
    let theme = RwSignal::new(Theme::kept().name());
    let themes = [Theme::System, Theme::Light, Theme::Dark].map(Theme::name);
    let labels = [text.theme_system, text.theme_light, text.theme_dark];
    let themes: Vec<_> = themes.into_iter().zip(labels).collect();
    let mut controls = vec![chosen(
        said("set-theme", text.theme, text.theme_note),
        &themes,
        theme.into(),
        move |name| {
            Theme::named(name).choose();
            theme.set(name);
        },
    )];
    if notify::are_there() {
        controls.push(notifications());
    }
    group(text.appearance_title, controls)
}

fn name() -> AnyView {
    const ID: &str = "set-name";
    let session = Session::of_page();
    view! {
        <div class="setting">
            <label for=ID>{text().own_name}</label>
            <input
                id=ID
                class="field"
                type="text"
                maxlength="64"
                autocomplete="off"
                placeholder=own_name()
                aria-describedby=note_id(ID)
                prop:value=move || session.preferences.with(|it| it.name.clone())
                on:change:target=move |event| {
                    let name = event.target().value().trim().to_owned();
                    session.prefer(|preferences| preferences.name = name);
                }
            />
            <p id=note_id(ID) class="hint">{text().own_name_note}</p>
        </div>
    }
    .into_any()
}

fn notifications() -> AnyView {
    let session = Session::of_page();
    switched(
        said("set-notify", text().notify, text().notify_note),
        Signal::derive(move || session.preferences.with(|it| it.notify)),
        move |on| {
            if !on {
                return session.prefer(|preferences| preferences.notify = false);
            }
            spawn_local(async move {
                if notify::ask().await {
                    session.prefer(|preferences| preferences.notify = true);
                } else {
                    session.complain(text().notify_refused.to_owned());
                }
            });
        },
    )
}

fn is_on(preferences: &Preferences, service: Service) -> bool {
    !preferences.policy.off.contains(&service)
}

fn turn(preferences: &mut Preferences, service: Service, on: bool) {
    preferences.policy.off.retain(|off| *off != service);
    if !on {
        preferences.policy.off.push(service);
    }
}

fn named<T: PartialEq>(all: &'static [(&'static str, T)], value: &T) -> &'static str {
    all.iter().find(|(_, it)| it == value).map_or("", |(name, _)| name)
}

fn valued<T: Copy + Default>(all: &'static [(&'static str, T)], name: &str) -> T {
    all.iter().find(|(it, _)| *it == name).map(|(_, value)| *value).unwrap_or_default()
}

fn bytes(value: Option<f64>, unit: f64) -> Option<u64> {
    value.map(|value| (value * unit).round() as u64)
}

//! The program of the first screen: small, so that people can act at once. Whatever they want of a room is done
//! by the program for rooms (`main.rs`), which is loaded meanwhile and takes the place of this one.
#![allow(unreachable_pub, reason = "the component macro makes all components `pub`")]

#[cfg(target_arch = "wasm32")]
mod page {
    use std::time::Duration;

    use leptos::ev;
    use leptos::prelude::*;
    use leptos::task::spawn_local;
    use web::front::frame::{self, Entering, Frame, Notice};
    use web::front::given::share_what_is_given;
    use web::front::handover::Program;
    use web::front::home::Home;
    use web::front::language::{Spoken, take_over};
    use web::front::window::{is_online, share_what_is_dropped};
    use web::front::{Front, Wish, browser, theme};
    use web::text::text;
    use web_sys::HtmlElement;

    /// How long people look at the first screen before the rest is loaded, so that the next one comes soon.
    const QUIET: Duration = Duration::from_secs(1);
    /// From when on the first screen can be used, among the browser's marks.
    const USABLE: &str = "shoal-usable";

    /// How it stands with the other program.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Other {
        /// Nobody asked for it.
        Idle,
        /// It is on its way, for the controls.
        Loading,
        /// It is on its way, and so are people into a room, which we make or not.
        Entering { ours: bool },
        /// It has the page.
        Here,
    }

    pub(super) async fn start() {
        take_over().await;
        if browser::fragment().is_empty() {
            mount(None);
            browser::mark(USABLE);
            set_timeout(load_the_rest, QUIET);
            return;
        }
        // What `index.html` shows stays until the room is there.
        match Program::load().await {
            Ok(program) => program.enter(&Wish::Address),
            Err(_) => mount(Some(text().broken.to_owned())),
        }
    }

    fn load_the_rest() {
        // What keeps it from loading is told when people want something of it.
        spawn_local(async { drop(Program::load().await) });
    }

    fn mount(trouble: Option<String>) {
        let place = frame::place();
        mount_to(place.clone(), move || run(place, trouble)).forget();
    }

    fn run(place: HtmlElement, trouble: Option<String>) {
        let front = Front::set_up();
        provide_context(front);
        let spoken = Spoken::now();
        provide_context(spoken);
        let other = RwSignal::new(Other::Idle);
        front.lead(move |wish| pass_on(front, other, wish));
        theme::watch_other_tabs();
        share_what_is_given(front);
        front.notice.set(trouble);
        Effect::new(move |before: Option<_>| {
            spoken.tag();
            let has_page = other.with(|other| *other != Other::Here);
            drop(before);
            has_page.then(|| untrack(|| mount_to(place.clone(), move || view! { <Page other /> })))
        });
    }

    /// Has the other program do what people want.
    fn pass_on(front: Front, other: RwSignal<Other>, wish: Wish) {
        other.set(match wish {
            Wish::Settings => Other::Loading,
            Wish::Share(_) => Other::Entering { ours: true },
            Wish::Address | Wish::Enter(..) => Other::Entering { ours: false },
        });
        spawn_local(async move {
            match Program::load().await {
                Ok(program) => {
                    other.set(Other::Here);
                    program.enter(&wish);
                }
                Err(_) => {
                    other.set(Other::Idle);
                    front.adding.set(None);
                    front.complain(text().broken.to_owned());
                }
            }
        });
    }

    #[component]
    fn Page(other: RwSignal<Other>) -> impl IntoView {
        let front = Front::of_page();
        share_what_is_dropped(front);
        let invited = window_event_listener(ev::hashchange, move |_| {
            if !browser::fragment().is_empty() {
                front.wish(Wish::Address);
            }
        });
        on_cleanup(move || invited.remove());
        let online = is_online();
        let offline = move || {
            (!online.get()).then(|| view! { <p class="notice"><span>{text().offline}</span></p> })
        };
        let entering = Memo::new(move |_| match other.get() {
            Other::Entering { ours } => Some(ours),
            Other::Idle | Other::Loading | Other::Here => None,
        });
        let top = view! {
            <button
                class="button is-quiet"
                aria-haspopup="dialog"
                aria-busy=move || other.with(|it| *it == Other::Loading).then_some("true")
                on:click=move |_| front.wish(Wish::Settings)
            >
                {text().settings}
            </button>
        };
        let body = view! {
            <div class="notices" role="alert">{offline} <Notice /></div>
            {move || match entering.get() {
                Some(ours) => view! { <Entering ours /> }.into_any(),
                None => view! { <Home /> }.into_any(),
            }}
        };
        view! { <Frame top=top.into_any() body=body.into_any() /> }
    }
}

#[cfg(target_arch = "wasm32")]
fn main() {
    wasm_bindgen_futures::spawn_local(page::start());
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!(
        "This is the first screen of the page, which runs in browsers. `cargo xtask serve` builds and serves it."
    );
    std::process::exit(2);
}

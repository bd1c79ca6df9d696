//! Starting the worker where a page demands Trusted Types (`require-trusted-types-for 'script'`): an address
//! that a script is loaded from must come out of a policy by then. Ours is called [`POLICY`], lets the
//! address of our own worker pass and nothing else, and is known to nobody outside this file. Where the
//! browser does not know Trusted Types, the address is what it is.

use std::cell::OnceCell;

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{Worker, WorkerOptions, WorkerType};

/// What a page's Content Security Policy has to allow: `trusted-types shoal`.
const POLICY: &str = "shoal";

thread_local! {
    /// A policy of one name can be made once, and that by whoever comes first.
    static MADE: OnceCell<Option<Policy>> = const { OnceCell::new() };
}

/// Starts a worker.
pub(crate) fn worker(url: &str) -> Result<Worker, JsValue> {
    let options = WorkerOptions::new();
    options.set_type(WorkerType::Module);
    let trusted = MADE.with(|made| {
        let policy = made.get_or_init(|| make(url));
        policy.as_ref().map(|policy| policy.create_script_url(url)).transpose()
    })?;
    let url = trusted.unwrap_or_else(|| url.into());
    Ok(AnyWorker::new(&url, &options)?.unchecked_into())
}

/// The policy, in browsers that know such; `None` also where the page does not allow it. If it demands
/// one all the same, the browser says so when the worker is started.
fn make(url: &str) -> Option<Policy> {
    let factory = Reflect::get(&js_sys::global(), &"trustedTypes".into()).ok()?;
    if factory.is_undefined() {
        return None;
    }
    let ours = url.to_owned();
    let only_ours =
        Closure::<dyn Fn(String) -> Result<String, JsValue>>::new(move |url: String| {
            if url == ours { Ok(url) } else { Err(js_sys::TypeError::new("not the worker").into()) }
        });
    let rules = Object::new();
    // Kept for as long as the page is there, as the policy is.
    Reflect::set(&rules, &"createScriptURL".into(), &only_ours.into_js_value()).ok()?;
    factory.unchecked_ref::<Factory>().create_policy(POLICY, &rules).ok()
}

// web-sys takes no more than text for an address, and does not know Trusted Types.
#[wasm_bindgen]
extern "C" {
    type Factory;

    #[wasm_bindgen(method, catch, js_name = createPolicy)]
    fn create_policy(this: &Factory, name: &str, rules: &Object) -> Result<Policy, JsValue>;

    type Policy;

    #[wasm_bindgen(method, catch, js_name = createScriptURL)]
    fn create_script_url(this: &Policy, url: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = Worker)]
    type AnyWorker;

    #[wasm_bindgen(constructor, catch, js_class = "Worker")]
    fn new(url: &JsValue, options: &WorkerOptions) -> Result<AnyWorker, JsValue>;
}

//! What JavaScript throws, as what the core and people understand; and back.

use protocol::io::StorageError;
use wasm_bindgen::{JsCast, JsValue};

/// The sentence of anything thrown: an error's message, or the text itself.
pub fn message(thrown: &JsValue) -> String {
    property(thrown, "message")
        .or_else(|| thrown.as_string())
        .unwrap_or_else(|| "the browser gave no reason".to_owned())
}

/// The name of a thrown `DOMException` or `Error`; empty if it has none.
pub(crate) fn name(thrown: &JsValue) -> String {
    property(thrown, "name").unwrap_or_default()
}

/// An `Error` with a sentence for people.
pub(crate) fn to_js(sentence: &str) -> JsValue {
    js_sys::Error::new(sentence).into()
}

/// Why a file or store could not be used.
pub(crate) fn storage(thrown: &JsValue) -> StorageError {
    match name(thrown).as_str() {
        "QuotaExceededError" | "NS_ERROR_FILE_NO_DEVICE_SPACE" => {
            StorageError::Full { available: None }
        }
        "NotFoundError" | "NotAllowedError" | "SecurityError" | "NoModificationAllowedError" => {
            StorageError::Gone(message(thrown))
        }
        _ => StorageError::Other(message(thrown)),
    }
}

fn property(thrown: &JsValue, key: &str) -> Option<String> {
    // `Reflect.get` throws on anything that is no object.
    let object: &js_sys::Object = thrown.dyn_ref()?;
    js_sys::Reflect::get(object, &key.into()).ok()?.as_string().filter(|text| !text.is_empty())
}

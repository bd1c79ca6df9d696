// Runs before the page's programs: chooses the language and puts the first screen into it, says what is
// missing where they cannot run at all, shows "Joining" instead of the first screen while an invite is
// being opened, and the light or dark look that people chose (src/front/theme.rs). Once all is there, it starts the
// service worker (sw.js). English texts are in index.html, others in languages/.
"use strict";
{
  // The language that was chosen here, else the first of the browser's that there is, else English. The
  // tags are also in src/text/language.rs and sw.js, the name of what is kept in src/front/kept.rs.
  const languages = ["en", "es", "fr", "de", "zh-Hans", "ar"];
  const primary = (tag) => tag.toLowerCase().split("-")[0];
  let chosen = null;
  try {
    chosen = localStorage.getItem("shoal-language");
  } catch {
    // The browser keeps nothing for this page.
  }
  const find = (wanted) => languages.find((tag) => primary(tag) === primary(wanted));
  const language = [chosen ?? "", ...(navigator.languages ?? [])].map(find).find(Boolean) ?? "en";
  const speak = (tag) => {
    document.documentElement.lang = tag;
    document.documentElement.dir = tag === "ar" ? "rtl" : "ltr";
  };
  speak(language);
  window.shoalLanguages = {};
  if (language !== "en") {
    const waiting = document.documentElement.classList;
    waiting.add("is-translating");
    const load = async () => {
      const answer = await fetch(`/languages/${language}.txt`, { signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(`${answer.status}`);
      return answer.text();
    };
    // For the programs, which take an empty text for none: then they speak English.
    const loading = load().catch(() => "");
    window.shoalLanguages[language] = loading;
    addEventListener("DOMContentLoaded", async () => {
      const file = await loading;
      if (file === "") speak("en");
      const lines = file.split("\n").map((line) => line.split(" = "));
      const texts = new Map(lines.map(([name, ...text]) => [name, text.join(" = ")]));
      for (const element of document.querySelectorAll("[data-text]")) {
        element.textContent = texts.get(element.dataset.text) ?? element.textContent;
      }
      waiting.remove("is-translating");
    });
  }

  const show = (id) => document.getElementById(id)?.removeAttribute("hidden");

  // A module with one instruction of 128 bits, as the program uses them.
  const simd = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8,
    0, 65, 0, 253, 15, 253, 98, 11]);
  const missing = [
    ["WebAssembly with SIMD", typeof WebAssembly === "object" && WebAssembly.validate(simd)],
    ["WebRTC", "RTCPeerConnection" in window],
    ["workers", "Worker" in window],
  ].filter(([, there]) => !there).map(([name]) => name);

  try {
    const theme = localStorage.getItem("shoal-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Nothing is kept where the browser forbids it.
  }

  // The address of a script comes out of a policy (Trusted Types), which lets this one pass and no other.
  const SERVICE_WORKER = "/sw.js";
  const policy = window.trustedTypes?.createPolicy("shoal-service", {
    createScriptURL: (url) => {
      if (url === SERVICE_WORKER) return url;
      throw new TypeError("not the service worker");
    },
  });
  addEventListener("load", () => {
    const url = policy?.createScriptURL(SERVICE_WORKER) ?? SERVICE_WORKER;
    // Without it the page needs its server to start, and that is all.
    navigator.serviceWorker?.register(url).catch(() => {});
  });

  // The program for rooms (src/main.rs), which is larger than that of the first screen: loaded once, when people
  // want in or the first screen has nothing else to do (src/front/handover.rs).
  let room = null;
  window.shoalRoom = () => room ??= (async () => {
    try {
      const program = await import("/room.js");
      await program.default({ module_or_path: "/room_bg.wasm" });
      return program;
    } catch (error) {
      room = null;
      throw error;
    }
  })();

  if (location.hash.length > 1) document.documentElement.classList.add("has-invite");

  if (missing.length > 0) {
    addEventListener("DOMContentLoaded", () => {
      document.getElementById("missing").textContent = missing.join(", ");
      show("unsupported");
    });
  } else {
    // Not only once the other program is here. What goes wrong that one hears of.
    if (location.hash.length > 1) window.shoalRoom().catch(() => {});
    let started = false;
    const failed = () => started || show("broken");
    addEventListener("TrunkApplicationStarted", () => { started = true; });
    // A script or the program itself could not be loaded.
    addEventListener("error", failed, true);
    addEventListener("unhandledrejection", failed);
  }
}

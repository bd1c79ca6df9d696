// The service worker: keeps the page's own files, so that it starts without a network and can be installed;
// takes what the system shares to the page; and shows notifications.
//
// What the server has comes first, and what is kept is for when the server is not there: nobody is left with
// an old page. Kept are the files that index.html names, those below, and nothing else: nothing of a room, no
// link, nothing that was sent or received. The key of a room is behind the `#` of the address, which is no
// part of what files are kept under.
"use strict";

const KEPT = "shoal-page";
// Files that index.html does not name.
const OTHERS = [
  ...["/shoal.svg", "/icons.svg", "/room.js", "/room_bg.wasm"],
  ...["/worker_loader.js", "/worker.js", "/worker_bg.wasm"],
  ...["es", "fr", "de", "zh-Hans", "ar"].map((tag) => `/languages/${tag}.txt`),
];
// A server that does not answer for so long is taken for gone.
const PATIENCE_MS = 4000;
// A question whether the server is there has so long.
const PROBE_MS = 5000;

// What the system shared, until the page that was opened for it asks.
let given = [];

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(fetch("/", { cache: "no-cache" }).then(keep));
});

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && url.pathname === "/share-target") {
    event.respondWith(take(request));
  } else if (request.method === "GET" && request.mode === "navigate" && url.pathname === "/") {
    event.respondWith(page(event));
  } else if (request.method === "GET" && request.mode !== "navigate") {
    if (isHashed(url.pathname)) event.respondWith(constant(request, url.pathname));
    else if (isFile(url.pathname)) event.respondWith(changing(request, url.pathname));
    else if (url.pathname === "/healthz") event.respondWith(inTime(request));
  }
});

addEventListener("message", (event) => {
  if (event.data === "give") {
    event.source.postMessage({ given });
    given = [];
  } else if (event.data?.notify) {
    const { title, notify } = event.data;
    const data = event.source.id;
    event.waitUntil(registration.showNotification(title, { body: notify, icon: "/icons/192.png", data }));
  }
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const open = await clients.matchAll({ type: "window" });
    const page = open.find((page) => page.id === event.notification.data) ?? open[0];
    await (page ? page.focus() : clients.openWindow("/"));
  })());
});

const isFile = (path) => /\.\w+$/.test(path);
// Whether the name has a hash of the content in it. One that begins with zeros is written without them.
const isHashed = (path) => /-[0-9a-f]{12,16}[._][\w.]+$/.test(path);

// The page: from the server, else as it was kept.
async function page(event) {
  const before = await caches.match("/");
  try {
    const patience = before && AbortSignal.timeout(PATIENCE_MS);
    const response = await fetch("/", { cache: "no-cache", signal: patience });
    if (response.ok) event.waitUntil(keep(response.clone()));
    return response;
  } catch (error) {
    if (before) return before;
    throw error;
  }
}

// A file that never changes.
async function constant(request, path) {
  return await caches.match(path) ?? fetch(request);
}

// A file that may change: from the server, else as it was kept with the page.
async function changing(request, path) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await caches.match(path);
    if (kept) return kept;
    throw error;
  }
}

// Whether the server is there. Given up by ourselves: what a page gives up goes on behind a service worker in
// Firefox, and the few connections that it makes to a server would all wait for what was lost in an outage.
async function inTime(request) {
  return await fetch(request, { cache: "no-store", signal: AbortSignal.timeout(PROBE_MS) });
}

// Keeps a page with all its files, if it is another than before; all of it, or none.
async function keep(response) {
  if (!response.ok) throw new Error(`the page came with status ${response.status}`);
  const html = await response.clone().text();
  const kept = await caches.open(KEPT);
  const before = await kept.match("/");
  if (before && await before.text() === html) return;
  const named = [...html.matchAll(/["'](\/[\w./-]+\.(?:css|js|png|svg|wasm|webmanifest))["']/g)];
  const paths = [...new Set([...named.map((match) => match[1]), ...OTHERS])];
  const files = await Promise.all(paths.map(async (path) => {
    const file = await fetch(path, isHashed(path) ? {} : { cache: "no-cache" });
    if (!file.ok) throw new Error(`${path} came with status ${file.status}`);
    return [path, file];
  }));
  await Promise.all(files.map(([path, file]) => kept.put(path, file)));
  await kept.put("/", response);
  for (const { url } of await kept.keys()) {
    const { pathname } = new URL(url);
    if (pathname !== "/" && !paths.includes(pathname)) await kept.delete(pathname);
  }
}

// What the system shares to the page, as files; text becomes one.
async function take(request) {
  const form = await request.formData();
  given = form.getAll("files").filter((file) => file instanceof File);
  const text = ["title", "text", "url"].map((name) => form.get(name)).filter(Boolean).join("\n");
  if (given.length === 0 && text) given = [new File([text], "text.txt", { type: "text/plain" })];
  return Response.redirect("/?given", 303);
}

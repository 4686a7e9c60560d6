// On every page: names of uploads, and messages of requests that did not arrive.
const BLOB_NAMES = "worldgen.blobs";

function blobNames() {
  try { return JSON.parse(store.get(BLOB_NAMES) || "{}"); } catch { return {}; }
}

// The server knows an upload by its content; what the file was called stays in this browser.
function rememberBlob(sha256, name) {
  const known = Object.entries({ ...blobNames(), [sha256]: name }).slice(-200);
  store.set(BLOB_NAMES, JSON.stringify(Object.fromEntries(known)));
}

function nameBlobs(within) {
  const names = blobNames();
  for (const node of within.querySelectorAll("[data-blob]")) {
    const name = names[node.dataset.blob];
    if (name && node.textContent !== name) node.textContent = name;
  }
}

nameBlobs(document);
document.addEventListener("htmx:load", (event) => nameBlobs(event.target));
document.addEventListener("htmx:sendError", () => say("The server does not answer"));
document.addEventListener("htmx:responseError", (event) => {
  // An error that has no place of its own on this page is said, not lost.
  const place = event.detail.xhr.getResponseHeader("HX-Retarget");
  if (!place || !document.querySelector(place)) say(`Refused: ${event.detail.xhr.status}`);
});

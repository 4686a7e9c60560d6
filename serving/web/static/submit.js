// The form: what was chosen, the upload by content, and the submission.
const form = $("submit");
let stop = null;
let once = ""; // Sent with the request: pressing twice, or again after a lost answer, makes one job.

// What was chosen.
function chosenValues() { return [...document.querySelectorAll("#chosen .choice")].map((li) => li.dataset.value); }

function showChosen() {
  const values = new Set(chosenValues());
  const count = [...document.querySelectorAll("#chosen .choice")].reduce((sum, li) => sum + Number(li.dataset.count), 0);
  $("chosen-count").textContent = count;
  for (const chip of form.querySelectorAll(".chip-button")) chip.setAttribute("aria-pressed", String(values.has(chip.dataset.value)));
  once = "";
}

function unchoose(li) {
  const next = li.nextElementSibling || li.previousElementSibling;
  li.remove();
  showChosen();
  (next?.querySelector(".remove") || $("words")).focus();
}

$("chosen").addEventListener("click", (event) => {
  if (event.target.closest(".remove")) unchoose(event.target.closest(".choice"));
});
form.addEventListener("htmx:confirm", (event) => {
  // A word that is chosen already is taken back instead.
  const chip = event.target.closest?.(".chip-button");
  if (!chip || chip.getAttribute("aria-pressed") !== "true") return;
  event.preventDefault();
  [...document.querySelectorAll("#chosen .choice")].find((li) => li.dataset.value === chip.dataset.value)?.remove();
  showChosen();
});
form.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "chosen") showChosen(); });
form.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  if (event.target.id === "add-words") { $("words").value = ""; $("meaning").replaceChildren(); $("words").focus(); }
  if (event.target.id === "add-exact") {
    for (const input of form.querySelectorAll(".exact input")) input.value = "";
    $("exact-problem").replaceChildren();
    say("Condition added");
  }
});
$("words").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if ($("words").value.trim()) $("add-words").click();
});

// The clip.
function size(bytes) { return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`; }

function showFile() {
  const [clip] = $("file").files;
  $("file-name").textContent = clip ? clip.name : "Choose a clip";
  $("file-size").textContent = clip ? size(clip.size) : "or drop one here";
  $("drop").classList.toggle("filled", Boolean(clip));
  if (clip) $("source").value = "";
}
$("file").addEventListener("change", showFile);
$("source").addEventListener("input", () => { if ($("source").value) { $("file").value = ""; showFile(); } });
for (const name of ["dragenter", "dragover"]) {
  $("drop").addEventListener(name, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) $("drop").addEventListener(name, () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files.length) { $("file").files = event.dataTransfer.files; showFile(); }
});
form.addEventListener("input", () => { once = ""; });
form.addEventListener("htmx:configRequest", (event) => { if (event.target === form && once) event.detail.headers["Idempotency-Key"] = once; });

function progress(words, share) {
  $("upload").hidden = false;
  $("upload-bar").value = 100 * share;
  if ($("upload-words").textContent !== words) $("upload-words").textContent = words;
}

function sha256Of(file) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(form.dataset.hash);
    const end = (settle, value) => { worker.terminate(); settle(value); };
    stop = () => end(reject, new Error("stopped"));
    worker.onerror = () => end(reject, new Error("this browser could not read the file"));
    worker.onmessage = ({ data }) => {
      if (data.sha256) end(resolve, data.sha256);
      else if (data.wrong) end(reject, new Error(data.wrong));
      else progress(`Reading ${file.name}`, data.done / (file.size || 1));
    };
    worker.postMessage(file);
  });
}

async function whatIsThere(sha256) {
  const answer = await fetch("/v1/blobs/check", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sha256: [sha256] }),
  });
  if (!answer.ok) return { missing: [sha256], received: {} };
  return answer.json();
}

// What an interrupted upload has left on the server is not sent again.
function put(file, sha256, from) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/v1/blobs/${sha256}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (from > 0) request.setRequestHeader("Content-Range", `bytes ${from}-${file.size - 1}/${file.size}`);
    request.upload.onprogress = (event) => progress(`Uploading ${file.name}`, (from + event.loaded) / file.size);
    request.onload = () => {
      if (request.status < 300) return resolve();
      let detail = `the server answered ${request.status}`;
      try { detail = JSON.parse(request.responseText).detail || detail; } catch { /* not ours */ }
      return reject(new Error(detail));
    };
    request.onerror = () => reject(new Error("the connection was lost; submit again and the upload goes on"));
    request.onabort = () => reject(new Error("stopped"));
    stop = () => request.abort();
    request.send(from > 0 ? file.slice(from) : file);
  });
}

async function upload(file) {
  const most = Number(form.dataset.mostBytes);
  if (file.size > most) throw new Error(`${file.name} has ${size(file.size)}; this server takes ${size(most)}`);
  if (file.size === 0) throw new Error(`${file.name} is empty`);
  const sha256 = await sha256Of(file);
  const { missing, received } = await whatIsThere(sha256);
  if (missing.includes(sha256)) await put(file, sha256, received?.[sha256] || 0);
  return `blob:${sha256}`;
}

function refuse(words) {
  $("problem").replaceChildren(make("div", { class: "problem", role: "alert" }, make("p", { text: words })));
  $("problem").scrollIntoView({ block: "nearest" });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  $("problem").replaceChildren();
  // Words that were typed and not added are meant too.
  if ($("words").value.trim()) {
    await htmx.ajax("POST", "/specs", { source: "#add-words", target: "#chosen", swap: "beforeend" });
    if ($("words").value.trim()) { $("words").focus(); return; }
  }
  const clip = $("file").files[0];
  if (!clip && !$("source").value.trim()) { refuse("Choose a clip, or name an address or a path."); $("file").focus(); return; }
  if (!chosenValues().length) { refuse("Choose at least one condition."); $("words").focus(); return; }
  $("go").disabled = true;
  form.elements.namedItem("source_name").value = clip?.name || "";
  try {
    for (const input of form.querySelectorAll("input[type=file]")) {
      const [file] = input.files;
      if (file) form.elements.namedItem(input.dataset.for).value = await upload(file);
    }
    once ||= [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
    progress("Checking the request", 1);
    htmx.trigger(form, "ready");
  } catch (error) {
    if (error.message !== "stopped") refuse(`Not submitted: ${error.message}.`);
    again();
  }
});
$("upload-stop").addEventListener("click", () => stop?.());

function again() {
  $("go").disabled = false;
  $("upload").hidden = true;
  stop = null;
  if ($("file").files.length) $("source").value = "";
}
form.addEventListener("htmx:afterRequest", (event) => {
  if (event.target !== form) return;
  const moves = event.detail.xhr.getResponseHeader("HX-Redirect");
  if (!moves) { again(); $("problem").scrollIntoView({ block: "nearest" }); }
});
addEventListener("pageshow", (event) => { if (event.persisted) again(); });
showChosen();

// One job, live: steps as they are reported, and the page's part again when a variant or a state has come.
const FINAL = new Set(["completed", "failed", "cancelled", "expired"]);
const job = () => $("job");
const jobId = job().dataset.id;
const live = new Map();
let last = 0;
let waiting = 0;

// Soon, and once for all that comes until then.
function refresh() {
  waiting ||= setTimeout(() => { waiting = 0; htmx.trigger(job(), "refresh"); }, 150);
}

function inWords(event) {
  const parts = [event.stage];
  if (event.chunks > 1) parts.push(`part ${event.chunk + 1} of ${event.chunks}`);
  if (event.steps) parts.push(`step ${event.step} of ${event.steps}`);
  if (event.seconds_left !== null) parts.push(event.seconds_left >= 90 ? `about ${Math.round(event.seconds_left / 60)} min left` : `about ${Math.round(event.seconds_left)} s left`);
  return parts.filter(Boolean).join(" \u00b7 ");
}

function step(event) {
  let row = live.get(event.variant_id);
  if (!row) {
    const name = (event.spec || event.variant_id.slice(0, 12)).replaceAll("_", " ");
    const bar = make("progress", { max: 100, value: 0, "aria-label": name });
    const text = make("span", { class: "muted small" });
    row = { bar, text, node: make("li", { "data-variant": event.variant_id }, make("b", { text: name }), text, bar) };
    live.set(event.variant_id, row);
    $("live").append(row.node);
  }
  row.bar.value = event.steps ? (100 * event.step) / event.steps : 0;
  row.text.textContent = inWords(event);
  showOverall();
  if (event.state !== job().dataset.state) refresh();
  if ($("overall-words")) $("overall-words").textContent = inWords(event);
  $("live-section").hidden = false;
}

function showOverall() {
  const parts = [...live.values()].reduce((sum, row) => sum + row.bar.value / 100, Number(job().dataset.done));
  if ($("overall")) $("overall").value = Math.min(100, (100 * parts) / Number(job().dataset.total));
}

function settle(variantId) {
  live.get(variantId)?.node.remove();
  live.delete(variantId);
  $("live-section").hidden = live.size === 0;
}

let stream = null;
function follow() {
  stream?.close();
  if (FINAL.has(job().dataset.state)) return;
  stream = new EventSource(`/v1/jobs/${jobId}/events`);
  const heard = (act) => (message) => {
    const event = JSON.parse(message.data);
    // After a lost connection the stream may begin again.
    if (event.id <= last) return;
    last = event.id;
    act(event);
    if (FINAL.has(event.state)) { stream.close(); for (const id of [...live.keys()]) settle(id); say(`The job is ${event.state}`); refresh(); }
  };
  stream.addEventListener("progress", heard(step));
  stream.addEventListener("variant", heard((event) => { settle(event.variant_id); refresh(); }));
  stream.addEventListener("state", heard((event) => { if (event.state !== job().dataset.state) refresh(); }));
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED && !FINAL.has(job().dataset.state)) setTimeout(() => { refresh(); follow(); }, 2000); };
}
follow();
document.addEventListener("htmx:afterSwap", showOverall);
document.addEventListener("htmx:afterRequest", (event) => { if (event.target.id === "cancel") refresh(); });
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => { if (event.persisted) { refresh(); follow(); } });

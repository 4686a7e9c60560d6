// The player: one variant, watched, compared and audited. `neighbour` and `leave` are the page's: see route.js.
const pair = new Pair($("video-variant"), $("video-source"), [$("paint-variant"), $("paint-source")], showFrame);
let current = null;
let selected = -1;

function layout(name) {
  if (current && !pair.hasSource) name = "variant";
  $("stage").dataset.layout = name;
  pair.isPaired = name !== "variant";
  for (const canvas of pair.paints) canvas.hidden ||= !pair.isPaired;
  for (const input of document.getElementsByName("layout")) input.checked = input.value === name;
  redraw();
}

function wipe(percent) {
  const value = Math.max(0, Math.min(100, percent));
  $("wipe").value = value;
  $("stage").style.setProperty("--wipe", `${value}%`);
}

function redraw() {
  if (!current || $("player-view").hidden) return;
  const options = { boxes: $("boxes").checked, finding: current.findings[selected], zoom: pair.zoom };
  drawOverlay($("overlay-source"), current, pair.frame, { ...options, plain: true });
  drawOverlay($("overlay-variant"), current, pair.frame, options);
}

// Enlarges around the selected finding's place, else around the pointer, else the far end of the road.
let pointer = null;
function zoomTo(isOn) {
  pair.zoom = isOn ? 3 : 1;
  $("zoom").checked = isOn;
  const box = current?.findings[selected]?.places[0]?.box;
  const [x, y] = box
    ? [(50 * (box[0] + box[2])) / current.width, (50 * (box[1] + box[3])) / current.height]
    : pointer || [50, 50];
  $("stage").style.setProperty("--zoom", pair.zoom);
  // The edge of the picture must not come into view: what is enlarged moves to the middle only as far as it can.
  const origin = (at) => Math.max(0, Math.min(100, ((at - 50 / pair.zoom) * 100) / (100 - 100 / pair.zoom || 1)));
  $("stage").style.setProperty("--zoom-at", isOn ? `${origin(x)}% ${origin(y)}%` : "50% 50%");
  zoomOrigin = isOn ? origin(x) : 50;
  makeWay();
  redraw();
}

// The place belongs to the variant: the wipe moves to its left.
let zoomOrigin = 50;
function makeWay() {
  const box = current?.findings[selected]?.places[0]?.box;
  if (!box) return;
  const shown = zoomOrigin + ((100 * box[0]) / current.width - zoomOrigin) * pair.zoom;
  wipe(Math.min($("wipe").valueAsNumber, shown - 3));
}

function showFrame(frame) {
  if (!current) return;
  $("seek").value = frame;
  $("seek").setAttribute("aria-valuetext", `frame ${frame} of ${current.frames}`);
  $("frame").textContent = `frame ${frame} / ${Math.max(0, current.frames - 1)}  ${(pair.times[frame] || 0).toFixed(2)} s`;
  $("drift").textContent = pair.isPlaying && pair.hasSource ? `clocks ${(pair.drift * 1000).toFixed(0)} ms apart` : "";
  $("stage").dataset.frame = frame;
  moveCursors(current, frame);
  redraw();
}

function showPlaying() {
  $("play").replaceChildren(icon(pair.isPlaying ? "pause" : "play"));
  $("play").setAttribute("aria-label", pair.isPlaying ? "Pause" : "Play");
}

async function togglePlay() {
  if (!current || !current.video) return;
  if (pair.isPlaying) pair.pause();
  else await pair.play();
  showPlaying();
  if (!pair.isPlaying) $("drift").textContent = "";
}

function stepBy(frames) {
  if (pair.isPlaying) togglePlay();
  const from = pair.wanted ?? pair.frame;
  return pair.seek(from + frames);
}

function selectFinding(k) {
  selected = selected === k ? -1 : k;
  for (const button of document.querySelectorAll("button.finding")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.finding) === selected));
  }
  const place = selected >= 0 && current.findings[selected].places[0];
  if (!place) { redraw(); return; }
  if (pair.isPlaying) togglePlay();
  if (pair.zoom > 1) zoomTo(true);
  else makeWay();
  pair.seek(place.first);
}

function show(variant) {
  selected = -1;
  describe(variant);
  zoomTo(false);
  if (current.video) pair.load(current);
  else { pair.pause(); pair.frames = 0; $("frame").textContent = ""; }
  layout(current.source || !current.video ? (layout.last || "wipe") : "variant");
  showPlaying();
  scrollTo(0, 0);
  $("player-title").focus({ preventScroll: true });
}

// All that is said of a variant; what a blind audit hides is empty until it is told.
function describe(variant) {
  current = variant;
  document.title = `${current.title} - worldgen`;
  $("player-title").textContent = current.title;
  $("source-tag").textContent = current.sourceTag;
  const badge = current.state ? [make("span", { class: `badge ${current.state}` }, icon(current.state), current.state)] : [];
  $("player-badge").replaceChildren(...badge);
  const maker = current.model ? [`made by ${current.model}`] : [];
  $("player-details").textContent = [...current.details, `${current.width || "?"}x${current.height || "?"}`, `${current.frames} frames`, current.sourceName, ...maker, ...(current.superseded ? ["earlier run"] : [])].join(" \u00b7 ");
  $("stage").style.setProperty("--ratio", `${current.width || 16} / ${current.height || 9}`);
  $("seek").max = Math.max(0, current.frames - 1);
  const note = current.blocked ? `No picture: ${current.blocked}` : "";
  $("stage-note").textContent = note;
  $("stage-note").hidden = !note;
  $("stage").classList.toggle("single", Boolean(note));
  fillFindings(current, selectFinding);
  fillMarks(current, selectFinding);
  fillStrips(current, (frame) => stepBy(frame - pair.frame));
  fillProvenance(current);
  showAudit(current);
}

$("play").addEventListener("click", togglePlay);
$("step-back").addEventListener("click", () => stepBy(-1));
$("step-forward").addEventListener("click", () => stepBy(1));
$("seek").addEventListener("input", (event) => stepBy(event.target.valueAsNumber - (pair.wanted ?? pair.frame)));
$("wipe").addEventListener("input", (event) => wipe(event.target.valueAsNumber));
function wipeTo(event) {
  const area = $("stage").getBoundingClientRect();
  wipe((100 * (event.clientX - area.left)) / area.width);
}
$("stage").addEventListener("pointerdown", (event) => {
  if (!current?.video || event.button) return;
  if ($("stage").dataset.layout !== "wipe") { togglePlay(); return; }
  $("stage").setPointerCapture(event.pointerId);
  wipeTo(event);
});
$("stage").addEventListener("pointerleave", () => { pointer = null; });
$("stage").addEventListener("pointermove", (event) => {
  const area = (event.target.closest(".pane") || $("pane-variant")).getBoundingClientRect();
  pointer = [(100 * (event.clientX - area.left)) / area.width, (100 * (event.clientY - area.top)) / area.height];
});
$("zoom").addEventListener("change", (event) => zoomTo(event.target.checked));
$("stage").addEventListener("pointermove", (event) => { if ($("stage").hasPointerCapture(event.pointerId)) wipeTo(event); });
$("boxes").addEventListener("change", redraw);
$("loop").addEventListener("change", (event) => { pair.loops = event.target.checked; });
$("speed").addEventListener("change", (event) => pair.setRate(Number(event.target.value)));
for (const input of document.getElementsByName("layout")) {
  input.addEventListener("change", () => { layout.last = input.value; layout(input.value); });
}
for (const button of document.querySelectorAll(".decision")) {
  button.addEventListener("click", () => decide(current, button.dataset.decision, pair.frame));
}
$("video-variant").addEventListener("pause", showPlaying);
$("video-variant").addEventListener("play", showPlaying);
for (const video of [$("video-variant"), $("video-source")]) {
  video.addEventListener("error", () => {
    if (!video.getAttribute("src")) return;
    $("stage-note").textContent = "This browser cannot play the file: " + video.getAttribute("src");
    $("stage-note").hidden = false;
  });
}

const choose = (name) => { layout.last = name; layout(name); };
const KEYS = {
  " ": togglePlay, b: () => $("boxes").click(), z: () => zoomTo(pair.zoom === 1), j: () => neighbour(1), k: () => neighbour(-1),
  1: () => choose("wipe"), 2: () => choose("pair"), 3: () => choose("variant"),
  a: () => decide(current, "accept", pair.frame), r: () => decide(current, "reject", pair.frame), u: () => decide(current, "unsure", pair.frame),
  e: () => $("reason").focus(), "[": () => wipe($("wipe").valueAsNumber - 5), "]": () => wipe($("wipe").valueAsNumber + 5),
  Home: () => stepBy(-1e9), End: () => stepBy(1e9), Escape: () => leave(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const at = document.activeElement;
  const isText = at.matches?.("textarea, select, input:not([type=range]):not([type=radio]):not([type=checkbox])");
  if (isText) { if (event.key === "Escape") { at.blur(); event.preventDefault(); } return; }
  if (event.key === "?") { $("help").showModal(); return; }
  if (!current) return;
  const isArrow = event.key === "ArrowLeft" || event.key === "ArrowRight";
  // The wipe and the layout keep their own arrow keys; space presses a focused button.
  if (isArrow && at.matches?.("#wipe, [type=radio]")) return;
  if ((event.key === "Home" || event.key === "End") && at.id === "wipe") return;
  if (event.key === " " && at.matches?.("button, a, summary, [type=checkbox]") && at.id !== "play") return;
  if (isArrow) stepBy((event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

addEventListener("resize", redraw);

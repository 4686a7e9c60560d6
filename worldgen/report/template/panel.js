// What stands beside the picture: findings, labels over time, provenance.
function fillFindings(variant, select) {
  $("recognised").textContent = variant.recognised ? `The critic sees: ${variant.recognised}.` : "";
  const rows = variant.findings.map((f, k) => {
    const mood = f.passed === true ? "passed" : f.passed === null ? "open" : f.severity === "reject" ? "failed" : "warned";
    const name = { passed: "accepted", failed: "rejected", warned: "review", open: "inconclusive" }[mood];
    const state = { passed: "passed", failed: "failed", warned: "to review", open: "undecided" }[mood];
    const parts = [icon(name), make("span", { text: f.reason }), make("span", { class: "numbers", text: numbersOf(f, state) })];
    const places = f.places.length > 0;
    const node = places
      ? make("button", { type: "button", class: `finding ${mood}`, "aria-pressed": "false", "data-finding": k, onclick: () => select(k) }, ...parts)
      : make("div", { class: `finding ${mood}` }, ...parts);
    return make("li", {}, node);
  });
  // What passed is kept short: a dozen green lines would hide the red one.
  const passed = rows.filter((_, k) => variant.findings[k].passed === true);
  const others = rows.filter((_, k) => variant.findings[k].passed !== true);
  $("findings").replaceChildren(...others);
  $("passed").hidden = passed.length === 0;
  $("passed").open = others.length === 0 && passed.length <= 6;
  $("passed").querySelector("summary").textContent = `${others.length ? "" : "All "}${passed.length} check${passed.length === 1 ? "" : "s"} passed`;
  $("passed-list").replaceChildren(...passed);
}

function numbersOf(f, state) {
  const unit = f.unit ? ` ${f.unit}` : "";
  const parts = [f.check, state];
  if (f.value !== null) parts.push(`${f.value}${unit}` + (f.threshold !== null ? `, threshold ${f.threshold}${unit}` : ""));
  for (const p of f.places.slice(0, 3)) parts.push(p.first === p.last ? `frame ${p.first}` : `frames ${p.first} to ${p.last}`);
  if (f.places.length > 3) parts.push(`and ${f.places.length - 3} more`);
  return parts.join(" \u00b7 ");
}

function fillMarks(variant, select) {
  const marks = [];
  variant.findings.forEach((f, k) => {
    if (f.passed === true) return;
    for (const p of f.places) {
      const left = (100 * p.first) / variant.frames;
      const width = (100 * (p.last - p.first + 1)) / variant.frames;
      const kind = f.passed === null ? "undecided" : f.severity;
      const mark = make("span", { class: kind, title: f.reason, onclick: () => select(k) });
      mark.style.left = `${left}%`;
      mark.style.width = `${Math.min(width, 100 - left)}%`;
      marks.push(mark);
    }
  });
  $("marks").replaceChildren(...marks);
}

const FILLS = { c: "clear", d: "degraded", u: "unknown", n: "ignored", i: "ignored" };

// One row per object, one colour per frame: when its label may be trained on.
function fillStrips(variant, seek) {
  $("labels-panel").hidden = !variant.labels;
  if (!variant.labels) return;
  const tracks = DATA.tracks[variant.labels.tracks];
  const runs = new Map();
  tracks.boxes.forEach(([frame, boxes], row) => {
    boxes.forEach(([id], k) => {
      const fill = FILLS[variant.labels.states[row][k]];
      const list = runs.get(id) || runs.set(id, []).get(id);
      const last = list.at(-1);
      if (last && last.fill === fill && last.end === frame) last.end = frame + 1;
      else list.push({ start: frame, end: frame + 1, fill });
    });
  });
  const rows = [...runs].sort(([a], [b]) => a - b).map(([id, list]) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${variant.frames} 10`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", list.map((r) => `frames ${r.start} to ${r.end - 1} ${r.fill}`).join(", "));
    for (const r of list) svg.append(shape({ class: `fill-${r.fill}`, x: r.start, y: 0, width: r.end - r.start, height: 10 }));
    svg.append(shape({ class: "cursor", x: 0, y: 0, width: variant.frames / 250, height: 10 }));
    svg.addEventListener("click", (event) => {
      const area = svg.getBoundingClientRect();
      seek(Math.floor(((event.clientX - area.left) / area.width) * variant.frames));
    });
    const why = variant.labels.reasons.filter(([, , who]) => who === id).map((r) => words(r[3]));
    const name = `${words(tracks.categories[id])} ${id}`;
    return make("div", { class: "strip", title: why.length ? `ignored: ${[...new Set(why)].join(", ")}` : name }, make("span", { text: name }), svg);
  });
  $("strips").replaceChildren(...rows);
  const claims = variant.labels.claims.map(([first, last, name, state]) => {
    const whole = first === 0 && last >= variant.frames - 1;
    return `${name} ${state}${whole ? "" : ` in frames ${first} to ${last}`}`;
  });
  const areas = [...new Set([...variant.labels.regions, ...variant.unusable].map((r) => words(r[2])))];
  $("claims").textContent = [
    claims.length ? `Per frame: ${claims.join(", ")}.` : "Per frame: boxes, lanes, depth and flow kept.",
    areas.length ? `Ignore regions: ${areas.join(", ")}.` : "",
  ].join(" ");
}

function moveCursors(variant, frame) {
  const width = variant.frames / 250;
  for (const cursor of document.querySelectorAll(".strip .cursor")) {
    cursor.setAttribute("x", Math.min(frame + 0.5 - width / 2, variant.frames - width));
  }
}

function fillProvenance(variant) {
  $("made-by").textContent = variant.madeBy;
  $("scale").textContent = variant.scale;
  $("files").replaceChildren(...variant.files.map(([name, address]) => make("a", { href: address, text: name })));
  $("provenance").replaceChildren(...variant.provenance.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value })]));
}

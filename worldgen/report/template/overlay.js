// Boxes over the picture: what can be trained on in colour, what cannot in grey and dashed.
const COLOURS = { c: "#54d38a", d: "#f4b740", u: "#7ab8ff", n: "#aeb7c0", i: "#aeb7c0" };
const NAMES = { c: "clear", d: "degraded", u: "unknown", n: "not visible", i: "ignore" };

function boxesAt(variant, frame) {
  if (!variant.labels) return [];
  const tracks = DATA.tracks[variant.labels.tracks];
  const row = frameRow(variant, frame);
  if (row < 0) return [];
  return tracks.boxes[row][1].map(([id, left, top, right, bottom], k) => {
    const state = variant.labels.states[row][k];
    const reason = variant.labels.reasons.find(([first, last, who]) => who === id && first <= frame && frame <= last);
    return { id, left, top, right, bottom, state, category: tracks.categories[id], reason: reason ? words(reason[3]) : "" };
  });
}

function frameRow(variant, frame) {
  const labels = variant.labels;
  labels.rows ||= new Map(DATA.tracks[labels.tracks].boxes.map(([number], row) => [number, row]));
  return labels.rows.has(frame) ? labels.rows.get(frame) : -1;
}

const words = (name) => (name || "").replaceAll("_", " ");

function drawOverlay(canvas, variant, frame, { boxes, finding, plain, zoom }) {
  const ratio = devicePixelRatio || 1;
  // The picture is enlarged by style; lines and words keep their size on the screen.
  const width = canvas.clientWidth * zoom;
  const height = canvas.clientHeight * zoom;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  if (!width || !variant.width) return;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const sx = width / variant.width;
  const sy = height / variant.height;
  if (boxes && variant.labels) {
    if (!plain) drawRegions(pen, variant, frame, sx, sy, width);
    const all = boxesAt(variant, frame).sort((a, b) => (a.state === "i") - (b.state === "i")).reverse();
    const taken = [];
    const named = new Set((finding?.places || []).map((place) => place.object));
    for (const box of all) drawBox(pen, box, sx, sy, plain, taken, width, named.has(box.id));
  }
  if (finding) drawPlaces(pen, variant, frame, finding, sx, sy, [width, height]);
}

const LEAST_NAMED = 20; // pixels on the screen: a name would hide what is smaller

function drawBox(pen, box, sx, sy, plain, taken, width, isNamed) {
  // On the source every object is as it was labelled there.
  const state = plain ? "c" : box.state;
  const isIgnored = state === "i" || state === "n";
  pen.strokeStyle = COLOURS[state];
  pen.lineWidth = isIgnored ? 1.25 : 2;
  pen.setLineDash(isIgnored ? [4, 4] : []);
  const [x, y, w, h] = [box.left * sx, box.top * sy, (box.right - box.left) * sx, (box.bottom - box.top) * sy];
  pen.strokeRect(x, y, w, h);
  pen.setLineDash([]);
  if (h < LEAST_NAMED && !isNamed) return;
  const note = plain ? "" : isIgnored ? `: ${box.reason || NAMES[state]}` : state === "c" ? "" : `: ${NAMES[state]}`;
  drawTag(pen, `${box.category} ${box.id}${note}`, x, y, COLOURS[state], taken, width);
}

function drawTag(pen, text, x, y, colour, taken, width) {
  pen.font = "500 11px system-ui, sans-serif";
  const wide = pen.measureText(text).width + 10;
  const left = Math.max(0, Math.min(x, width - wide));
  const top = y - 18 < 0 ? y + 2 : y - 18;
  const place = { left, top, right: left + wide, bottom: top + 16 };
  const overlaps = taken.some((t) => t.left < place.right && place.left < t.right && t.top < place.bottom && place.top < t.bottom);
  if (overlaps) return;
  taken.push(place);
  pen.fillStyle = "rgb(7 9 11 / 78%)";
  pen.fillRect(left, top, wide, 16);
  pen.fillStyle = colour;
  pen.fillText(text, left + 5, top + 12);
}

function drawRegions(pen, variant, frame, sx, sy, width) {
  for (const [first, last, reason, left, top, right, bottom] of [...variant.labels.regions, ...variant.unusable]) {
    if (frame < first || frame > last) continue;
    const [x, y, w, h] = [left * sx, top * sy, (right - left) * sx, (bottom - top) * sy];
    pen.save();
    pen.beginPath();
    pen.rect(x, y, w, h);
    pen.clip();
    pen.strokeStyle = "rgb(200 208 216 / 60%)";
    pen.lineWidth = 1;
    for (let k = -h; k < w; k += 7) {
      pen.beginPath();
      pen.moveTo(x + k, y + h);
      pen.lineTo(x + k + h, y);
      pen.stroke();
    }
    pen.restore();
    drawTag(pen, words(reason), x, y, "#d5dbe1", [], width);
  }
}

function drawPlaces(pen, variant, frame, finding, sx, sy, [width, height]) {
  for (const place of finding.places) {
    if (frame < place.first || frame > place.last) continue;
    const own = boxesAt(variant, frame).find((b) => b.id === place.object);
    const box = own ? [own.left, own.top, own.right, own.bottom] : place.box;
    const [x, y, w, h] = box
      ? [box[0] * sx - 3, box[1] * sy - 3, (box[2] - box[0]) * sx + 6, (box[3] - box[1]) * sy + 6]
      : [2, 2, width - 4, height - 4];
    // A dark rim keeps the mark apart from tail lights and from other boxes.
    for (const [wide, colour] of [[6, "rgb(7 9 11 / 75%)"], [3, finding.passed === false ? "#ff6b5e" : "#ffffff"]]) {
      pen.lineWidth = wide;
      pen.strokeStyle = colour;
      pen.strokeRect(x, y, w, h);
    }
  }
}

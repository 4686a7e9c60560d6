// The wall: a source and all its variants on one clock. The first leads, the others follow.
const wall = $("wall");
const videos = [...wall.querySelectorAll("video")];
const fps = Number(wall.dataset.fps) || 25;
const frames = Number(wall.dataset.frames) || 1;
let at = 0;
let playing = false;

function shown(frame) {
  at = Math.max(0, Math.min(frames - 1, frame));
  $("seek").value = at;
  $("frame").textContent = `frame ${at} / ${frames - 1}`;
  wall.dataset.frame = at;
}

function settled(video) {
  return new Promise((resolve) => {
    const end = () => { clearTimeout(giveUp); resolve(); };
    const giveUp = setTimeout(end, 4000);
    video.addEventListener("seeked", end, { once: true });
    video.addEventListener("error", end, { once: true });
  });
}

// To the middle of a frame, so that no rounding lands on its neighbour.
async function seek(frame) {
  shown(frame);
  const seconds = (at + 0.5) / fps;
  await Promise.all(videos.map((video) => {
    if (Math.abs(video.currentTime - seconds) < 1e-4) return null;
    const done = settled(video);
    video.currentTime = seconds;
    return done;
  }));
  wall.dataset.settled = at;
}

function follow() {
  if (!playing) return;
  const [lead, ...others] = videos;
  if (lead.ended || at >= frames - 1) { seek(0).then(() => { if (playing) start(); }); return; }
  for (const video of others) {
    const drift = video.currentTime - lead.currentTime;
    if (Math.abs(drift) > 0.25) video.currentTime = lead.currentTime;
    video.playbackRate = 1 + Math.max(-0.3, Math.min(0.3, -4 * drift));
  }
  shown(Math.floor(lead.currentTime * fps + 1e-3));
  requestAnimationFrame(follow);
}

async function start() {
  await Promise.all(videos.map((video) => video.play())).catch(() => toggle(false));
  requestAnimationFrame(follow);
}

function toggle(on = !playing) {
  playing = on;
  $("play").replaceChildren(icon(playing ? "pause" : "play"));
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  if (playing) { start(); return; }
  for (const video of videos) { video.pause(); video.playbackRate = 1; }
  seek(at);
}

function stepBy(n) { if (playing) toggle(false); seek(at + n); }

$("play").addEventListener("click", () => toggle());
$("step-back").addEventListener("click", () => stepBy(-1));
$("step-forward").addEventListener("click", () => stepBy(1));
$("seek").addEventListener("input", () => { if (playing) toggle(false); seek($("seek").valueAsNumber); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " " && !event.target.matches("button, a")) toggle();
  else if (event.key === "ArrowLeft") stepBy(event.shiftKey ? -10 : -1);
  else if (event.key === "ArrowRight") stepBy(event.shiftKey ? 10 : 1);
  else if (event.key === "Home") stepBy(-1e9);
  else if (event.key === "End") stepBy(1e9);
  else return;
  event.preventDefault();
});
seek(0);

// A pair of videos on one clock: the variant leads, the source follows it frame for frame.
//
// Two players never present their frames at quite the same moment. While playing, each frame is therefore
// kept when it is presented, and both pictures are painted together once both have been seen:
//
//   variant    |  k  |  k+1  |  k+2  |
//   source       |  k  |  k+1  |  k+2  |
//   painted      k     k+1     k+2
class Pair {
  #kept = [[], []];

  constructor(lead, follower, paints, onFrame) {
    this.lead = lead;
    this.follower = follower;
    this.paints = paints;
    this.onFrame = onFrame;
    this.isPaired = true;
    this.zoom = 1;
    this.at = new Map();
    this.frame = 0;
    this.frames = 0;
    this.rate = 1;
    this.loops = true;
    this.drift = 0;
    this.wanted = null;
    lead.addEventListener("ended", () => this.#ended());
    for (const [one, other] of [[lead, follower], [follower, lead]]) {
      one.addEventListener("waiting", () => { if (this.isPlaying && other === this.lead) other.pause(); });
      one.addEventListener("canplay", () => { if (this.isPlaying) other.play().catch(() => {}); });
    }
  }

  load(variant) {
    this.pause();
    this.generation = (this.generation || 0) + 1;
    this.wanted = null;
    this.frame = 0;
    this.#forget();
    this.frames = variant.frames;
    this.times = variant.times || this.#even(variant);
    this.sourceTimes = variant.sourceTimes || this.#even(variant);
    this.hasSource = Boolean(variant.source);
    this.#open(this.lead, variant.video);
    this.#open(this.follower, variant.source);
    this.#watch(this.lead);
    this.#watch(this.follower);
    return this.seek(0);
  }

  get videos() { return this.hasSource ? [this.lead, this.follower] : [this.lead]; }

  // Seeking aims at the middle of a frame, so that no rounding can land on its neighbour.
  async seek(frame) {
    this.wanted = Math.max(0, Math.min(this.frames - 1, Math.round(frame)));
    if (this.seeking) return this.seeking;
    this.seeking = (async () => {
      try {
        while (this.wanted !== null) {
          const target = this.wanted;
          const mine = this.generation;
          await Promise.all(this.videos.map((video) => this.#jump(video, this.#middle(this.#timesOf(video), target))));
          if (mine !== this.generation) continue;
          if (this.wanted === target) this.wanted = null;
          this.frame = target;
          this.#unpaint();
          this.onFrame(target);
        }
      } finally { this.seeking = null; }
    })();
    return this.seeking;
  }

  async play() {
    if (this.frame >= this.frames - 1) await this.seek(0);
    else await this.seek(this.frame);
    this.isPlaying = true;
    this.#forget();
    for (const video of this.videos) video.playbackRate = this.rate;
    await Promise.all(this.videos.map((video) => video.play())).catch(() => this.pause());
  }

  pause() {
    const was = this.isPlaying;
    this.isPlaying = false;
    for (const video of [this.lead, this.follower]) video.pause();
    if (was) this.seek(this.frame);
  }

  setRate(rate) {
    this.rate = rate;
    for (const video of this.videos) video.playbackRate = rate;
  }

  #timesOf(video) { return video === this.lead ? this.times : this.sourceTimes; }
  #even(variant) { return Array.from({ length: variant.frames }, (_, i) => i / variant.fps); }
  #middle(times, frame) {
    const at = Math.min(frame, times.length - 1);
    const next = at + 1 < times.length ? times[at + 1] : times[at] + (at > 0 ? times[at] - times[at - 1] : 0.04);
    return (times[at] + next) / 2;
  }

  #open(video, address) {
    if (address) { video.src = address; video.load(); }
    else { video.removeAttribute("src"); video.load(); }
  }

  #jump(video, seconds) {
    return new Promise((resolve) => {
      const settle = () => { clearTimeout(giveUp); resolve(); };
      // A file that cannot be shown must not hold up the other one.
      const giveUp = setTimeout(settle, 4000);
      const go = () => {
        if (Math.abs(video.currentTime - seconds) < 1e-4 && !video.seeking) return settle();
        video.addEventListener("seeked", settle, { once: true });
        video.currentTime = seconds;
      };
      video.addEventListener("error", settle, { once: true });
      if (video.readyState >= 1) go();
      else video.addEventListener("loadedmetadata", go, { once: true });
    });
  }

  #watch(video) {
    const mine = this.generation;
    const again = () => {
      if (mine !== this.generation) return;
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(step);
      else requestAnimationFrame(() => step(0, { mediaTime: video.currentTime }));
    };
    const step = (_, about) => {
      if (mine !== this.generation) return;
      if (this.isPlaying) {
        this.at.set(video, this.#nearest(this.#timesOf(video), about.mediaTime));
        if (video === this.lead) this.#follow();
        this.#present(video);
      }
      again();
    };
    again();
  }

  get isGated() { return this.hasSource && this.isPaired && Boolean(this.lead.requestVideoFrameCallback); }

  #present(video) {
    if (!this.isGated) {
      if (video !== this.lead) return;
      this.frame = this.at.get(video);
      this.onFrame(this.frame);
      return;
    }
    this.#keep(video);
    const [leads, follows] = this.#kept;
    const both = leads.filter((k) => k.frame > this.painted && follows.some((f) => f.frame === k.frame));
    const isStuck = performance.now() - this.paintedAt > 400;
    const newest = both.length ? Math.max(...both.map((k) => k.frame)) : isStuck ? this.at.get(this.lead) : undefined;
    if (newest === undefined) return;
    [leads, follows].forEach((kept, n) => this.#paint(this.paints[n], kept.find((k) => k.frame === newest)));
    this.painted = newest;
    this.paintedAt = performance.now();
    this.frame = newest;
    this.onFrame(newest);
  }

  // A frame is drawn the moment it is presented, no larger than it is shown, into one of a few canvases.
  #keep(video) {
    const n = video === this.lead ? 0 : 1;
    const kept = this.#kept[n];
    const canvas = kept.length < 4 ? document.createElement("canvas") : kept.shift().canvas;
    const scale = Math.min(1, (video.clientWidth * this.zoom * (devicePixelRatio || 1)) / video.videoWidth) || 1;
    const width = Math.round(video.videoWidth * scale);
    const height = Math.round(video.videoHeight * scale);
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    canvas.getContext("2d", { alpha: false }).drawImage(video, 0, 0, width, height);
    kept.push({ frame: this.at.get(video), canvas });
  }

  #paint(canvas, kept) {
    if (!kept) return;
    if (canvas.width !== kept.canvas.width) canvas.width = kept.canvas.width;
    if (canvas.height !== kept.canvas.height) canvas.height = kept.canvas.height;
    canvas.getContext("2d", { alpha: false }).drawImage(kept.canvas, 0, 0);
    canvas.hidden = false;
  }

  #forget() {
    this.painted = -1;
    this.paintedAt = performance.now();
    for (const kept of this.#kept) for (const k of kept) k.frame = -1;
  }

  // Standing still, the videos themselves are shown: they are sharp and exact after a seek.
  #unpaint() { if (!this.isPlaying) for (const canvas of this.paints) canvas.hidden = true; }

  #nearest(times, seconds) {
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= seconds + 1e-3) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // Small differences are made up by speed, which cannot be seen; large ones by a jump.
  #follow() {
    if (!this.hasSource || this.follower.ended) return;
    this.drift = this.follower.currentTime - this.lead.currentTime;
    const step = this.times.length > 1 ? this.times[1] - this.times[0] : 0.04;
    if (Math.abs(this.drift) > Math.max(0.25, 3 * step)) {
      this.follower.currentTime = this.lead.currentTime;
      this.follower.playbackRate = this.rate;
    } else if (Math.abs(this.drift) > step / 8) {
      const pull = Math.max(-0.3, Math.min(0.3, -this.drift * 4));
      this.follower.playbackRate = this.rate * (1 + pull);
    } else this.follower.playbackRate = this.rate;
  }

  async #ended() {
    if (!this.isPlaying) return;
    if (!this.loops) { this.frame = this.frames - 1; this.pause(); this.onFrame(this.frame); return; }
    await this.seek(0);
    if (this.isPlaying) this.play();
  }
}

// A pair of videos on one clock: the variant leads, the source follows it frame for frame.
class Pair {
  constructor(lead, follower, onFrame) {
    this.lead = lead;
    this.follower = follower;
    this.onFrame = onFrame;
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
    this.frames = variant.frames;
    this.times = variant.times || this.#even(variant);
    this.sourceTimes = variant.sourceTimes || this.#even(variant);
    this.hasSource = Boolean(variant.source);
    this.#open(this.lead, variant.video);
    this.#open(this.follower, variant.source);
    this.#watch();
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

  #watch() {
    const mine = this.generation;
    const again = () => {
      if (mine !== this.generation) return;
      if (this.lead.requestVideoFrameCallback) this.lead.requestVideoFrameCallback(step);
      else requestAnimationFrame(() => step(0, { mediaTime: this.lead.currentTime }));
    };
    const step = (_, about) => {
      if (mine !== this.generation) return;
      if (this.isPlaying) {
        this.frame = this.#nearest(about.mediaTime);
        this.#follow();
        this.onFrame(this.frame);
      }
      again();
    };
    again();
  }

  #nearest(seconds) {
    let low = 0;
    let high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= seconds + 1e-3) low = middle;
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

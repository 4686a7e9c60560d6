"use strict";
// The sha256 of a file, off the page's thread. The browser's own digest takes a whole file at once and only
// exists on https and on this machine; what it cannot do is read in pieces by this one (FIPS 180-4).
const WHOLE = 256 * 2 ** 20; // Bytes that may be held at once.
const K = new Int32Array(64); // Signed, as the engine computes: unsigned words would be kept as doubles.
const H = new Int32Array(8);
(() => {
  let found = 0;
  for (let n = 2; found < 64; n += 1) {
    let isPrime = true;
    for (let d = 2; d * d <= n; d += 1) if (n % d === 0) { isPrime = false; break; }
    if (!isPrime) continue;
    // The first 32 bits of the fractional parts of roots of the first primes.
    const bits = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
    if (found < 8) H[found] = bits(Math.sqrt(n));
    K[found] = bits(Math.cbrt(n));
    found += 1;
  }
})();

class Sha256 {
  #state = Int32Array.from(H);
  #words = new Int32Array(64);
  #rest = new Uint8Array(64);
  #filled = 0;
  #length = 0;

  update(bytes) {
    this.#length += bytes.length;
    let at = 0;
    if (this.#filled) {
      at = Math.min(64 - this.#filled, bytes.length);
      this.#rest.set(bytes.subarray(0, at), this.#filled);
      this.#filled += at;
      if (this.#filled < 64) return;
      this.#block(this.#rest, 0);
      this.#filled = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.#block(bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#filled = bytes.length - at;
  }

  hex() {
    const length = this.#length;
    const pad = new Uint8Array(((this.#filled < 56 ? 56 : 120) - this.#filled) + 8);
    pad[0] = 0x80;
    const view = new DataView(pad.buffer);
    view.setUint32(pad.length - 8, Math.floor(length / 2 ** 29));
    view.setUint32(pad.length - 4, (length * 8) >>> 0);
    this.update(pad);
    return [...this.#state].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #block(bytes, start) {
    const w = this.#words;
    for (let i = 0; i < 16; i += 1) {
      const at = start + 4 * i;
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const a = w[i - 15];
      const b = w[i - 2];
      const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
      const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    const s = this.#state;
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (let i = 0; i < 64; i += 1) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }
}

onmessage = async ({ data: file }) => {
  try {
    postMessage({ done: 0 });
    // With #pieces this one is used wherever it runs, so that it can be tried.
    if (self.crypto?.subtle && file.size <= WHOLE && location.hash !== "#pieces") {
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      postMessage({ sha256: [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("") });
      return;
    }
    const sum = new Sha256();
    const size = 4 * 2 ** 20;
    for (let at = 0; at < file.size; at += size) {
      sum.update(new Uint8Array(await file.slice(at, at + size).arrayBuffer()));
      postMessage({ done: Math.min(file.size, at + size) });
    }
    postMessage({ sha256: sum.hex() });
  } catch (error) {
    postMessage({ wrong: String(error.message || error) });
  }
};

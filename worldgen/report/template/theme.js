"use strict";
// Light or dark: as the browser prefers until somebody chooses. Loaded first, so that nothing flashes.
const store = {
  // Some browsers refuse storage for files; the page then works without memory.
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { say("This browser keeps no audits: save them as a file."); } },
};

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
function applyTheme() {
  root.dataset.theme = store.get("worldgen.theme") || (prefersDark.matches ? "dark" : "light");
}
applyTheme();
prefersDark.addEventListener("change", applyTheme);

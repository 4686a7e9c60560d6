// Small helpers and messages.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", "#i-" + name);
  svg.append(use);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

function shape(attributes) {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, value);
  return rect;
}

let quiet = 0;
function say(text) {
  $("toast").textContent = text;
  $("toast").classList.add("on");
  clearTimeout(quiet);
  quiet = setTimeout(() => $("toast").classList.remove("on"), 1800);
}

$("theme").addEventListener("click", () => {
  store.set("worldgen.theme", root.dataset.theme === "dark" ? "light" : "dark");
  applyTheme();
});
$("help-open")?.addEventListener("click", () => $("help").showModal());

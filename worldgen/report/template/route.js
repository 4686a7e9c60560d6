// Routes of the report: the grid, or one variant, by what stands after the # of the address.
function openVariant(id) {
  $("grid-view").hidden = true;
  document.querySelector(".top").hidden = true;
  $("player-view").hidden = false;
  const order = visibleIds.includes(id) ? visibleIds : DATA.variants.map((v) => v.id);
  $("position").textContent = `${order.indexOf(id) + 1} of ${order.length}`;
  show(BY_ID.get(id));
}

function neighbour(step) {
  const order = visibleIds.includes(current.id) ? visibleIds : DATA.variants.map((v) => v.id);
  go("v=" + order[(order.indexOf(current.id) + step + order.length) % order.length]);
}

const leave = () => go("");

// At once, not when the browser gets round to its event: the next key may be on its way.
function go(hash) {
  location.hash = hash;
  route();
}

function route() {
  const id = location.hash.replace(/^#v=/, "");
  if (BY_ID.has(id)) {
    if (current?.id !== id) openVariant(id);
    return;
  }
  const last = current;
  pair.pause();
  current = null;
  $("player-view").hidden = true;
  $("grid-view").hidden = false;
  document.querySelector(".top").hidden = false;
  document.title = `${document.querySelector(".top h1").textContent} - worldgen`;
  applyFilters();
  if (last) cards.get(last.id)?.querySelector("a").focus();
}

$("previous").addEventListener("click", () => neighbour(-1));
$("next").addEventListener("click", () => neighbour(1));
document.addEventListener("keydown", (event) => {
  const isText = document.activeElement.matches?.("textarea, select, input:not([type=range]):not([type=radio]):not([type=checkbox])");
  if (event.key === "s" && !isText && !event.ctrlKey && !event.metaKey && !event.altKey && !$("help").open) saveAudits();
});
addEventListener("hashchange", route);
showCount();
markCards();
route();

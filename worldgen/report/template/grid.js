// The grid: filters, and which variants come after each other.
const cards = new Map([...document.querySelectorAll(".card")].map((c) => [c.dataset.id, c]));
const filters = $("filters");
let visibleIds = DATA.variants.filter((v) => !v.superseded).map((v) => v.id);
const withEarlier = () => Boolean($("earlier")?.checked);

function chosen() {
  const picked = {};
  for (const [name, value] of new FormData(filters)) (picked[name] ||= new Set()).add(value);
  return picked;
}

function applyFilters() {
  const picked = chosen();
  visibleIds = [];
  for (const v of DATA.variants) {
    const facts = { ...v, audit: auditOf(v.id) || v.audits.length ? "some" : "none" };
    const fits = (!v.superseded || withEarlier()) && Object.entries(picked).every(([name, values]) => values.has(facts[name]));
    cards.get(v.id).hidden = !fits;
    if (fits) visibleIds.push(v.id);
  }
  const isFiltered = Object.keys(picked).length > 0;
  const none = visibleIds.length === 0;
  $("clear-filters").hidden = !isFiltered;
  $("shown").textContent = isFiltered ? `${visibleIds.length} of ${DATA.variants.filter((v) => !v.superseded || withEarlier()).length} shown` : "";
  if ($("none-match")) $("none-match").hidden = !none;
}
filters.addEventListener("change", applyFilters);
filters.addEventListener("reset", () => setTimeout(applyFilters));
filters.addEventListener("submit", (event) => event.preventDefault());

function markCards() {
  for (const [id, card] of cards) {
    const audit = auditOf(id) || BY_ID.get(id).audits.at(-1);
    const mark = card.querySelector(".audit-mark");
    mark.hidden = !audit;
    mark.textContent = audit ? { accept: "accepted by people", reject: "rejected by people", unsure: "people unsure" }[audit.decision] : "";
  }
}

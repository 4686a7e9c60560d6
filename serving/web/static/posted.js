// Keeping audits: each decision goes to the server at once. Blind, the answer brings what was hidden.
const view = $("player-view");
const person = () => view.dataset.person || store.get("worldgen.auditor") || "";
const given = new Map();

function auditOf(id) {
  if (given.has(id)) return given.get(id);
  const mine = person();
  return (mine && BY_ID.get(id)?.audits.filter((a) => a.by === mine).at(-1)) || null;
}

async function decide(variant, decision, frame) {
  if ("reads" in view.dataset) { say("This key may not audit"); return; }
  const audit = { decision, reason: $("reason").value.trim(), by: person(), frame };
  const before = auditOf(variant.id);
  if (before && before.decision === decision && before.reason === audit.reason) { say("That is what you said"); return; }
  let answer;
  try {
    answer = await fetch(`/variants/${variant.id}/audit`, {
      method: "POST", headers: { "Content-Type": "application/json", "HX-Request": "true" }, body: JSON.stringify(audit),
    });
  } catch { say("The server does not answer: not kept"); return; }
  if (!answer.ok) { say(`Not kept: ${answer.status}`); return; }
  const data = await answer.json();
  given.set(variant.id, audit);
  Object.assign(DATA, data);
  BY_ID.set(variant.id, data.variants[0]);
  if (current?.id !== variant.id) return;
  const wasBlind = "blind" in view.dataset;
  delete view.dataset.blind;
  describe(data.variants[0]);
  redraw();
  if (wasBlind) tell(decision, data.variants[0].state);
  say({ accept: "Accepted", reject: "Rejected", unsure: "Marked unsure" }[decision]);
}

function tell(decision, state) {
  const agrees = { accept: "accepted", reject: "rejected" }[decision] === state;
  const said = { accept: "You accepted it", reject: "You rejected it", unsure: "You were unsure" }[decision];
  const critic = { accepted: "the critic accepted it", rejected: "the critic rejected it", review: "the critic asks for a look", inconclusive: "the critic could not decide" }[state];
  $("blind-note").textContent = `${said}; ${critic}${agrees ? " too" : ""}. Press j for the next one.`;
}

if ($("auditor")) $("auditor").addEventListener("change", () => store.set("worldgen.auditor", $("auditor").value.trim()));
$("reason").addEventListener("change", () => {
  const mine = current && auditOf(current.id);
  if (mine && mine.reason !== $("reason").value.trim()) decide(current, mine.decision, pair.frame);
});
for (const chip of document.querySelectorAll("[data-reason]")) {
  chip.addEventListener("click", () => {
    const parts = $("reason").value.split(",").map((part) => part.trim()).filter(Boolean);
    const at = parts.indexOf(chip.dataset.reason);
    if (at < 0) parts.push(chip.dataset.reason);
    else parts.splice(at, 1);
    $("reason").value = parts.join(", ");
    $("reason").dispatchEvent(new Event("change"));
  });
}

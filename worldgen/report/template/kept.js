// Keeping audits: one per variant and person, in this browser until they are saved as a file.
const AUDIT_KEY = "worldgen.audits";
let audits = readAudits();

function readAudits() {
  try {
    const known = JSON.parse(store.get(AUDIT_KEY) || "{}");
    return Object.fromEntries(Object.entries(known).filter(([id]) => BY_ID.has(id)));
  } catch { return {}; }
}

const auditOf = (id) => audits[id] || null;

function keepAudits() {
  // Other reports keep theirs under the same key: only ours are replaced.
  let all = {};
  try { all = JSON.parse(store.get(AUDIT_KEY) || "{}"); } catch { all = {}; }
  for (const id of BY_ID.keys()) delete all[id];
  store.set(AUDIT_KEY, JSON.stringify({ ...all, ...audits }));
  showCount();
  markCards();
}

function showCount() {
  const count = Object.keys(audits).length;
  $("audit-count").textContent = count;
  $("save-audits").disabled = count === 0;
}

function decide(variant, decision, frame) {
  if (auditOf(variant.id)?.decision === decision) {
    delete audits[variant.id];
    say("Audit withdrawn");
  } else {
    audits[variant.id] = {
      variant_id: variant.id, decision, reason: $("reason").value.trim(), by: $("auditor").value.trim(),
      at: new Date().toISOString(), frame, verdict: variant.state,
    };
    say({ accept: "Accepted", reject: "Rejected", unsure: "Marked unsure" }[decision]);
  }
  keepAudits();
  showAudit(variant);
}

$("reason").addEventListener("input", () => {
  const mine = current && auditOf(current.id);
  if (!mine) return;
  mine.reason = $("reason").value.trim();
  keepAudits();
});
$("auditor").addEventListener("change", () => {
  const name = $("auditor").value.trim();
  store.set("worldgen.auditor", name);
  for (const audit of Object.values(audits)) audit.by ||= name;
  keepAudits();
});

function saveAudits() {
  const rows = Object.values(audits);
  if (!rows.length) { say("No audits yet"); return; }
  const text = JSON.stringify({ format: "worldgen-audits", version: 1, audits: rows }, null, 2);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: address, download: "audits.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
  say(`${rows.length} audit${rows.length === 1 ? "" : "s"} saved`);
}
$("save-audits").addEventListener("click", saveAudits);

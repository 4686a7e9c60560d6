// What people say of the variant that is shown. Where it is kept is the page's: `auditOf` and `decide` of kept.js.
function showAudit(variant) {
  const mine = auditOf(variant.id);
  for (const button of document.querySelectorAll(".decision")) {
    button.setAttribute("aria-pressed", String(mine?.decision === button.dataset.decision));
  }
  if (document.activeElement !== $("reason")) $("reason").value = mine?.reason || "";
  if ($("auditor")) $("auditor").value = store.get("worldgen.auditor") || "";
  $("people").replaceChildren(...variant.audits.map((a) =>
    make("li", {}, make("b", { text: a.by || "someone" }), ` ${{ accept: "accepted", reject: "rejected", unsure: "was unsure" }[a.decision]} on ${a.at.slice(0, 10)}${a.reason ? `: ${a.reason}` : ""}`)));
}

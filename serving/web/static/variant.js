// Routes of the service's page: other variants are other addresses.
function neighbour(step) {
  const link = $(step < 0 ? "previous" : "next");
  if (link) location.href = link.href;
}

function leave() { location.href = $("to-grid").href; }

for (const link of document.querySelectorAll("#files a")) link.setAttribute("download", "");
show(DATA.variants[0]);

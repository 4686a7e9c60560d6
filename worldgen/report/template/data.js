// The variants that this page knows, and the boxes that they share.
const DATA = JSON.parse(document.getElementById("data").textContent);
const BY_ID = new Map(DATA.variants.map((v) => [v.id, v]));

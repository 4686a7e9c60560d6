// On every page: messages of requests that did not arrive.
document.addEventListener("htmx:sendError", () => say("The server does not answer"));
document.addEventListener("htmx:responseError", (event) => {
  // An error that has no place of its own on this page is said, not lost.
  const place = event.detail.xhr.getResponseHeader("HX-Retarget");
  if (!place || !document.querySelector(place)) say(`Refused: ${event.detail.xhr.status}`);
});

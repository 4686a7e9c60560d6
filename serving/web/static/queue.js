// The queue, live: one stream for all jobs, each row replaced when it has changed.
const FINISHED = { completed: "finished", failed: "failed", cancelled: "cancelled", expired: "expired" };

function replaceRow({ id, html }) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const fresh = holder.content.querySelector("li");
  const old = $(`job-${id}`);
  if (old?.isEqualNode(fresh)) return;
  if (!old) {
    $("queue").prepend(fresh);
    $("no-jobs").hidden = true;
  } else {
    const focused = old.contains(document.activeElement) ? document.activeElement.tagName : "";
    const was = old.dataset.state;
    old.replaceWith(fresh);
    if (focused) fresh.querySelector(focused.toLowerCase())?.focus();
    const ended = FINISHED[fresh.dataset.state];
    if (ended && was !== fresh.dataset.state) say(`A job ${ended}`);
  }
  htmx.process(fresh);
}

let stream = null;
function follow() {
  stream?.close();
  stream = new EventSource("/queue/events");
  stream.addEventListener("job", (event) => replaceRow(JSON.parse(event.data)));
}
follow();
// A page that nobody looks at holds no connection.
document.addEventListener("visibilitychange", () => { if (document.hidden) stream?.close(); else follow(); });
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => { if (event.persisted) follow(); });

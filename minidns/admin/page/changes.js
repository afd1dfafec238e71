// Changes: what happened to which object, and the records that came and went with it.

import { clock, counted, h, record } from "./dom.js";
import { live } from "./live.js";

export function changes(main) {
  const stopping = new AbortController();
  const filter = h("input", { type: "search", placeholder: "namespace, object or record", id: "filter", spellcheck: "false" });
  const feed = h("ol", { class: "feed", "aria-label": "Changes, the latest first" });
  const empty = h("p", { class: "muted" });
  const wanted = (event) => JSON.stringify(event).toLowerCase().includes(filter.value.trim().toLowerCase());
  const draw = () => {
    const events = live.changes.filter(wanted);
    feed.replaceChildren(...events.map((event) => change(event)));
    empty.hidden = events.length > 0;
    empty.textContent = live.changes.length ? "None of them matches." : "Nothing has changed since this page was opened. Scale something.";
  };
  filter.addEventListener("input", draw);
  live.addEventListener("change", ({ detail }) => {
    if (!wanted(detail)) return;
    empty.hidden = true;
    feed.prepend(change(detail, true));
    while (feed.children.length > live.changes.length) feed.lastChild.remove();
  }, { signal: stopping.signal });
  live.addEventListener("gap", () => feed.prepend(
    h("li", { class: "gap" }, `${clock(Date.now())} minidns was away: what changed meanwhile is not listed`)), { signal: stopping.signal });
  main.append(
    h("h1", {}, "Changes"),
    h("form", { class: "searching", role: "search", onsubmit: (event) => event.preventDefault() }, h("label", { for: "filter" }, "Only"), filter),
    empty,
    feed,
  );
  draw();
  return () => stopping.abort();
}

function change(event, fresh = false) {
  const what = event.action === "listed"
    ? `a list of ${event.kind}s: ${event.objects} of them differ`
    : [event.kind, " ", h("b", {}, [event.namespace, event.name].filter(Boolean).join("/")), ` ${event.action}`];
  const more = event.endpoint_count - event.endpoints.length;
  const endpoints = event.endpoints.map((one) =>
    h("li", { class: one.now === "ready" ? "good" : one.now === null ? "gone" : "some" }, one.name, " ", one.now ?? "gone",
      one.before ? h("span", { class: "muted" }, ` (was ${one.before})`) : null));
  if (more > 0) endpoints.push(h("li", {}, `${more} more`));
  const lines = [
    ...event.removed.map((one) => record(`${one.name} ${one.type} ${one.data}`, "-")),
    ...event.added.map((one) => record(`${one.name} ${one.type} ${one.data}`, "+")),
  ];
  const count = event.added_count + event.removed_count;
  if (count > lines.length) lines.push(h("li", {}, `and ${count - lines.length} more`));
  const sum = [event.added_count ? `+${event.added_count}` : "", event.removed_count ? `−${event.removed_count}` : ""].filter(Boolean).join(" ");
  return h(
    "li",
    { class: fresh ? "change lit" : "change" },
    h("p", {}, h("time", {}, clock(event.time)), " ", ...[what].flat()),
    endpoints.length ? h("ul", { class: "chips" }, ...endpoints) : null,
    count
      ? h("details", { open: count <= 6 }, h("summary", {}, `${sum} ${counted(count, "record").split(" ")[1]}`), h("ul", { class: "records" }, ...lines))
      : h("p", { class: "muted" }, "no record differs"),
  );
}

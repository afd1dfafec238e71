// Queries: who asks what, a search list's steps together; and who causes most of what is in vain.

import { clock, counted, get, h, soon } from "./dom.js";
import { stream } from "./live.js";

const KEPT = 120;
const OUTCOMES = ["", "NXDOMAIN", "NODATA", "NOERROR", "SERVFAIL", "REFUSED"];

export function queries(main, parameters) {
  const view = new QueriesView(main, parameters);
  return () => view.stop();
}

class QueriesView {
  #walks = new Map();
  #waiting = [];
  #paused = false;
  #stops = [];
  #stopFeed = null;

  constructor(main, parameters) {
    const text = (name, label) => h("label", {}, h("span", {}, label),
      h("input", { name, value: parameters.get(name) ?? "", spellcheck: "false", autocapitalize: "none" }));
    this.form = h("form", { class: "asking filters", role: "search", onsubmit: (event) => event.preventDefault() },
      text("namespace", "Namespace"), text("pod", "Pod or address"), text("name", "Name"),
      h("label", {}, h("span", {}, "Outcome"), h("select", { name: "rcode" },
        ...OUTCOMES.map((value) => h("option", { value, selected: value === parameters.get("rcode") }, value || "any")))),
      h("button", { type: "button", "aria-pressed": "false", onclick: (event) => this.#pause(event.target) }, "Pause"));
    this.form.addEventListener("input", soon(() => this.follow(), 400));
    this.sample = h("p", { class: "summary", role: "status" }, "Waiting for the first query.");
    this.feed = h("ol", { class: "feed", "aria-label": "Queries, the latest first" });
    this.shares = h("aside", { class: "shares", "aria-label": "Shares of the last minute" });
    main.append(h("div", { class: "split" },
      h("section", { "aria-label": "Queries" }, h("h1", {}, "Queries"), this.form, this.sample, this.feed), this.shares));
    this.#stops.push(stream("top", { message: (shares) => this.shares.replaceChildren(...this.#sharesOf(shares)) }));
    this.follow();
    this.#hint();
  }

  stop() {
    this.#stopFeed?.();
    for (const stop of this.#stops) stop();
  }

  /** Begin anew, with the filters as they are now. */
  follow() {
    this.#stopFeed?.();
    this.#walks.clear();
    this.feed.replaceChildren();
    const wanted = new URLSearchParams([...new FormData(this.form)].filter(([, value]) => value.trim()));
    history.replaceState(null, "", wanted.size ? `#queries?${wanted}` : "#queries");
    this.#stopFeed = stream(wanted.size ? `queries?${wanted}` : "queries", {
      message: (query) => {
        this.#waiting.push(query);
        this.#draw();
      },
      sample: ({ seen, shown }) => {
        if (seen) this.sample.textContent = shown < seen ? `1 of ${(seen / shown).toFixed(0)} queries is looked at` : "every query is looked at";
      },
      lost: ({ lost }) => this.feed.prepend(h("li", { class: "gap" }, `${counted(lost, "query", "queries")} lost: this page was too slow`)),
      closed: () => (this.sample.textContent = "no server"),
    });
  }

  async #hint() {
    try {
      const { listening, zones } = await get("state");
      const [, host, port] = /^(.*):(\d+)$/.exec(listening[0]);
      const name = `kubernetes.default.svc.${zones[0]?.origins[0] ?? ""}`;
      if (this.feed.children.length) return;
      this.sample.textContent = `Waiting for the first query, such as: dig @${host || "127.0.0.1"} -p ${port} ${name}`;
    } catch {
      // It says so itself when there is no server.
    }
  }

  #pause(button) {
    this.#paused = !this.#paused;
    button.setAttribute("aria-pressed", String(this.#paused));
    button.textContent = this.#paused ? "Go on" : "Pause";
    this.#draw();
  }

  #draw = soon(() => {
    if (this.#paused) {
      this.#waiting.splice(0, Math.max(0, this.#waiting.length - KEPT));
      return;
    }
    for (const query of this.#waiting.splice(0)) this.#add(query);
    while (this.feed.children.length > KEPT) {
      this.#walks.delete(this.feed.lastChild.dataset.walk);
      this.feed.lastChild.remove();
    }
  }, 150);

  #add(query) {
    const key = `${query.walk || `${query.time} ${query.name}`}`;
    let walk = this.#walks.get(key);
    if (!walk) {
      const title = h("b", {}, query.search || query.name || "no question");
      const steps = h("ol", { class: "steps" });
      const who = query.pod ? `${query.namespace}/${query.pod}` : query.client;
      const row = h("li", { class: "change", data: { walk: key } }, h("p", {}, h("time", {}, clock(query.time * 1000)),
        h("span", { class: "who", title: query.client }, who), " asks for ", title), steps);
      walk = { title, steps, rows: new Map() };
      this.#walks.set(key, walk);
      this.feed.prepend(row);
    }
    if (query.search) walk.title.textContent = query.search;
    let step = walk.rows.get(query.name);
    if (!step) {
      step = h("li", {}, h("code", {}, query.name || "(no question)"), h("span", { class: "answers" }), h("span", { class: "reason" }));
      walk.rows.set(query.name, step);
      walk.steps.append(step);
    }
    const outcome = query.rcode === "NOERROR" && !query.records ? "NODATA" : query.rcode;
    const more = [query.transport === "tcp" ? "TCP" : "", query.by === "zone" ? "" : query.by, `${query.bytes} B`];
    step.children[1].append(h("span", { class: "answered" }, query.type, " ",
      h("span", { class: `rcode ${outcome.toLowerCase()}` }, outcome), " ", h("span", { class: "facts" }, more.filter(Boolean).join(" "))));
    if (query.reason && outcome !== "NODATA" || !step.children[2].textContent) step.children[2].textContent = query.reason;
  }

  #sharesOf(shares) {
    const share = (count) => (shares.queries ? `${((100 * count) / Math.max(1, sum(shares.outcomes))).toFixed(0)} %` : "-");
    const rate = shares.seconds ? shares.queries / shares.seconds : 0;
    const tile = (value, label) => h("div", { class: "tile" }, h("b", {}, value), h("span", {}, label));
    const only = (name, value, text) => h("button", { type: "button", class: "only", title: `only ${value}`, onclick: () => {
      this.form.elements[name].value = value;
      this.follow();
    } }, text ?? value);
    const client = (one) => only("pod", one.pod ?? one.client, one.pod ? `${one.namespace}/${one.pod}` : one.client);
    return [
      h("h2", {}, `The last ${shares.seconds.toFixed(0)} s`),
      h("div", { class: "tiles" },
        tile(rate < 10 ? rate.toFixed(1) : rate.toFixed(0), "queries/s"),
        tile(share(shares.outcomes.NXDOMAIN ?? 0), "NXDOMAIN"),
        tile(share(shares.wasted), "missed in search lists"),
        ...Object.entries(shares.by).map(([by, count]) => tile(share(count), `answered by ${by}`))),
      table("Who asks most", ["", "queries", "NXDOMAIN", "wasted"],
        shares.clients.map((one) => [client(one), one.queries, one.nxdomain, one.wasted])),
      table("Names that do not exist", ["", "queries"],
        shares.missing.map((one) => [[only("name", one.name), h("span", { class: "facts" }, one.reason)], one.queries])),
      table("Short names that cost most", ["", "wasted"],
        shares.searches.map((one) => [[only("name", one.search), h("span", { class: "facts" }, `is ${one.name}.`)], one.wasted])),
    ];
  }
}

function sum(counts) {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function table(title, heads, rows) {
  if (!rows.length) return h("section", {}, h("h3", {}, title), h("p", { class: "muted" }, "none"));
  const cell = (value) => (typeof value === "number" ? h("td", { class: "count" }, Math.round(value).toLocaleString("en")) : h("td", {}, ...[value].flat()));
  return h("section", {}, h("table", {}, h("caption", {}, title), h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows.slice(0, 8).map((row) => h("tr", {}, ...row.map(cell))))));
}

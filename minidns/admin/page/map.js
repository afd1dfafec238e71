// The map: namespaces, their Services, what is behind them. A page at a time, and what changes lights up.

import { announce, command, counted, get, h, record, shape, soon } from "./dom.js";
import { live } from "./live.js";
import { ofPod, ofWorkloads, playable } from "./play.js";

const LIT = 9000;
const OPEN_AT_ONCE = 30;
const DELTA = 12;
const AT_ONCE = 20;
const NAMES = 20;

export function map(main, parameters) {
  const view = new MapView(main);
  view.start(parameters.get("search") ?? "");
  return () => view.stop();
}

class MapView {
  #stopping = new AbortController();
  #open = new Set();
  #lit = new Map();
  #selected = null;

  constructor(main) {
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Service, pod or address",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.summary = h("p", { class: "summary", role: "status" }, "Loading");
    this.tree = h("div", { class: "tree" });
    this.play = h("div", {});
    this.details = h("aside", { class: "details", "aria-label": "Records" }, this.#hint());
    main.append(
      h(
        "div",
        { class: "split" },
        h(
          "section",
          { "aria-label": "The cluster" },
          h("h1", {}, "Map"),
          h("form", { class: "searching", role: "search", onsubmit: (event) => event.preventDefault() },
            h("label", { for: "search" }, "Find"), this.search, this.summary),
          legend(),
          this.play,
          this.tree,
        ),
        this.details,
      ),
    );
  }

  start(search) {
    const signal = this.#stopping.signal;
    const reload = soon(() => this.load());
    this.search.value = search;
    this.search.addEventListener("input", reload);
    live.addEventListener("change", ({ detail }) => this.#changed(detail), { signal });
    live.addEventListener("gap", () => this.load(), { signal });
    this.load(true);
    playable().then((played) => {
      this.played = played;
      if (played) this.play.replaceChildren(ofWorkloads());
    }, () => {});
  }

  stop() {
    this.#stopping.abort();
  }

  async load(first = false) {
    const search = this.search.value.trim();
    try {
      if (search) return this.#showFound(search, await get("map", { search }));
      const page = await get("map");
      if (this.search.value.trim()) return;
      if (first && page.services <= OPEN_AT_ONCE) {
        for (const one of page.namespaces) if (shapes(one)) this.#open.add(one.namespace);
      }
      this.#sum(page);
      this.tree.replaceChildren(list("namespaces", this.#namespaces(page)));
    } catch (error) {
      this.summary.textContent = `${error.message}`;
    }
  }

  #sum(page) {
    this.total = page.total;
    this.summary.textContent =
      `${counted(page.total, "namespace")}, ${counted(page.services, "Service")}, ` +
      `${counted(page.endpoints, "endpoint")}, ${page.ready.toLocaleString("en")} ready`;
  }

  #showFound(search, page) {
    if (search !== this.search.value.trim()) return;
    const more = page.total === null ? "more than " : "";
    this.summary.textContent = `${more}${counted(page.services.length, "Service")} found`;
    const rows = page.services.map((one, at) => this.#service(one, { full: true, by: page.matched[at] }));
    this.tree.replaceChildren(list("services", rows));
  }

  #namespaces(page) {
    const rows = page.namespaces.map((one) => this.#namespace(one));
    if (page.next) rows.push(this.#more(page.total - page.namespaces.length, "namespaces", async () =>
      this.#namespaces(await get("map", { after: page.next }))));
    return rows;
  }

  #namespace(one) {
    return this.#branch({
      key: one.namespace,
      className: "namespace",
      title: namespaceTitle(one),
      names: () => one.names,
      body: async () => {
        const page = await get("map", { namespace: one.namespace });
        return page.total ? list("services", this.#services(page)) : h("p", { class: "muted" }, "no Services");
      },
    });
  }

  #services(page) {
    const rows = page.services.map((one) => this.#service(one));
    const last = page.services.at(-1);
    if (page.next) rows.push(this.#more(page.total - page.services.length, "Services", async () => {
      const next = await get("map", { namespace: last.namespace, after: page.next });
      return this.#services({ ...next, total: page.total - page.services.length });
    }));
    return rows;
  }

  #service(one, { full = false, by = "" } = {}) {
    const ask = () => get("map", { namespace: one.namespace, service: one.name });
    return this.#branch({
      key: `${one.namespace}/${one.name}`,
      className: `service ${one.shape === "missing" ? "missing" : ""}`,
      title: serviceTitle(one, full, by),
      names: async () => (await ask()).names,
      body: async (page) => this.#behind(one, page ?? (await ask())),
      retitle: (page) => serviceTitle(page.service, full, by),
    });
  }

  #behind(one, page) {
    const facts = [];
    if (page.selector) facts.push(`selects ${page.selector}`);
    const ports = one.ports.length ? `ports ${one.ports.join(", ")}` : "";
    if (ports) facts.push(ports);
    if (page.publish_not_ready) facts.push("publishes endpoints that are not ready");
    if (!page.endpoint_total && one.shape !== "ExternalName") facts.push("no endpoints");
    return h("div", {}, facts.length ? h("p", { class: "muted" }, facts.join("; ")) : null, ...this.#endpoints(one, page, ""));
  }

  #endpoints(one, page, slice) {
    const groups = [];
    for (const endpoint of page.endpoints) {
      if (endpoint.slice !== slice) {
        slice = endpoint.slice;
        const line = page.slices.find((some) => some.name === slice);
        const counts = line ? `, ${line.ready} of ${line.endpoints} ready` : "";
        groups.push(this.#slice(one, page, slice, counts), list("endpoints", []));
      }
      (groups.at(-1) ?? groups[groups.push(list("endpoints", [])) - 1]).append(this.#endpoint(one, endpoint));
    }
    if (page.next) groups.push(list("endpoints", [this.#more(page.endpoint_total - page.next, "endpoints", async () => {
      const next = await get("map", { namespace: one.namespace, service: one.name, after: page.next });
      return this.#endpoints(one, next, slice).map((group) => h("li", {}, group));
    })]));
    return groups;
  }

  #slice(one, page, slice, counts) {
    const title = `EndpointSlice ${slice}`;
    const key = `${one.namespace}/${one.name}/slice ${slice}`;
    const names = page.endpoints.filter((some) => some.slice === slice).map((some) => some.names[0]);
    const select = () => this.#select(key, title, () => names.filter(Boolean).slice(0, NAMES));
    return h("p", { class: "slice", data: { key } },
      h("button", { type: "button", class: "row", onclick: select }, `${title}${counts}`));
  }

  #endpoint(one, endpoint) {
    const key = `${one.namespace}/${one.name}/${endpoint.pod ?? endpoint.addresses.join(",")}`;
    const kind = endpoint.terminating ? "terminating" : endpoint.ready ? "ready" : "not-ready";
    const select = h(
      "button",
      { type: "button", class: "row endpoint", onclick: () => this.#select(key, title, () => endpoint.names, pod) },
      h("span", { class: `dot ${kind}`, "aria-hidden": "true" }),
      h("span", { class: "name" }, endpoint.pod ?? "no pod"),
      h("span", { class: "address" }, endpoint.addresses.join(", ")),
      h("span", { class: `state ${kind}` }, endpoint.state),
      h("span", { class: "names" }, endpoint.names.join("  ")),
    );
    const pod = endpoint.pod && { namespace: one.namespace, name: endpoint.pod };
    const title = endpoint.pod ? `pod ${endpoint.pod}` : `endpoint ${endpoint.addresses.join(", ")}`;
    return h("li", { data: { key }, class: endpoint.ready ? "" : "dim" }, select);
  }

  /** A row that opens and closes, and whose records are shown beside it. `update` shows it as it is now. */
  #branch({ key, className, title, names, body, retitle = null }) {
    const inside = h("div", { class: "inside", hidden: true });
    const delta = h("ul", { class: "records delta" });
    const button = h("button", { type: "button", class: `row ${className}`, "aria-expanded": "false" }, ...title);
    const row = h("li", { data: { key } }, button, delta, inside);
    const fill = async (page) => {
      try {
        const focused = inside.contains(document.activeElement) && document.activeElement.parentElement.dataset.key;
        inside.replaceChildren(await body(page));
        if (focused) this.#rows(focused)[0]?.querySelector("button").focus({ preventScroll: true });
      } catch (error) {
        inside.replaceChildren(h("p", { class: "muted" }, error.message));
      }
    };
    const open = (on) => {
      inside.hidden = !on;
      button.setAttribute("aria-expanded", String(on));
      if (on) fill();
    };
    row.update = (page) => {
      button.replaceChildren(...(retitle ? retitle(page) : page));
      if (retitle && !inside.hidden) fill(page);
    };
    row.refill = () => inside.hidden || fill();
    button.addEventListener("click", () => {
      this.#select(key, key, names);
      if (inside.hidden) this.#open.add(key);
      else this.#open.delete(key);
      open(inside.hidden);
    });
    if (this.#open.has(key)) open(true);
    if (this.#lit.has(key)) this.#light(row, this.#lit.get(key));
    return row;
  }

  #more(count, what, load) {
    const row = h("li", {});
    const button = h("button", { type: "button", class: "more" }, `Show more: ${count.toLocaleString("en")} ${what}`);
    button.addEventListener("click", async () => row.replaceWith(...(await load())));
    row.append(button);
    return row;
  }

  async #select(key, title, names, pod = null) {
    const again = this.#selected?.key === key;
    const play = again ? this.#selected.play : pod && this.played && ofPod(pod.namespace, pod.name);
    this.#selected = { key, title, names, pod, play };
    for (const row of this.tree.querySelectorAll("[data-selected]")) delete row.dataset.selected;
    for (const row of this.#rows(key)) row.dataset.selected = "";
    const panel = [h("div", { class: "heading" }, h("h2", {}, title), h("button", { type: "button", class: "close", onclick: () => this.#close() }, "Close"))];
    if (play) panel.push(play);
    try {
      const wanted = (await names()).join(" ");
      const found = wanted ? await get("records", { name: wanted }) : [];
      if (!found.length) panel.push(h("p", { class: "muted" }, "It gives no names."));
      for (const one of found) panel.push(atName(one));
    } catch (error) {
      panel.push(h("p", { class: "muted" }, error.message));
    }
    if (this.#selected?.key !== key) return;
    const focused = document.activeElement;
    this.details.replaceChildren(...panel);
    if (play?.contains(focused)) focused.focus({ preventScroll: true });
    if (!again) announce(`Records of ${title} are shown`);
    this.details.dataset.open = "";
  }

  #close() {
    this.#selected = null;
    delete this.details.dataset.open;
    for (const row of this.tree.querySelectorAll("[data-selected]")) delete row.dataset.selected;
    this.details.replaceChildren(this.#hint());
  }

  #hint() {
    return h("p", { class: "muted" }, "Choose anything on the map: its records are shown here as a zone file has them, or the reason why there are none.");
  }

  #rows(key) {
    return [...this.tree.querySelectorAll("[data-key]")].filter((row) => row.dataset.key === key);
  }

  #changed(event) {
    if (event.action === "listed") return this.load();
    const key = event.service ? `${event.namespace}/${event.service}` : event.namespace || event.name;
    const lines = [
      ...event.removed.map((one) => ["-", `${one.name} ${one.type} ${one.data}`]),
      ...event.added.map((one) => ["+", `${one.name} ${one.type} ${one.data}`]),
    ];
    this.#keep(key, [...lines, ...(this.#lit.get(key)?.lines ?? [])].slice(0, DELTA));
    for (const one of event.endpoints) this.#keep(`${key}/${one.name}`, []);
    announce(spoken(event));
    this.#refresh();
  }

  #keep(key, lines) {
    const until = Date.now() + LIT;
    this.#lit.set(key, { lines, until });
    setTimeout(() => this.#lit.get(key)?.until === until && (this.#lit.delete(key), this.#unlight(key)), LIT);
  }

  /** Show what is lit as it is now, without touching anything else: somebody may be reading or typing there. */
  #refresh = soon(async () => {
    try {
      const page = await get("map");
      if (!this.search.value.trim()) {
        if (page.total !== this.total) await this.load();
        this.#sum(page);
        for (const one of page.namespaces) for (const row of this.#rows(one.namespace)) row.update(namespaceTitle(one));
      }
      const services = [...this.#lit.keys()].filter((key) => key.split("/").length === 2);
      for (const key of services.slice(-AT_ONCE)) await this.#update(key);
    } catch {
      return; // The server has gone: what is lit is asked for again when it is back.
    }
    for (const [key, lit] of this.#lit) for (const row of this.#rows(key)) this.#light(row, lit);
    for (const key of this.#lit.keys()) for (const row of this.#rows(key.split("/")[0])) row.classList.add("lit");
    if (this.#selected && this.#lit.has(this.#selected.key.split("/").slice(0, 2).join("/"))) {
      const { key, title, names, pod } = this.#selected;
      this.#select(key, title, names, pod);
    }
  }, 300);

  async #update(key) {
    const [namespace, service] = key.split("/");
    const rows = this.#rows(key);
    if (!rows.length) return this.#rows(namespace)[0]?.refill();
    try {
      const page = await get("map", { namespace, service });
      for (const row of rows) row.update(page);
    } catch {
      for (const row of rows) row.remove();
    }
  }

  #light(row, lit) {
    row.classList.add("lit");
    row.querySelector(":scope > .delta")?.replaceChildren(...lit.lines.map(([sign, line]) => record(line, sign)));
  }

  #unlight(key) {
    for (const row of [...this.#rows(key), ...this.#rows(key.split("/")[0])]) {
      row.classList.remove("lit");
      row.querySelector(":scope > .delta")?.replaceChildren();
    }
  }
}

function shapes(one) {
  return one.headless + one.virtual + one.external + one.missing;
}

function namespaceTitle(one) {
  const facts = [counted(shapes(one), "Service")];
  if (one.endpoints) facts.push(`${one.ready.toLocaleString("en")} of ${counted(one.endpoints, "endpoint")} ready`);
  if (!one.exists) facts.push("no Namespace object");
  return [h("span", { class: "name" }, one.namespace), h("span", { class: "facts" }, facts.join(", "))];
}

function serviceTitle(one, full, by) {
  const target = one.external_name === null ? one.addresses.join(", ") : `→ ${one.external_name}`;
  return [
    shape(one.shape),
    h("span", { class: "name" }, full ? `${one.namespace}/${one.name}` : one.name),
    h("span", { class: "kind" }, one.shape === "missing" ? "no such Service" : one.shape),
    target && h("span", { class: "target" }, target),
    one.shape !== "ExternalName" && readiness(one),
    by && h("span", { class: "facts" }, `has ${by}`),
  ].filter(Boolean);
}

function list(className, rows) {
  return h("ul", { class: className }, ...rows);
}

function readiness(one) {
  const all = one.ready === one.endpoints;
  const kind = !one.endpoints ? "none" : all ? "good" : one.ready ? "some" : "bad";
  return h("span", { class: `readiness ${kind}` }, one.endpoints ? `${one.ready}/${one.endpoints} ready` : "no endpoints");
}

function legend() {
  const kinds = { headless: "headless: names lead to pods", "virtual IP": "virtual IP: one address in front", ExternalName: "ExternalName: an alias" };
  return h("ul", { class: "legend" }, ...Object.entries(kinds).map(([kind, text]) => h("li", {}, shape(kind), text)));
}

function atName({ at, dig, explain }) {
  const records = at.records.length
    ? h("ul", { class: "records" }, ...at.records.map((line) => record(line)), at.more ? h("li", {}, `and ${at.more} more`) : null)
    : h("p", { class: "reason" }, h("b", {}, at.rcode === "NOERROR" ? "NODATA" : at.rcode), ` ${at.reason}`);
  return h("section", { class: "at" }, h("h3", {}, at.name), records, command(dig), command(explain),
    h("a", { href: `#ask?${new URLSearchParams({ name: at.name, type: at.type, from: "" })}` }, "Ask for it"));
}

function spoken(event) {
  const who = event.endpoints.slice(0, 3).map((one) => `${one.name} ${one.now ?? "gone"}`);
  return `${event.kind} ${event.namespace} ${event.service || event.name} ${event.action}. ${who.join(", ")}`;
}

// Ask: the walk down a search list, each query and its answer as they went over the wire.

import { command, counted, dissect, get, h } from "./dom.js";
import { bytes } from "./bytes.js";

const TYPES = ["", "A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "SOA", "NS", "MX", "ANY"];
const THEN = {
  found: "ends here: these are the records",
  next: "the next name is tried",
  "as it is": "the list is left, and the name is tried as it is",
  failed: "ends here, without an address",
  elsewhere: "another server decides",
};

export function ask(main, parameters) {
  const given = (name, otherwise) => parameters.get(name) ?? otherwise;
  const field = (label, input) => h("label", {}, h("span", {}, label), input);
  const options = (values, chosen) => values.map((value) => h("option", { value, selected: value === chosen }, value || "A and AAAA"));
  const namespaces = h("datalist", { id: "namespaces" });
  const result = h("div", { class: "result" });
  const form = h(
    "form",
    { class: "asking" },
    field("Name", h("input", { name: "name", required: true, value: given("name", ""), placeholder: "nginx", spellcheck: "false", autocapitalize: "none", autocomplete: "off" })),
    field("Type", h("select", { name: "type" }, ...options(TYPES, given("type", "")))),
    field("From a pod of", h("input", { name: "from", value: given("from", "default"), placeholder: "no namespace", list: "namespaces", spellcheck: "false", autocapitalize: "none" })),
    field("ndots", h("input", { name: "ndots", type: "number", min: 0, max: 15, value: given("ndots", "5") })),
    field("Resolver", h("select", { name: "libc" }, ...["glibc", "musl"].map((value) =>
      h("option", { value, selected: value === given("libc", "glibc") }, value === "musl" ? "musl (Alpine)" : "glibc")))),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "edns", value: "1", checked: given("edns", "1") === "1" }), "with EDNS, as dig asks"),
    h("button", { type: "submit", class: "primary" }, "Ask"),
    namespaces,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = Object.fromEntries(new FormData(form));
    query.edns ??= "0";
    history.replaceState(null, "", `#ask?${new URLSearchParams(query)}`);
    walk(query, result);
  });
  main.append(
    h("h1", {}, "Ask"),
    h("p", { class: "muted" }, "A program asks for a name, its resolver tries one name after the other. Each query below was answered by this server just now."),
    form,
    result,
  );
  get("map").then((page) => namespaces.append(...page.namespaces.map((one) => h("option", { value: one.namespace }))), () => {});
  if (parameters.get("name")) form.requestSubmit();
  else form.elements.name.focus({ preventScroll: true });
  return () => {};
}

async function walk(query, result) {
  result.replaceChildren(h("p", { class: "muted", role: "status" }, "Asking"));
  try {
    const found = await get("walk", query);
    const message = h("section", { class: "message", "aria-label": "The query and its answer" });
    const steps = found.steps.map((step, at) => stepOf(found, step, at, message));
    result.replaceChildren(
      h("div", { class: "outcome", role: "status" }, h("h2", {}, outcome(found)), ...cost(found)),
      list(found),
      h("ol", { class: "walk", "aria-label": "Names that were tried" }, ...steps),
      message,
    );
    const last = found.steps.at(-1);
    const at = Math.max(0, last.queries.findIndex((one) => one.records));
    result.querySelectorAll(".step:last-child .query")[at]?.click();
  } catch (error) {
    result.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

function outcome(found) {
  const where = found.namespace ? ` in a pod of ${found.namespace}` : "";
  if (!found.found) return `${found.name}${where}: not found`;
  return found.found === found.name ? `${found.name}${where}: found as it is` : `${found.name}${where} is ${found.found}`;
}

function cost(found) {
  const connections = found.connections ? `, and ${counted(found.connections, "TCP connection")} because an answer was cut off` : "";
  const paid = `${counted(found.cost, "query", "queries")}, as many answers${connections}`;
  const cost = [h("p", {}, h("strong", {}, paid), found.with_dot !== null && found.with_dot < found.cost
    ? `; ${counted(found.with_dot, "query", "queries")} if the program asked for the whole name with a dot at its end:`
    : found.with_dot !== null ? ": a whole name with a final dot would cost the same." : ".")];
  if (found.with_dot !== null && found.with_dot < found.cost) cost.push(command(`${found.found}.`));
  return cost;
}

function list(found) {
  if (!found.search.length) return h("p", { class: "muted" }, "Not in a pod: there is no search list.");
  const first = found.as_it_is_first ? "tried as it is first" : "the search list is tried first";
  return h(
    "p",
    { class: "muted" },
    `${found.libc}: ${counted(found.dots, "dot")}, ndots ${found.ndots}: ${first}. search `,
    h("code", {}, found.search.join(" ")),
  );
}

function stepOf(found, step, at, message) {
  const prefix = step.name === found.name ? "" : found.name;
  const name = prefix && step.name.startsWith(`${prefix}.`)
    ? [h("b", {}, prefix), h("span", { class: "added" }, step.name.slice(prefix.length))]
    : [h("b", {}, step.name)];
  const over = at === found.steps.length - 1 && (step.then === "next" || step.then === "as it is");
  const kind = step.then === "found" ? "good" : over || step.then === "failed" ? "bad" : "next";
  const queries = step.queries.map((query) => {
    const button = h(
      "button",
      { type: "button", class: "query", "aria-pressed": "false" },
      h("span", {}, query.type, query.transport === "tcp" ? " over TCP" : ""),
      h("span", { class: `rcode ${word(query).toLowerCase()}` }, word(query)),
      h("span", { class: "facts" }, query.records ? counted(query.records, "record") : "", query.truncated ? " cut off" : "", ` ${query.size} B`),
    );
    button.addEventListener("click", () => {
      for (const other of button.closest(".walk").querySelectorAll(".query")) other.setAttribute("aria-pressed", String(other === button));
      show(step, query, message);
    });
    return button;
  });
  const often = step.sent > 1 ? `, sent ${step.sent} times` : "";
  return h(
    "li",
    { class: `step ${kind}` },
    h("p", { class: "tried" }, h("span", { class: "number", "aria-hidden": "true" }, at + 1), h("code", {}, ...name)),
    h("p", { class: "sent" }, ...queries),
    h("p", { class: "reason" }, step.sentence + often),
    h("p", { class: "then" }, over ? "nothing is left to try: the program gets an error" : THEN[step.then]),
  );
}

function word(query) {
  if (query.rcode === null) return "silence";
  return query.rcode === "NOERROR" && !query.records ? "NODATA" : query.rcode;
}

async function show(step, query, message) {
  try {
    const asked = await dissect(query.packet);
    const answered = query.answer === null ? null : await dissect(query.answer);
    message.replaceChildren(
      h("h2", {}, `${step.name} ${query.type}`),
      h("h3", {}, "As dig prints it"),
      h("pre", { class: "dig", tabindex: "0" }, answered?.text ?? "no answer"),
      h("h3", {}, "The answer, byte by byte"),
      answered ? bytes(query.answer, answered) : h("p", {}, "There was none."),
      h("details", { class: "asked" }, h("summary", {}, "The question, byte by byte"), bytes(query.packet, asked)),
    );
  } catch (error) {
    message.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
  }
}

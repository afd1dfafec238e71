// A message as hexadecimal, each field marked in it and named beside it.

import { h } from "./dom.js";

const SHOWN = 1536;
const WIDTH = 16;

/** hex: the message. found: what the server took it apart into. */
export function bytes(hex, found) {
  const cells = [];
  const rows = [];
  const size = Math.min(found.size, SHOWN);
  const dump = h("div", { class: "dump", "aria-hidden": "true" });
  for (let at = 0; at < size; at += WIDTH) {
    const line = [h("span", { class: "offset" }, at.toString(16).padStart(4, "0"))];
    for (let one = at; one < Math.min(at + WIDTH, size); one++) {
      const value = parseInt(hex.slice(2 * one, 2 * one + 2), 16);
      cells[one] = h("span", { class: "byte", data: { at: one } }, hex.slice(2 * one, 2 * one + 2));
      cells[one].title = value > 32 && value < 127 ? String.fromCharCode(value) : String(value);
      line.push(cells[one]);
    }
    dump.append(h("div", { class: "line" }, ...line));
  }
  const mark = (field, on) => {
    for (let at = field.start; at < Math.min(field.end, size); at++) cells[at].classList.toggle("marked", on);
    if (field.to !== null) for (let at = field.to; at < Math.min(field.to + 1 + length(hex, field.to), size); at++) cells[at]?.classList.toggle("target", on);
  };
  const table = h("div", { class: "fields" });
  found.parts.forEach((part, number) => {
    const body = part.fields.flatMap((field) => {
      for (let at = field.start; at < Math.min(field.end, size); at++) cells[at].classList.add(`part${number % 6}`);
      const row = h(
        "tr",
        { tabindex: "0", data: { start: field.start } },
        h("td", { class: "range" }, field.end - field.start === 1 ? `${field.start}` : `${field.start}-${field.end - 1}`),
        h("th", { scope: "row" }, field.name),
        h("td", { class: "value" }, field.value),
        h("td", { class: "reference" }, ...reference(field.reference)),
      );
      for (const on of ["mouseenter", "focus"]) row.addEventListener(on, () => mark(field, true));
      for (const off of ["mouseleave", "blur"]) row.addEventListener(off, () => mark(field, false));
      for (let at = field.start; at < field.end; at++) rows[at] = row;
      return [row, ...field.bits.map(bit)];
    });
    const head = h("tr", {}, ...["Bytes", "Field", "Value", "Defined in"].map((text) => h("th", { scope: "col" }, text)));
    table.append(
      h("table", {}, h("caption", {}, h("span", { class: `swatch part${number % 6}` }), part.title, part.line ? h("code", {}, part.line) : null),
        h("thead", { class: number ? "unseen" : "" }, head), h("tbody", {}, ...body)),
    );
  });
  const over = (event, on) => {
    const row = rows[event.target.dataset?.at];
    row?.classList.toggle("marked", on);
    row?.dispatchEvent(new Event(on ? "mouseenter" : "mouseleave"));
  };
  dump.addEventListener("mouseover", (event) => over(event, true));
  dump.addEventListener("mouseout", (event) => over(event, false));
  dump.addEventListener("click", (event) => rows[event.target.dataset?.at]?.focus());
  const more = found.size > size ? h("p", { class: "muted" }, `${found.size - size} more bytes are not shown.`) : null;
  const problem = found.problem ? h("p", { class: "problem" }, found.problem) : null;
  return h("div", { class: "bytes" }, h("div", { class: "dumped" }, dump, more, problem), table);
}

/** How long the label is that a pointer leads to. */
function length(hex, at) {
  const value = parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return value < 64 ? value : 1;
}

function bit(one) {
  return h(
    "tr",
    { class: "bit" },
    h("td", { class: "range" }, one.value),
    h("th", { scope: "row" }, one.name),
    h("td", { class: "value" }, one.meaning),
    h("td", { class: "reference" }, ...reference(one.reference)),
  );
}

/** "RFC 1035, 4.1.1" as a link to where that is written. */
function reference(text) {
  return text.split("; ").flatMap((one, at) => {
    const found = /^RFC (\d+)(?:, ([\d.]+))?$/.exec(one);
    if (!found) return [one];
    const href = `https://www.rfc-editor.org/rfc/rfc${found[1]}${found[2] ? `#section-${found[2]}` : ""}`;
    return [at ? ", " : "", h("a", { href, target: "_blank", rel: "noreferrer noopener" }, one)];
  });
}

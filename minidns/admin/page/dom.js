// Elements, requests and times. Whatever comes from the network goes into the page as text nodes, never as markup:
// there is no other way to make an element here, and the Content-Security-Policy allows none.

/** An element. Properties: `class`, `on...` listeners, `data`, anything else an attribute; null and false are left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  // Pods without anything in front of them.
  headless: ["M5 5m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0M15 5m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0M10 15m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0"],
  // One address in front.
  "virtual IP": ["M10 1 19 10 10 19 1 10Z"],
  // It leads away.
  ExternalName: ["M3 6h7v3H6v8h8v-4h3v7H3ZM12 2h7v7l-2.600-2.600-5 5-1.900-1.900 5-5Z"],
  // Only its slices are there.
  missing: ["M2 2h6v2H4v4H2ZM12 2h6v6h-2V4h-4ZM2 12h2v4h4v2H2ZM16 12h2v6h-6v-2h4Z"],
};

/** The sign of a kind of Service; its name is beside it as text. */
export function shape(kind) {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `shape ${kind.replace(" ", "-").toLowerCase()}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of SHAPES[kind] ?? SHAPES.missing) {
    const path = document.createElementNS(namespace, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** What an endpoint answers, as JSON; an Error with its own words when that is a refusal. */
export async function get(path, parameters = {}, options = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null));
  const response = await fetch(query.size ? `${path}?${query}` : path, options);
  if (!response.ok) throw new Error((await response.text()).trim() || `HTTP ${response.status}`);
  return response.json();
}

/** A DNS message in hexadecimal, taken apart by the server. */
export function dissect(hex) {
  const body = Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  return get("dissect", {}, { method: "POST", body, headers: { "Content-Type": "application/dns-message" } });
}

export function counted(number, noun, plural = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : plural}`;
}

/** The time of a day, of milliseconds since 1970. */
export function clock(time) {
  return new Date(time).toLocaleTimeString("en-GB");
}

/** A command that can be copied whole. */
export function command(text) {
  const button = h("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.previousElementSibling);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  return h("div", { class: "command" }, h("code", {}, text), button);
}

/** One line of a zone file, its type apart. */
export function record(line, sign = "") {
  const parts = line.split(" ");
  const at = parts.indexOf("IN") + 1;
  const className = sign === "+" ? "record came" : sign === "-" ? "record went" : "record";
  const text = at
    ? [parts.slice(0, at).join(" "), " ", h("b", {}, parts[at]), ` ${parts.slice(at + 1).join(" ")}`]
    : [line];
  return h("li", { class: className }, sign && h("span", { class: "sign" }, sign === "-" ? "−" : sign), ...text);
}

let waiting = [];

/** Tell a screen reader, at most once in two seconds: the last three things. */
export function announce(text) {
  if (!waiting.length) {
    setTimeout(() => {
      document.getElementById("announcer").textContent = waiting.join(". ");
      waiting = [];
    }, 2000);
  }
  waiting = [...waiting, text].slice(-3);
}

/** Call it soon, and once however often it is asked for until then. */
export function soon(call, milliseconds = 250) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => ((timer = 0), call()), milliseconds);
  };
}

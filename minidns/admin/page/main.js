// The frame: which view is shown, whether the server is there, and whether its API server is.

import { ask } from "./ask.js";
import { changes } from "./changes.js";
import { announce, clock, get, h } from "./dom.js";
import { lessons } from "./lessons.js";
import { live } from "./live.js";
import { map } from "./map.js";
import { queries } from "./queries.js";
import { state } from "./state.js";

const VIEWS = { map, ask, queries, changes, lessons, state };
const LOOK = 3000;
const main = document.getElementById("view");
const banner = document.getElementById("banner");
const connection = document.getElementById("connection");
let leave = null;
let shown = null;

/** A view is a function of its element and the parameters behind the hash; what it returns is called when it is left. */
function route() {
  const [name, query = ""] = location.hash.slice(1).split("?");
  if (name === "view") return;
  const view = name in VIEWS ? name : "map";
  leave?.();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  main.dataset.view = view;
  document.title = `${view[0].toUpperCase()}${view.slice(1)} - minidns`;
  leave = VIEWS[view](main, new URLSearchParams(query));
  if (shown !== null && shown !== view) main.focus();
  shown = view;
}

function tell(text, kind) {
  banner.hidden = !text;
  if (banner.textContent !== text) banner.textContent = text;
  banner.dataset.kind = kind;
}

async function look() {
  if (document.visibilityState === "visible" && live.connected !== false) {
    try {
      const figures = await get("state");
      const since = clock(Date.now() - 1000 * (figures.lost ?? 0));
      if (figures.lost !== null) {
        tell(`The API server is away since ${since}: ${figures.problem}. The last known state is served.`, "bad");
      } else if (!figures.ready) tell(figures.says, "bad");
      else if (figures.stale) tell("Served from the state of an earlier run, until the API server answers.", "warn");
      else tell("", "");
    } catch {
      // The change feed notices too, and says so.
    }
  }
  setTimeout(look, LOOK);
}

live.addEventListener("status", ({ detail: { connected, again } }) => {
  connection.dataset.connected = connected;
  connection.textContent = connected ? "live" : `no server since ${clock(live.since)}`;
  if (!connected) tell(`minidns does not answer here since ${clock(live.since)}. Trying again every 2 seconds.`, "bad");
  else tell("", "");
  if (again) {
    connection.textContent = `back since ${clock(live.since)}`;
    announce("minidns is back");
  }
});

window.addEventListener("hashchange", route);
main.append(h("p", { class: "muted" }, "Loading"));
route();
live.start();
look();

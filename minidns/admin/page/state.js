// State: what the server follows, what it holds, and what it is made of.

import { clock, counted, get, h } from "./dom.js";

const LOOK = 3000;

export function state(main) {
  let timer = 0;
  let stopped = false;
  const cards = h("div", { class: "cards" });
  const draw = async () => {
    try {
      const figures = await get("state");
      if (!stopped) cards.replaceChildren(...cardsOf(figures));
    } catch (error) {
      if (!stopped && !cards.children.length) cards.replaceChildren(h("p", { class: "muted" }, error.message));
    }
    if (!stopped) timer = setTimeout(draw, LOOK);
  };
  main.append(h("h1", {}, "State"), cards);
  draw();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

function cardsOf(figures) {
  const up = duration(Date.now() / 1000 - figures.started);
  const away = figures.lost === null ? "yes" : `not for ${duration(figures.lost)}: ${figures.problem}`;
  return [
    card("Server", [
      ["minidns", figures.version],
      ["up", `${up}, since ${clock(figures.started * 1000)}`],
      ["ready", figures.says, figures.ready ? "good" : "bad"],
      ["answers on", figures.listening.join(", ")],
    ]),
    card("Source", [
      ["from", figures.source ?? "none: every name is forwarded"],
      ["first full list", figures.synced ? "in" : "not yet", figures.synced ? "good" : "bad"],
      ["followed", away, figures.lost === null ? "good" : "bad"],
      ["objects are", figures.stale ? "of an earlier run" : "as they are now", figures.stale ? "some" : "good"],
      ["changes", figures.changes.toLocaleString("en")],
    ]),
    card("Zones", figures.zones.flatMap((zone) => [
      ["zone", zone.origins.join(" ")],
      ["names", zone.names.toLocaleString("en")],
      ["serial", zone.serial],
    ])),
    card("Objects", Object.entries(figures.objects).map(([kind, count]) => [kind, count.toLocaleString("en")])),
    card("Processes", figures.processes.map((one) => [
      `${one.pid}`, `${one.role}, ${one.resident === null ? "gone" : `${(one.resident / 1048576).toFixed(0)} MiB`}`])),
    card("Upstreams", figures.upstreams.length
      ? figures.upstreams.map((one) => [one.address, one.healthy === null ? "watched by each worker" : one.healthy ? "answers" : "does not answer",
        one.healthy === false ? "bad" : "good"])
      : [["none", "names outside are refused"]]),
    card("Asked over HTTP", Object.entries(figures.asked).map(([rcode, count]) => [rcode, counted(count, "answer")]).concat(
      Object.keys(figures.asked).length ? [] : [["nothing", "so far"]])),
  ];
}

function card(title, rows) {
  return h("section", { class: "card" }, h("h2", {}, title),
    h("dl", {}, ...rows.flatMap(([name, value, kind = ""]) => [h("dt", {}, name), h("dd", { class: kind }, value)])));
}

function duration(seconds) {
  const [minutes, hours] = [Math.floor(seconds / 60) % 60, Math.floor(seconds / 3600)];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.floor(seconds) % 60} s` : `${Math.floor(seconds)} s`;
}

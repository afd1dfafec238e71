// Play: what kubectl does to a cluster, where manifests make it. What comes of it shows on the map as any other change.

import { announce, get, h } from "./dom.js";

const VERBS = { scale: "Scale", "rollout restart": "Restart", delete: "Delete", unready: "Make not ready", ready: "Make ready", reset: "As the manifests have it" };

/** Whether there is a cluster to play here. */
export async function playable() {
  return (await get("state")).played;
}

async function play(verb, told) {
  try {
    const done = await get("verbs", {}, { method: "POST", body: JSON.stringify(verb), headers: { "Content-Type": "application/json" } });
    told.textContent = `${done.said}: ${done.told.text.split("\n")[0]}`;
    told.className = "good";
  } catch (error) {
    told.textContent = error.message;
    told.className = "problem";
  }
  announce(told.textContent);
}

/** Buttons for one pod. */
export function ofPod(namespace, pod) {
  const told = h("p", {});
  const buttons = ["delete", "unready", "ready"].map((verb) =>
    h("button", { type: "button", class: "copy", onclick: () => play({ verb, target: `pod/${pod}`, namespace }, told) }, VERBS[verb]));
  return h("div", { class: "play" }, ...buttons, told);
}

/** A form for workloads. */
export function ofWorkloads() {
  const told = h("p", {});
  const field = (label, properties) => h("label", {}, h("span", {}, label), h("input", { spellcheck: "false", autocapitalize: "none", ...properties }));
  const form = h("form", { class: "asking" },
    h("label", {}, h("span", {}, "Do"), h("select", { name: "verb" }, ...["scale", "rollout restart", "reset"].map((verb) => h("option", { value: verb }, VERBS[verb])))),
    field("Workload", { name: "target", placeholder: "statefulset/web" }),
    field("Its namespace", { name: "namespace", value: "default" }),
    field("Replicas", { name: "replicas", type: "number", min: 0, max: 1000, value: 3 }),
    h("button", { type: "submit" }, "Do it"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { verb, target, namespace, replicas } = Object.fromEntries(new FormData(form));
    const rest = verb === "reset" ? {} : { target, namespace };
    if (verb === "scale") rest.replicas = Number(replicas);
    play({ verb, ...rest }, told);
  });
  return h("details", { class: "play" }, h("summary", {}, "Play the cluster that the manifests make"), form, told);
}

// Lessons: a task at a time, checked against the zone that is served.

import { announce, command, counted, get, h } from "./dom.js";

export function lessons(main, parameters) {
  const name = parameters.get("name");
  main.append(h("h1", {}, "Lessons"));
  const place = h("div", { class: "lessons" });
  main.append(place);
  (name ? play(name, place) : list(place)).catch((error) =>
    place.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message)));
  return () => {};
}

async function list(place) {
  const found = await get("lessons");
  place.replaceChildren(h("ul", { class: "cards" }, ...found.map((one) =>
    h("li", { class: "card" },
      h("h2", {}, h("a", { href: `#lessons?name=${one.name}` }, one.title)),
      h("p", {}, one.about),
      h("p", { class: "muted" }, counted(one.minutes, "minute"))))));
}

async function play(name, place) {
  const lesson = await get(`lessons/${encodeURIComponent(name)}`);
  place.replaceChildren(
    h("h2", {}, lesson.title),
    h("p", {}, lesson.about),
    ...(lesson.here ? [] : [h("div", { role: "note" },
      h("p", { class: "some" }, "The cluster served here is not as this lesson has it at its start. This starts one that is, and tells the address of its page:"),
      command(`minidns lesson ${name}`))]),
    h("ol", { class: "tasks" }),
  );
  next(name, lesson, 1, place.lastElementChild);
}

/** Show a step; the one after it comes when it is done. */
function next(name, lesson, number, steps) {
  const step = lesson.steps[number - 1];
  if (!step) {
    steps.after(h("section", { class: "card end", tabindex: "-1" }, h("h2", {}, "Done"), ...texts(lesson.end)));
    steps.nextElementSibling.focus();
    return;
  }
  const said = h("div", { role: "status" });
  const hints = h("div", {});
  const left = [...step.hints];
  const hint = h("button", { type: "button", class: "copy", onclick: () => {
    hints.append(...texts(left.shift()));
    if (!left.length) hint.disabled = true;
  } }, "Hint");
  const form = h("form", { class: "asking" },
    step.answer && h("label", {}, h("span", {}, "Your answer"), h("input", { name: "answer", required: true, autocomplete: "off", autocapitalize: "none", spellcheck: "false" })),
    h("button", { type: "submit", class: "primary" }, "Check"), hint);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = step.answer ? form.elements.answer.value : "";
      const verdict = await get(`lessons/${encodeURIComponent(name)}/attempt`, { step: number, answer });
      said.replaceChildren(h("p", { class: verdict.passed ? "good" : "bad" }, verdict.passed ? "Right." : "Not yet."), ...texts(verdict.said));
      announce(said.textContent);
      if (!verdict.passed) return;
      form.remove();
      hints.remove();
      next(name, lesson, number + 1, steps);
    } catch (error) {
      said.replaceChildren(h("p", { class: "problem", role: "alert" }, error.message));
    }
  });
  steps.append(h("li", { class: "card task" }, h("h3", {}, `Step ${number} of ${lesson.steps.length}`), ...texts(step.task), hints, form, said));
  if (number > 1) form.querySelector("input, button").focus();
}

/** Paragraphs; a line with "$ " at its start is a command, backquotes are around words to be typed. */
function texts(text) {
  const found = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    let prose = [];
    const flush = () => {
      if (prose.length) found.push(h("p", {}, ...prose.join(" ").split("`").map((piece, at) => (at % 2 ? h("code", {}, piece) : piece))));
      prose = [];
    };
    for (const line of paragraph.split("\n")) {
      if (!/^(\$ |\s|\/)/.test(line)) prose.push(line);
      else {
        flush();
        found.push(line.startsWith("$ ") ? command(line.slice(2)) : h("pre", {}, line.trim()));
      }
    }
    flush();
  }
  return found;
}

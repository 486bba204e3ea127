// What is rated with: sliders in five bands, five categories, or one of two.

import { h } from "./dom.js";

const PAUSE = 250; // milliseconds without a key after which a slider counts as let go

const band = (bands, value) => bands[Math.min(4, Math.floor(value / 20))];

export const bandsHead = (bands) =>
  h("div", { class: "bands", "aria-hidden": "true" }, h("span"), h("div", {}, bands.map((word) => h("span", {}, word))));

// on.choose(): it is handled; on.rate(value): it was let go.
export function slider({ name, value, bands, on }) {
  const output = h("output", {}, value == null ? "–" : String(Math.round(value)));
  const input = h("input", { type: "range", min: 0, max: 100, step: 1, value: value ?? 50, "aria-label": `Rating of clip ${name}` });
  const row = h("div", { class: "track" }, input);
  let timer = null, saved = value ?? null, touched = value != null;
  const write = () => {
    row.classList.toggle("unset", !touched);
    output.textContent = touched ? input.value : "–";
    input.setAttribute("aria-valuetext", touched ? `${input.value}, ${band(bands, Number(input.value))}` : "not rated yet");
  };
  const commit = () => {
    clearTimeout(timer);
    timer = null;
    if (!touched || saved === Number(input.value)) return;
    saved = Number(input.value);
    on.rate(saved);
  };
  const moved = () => { touched = true; write(); };
  let pointer = false;
  input.addEventListener("pointerdown", () => { pointer = true; });
  input.addEventListener("pointerup", () => { pointer = false; moved(); commit(); });
  input.addEventListener("pointercancel", () => { pointer = false; });
  input.addEventListener("input", moved);
  input.addEventListener("change", () => {
    moved();
    clearTimeout(timer);
    if (pointer) commit();
    else timer = setTimeout(commit, PAUSE);
  });
  input.addEventListener("blur", commit);
  input.addEventListener("focus", () => on.choose?.());
  write();
  return { row, input, output, commit, rated: () => touched, focus: () => input.focus({ preventScroll: true }) };
}

// choices: [{value, label, key}]
export function categories({ legend, choices, value, on }) {
  const group = newGroup();
  let chosen = value ?? null;
  const inputs = choices.map((each) => h("input", { type: "radio", name: group, value: each.value,
    onchange: () => { chosen = each.value; on.rate(chosen); } }));
  inputs.forEach((input, k) => { input.checked = choices[k].value === value; });
  const row = h("fieldset", { class: "categories" }, h("legend", { class: "unseen" }, legend),
    choices.map((each, k) => h("label", {}, inputs[k], h("span", {}, each.label), h("kbd", { "aria-hidden": "true" }, each.key))));
  const pick = (key) => {
    const k = choices.findIndex((each) => each.key === key);
    if (k < 0) return false;
    inputs[k].focus({ preventScroll: true });
    if (!inputs[k].checked) inputs[k].click();
    return true;
  };
  return { row, pick, commit() {}, rated: () => chosen != null,
    focus: () => (inputs.find((input) => input.checked) ?? inputs[0]).focus({ preventScroll: true }) };
}

let groups = 0;
const newGroup = () => `group-${(groups += 1)}`;

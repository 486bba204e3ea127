// The difference view's legend: which head is measured from, and what the colours mean.

import { APART_COLOURS } from "./skin.js";
import { RANGES } from "./view.js";

const READ_EVERY = 250; // milliseconds

export class Difference {
  #view;
  #readAt = 0;

  constructor(root, view) {
    this.root = root;
    this.#view = view;
    this.base = root.querySelector(".km-base");
    this.range = root.querySelector(".km-range");
    this.ticks = [...root.querySelectorAll(".km-ticks span")];
    const stops = APART_COLOURS.join(", ");
    root.querySelector(".km-colours").style.background = `linear-gradient(to right, ${stops})`;
    for (const range of RANGES) this.range.append(option(range, `${range} mm`));
    this.base.addEventListener("change", () => view.change({ base: this.base.value }));
    this.range.addEventListener("change", () => view.change({ range: Number(this.range.value) }));
  }

  /** The heads on the stage and the key of the one measured from; none hides the legend. */
  show(heads, base) {
    this.root.hidden = heads.length === 0;
    const { range } = this.#view.state;
    this.base.replaceChildren(...heads.map(({ key, label }) => option(key, label)));
    this.base.value = base ?? "";
    this.range.value = range;
    this.ticks.forEach((tick, i) => (tick.textContent = `${i === 2 ? "\u2265 " : ""}${(range * i) / 2}${i === 2 ? " mm" : ""}`));
  }

  /** Tell each panel its numbers, now and then. */
  update(now, compared, note) {
    if (!compared.length || now - this.#readAt < READ_EVERY) return;
    this.#readAt = now;
    compared.forEach((apart, i) => {
      if (apart !== undefined) note(i, apart ? `mean ${apart.mean.toFixed(1)}, largest ${apart.largest.toFixed(1)} mm` : "measured from here");
    });
  }
}

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

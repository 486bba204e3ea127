// Curves and numbers of whoever is on the stage, under it. Nothing is fetched or drawn before the panel
// is opened; then plotly draws, and a cursor over its picture follows the clock without plotly.

import { fetchArrays } from "./arrays.js";
import { Cursor } from "./curves_cursor.js";
import { figure } from "./curves_figure.js";
import { fileUrl } from "./files.js";
import { numbersTable } from "./curves_numbers.js";

const START_WEIGHT = "mouthSmileLeft";
const CLOUD = "keypoints"; // the reference's points are on the stage, too

export function mount(element, props, watch) {
  const panel = new Curves(element.querySelector(".km-curves"), props);
  watch("value", () => panel.changed());
  panel.changed();
  return panel;
}

class Curves {
  #value = { heads: [], reference: null };
  #stage = null; // the stage's view
  #drawn = ""; // what is drawn, to draw again only what is new
  #drawing = 0;
  #weight = START_WEIGHT;

  constructor(root, props) {
    this.root = root;
    this.props = props;
    const find = (name) => root.querySelector(`.km-${name}`);
    this.message = find("curves-message");
    this.body = find("curves-body");
    this.legend = find("curves-legend");
    this.plot = find("figure");
    this.numbers = find("numbers");
    this.cursor = new Cursor(find("cursor"), this.plot);
    this.picker = root.querySelector(".km-weight input");
    this.picker.value = this.#weight;
    root.querySelector("datalist").replaceChildren(...props.names.map((name) => Object.assign(document.createElement("option"), { value: name })));
    this.picker.addEventListener("input", () => this.#pick(this.picker.value));
    this.picker.addEventListener("focus", () => this.picker.select());
    this.picker.addEventListener("blur", () => (this.picker.value = this.#weight));
    for (const button of root.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.#zoom(Number(button.dataset.zoom)));
    }
    root.addEventListener("toggle", () => this.#draw());
    const restyle = () => this.#draw({ anew: true });
    for (const each of [document.documentElement, document.body]) {
      new MutationObserver(restyle).observe(each, { attributeFilter: ["class"] });
    }
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
    new ResizeObserver(() => this.#fit()).observe(this.plot);
    root.kmCurves = this; // for the browser tests
  }

  /** The component's value is another. */
  changed() {
    if (this.props.value?.heads) this.#value = this.props.value; // it is empty at first
    this.root.hidden = this.#value.heads.length === 0;
    this.#draw();
  }

  #pick(text) {
    const name = this.props.names.find((each) => each.toLowerCase() === text.trim().toLowerCase());
    if (!name || name === this.#weight) return;
    this.#weight = name;
    this.#draw();
  }

  /** Who is on the stage, and the reference of the first take among them. */
  #shown() {
    if (!this.#stage) {
      this.#stage = document.querySelector(".km-stage")?.kmViewer?.view ?? null;
      this.#stage?.addEventListener("change", () => this.#draw());
    }
    const { heads: keys = [], blind = 0, revealed = false } = this.#stage?.state ?? {};
    const { heads, reference } = this.#value;
    const headOf = (key) => heads.find((head) => head.key === key);
    const staged = keys.filter((key) => key !== CLOUD).map(headOf).filter(Boolean);
    const shown = staged.length ? staged : heads.slice(0, 1);
    const take = shown.find(({ spectrum }) => spectrum);
    const beside = headOf(take?.reference ?? reference);
    if (beside && !shown.includes(beside)) shown.push(beside);
    return { shown, take, beside, hidden: Boolean(blind) && !revealed };
  }

  async #draw({ anew = false } = {}) {
    if (!this.root.open || this.root.hidden) return;
    const { shown, take, beside, hidden } = this.#shown();
    this.body.hidden = hidden;
    this.message.textContent = hidden ? "Names are hidden, and curves would tell who is who: press Reveal first." : "";
    if (hidden) return (this.#drawn = "");
    const now = JSON.stringify([shown, take?.key, this.#weight]);
    if (now === this.#drawn && !anew) return;
    this.#drawn = now;
    const turn = ++this.#drawing;
    try {
      if (!window.Plotly) this.message.textContent = "Loading the plot ...";
      const [Plotly, sound, ...tracks] = await Promise.all([
        plotly(fileUrl(this.props.plotly)),
        take ? fetchArrays(fileUrl(take.spectrum)) : null,
        ...shown.map(({ motion }) => fetchArrays(fileUrl(motion))),
      ]);
      if (turn !== this.#drawing) return;
      this.message.textContent = "";
      const { data, layout, legend } = figure({
        heads: shown.map((head, i) => ({ ...head, track: tracks[i], place: placeOf(head, take, beside) })),
        sound,
        rows: this.props.rows,
        weight: this.#weight,
        weightPlace: this.props.names.indexOf(this.#weight),
        style: getComputedStyle(this.root),
        narrow: this.plot.clientWidth < 600,
      });
      this.#label(legend);
      this.numbers.replaceChildren(numbersTable(this.props.numbers, shown, take, beside));
      // The zoom is kept while the speech is as long.
      const before = this.plot.layout;
      if (before?.meta.duration === layout.meta.duration) layout.xaxis.range = before.xaxis.range;
      await Plotly.react(this.plot, data, layout, { displayModeBar: false, doubleClick: "reset", responsive: false });
      if (turn !== this.#drawing) return;
      this.cursor.show({ fps: tracks[0].fps, duration: layout.meta.duration });
    } catch (error) {
      this.#drawn = "";
      if (turn === this.#drawing) this.message.textContent = error.message;
    }
  }

  #label(legend) {
    this.legend.replaceChildren(
      ...legend.map(({ label, note, colour, drawn }) => {
        const item = document.createElement("li");
        const line = document.createElement("i");
        line.style.borderColor = colour;
        line.style.borderTopStyle = drawn;
        item.append(line, note ? `${label}, ${note}` : label);
        item.title = label;
        return item;
      }),
    );
  }

  /** Show `factor` times as much around the cursor; 0 shows everything. */
  #zoom(factor) {
    const { xaxis, meta } = this.plot.layout ?? {};
    if (!xaxis) return;
    const whole = [0, meta.duration];
    let range = whole;
    if (factor) {
      const [from, to] = xaxis.range;
      const centre = Math.min(Math.max(this.cursor.time, from), to);
      range = [centre - (centre - from) * factor, centre + (to - centre) * factor];
      range = [Math.max(whole[0], range[0]), Math.min(whole[1], range[1])];
      if (range[1] - range[0] < 0.1) return;
    }
    window.Plotly.relayout(this.plot, { "xaxis.range": range });
  }

  #fit() {
    if (this.plot.layout && this.root.open && this.plot.clientWidth) window.Plotly.Plots.resize(this.plot);
  }
}

/** Where a head's own time lies on the clock: as its take says if it is the reference of that. */
function placeOf(head, take, beside) {
  if (take && head === beside && take.shift !== undefined) {
    return { shift: take.shift, rate: take.rate, hold: take.hold, repeats: false };
  }
  return { shift: 0, rate: 1, hold: false, repeats: Boolean(head.repeats) };
}

let loading = null;

/** The library, once: it is large, and most visitors never open the panel. */
function plotly(url) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error("The plot could not be loaded; close the panel and open it again."));
    };
    document.head.append(script);
  });
  return loading;
}

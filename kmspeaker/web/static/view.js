// How one looks at the stage: who is shown, in which way, from where. It is the browser's alone, and
// stands in the address (#view=...), so that a link shows the same.

export const MODES = ["side", "wipe", "difference"];
export const RANGES = [2, 5, 10]; // mm
export const POINT_SETS = ["ours", "ibug68", "dense"];
const WRITE_AFTER = 400; // milliseconds; browsers refuse more than a few changes of address a second

const START = {
  heads: [], // keys, in the order of the page
  mode: "side",
  solo: null, // the key of the one head that is shown of them
  base: null, // the key of the head that differences are measured from
  range: 5, // mm, the end of the colours
  divider: 0.5, // of the width, between the two heads of a wipe
  blind: 0, // the seed of the shuffle; 0 shows names
  revealed: false,
  faces: {}, // identity by key, where it is not the head's own
  points: "ours",
  whole: false, // of the reference all of the picture is shown, not the face alone
};

export class View extends EventTarget {
  #state = { ...START };
  #linkedHeads = null; // heads of a link that are not there yet
  #writing = null;
  #written = location.hash;
  #extras = () => ({}); // what others write along: camera, speed

  /** What the link says of others: {camera: [6 numbers] | null, time, speed}. */
  linked = { camera: null, time: null, speed: null };

  constructor() {
    super();
    this.#read();
    addEventListener("hashchange", () => {
      if (location.hash === this.#written) return;
      this.#read();
      this.#changed();
      this.dispatchEvent(new Event("link"));
    });
  }

  get state() {
    return this.#state;
  }

  /** The keys of the heads from left to right. */
  get order() {
    const { heads, blind } = this.#state;
    return blind ? shuffled([...heads].sort(), blind) : heads;
  }

  set extras(extras) {
    this.#extras = extras;
  }

  /** Change some of the state; everybody is told once. */
  change(part) {
    this.#state = { ...this.#state, ...part };
    this.#changed();
  }

  /** The catalogue has changed: `keys` of all heads, and those the page would show. */
  offer(keys, shown, isNew) {
    if (!keys.length && this.#linkedHeads?.length) return; // a link's heads may still be coming
    const linked = this.#linkedHeads?.filter((key) => keys.includes(key)) ?? [];
    const kept = isNew ? [] : this.#state.heads.filter((key) => keys.includes(key));
    const heads = linked.length ? linked : kept.length ? kept : shown;
    if (linked.length) this.#linkedHeads = null;
    const solo = heads.includes(this.#state.solo) ? this.#state.solo : null;
    const base = heads.includes(this.#state.base) ? this.#state.base : null;
    this.change({ heads, solo, base });
  }

  /** Note that something written along has changed. */
  touch() {
    clearTimeout(this.#writing);
    this.#writing = setTimeout(() => this.#write(), WRITE_AFTER);
  }

  /** The address with this view. */
  get link() {
    this.#write();
    return location.href;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    this.touch();
  }

  #write() {
    clearTimeout(this.#writing);
    const { heads, mode, solo, base, range, divider, blind, revealed, faces, points, whole } = this.#state;
    const telling = !blind || revealed; // else a key beside a head would say who it is
    const parts = { view: mode, heads: heads.join(), ...this.#extras() };
    if (solo && telling) parts.solo = solo;
    if (base && telling) parts.base = base;
    if (range !== START.range) parts.mm = range;
    if (mode === "wipe") parts.divider = divider.toFixed(2);
    if (blind) parts.blind = blind;
    if (points !== START.points) parts.points = points;
    if (whole) parts.picture = "whole";
    const pairs = Object.entries(faces).map((pair) => pair.join(":"));
    if (pairs.length) parts.faces = pairs.join();
    const plain = mode === START.mode && Object.keys(parts).length === 2 && !location.hash;
    if (plain || !heads.length) return;
    // Commas and colons are allowed in a fragment and read better as they are.
    this.#written = `#${new URLSearchParams(parts)}`.replaceAll("%2C", ",").replaceAll("%3A", ":");
    if (this.#written !== location.hash) history.replaceState(history.state, "", this.#written);
  }

  #read() {
    const parts = new URLSearchParams(location.hash.slice(1));
    if (!parts.has("view")) return;
    const among = (name, allowed, otherwise) => (allowed.includes(parts.get(name)) ? parts.get(name) : otherwise);
    const number = (name, low, high, otherwise) => {
      const value = Number.parseFloat(parts.get(name));
      return value >= low && value <= high ? value : otherwise;
    };
    const list = (name) => (parts.get(name) ?? "").split(",").filter(Boolean).slice(0, 24);
    const range = number("mm", 0, 100, START.range);
    this.#linkedHeads = list("heads");
    this.#state = {
      ...this.#state,
      mode: among("view", MODES, START.mode),
      solo: parts.get("solo"),
      base: parts.get("base"),
      range: RANGES.includes(range) ? range : START.range,
      divider: number("divider", 0, 1, START.divider),
      blind: Math.floor(number("blind", 0, 2 ** 31, 0)),
      faces: Object.fromEntries(list("faces").map((pair) => pair.split(":")).filter((pair) => pair.length === 2)),
      points: among("points", POINT_SETS, START.points),
      whole: parts.get("picture") === "whole",
    };
    const camera = list("camera").map(Number);
    this.linked = {
      camera: camera.length === 6 && camera.every((x) => Math.abs(x) < 2000) ? camera : null,
      time: number("t", 0, 3600, null),
      speed: number("speed", 0.1, 4, null),
    };
  }
}

/** `items` in an order that only `seed` decides. */
function shuffled(items, seed) {
  const result = [...items];
  let state = seed;
  for (let i = result.length - 1; i > 0; i--) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const j = ((state >>> 7) % (i + 1) + (i + 1)) % (i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

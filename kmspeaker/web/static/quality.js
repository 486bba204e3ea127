// How finely pictures are drawn: fine while nothing moves, as rough as the machine needs while it does.

const SETTLED = 250; // milliseconds without a change
const SLOWEST = 32; // milliseconds between pictures: more than 30 a second
const QUICK = 20; // milliseconds between pictures that leave room for finer ones
const WATCHED = 24; // pictures between two decisions
const STEPS = [ // triangles of faces: hair comes on top
  { triangles: 160_000, ratio: 2 },
  { triangles: 20_000, ratio: 1 },
  { triangles: 16_000, ratio: 0.75 },
  { triangles: 16_000, ratio: 0.5 },
];
const WITHOUT_CARD = 1; // where a machine that draws in software starts

/**
 * Steps down as soon as it is too slow, and up again where there is much room: after each step down more
 * reluctantly, so that the picture does not flicker between two looks.
 */
export class Quality {
  #software;
  #levels; // [{name, triangles}], the finest first
  #step;
  #heads = 1;
  #fine = true;
  #movedAt = 0;
  #drawnAt = 0;
  #intervals = [];
  #quick = 0; // decisions in a row that found much room
  #reluctance = 1; // how many of them it takes to step up

  constructor(software, levels) {
    this.#software = software;
    this.#levels = levels;
    this.#step = this.#first;
  }

  get #first() {
    return this.#software ? WITHOUT_CARD : 0;
  }

  /** Once per screen refresh; returns whether the answers below changed. */
  choose(now, moving, heads) {
    const before = `${this.level} ${this.pixelRatio}`;
    if (heads !== this.#heads) {
      this.#heads = heads;
      this.#step = this.#first;
      this.#intervals.length = this.#quick = 0;
      this.#reluctance = 1;
    }
    if (moving) this.#watch(now);
    this.#fine = now - this.#movedAt > SETTLED;
    return before !== `${this.level} ${this.pixelRatio}`;
  }

  get level() {
    const levels = this.#levels;
    if (this.#fine) return levels[0].name;
    const budget = STEPS[this.#step].triangles;
    return (levels.find(({ triangles }) => triangles * this.#heads <= budget) ?? levels.at(-1)).name;
  }

  get pixelRatio() {
    const screen = Math.min(devicePixelRatio, 2);
    if (this.#fine) return this.#software ? 2 * screen : screen;
    return Math.min(screen, STEPS[this.#step].ratio);
  }

  #watch(now) {
    this.#movedAt = now;
    const interval = now - this.#drawnAt;
    this.#drawnAt = now;
    if (this.#fine || interval > SETTLED) return;
    this.#intervals.push(interval);
    if (this.#intervals.length < WATCHED) return;
    const median = this.#intervals.sort((a, b) => a - b)[WATCHED >> 1];
    this.#intervals.length = 0;
    this.#quick = median < QUICK ? this.#quick + 1 : 0;
    if (median > SLOWEST && this.#step < STEPS.length - 1) {
      this.#step += 1;
      this.#reluctance *= 2;
    } else if (this.#quick >= this.#reluctance && this.#step > this.#first) {
      this.#step -= 1;
      this.#quick = 0;
    }
  }
}

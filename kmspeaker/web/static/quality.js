// How finely pictures are drawn: fine while nothing moves, as rough as the machine needs while it does.

const SETTLED = 250; // milliseconds without a change
const STEPS = [
  { level: "fine", ratio: 1 },
  { level: "light", ratio: 1 },
  { level: "light", ratio: 0.75 },
];

export class Quality {
  #software;
  #step;
  #fine = true;
  #movedAt = 0;

  constructor(software) {
    this.#software = software;
    this.#step = software ? 1 : 0;
  }

  /** Once per screen refresh; returns whether the answer below changed. */
  choose(now, moving) {
    if (moving) this.#movedAt = now;
    const fine = now - this.#movedAt > SETTLED || this.#step === 0;
    if (fine === this.#fine) return false;
    this.#fine = fine;
    return true;
  }

  /** Draw the next picture as if something had been moving. */
  rough() {
    this.#fine = this.#step === 0;
  }

  get level() {
    return this.#fine ? "fine" : STEPS[this.#step].level;
  }

  get pixelRatio() {
    const screen = Math.min(devicePixelRatio, 2);
    if (!this.#software) return screen;
    return this.#fine ? 2 * screen : STEPS[this.#step].ratio;
  }
}

// What the head does before it has anything to say: it blinks and looks about, always the same way.
// Between those it is still, so that an idle page draws nothing.

const BLINK_SECONDS = 0.32;
const BLINK_TIMES = [1.6, 5.1, 8.4, 8.9, 12.7]; // within a period
const PERIOD = 15;
const GLANCES = [
  [0, 0],
  [0.28, 0.04],
  [0, 0],
  [-0.24, -0.05],
  [0.06, 0.1],
]; // to the left and up, as fractions of the full turn

export class IdleMotion {
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(names) {
    this.index = Object.fromEntries(names.map((name, i) => [name, i]));
  }

  /** Weights at `seconds`, written into `weights`. */
  sample(seconds, weights) {
    weights.fill(0);
    const set = (name, value) => (weights[this.index[name]] = value);
    set("mouthSmileLeft", 0.1);
    set("mouthSmileRight", 0.1);
    if (this.#still.matches) return;
    set("browInnerUp", 0.06);
    const now = seconds % PERIOD;
    for (const blink of BLINK_TIMES) {
      const phase = (now - blink) / BLINK_SECONDS;
      if (phase < 0 || phase > 1) continue;
      const closed = Math.sin(Math.PI * Math.sqrt(phase)) ** 2;
      set("eyeBlinkLeft", closed);
      set("eyeBlinkRight", closed);
    }
    const [left, up] = this.#gaze(now);
    set("eyeLookOutLeft", Math.max(0, left));
    set("eyeLookInRight", Math.max(0, left));
    set("eyeLookInLeft", Math.max(0, -left));
    set("eyeLookOutRight", Math.max(0, -left));
    for (const side of ["Left", "Right"]) {
      set(`eyeLookUp${side}`, Math.max(0, up));
      set(`eyeLookDown${side}`, Math.max(0, -up));
    }
  }

  #gaze(now) {
    const each = PERIOD / GLANCES.length;
    const i = Math.floor(now / each);
    const t = Math.min(1, (now - i * each) / 0.12);
    const from = GLANCES[(i + GLANCES.length - 1) % GLANCES.length];
    const to = GLANCES[i % GLANCES.length];
    return [0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * t * t * (3 - 2 * t));
  }
}

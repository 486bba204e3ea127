// The cursor over the curves: it follows the clock (`km-clock`) and moves it when dragged (`km-seek`).

const STEP_KEYS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1 };
const STILL = 4; // pixels that a click may wander

export class Cursor {
  #fps = 30;
  #duration = 0;
  #pressed = null; // where the plot was pressed

  /** Seconds. */
  time = 0;

  constructor(element, plot) {
    this.element = element;
    this.plot = plot;
    this.panel = plot.closest("details");
    document.addEventListener("km-clock", ({ detail }) => {
      this.time = detail.time;
      this.place();
    });
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      event.preventDefault();
      element.focus({ preventScroll: true });
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) this.#seek(this.#timeAt(event.clientX));
    });
    element.addEventListener("keydown", (event) => this.#key(event));
    // A click into the curves goes there; a drag is plotly's, who zooms.
    plot.addEventListener("pointerdown", (event) => (this.#pressed = event), true);
    addEventListener("pointerup", (event) => {
      const from = this.#pressed;
      this.#pressed = null;
      if (!from || event.button || !this.#axis) return;
      const moved = Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY);
      if (moved < STILL && this.#within(event)) this.#seek(this.#timeAt(event.clientX));
    });
  }

  /** The plot was drawn anew. */
  show({ fps, duration }) {
    this.#fps = fps;
    this.#duration = duration;
    this.element.setAttribute("aria-valuemax", duration.toFixed(2));
    if (!this.plot.kmFollowed) {
      this.plot.kmFollowed = true;
      this.plot.on("plotly_afterplot", () => this.place());
      this.plot.on("plotly_relayouting", () => this.place());
    }
    this.place();
  }

  /** Put the line where its moment is; nothing else is painted. */
  place() {
    const axis = this.#axis;
    if (!axis || !this.panel.open) return;
    const [from, to] = axis.range;
    const share = (this.time - from) / (to - from);
    this.element.hidden = share < -1e-6 || share > 1 + 1e-6;
    const { t: top, h: height } = this.plot._fullLayout._size;
    if (this.top !== top || this.height !== height) {
      [this.top, this.height] = [top, height];
      this.element.style.top = `${top}px`;
      this.element.style.height = `${height}px`;
    }
    this.element.style.transform = `translateX(${axis._offset + share * axis._length}px)`;
    const value = this.time.toFixed(1); // more often than that, nobody can hear it
    if (this.element.getAttribute("aria-valuenow") !== value) this.element.setAttribute("aria-valuenow", value);
  }

  get #axis() {
    return this.plot._fullLayout?.xaxis;
  }

  #timeAt(x) {
    const axis = this.#axis;
    const [from, to] = axis.range;
    const share = (x - this.plot.getBoundingClientRect().left - axis._offset) / axis._length;
    return from + Math.max(0, Math.min(1, share)) * (to - from);
  }

  #within({ clientX, clientY }) {
    const { left, top } = this.plot.getBoundingClientRect();
    const { l, t, w, h } = this.plot._fullLayout._size;
    const [x, y] = [clientX - left - l, clientY - top - t];
    return x >= 0 && x <= w && y >= 0 && y <= h;
  }

  #seek(seconds) {
    const time = Math.max(0, Math.min(this.#duration, seconds));
    document.dispatchEvent(new CustomEvent("km-seek", { detail: { time } }));
    this.time = time;
    this.place();
  }

  #key(event) {
    const by = STEP_KEYS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (by) this.#seek(this.time + (event.shiftKey ? by : by / this.#fps));
    else if (event.key === "Home") this.#seek(0);
    else if (event.key === "End") this.#seek(this.#duration);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

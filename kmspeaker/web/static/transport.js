// The controls under the stage: they read the clock and tell it what to do, nothing else.

const READ_EVERY = 100; // milliseconds
const LOOK_EVERY = 500; // milliseconds between looks whether the colours have changed
const TURN = Math.PI / 36; // of the camera, at a key
const CLOSER = 1.1;
const STEP_KEYS = { ArrowLeft: -1, ArrowRight: 1 };

export class Transport {
  #peaks = null;
  #painted = null;
  #paintedAt = 0;
  #shown = null;
  #readAt = 0;
  #placed = null; // percent of the length

  constructor(root, clock, { resetCamera, turnCamera, toggleFullscreen }) {
    this.root = root;
    this.clock = clock;
    this.fps = 30;
    const find = (name) => root.querySelector(`.km-${name}`);
    this.playButton = find("play");
    this.needle = find("needle");
    this.window = find("window");
    this.played = find("played");
    this.scrub = find("scrub");
    this.waves = [...root.querySelectorAll(".km-wave")];
    this.readout = find("time");
    this.loopButton = find("loop");
    this.muteButton = find("mute");
    this.speeds = [...root.querySelectorAll("[data-speed]")];

    this.playButton.addEventListener("click", () => clock.toggle());
    this.scrub.addEventListener("input", () => clock.seek(Number(this.scrub.value)));
    this.loopButton.addEventListener("click", () => (clock.loop = !clock.loop));
    this.muteButton.addEventListener("click", () => (clock.muted = !clock.muted));
    find("reset").addEventListener("click", resetCamera);
    find("full").addEventListener("click", toggleFullscreen);
    for (const button of this.speeds) {
      button.addEventListener("click", () => (clock.rate = Number(button.dataset.speed)));
    }
    this.keys = {
      l: () => (clock.loop = !clock.loop),
      m: () => (clock.muted = !clock.muted),
      f: toggleFullscreen,
      r: resetCamera,
      h: () => turnCamera(-TURN, 0),
      k: () => turnCamera(TURN, 0),
      u: () => turnCamera(0, -TURN),
      j: () => turnCamera(0, TURN),
      "+": () => turnCamera(0, 0, CLOSER),
      "=": () => turnCamera(0, 0, CLOSER), // the same key without shift
      "-": () => turnCamera(0, 0, 1 / CLOSER),
    };
    clock.addEventListener("change", () => this.#reflect());
    new ResizeObserver(() => (this.#painted = null)).observe(this.waves[0]);
    this.#reflect();
  }

  /** What is on the clock now: its frame rate and the loudness to draw behind the scrubber. */
  show({ fps, peaks }) {
    this.fps = fps;
    this.#peaks = peaks;
    this.#painted = null;
    this.scrub.max = this.clock.duration;
    this.scrub.step = 1 / fps / 4;
    this.#reflect();
  }

  /** Space, arrows and letters; returns whether the key meant something here. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { clock } = this;
    if (event.key === " ") clock.toggle();
    else if (event.key in STEP_KEYS) {
      clock.pause();
      const by = event.shiftKey ? 1 : 1 / this.fps;
      const at = event.shiftKey ? clock.time : Math.round(clock.time * this.fps) / this.fps;
      clock.seek(at + STEP_KEYS[event.key] * by);
    } else if (event.key === "Home") clock.seek(0);
    else if (event.key === "End") clock.seek(clock.duration);
    else if (event.key.toLowerCase() in this.keys) this.keys[event.key.toLowerCase()]();
    else return false;
    return true;
  }

  /** Once per screen refresh; text changes less often than that, since each change is painted. */
  update(now) {
    const { clock } = this;
    const time = clock.time;
    if (!this.#painted || now - this.#paintedAt > LOOK_EVERY) {
      this.#paintedAt = now;
      this.#paint();
    }
    this.#place(clock.duration ? ((100 * time) / clock.duration).toFixed(1) : "0");
    if (clock.playing && now - this.#readAt < READ_EVERY) return;
    this.#readAt = now;
    const at = stamp(time);
    const total = stamp(clock.duration);
    if (this.#shown === `${at} ${total}`) return;
    this.#shown = `${at} ${total}`;
    const [timeText, totalText, frameText] = this.readout.children;
    timeText.textContent = at;
    totalText.textContent = ` / ${total}`;
    frameText.textContent = `frame ${Math.floor(time * this.fps + 1e-3)}`;
    this.scrub.value = time;
    this.scrub.setAttribute("aria-valuetext", `${at} of ${total}`);
  }

  /** The needle at `percent`, and the played part up to it: three layers are moved, nothing is restyled. */
  #place(percent) {
    if (percent === this.#placed) return;
    this.#placed = percent;
    this.needle.style.transform = `translateX(${percent}%)`;
    this.window.style.transform = `translateX(${percent - 100}%)`;
    this.played.style.transform = `translateX(${100 - percent}%)`;
  }

  #reflect() {
    const { clock } = this;
    const playing = clock.playing;
    this.root.classList.toggle("km-playing", playing);
    this.root.classList.toggle("km-muted", clock.muted);
    this.playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.loopButton.setAttribute("aria-pressed", clock.loop);
    this.muteButton.setAttribute("aria-pressed", clock.muted);
    for (const button of this.speeds) {
      button.setAttribute("aria-pressed", Number(button.dataset.speed) === clock.rate);
    }
    for (const control of this.root.querySelectorAll("[data-needs-clock]")) {
      control.disabled = clock.duration === 0;
    }
  }

  /** The loudness picture, once in each colour; the played one is uncovered as time goes by. */
  #paint() {
    const [rest] = this.waves;
    const ratio = Math.min(devicePixelRatio, 2);
    const width = Math.round(rest.clientWidth * ratio);
    const height = Math.round(rest.clientHeight * ratio);
    const key = `${width} ${height} ${getComputedStyle(rest).getPropertyValue("--km-paint")}`;
    if (this.#painted === key || !width) return;
    this.#painted = key;
    const pitch = 3 * ratio;
    const bars = Math.floor(width / pitch);
    for (const canvas of this.waves) {
      canvas.width = width;
      canvas.height = height;
      const context = canvas.getContext("2d");
      context.fillStyle = getComputedStyle(canvas).getPropertyValue("--km-paint");
      for (let bar = 0; bar < bars; bar++) {
        const loud = this.#peaks ? loudest(this.#peaks, bar / bars, (bar + 1) / bars) / 255 : 0;
        const tall = Math.max(1.5 * ratio, loud * height);
        context.fillRect(bar * pitch, (height - tall) / 2, 2 * ratio, tall);
      }
    }
  }
}

function loudest(peaks, from, to) {
  let most = 0;
  const end = Math.max(Math.floor(from * peaks.length) + 1, Math.floor(to * peaks.length));
  for (let i = Math.floor(from * peaks.length); i < end; i++) most = Math.max(most, peaks[i] ?? 0);
  return most;
}

function stamp(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}

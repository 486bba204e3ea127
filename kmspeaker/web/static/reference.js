// The reference beside the head: its video in step with the clock, its keypoints drawn over the picture.
// It shows the face, from close by, or all of the picture.

import { faceWindow } from "./face_window.js";

const SEEN = 0;
const BRIDGED = 1;
const LOST = 2; // as in tracking.py
const DOUBTFUL = 3; // as in packing.py
const NAMES = { [DOUBTFUL]: "fit in doubt", [BRIDGED]: "hidden, bridged", [LOST]: "face lost" };
const BADGES = { [DOUBTFUL]: "Fit in doubt", [BRIDGED]: "Face hidden, bridged", [LOST]: "Face lost" };
const SYNC_TOLERANCE = 0.12; // seconds the picture may lag before it is moved; a seek costs a stutter

export class ReferencePanel {
  #data = null;
  #repeats = false;
  #lead = false; // true while the video itself is the clock's master
  #view;
  #style = null;
  #pixels = null; // of the points in the frame that is drawn, x and y in turn
  #window = null; // the part of the picture with the face, see face_window.js

  /** Tells {start, upper} of a keypoint set; set once the rig is there. */
  points = null;

  constructor(root, view) {
    this.root = root;
    this.#view = view;
    this.set = root.querySelector(".km-point-set");
    this.set.value = view.state.points;
    this.set.addEventListener("change", () => view.change({ points: this.set.value }));
    this.whole = root.querySelector(".km-whole");
    this.whole.addEventListener("click", () => view.change({ whole: !view.state.whole }));
    view.addEventListener("change", () => {
      this.set.value = view.state.points;
      this.#frame();
    });
    this.video = root.querySelector("video");
    this.canvas = root.querySelector("canvas");
    // A few dots are filled faster here than by a card, let alone by one that software stands in for.
    this.context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.strip = root.querySelector(".km-strip");
    this.needle = document.createElement("b");
    this.badge = root.querySelector(".km-badge");
    this.note = root.querySelector(".km-note");
    this.marks = root.querySelector(".km-marks");
    this.rest = root.querySelector(".km-rest");
    this.neutral = root.querySelector(".km-neutral");
    this.told = root.querySelector(".km-told");
    this.neutral.addEventListener("click", () => this.#say(this.#moment));
    root.querySelector(".km-forget").addEventListener("click", () => this.#say(null));
    const unseen = () => {
      if (!this.video.getAttribute("src")) return;
      this.root.classList.add("km-no-picture");
      this.note.textContent = "This browser cannot show the video: only its points are drawn.";
    };
    this.video.addEventListener("error", unseen);
    // Of a codec it does not know, a browser plays the sound and says nothing.
    this.video.addEventListener("loadedmetadata", () => this.video.videoWidth || unseen());
    new ResizeObserver(() => this.#resize()).observe(this.canvas);
    // Light and dark: the page's class or the system's.
    const restyle = () => (this.#style = this.#drawn = null);
    new MutationObserver(restyle).observe(document.body, { attributeFilter: ["class"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", restyle);
  }

  #drawn = null;
  #moment = 0; // seconds of the reference that are on show

  /** The page is to measure the face against this moment of the reference, or as at first. */
  #say(time) {
    document.dispatchEvent(new CustomEvent("km-neutral", { detail: { time } }));
  }

  /** Show `data` (see `packing.reference_arrays`) with the video at `url`, or nothing; `neutral` are words. */
  show(data, url, { lead, repeats, neutral }) {
    this.#data = data;
    this.#lead = lead;
    this.#repeats = repeats;
    this.#drawn = null;
    this.root.hidden = !data;
    this.root.classList.remove("km-no-picture");
    if (!data) {
      this.video.removeAttribute("src");
      return;
    }
    this.#window = faceWindow(data, LOST);
    this.#frame();
    this.video.muted = !lead;
    if (url && this.video.getAttribute("src") !== url) this.video.src = url;
    if (!url) this.video.removeAttribute("src");
    this.root.classList.toggle("km-no-picture", !url);
    const points = data.keypointCount > 0;
    this.root.classList.toggle("km-no-points", !points && !url);
    this.root.querySelector(".km-legend").hidden = !points;
    this.set.hidden = !points;
    this.rest.hidden = !points;
    this.told.hidden = !neutral;
    this.told.firstElementChild.textContent = neutral ?? "";
    if (points && !url) this.note.textContent = "A saved track shows no person: its points are all there is.";
    else this.note.textContent = url ? "" : "This file holds motion only: no picture and no points.";
    this.#paintStrip();
  }

  /** Make room for what is shown of the picture: the face, or all of it. */
  #frame() {
    this.#drawn = null;
    this.whole.hidden = !this.#window;
    this.whole.setAttribute("aria-pressed", String(this.#view.state.whole));
    if (!this.#data) return;
    const { width, height } = this.#shown(0);
    this.root.style.setProperty("--km-ratio", width && height ? width / height : 1);
  }

  /** What of the picture is shown in a frame, pixels. */
  #shown(frame) {
    const { width, height } = this.#data;
    if (!this.#window || this.#view.state.whole) return { left: 0, top: 0, width, height };
    const [left, top] = this.#window.corner(frame);
    return { left, top, width: this.#window.width, height: this.#window.height };
  }

  /** Whether this video is on show. */
  plays(url) {
    return this.video.getAttribute("src") === url;
  }

  /** Which moment of the reference stands beside moment `time` of the clock. */
  at(time) {
    const seconds = this.#data?.seconds ?? 0;
    if (!seconds) return 0;
    return this.#repeats ? time % seconds : Math.min(time, seconds);
  }

  update(clock) {
    if (!this.#data) return;
    const time = this.at(clock.time);
    if (!this.#lead && this.video.getAttribute("src") && this.video.readyState >= 1) this.#follow(time, clock);
    const shown = this.video.readyState >= 2 && !this.root.classList.contains("km-no-picture")
      ? this.video.currentTime
      : time;
    this.#draw(shown);
  }

  #follow(time, clock) {
    const video = this.video;
    video.playbackRate = clock.rate;
    const target = Math.min(time, Math.max(0, (video.duration || Infinity) - 0.02));
    const off = Math.abs(video.currentTime - target);
    const running = clock.playing && target < (video.duration || Infinity) - 0.03;
    if (off > (running ? SYNC_TOLERANCE : 0.02) && !video.seeking) video.currentTime = target;
    if (running && video.paused) video.play().catch(() => {});
    if (!running && !video.paused) video.pause();
  }

  /** The colours of lower and upper face as [r, g, b] within [0, 1]. */
  get colours() {
    return this.#styled().map((text) => {
      const [r, g, b] = text.match(/[0-9a-f]{2}/gi).map((part) => Number.parseInt(part, 16) / 255);
      return [r, g, b];
    });
  }

  #styled() {
    if (!this.#style) {
      const style = getComputedStyle(this.root);
      this.#style = ["--km-lower", "--km-upper"].map((name) => style.getPropertyValue(name).trim());
    }
    return this.#style;
  }

  #resize() {
    const { canvas } = this;
    const ratio = Math.min(devicePixelRatio, 2);
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    this.#drawn = null;
  }

  #draw(time) {
    const { times, keypointCount, status, width, height } = this.#data;
    const frame = nearest(times, time);
    if (frame === this.#drawn) return;
    this.#drawn = frame;
    this.#moment = times[Math.max(frame, 0)] ?? 0;
    const ratio = Math.min(devicePixelRatio, 2);
    const { canvas, context } = this;
    context.clearRect(0, 0, canvas.width, canvas.height);
    const lost = status[frame] === LOST;
    this.root.classList.toggle("km-lost", lost);
    this.root.classList.toggle("km-doubt", status[frame] === DOUBTFUL);
    this.badge.textContent = BADGES[status[frame]] ?? "";
    this.neutral.disabled = lost || status[frame] === BRIDGED;
    this.needle.style.transform = `translateX(${times.length ? (100 * time) / this.#data.seconds : 0}%)`;
    const area = this.#shown(frame);
    const [scaleX, scaleY] = [width / area.width, height / area.height].map((scale) => scale || 1);
    const [left, top] = [area.left / area.width, area.top / area.height].map((share) => 100 * share || 0);
    this.video.style.transform = `translate(${-left}%, ${-top}%) scale(${scaleX}, ${scaleY})`;
    if (frame < 0 || lost || !keypointCount) return;
    const { pixels, upper } = this.pixelsOf(frame);
    const few = upper.length < 200;
    const radius = few ? Math.max(1.6 * ratio, canvas.width / 150) : Math.max(0.9 * ratio, canvas.width / 320);
    context.globalAlpha = status[frame] === BRIDGED ? 0.45 : 1;
    context.lineWidth = ratio * 0.75;
    context.strokeStyle = "rgba(0,0,0,.55)";
    this.#styled().forEach((colour, part) => {
      context.fillStyle = colour;
      context.beginPath(); // one path for all points of a colour: one call to the painter
      for (let i = 0; i < upper.length; i++) {
        if (upper[i] !== part) continue;
        const x = ((pixels[2 * i] - area.left) * canvas.width) / area.width;
        const y = ((pixels[2 * i + 1] - area.top) * canvas.height) / area.height;
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      context.fill();
      if (few) context.stroke();
    });
  }

  /** The chosen points in a frame of the video, pixels. */
  pixelsOf(frame) {
    const { keypoints, keypointCount, upper, columns, middle, modes, places, placeScale } = this.#data;
    const name = this.#view.state.points;
    const set = name === "ours" ? null : this.points?.(name);
    const count = set ? set.upper.length : keypointCount;
    if (this.#pixels?.length !== 2 * count) this.#pixels = new Float32Array(2 * count);
    const pixels = this.#pixels;
    if (!set) {
      for (let i = 0; i < 2 * count; i++) pixels[i] = keypoints[2 * frame * count + i] / 8; // eighths of a pixel
      return { pixels, upper };
    }
    // See packing._all_points.
    const width = middle.length;
    const moved = Float32Array.from(middle);
    for (let mode = 0; mode < placeScale.length; mode++) {
      const amount = places[frame * placeScale.length + mode] * placeScale[mode];
      for (let i = 0; i < width; i++) moved[i] += amount * modes[mode * width + i];
    }
    for (let i = 0; i < count; i++) {
      const column = columns[set.start + i];
      pixels[2 * i] = moved[2 * column];
      pixels[2 * i + 1] = moved[2 * column + 1];
    }
    return { pixels, upper: set.upper };
  }

  /** Where the face was lost, bridged or the fit is in doubt, over the whole length, and in words. */
  #paintStrip() {
    const { status, seconds, times } = this.#data;
    const marks = [];
    for (let i = 0; i < status.length; ) {
      let end = i + 1;
      while (end < status.length && status[end] === status[i]) end++;
      if (status[i] !== SEEN) {
        const from = (100 * times[i]) / seconds;
        const to = (100 * (times[end] ?? seconds)) / seconds;
        const width = Math.max(0.6, to - from);
        const title = `${capital(NAMES[status[i]])}, ${times[i].toFixed(1)} to ${(times[end] ?? seconds).toFixed(1)} s`;
        marks.push(`<i class="km-mark-${status[i]}" title="${title}" style="left:${from}%;width:${width}%"></i>`);
      }
      i = end;
    }
    this.strip.innerHTML = marks.join("");
    this.strip.append(this.needle);
    const shares = [DOUBTFUL, BRIDGED, LOST]
      .map((state) => [state, status.filter((each) => each === state).length / status.length])
      .filter(([, share]) => share > 0)
      .map(([state, share]) => [state, `${NAMES[state]} ${Math.max(1, Math.round(100 * share))} %`]);
    this.marks.hidden = !shares.length;
    this.marks.innerHTML = shares.map(([state, words]) => `<span><i class="km-mark-${state}"></i>${words}</span>`).join("");
    const said = shares.map(([, words]) => words).join(", ");
    this.strip.setAttribute("aria-label", said ? capital(said) : "Face seen throughout");
  }
}

function capital(words) {
  return words[0].toUpperCase() + words.slice(1);
}

/** Index of the last of the rising `times` that is not after `time`; -1 when there is none. */
export function nearest(times, time) {
  let low = -1;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 0.004) low = middle;
    else high = middle - 1;
  }
  return low;
}

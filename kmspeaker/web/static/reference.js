// The reference beside the head: its video in step with the clock, its keypoints drawn over the picture.

const SEEN = 0;
const BRIDGED = 1;
const LOST = 2; // as in tracking.py
const SYNC_TOLERANCE = 0.12; // seconds the picture may lag before it is moved; a seek costs a stutter

export class ReferencePanel {
  #data = null;
  #repeats = false;
  #lead = false; // true while the video itself is the clock's master

  constructor(root) {
    this.root = root;
    this.video = root.querySelector("video");
    this.canvas = root.querySelector("canvas");
    this.strip = root.querySelector(".km-strip");
    this.badge = root.querySelector(".km-badge");
    this.note = root.querySelector(".km-note");
    this.video.addEventListener("error", () => {
      if (this.video.getAttribute("src")) this.root.classList.add("km-no-picture");
    });
    new ResizeObserver(() => (this.#drawn = null)).observe(this.canvas);
  }

  #drawn = null;

  /** Show `data` (see `viewer.reference_arrays`) with the video at `url`, or nothing. */
  show(data, url, { lead, repeats }) {
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
    this.root.style.setProperty("--km-ratio", data.width && data.height ? data.width / data.height : 1);
    this.video.muted = !lead;
    if (url && this.video.getAttribute("src") !== url) this.video.src = url;
    if (!url) this.video.removeAttribute("src");
    this.root.classList.toggle("km-no-picture", !url);
    const points = data.keypointCount > 0;
    this.root.classList.toggle("km-no-points", !points && !url);
    this.root.querySelector(".km-legend").hidden = !points;
    if (points && !url) this.note.textContent = "A saved track shows no person: its points are all there is.";
    else this.note.textContent = url ? "" : "This file holds motion only: no picture and no points.";
    this.#paintStrip();
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

  #draw(time) {
    const { times, keypoints, keypointCount, upper, status, width, height } = this.#data;
    const frame = nearest(times, time);
    if (frame === this.#drawn) return;
    this.#drawn = frame;
    const ratio = Math.min(devicePixelRatio, 2);
    const canvas = this.canvas;
    canvas.width = Math.round(canvas.clientWidth * ratio);
    canvas.height = Math.round(canvas.clientHeight * ratio);
    const lost = status[frame] === LOST;
    this.root.classList.toggle("km-lost", lost);
    this.badge.textContent = lost ? "Face lost" : status[frame] === BRIDGED ? "Face hidden, bridged" : "";
    this.strip.style.setProperty("--km-at", times.length ? time / this.#data.seconds : 0);
    if (frame < 0 || lost || !keypointCount) return;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(this.root);
    const colours = [style.getPropertyValue("--km-lower"), style.getPropertyValue("--km-upper")];
    const scaleX = canvas.width / width / 8; // eighths of a pixel
    const scaleY = canvas.height / height / 8;
    const radius = Math.max(1.6 * ratio, canvas.width / 150);
    context.globalAlpha = status[frame] === BRIDGED ? 0.45 : 1;
    for (let i = 0; i < keypointCount; i++) {
      const at = (frame * keypointCount + i) * 2;
      context.beginPath();
      context.arc(keypoints[at] * scaleX, keypoints[at + 1] * scaleY, radius, 0, 2 * Math.PI);
      context.fillStyle = colours[upper[i]];
      context.fill();
      context.lineWidth = ratio * 0.75;
      context.strokeStyle = "rgba(0,0,0,.55)";
      context.stroke();
    }
  }

  /** Where the face was lost (or bridged), over the whole length. */
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
        marks.push(`<i class="km-mark-${status[i]}" style="left:${from}%;width:${width}%"></i>`);
      }
      i = end;
    }
    this.strip.innerHTML = `${marks.join("")}<b></b>`;
  }
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

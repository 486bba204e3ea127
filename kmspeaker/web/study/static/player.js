// The clips of a page on one clock: a switch shows another clip at the same instant.

import { ask } from "./api.js";
import { h } from "./dom.js";

const STEPS = 10; // parts of a second of which each must have been seen
const LONGEST_LOOK = 0.6, DRIFT = 0.06; // seconds
const SEEK = 400; // milliseconds after which a browser is not waited for

async function fetched(file) {
  const blob = await (await ask(`api/clips/${file}`)).blob();
  return URL.createObjectURL(blob);
}

class Clip {
  constructor(name, video, plays) {
    Object.assign(this, { name, video, plays, seen: new Set(), last: null });
  }
  get parts() { return Math.max(1, Math.floor(this.video.duration * STEPS)); }

  // Marks what was looked at since the last time; true when that completes a whole play.
  look(time, ended = false) {
    const last = this.last;
    this.last = ended ? null : time;
    if (last == null || time < last || time - last > LONGEST_LOOK) return false;
    for (let k = Math.floor(last * STEPS); k <= time * STEPS; k++) if (k < this.parts) this.seen.add(k);
    if (this.seen.size < this.parts) return false;
    this.seen.clear();
    this.plays += 1;
    return true;
  }
}

// Events: "ready", "switch", "state" (plays or pauses), "play" (a clip was seen whole).
export class Player extends EventTarget {
  playing = false;
  loop = false;
  #closed = false;
  #addresses = [];
  #turn = 0;

  // together: all clips beside each other, as of a pair; otherwise one at a time.
  constructor({ clips, target, together, muted }) {
    super();
    Object.assign(this, { together, muted });
    const video = (label) => h("video", { playsinline: true, preload: "auto", disablepictureinpicture: true,
      disableremoteplayback: true, "aria-label": label, tabindex: "-1" });
    this.clips = clips.map((each) => new Clip(each.name, video(`Clip ${each.name}`), each.plays));
    this.target = target ? new Clip("target", video("Target performance"), 0) : null;
    this.active = this.clips[0];
    this.#files = [...clips.map((each) => each.file), ...(target ? [target.file] : [])];
    this.#show();
  }
  #files;

  get all() { return this.target ? [...this.clips, this.target] : this.clips; }
  get shown() { return this.together ? this.clips : [this.active]; }
  get time() { return this.active.video.currentTime; }
  get length() { return this.active.video.duration || 1; }

  async load() {
    const ready = this.all.map(async (clip, k) => {
      const address = await fetched(this.#files[k]);
      this.#addresses.push(address);
      const { video } = clip;
      video.muted = this.muted || clip !== this.clips[0];
      await new Promise((resolve, reject) => {
        video.addEventListener("canplaythrough", resolve, { once: true });
        video.addEventListener("error", () => reject(new Error("This browser cannot play the clips; try another.")), { once: true });
        video.src = address;
        video.load();
      });
      video.addEventListener("ended", () => this.#ended(clip));
    });
    await Promise.all(ready);
    this.#sound();
    this.#tick();
    this.dispatchEvent(new Event("ready"));
  }

  close() {
    this.#closed = true;
    for (const clip of this.all) clip.video.pause();
    for (const address of this.#addresses) URL.revokeObjectURL(address);
  }

  async toggle() { return this.playing ? this.pause() : this.play(); }

  async play() {
    if (this.active.video.ended) await this.#seek(0);
    this.playing = true;
    this.#say("state");
    await this.#start();
  }

  pause() {
    this.playing = false;
    for (const clip of this.all) { clip.video.pause(); clip.last = null; }
    this.#say("state");
  }

  async restart() {
    await this.#seek(0);
    return this.play();
  }

  // Shows another clip at the instant of the one before.
  async choose(name) {
    const next = this.clips.find((clip) => clip.name === name);
    if (!next || next === this.active) return;
    const turn = ++this.#turn;
    const before = this.active;
    const finished = before.video.ended;
    if (!this.together && !finished) await seeked(next.video, before.video.currentTime);
    if (turn !== this.#turn || this.#closed) return; // chosen again meanwhile
    this.active = next;
    if (!this.together) {
      before.video.pause();
      before.last = null;
      next.last = null;
      if (finished) await seeked(next.video, 0);
      this.#show();
      this.#sound();
      if (this.playing && !finished) await this.#start();
    }
    this.#say("switch");
  }

  async #start() {
    const running = [...this.shown, ...(this.target ? [this.target] : [])];
    for (const clip of running) {
      if (clip !== this.active && Math.abs(clip.video.currentTime - this.time) > DRIFT / 2) {
        clip.video.currentTime = this.time;
      }
    }
    try {
      await Promise.all(running.map((clip) => clip.video.play()));
    } catch (error) {
      if (error.name === "AbortError") return; // paused or switched meanwhile
      this.pause();
    }
  }

  async #seek(time) {
    for (const clip of this.all) clip.last = null;
    const running = [...this.shown, ...(this.target ? [this.target] : [])];
    await Promise.all(running.map((clip) => seeked(clip.video, time)));
  }

  #ended(clip) {
    if (this.shown.includes(clip) && clip.look(clip.video.duration, true)) this.#say("play");
    if (clip !== this.active) return;
    if (this.loop && this.playing) this.restart();
    else this.pause();
  }

  #tick() {
    if (this.#closed) return;
    if (this.playing) {
      for (const clip of this.shown) {
        if (!clip.video.paused && clip.look(clip.video.currentTime)) this.#say("play");
      }
      for (const clip of [...this.shown, ...(this.target ? [this.target] : [])]) {
        const late = clip.video.currentTime - this.time;
        if (clip !== this.active && !clip.video.ended && Math.abs(late) > DRIFT) clip.video.currentTime = this.time;
      }
    }
    this.dispatchEvent(new Event("tick"));
    requestAnimationFrame(() => this.#tick());
  }

  // All of a page's clips have the same sound; one at a time is heard.
  #sound() {
    for (const clip of this.all) clip.video.muted = this.muted || clip !== (this.together ? this.clips[0] : this.active);
  }

  #show() {
    for (const clip of this.clips) clip.video.classList.toggle("off", !this.shown.includes(clip));
  }

  #say(what) { this.dispatchEvent(new Event(what)); }
}

function seeked(video, time) {
  if (Math.abs(video.currentTime - time) < 0.001) return Promise.resolve();
  return new Promise((resolve) => {
    video.addEventListener("seeked", resolve, { once: true });
    setTimeout(resolve, SEEK);
    video.currentTime = time;
  });
}

// The clips of a page on one clock: a switch shows another clip at the same instant.

import { ask } from "./api.js";
import { h } from "./dom.js";

const STEPS = 10; // parts of a second of which each must have been seen
const LONGEST_LOOK = 1, DRIFT = 0.06; // seconds
const LOADING = 180_000; // milliseconds that a clip may take on a slow line
const SEEK = 400; // milliseconds after which a browser is not waited for

async function fetched(file) {
  const blob = await (await ask(`api/clips/${file}`, undefined, undefined, LOADING)).blob();
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
  #files;
  #before = Promise.resolve();

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

  get all() { return this.target ? [...this.clips, this.target] : this.clips; }
  get shown() { return this.together ? this.clips : [this.active]; }
  get #running() { return this.target ? [...this.shown, this.target] : this.shown; }
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

  // What is asked for is done in that order: a key may be pressed before the last seek is over.
  toggle() { return this.#next(() => (this.playing ? this.#stop() : this.#go())); }
  pause() { return this.#next(() => this.#stop()); }
  restart() { return this.#next(() => this.#seek(0).then(() => this.#go())); }

  // Shows another clip at the instant of the one before.
  choose(name) {
    return this.#next(async () => {
      const before = this.active, next = this.clips.find((clip) => clip.name === name);
      if (!next || next === before) return;
      this.active = next;
      if (!this.together) {
        await seeked(next.video, before.video.ended ? 0 : before.video.currentTime);
        before.video.pause();
        this.#show();
        this.#sound();
        if (this.playing) this.#start();
      }
      this.#say("switch");
    });
  }

  #next(work) {
    this.#before = this.#before.then(() => (this.#closed ? undefined : work()));
    return this.#before;
  }

  async #go() {
    if (this.active.video.ended) await this.#seek(0);
    this.playing = true;
    this.#say("state");
    this.#start();
  }

  #stop() {
    this.playing = false;
    for (const clip of this.all) clip.video.pause();
    this.#say("state");
  }

  #start() {
    for (const clip of this.#running) {
      if (clip !== this.active && Math.abs(clip.video.currentTime - this.time) > DRIFT / 2) {
        clip.video.currentTime = this.time;
      }
      clip.last = clip.video.currentTime;
      clip.video.play().catch((error) => {
        if (error.name !== "AbortError") this.pause(); // else it was paused or switched meanwhile
      });
    }
  }

  async #seek(time) {
    for (const clip of this.all) clip.last = null;
    await Promise.all(this.#running.map((clip) => seeked(clip.video, time)));
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
      for (const clip of this.#running) {
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

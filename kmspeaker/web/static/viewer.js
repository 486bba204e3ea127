// The stage: up to four heads on one clock under one camera, their sound, and the reference beside them.
// `mount` is called once by the Gradio component; afterwards every change of its value comes through
// `watch`. See value.js for the value.

import { fetchArrays, sampleWeights } from "./arrays.js";
import { Cast } from "./cast.js";
import { Clock } from "./clock.js";
import { fileUrl } from "./files.js";
import { Idle } from "./idle.js";
import { Panels } from "./panels.js";
import { ReferencePanel } from "./reference.js";
import { Rig } from "./rig.js";
import { Studio } from "./studio.js";
import { loadThree } from "./three_loader.js";
import { Transport } from "./transport.js";
import { readValue } from "./value.js";

const NOBODY = { key: "", label: "", detail: "" };

export function mount(element, props, watch) {
  const viewer = new Viewer(element.querySelector(".km-stage"), props.assets);
  viewer.start().catch((error) => viewer.fail(error));
  const changed = () => viewer.show(props.value).catch((error) => viewer.say(error.message));
  watch("value", changed);
  changed();
  return viewer;
}

class Viewer {
  #value;
  #reference = null; // what is known of the reference's video
  #actors = []; // on the stage now, in order
  #weights = new Float32Array(52);
  #drawn = { time: 0, frameMs: [], offsets: [] };
  #told = { time: -1, playing: false };
  #casting = 0;
  #ready;
  #announceReady;

  constructor(root, assets) {
    this.root = root;
    this.assets = assets;
    this.#value = readValue(null, assets.identity);
    this.#ready = new Promise((resolve) => (this.#announceReady = resolve));
    this.canvas = root.querySelector(".km-head");
    this.audio = root.querySelector("audio");
    this.clock = new Clock();
    this.panels = new Panels(root.querySelector(".km-panels"), () => this.#layout());
    this.reference = new ReferencePanel(root.querySelector(".km-reference"));
    this.transport = new Transport(root.querySelector(".km-transport"), this.clock, {
      resetCamera: () => this.studio?.resetCamera(),
      toggleFullscreen: () => this.#toggleFullscreen(),
    });
    this.canvas.addEventListener("dblclick", () => this.studio?.resetCamera());
    root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && root.isConnected) this.#key(event);
    });
    document.addEventListener("km-seek", ({ detail }) => {
      if (root.isConnected && Number.isFinite(detail?.time)) this.clock.seek(detail.time);
    });
    root.kmViewer = this; // for the browser tests
  }

  async start() {
    const [three, basis] = await Promise.all([
      loadThree(this.assets.three.map((base) => (base.startsWith("http") ? base : fileUrl(base))), this.assets.integrity),
      fetchArrays(fileUrl(this.assets.basis)),
    ]);
    this.studio = new Studio(three, this.canvas);
    this.cast = new Cast(three.THREE, new Rig(three.THREE, basis), this.assets.identities);
    this.idle = new Idle(basis.names);
    await this.#recast();
    this.studio.run((now) => this.#refresh(now));
    this.root.classList.add("km-ready");
    this.#announceReady();
  }

  /** No 3D: one sentence instead of a black box; sound, reference and downloads still work. */
  fail(error) {
    console.error("KM-Speaker viewer:", error);
    this.root.classList.add("km-flat");
    this.say(
      "This browser could not start the 3D view (three.js or WebGL is missing); use the MP4 download to see the result.",
    );
    const tick = (now) => {
      if (!this.root.isConnected) return;
      this.#updatePanels(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  say(sentence) {
    this.root.querySelector(".km-message").textContent = sentence;
  }

  async show(newValue) {
    const before = this.#value;
    const value = (this.#value = readValue(newValue, this.assets.identity));
    this.say("");
    const newSound = value.sound !== before.sound;
    const newScene = newSound || String(value.shown) !== String(before.shown);
    if (newSound || value.reference?.data !== before.reference?.data) {
      const reference = value.reference ? await fetchArrays(fileUrl(value.reference.data)) : null;
      if (this.#value !== value) return;
      this.#reference = reference;
    }
    const actors = this.cast ? await this.#recast() : null;
    if (this.#value !== value) return;
    if (newScene || value.reference?.data !== before.reference?.data) await this.#attach(actors);
    this.root.classList.toggle("km-has-take", Boolean(value.sound));
    this.root.classList.toggle("km-has-reference", Boolean(value.reference));
    if (value.sound && newScene) {
      await this.#ready;
      // The button that made the take keeps no hold of the space bar.
      if (document.activeElement?.matches("button")) this.root.focus({ preventScroll: true });
      await this.clock.play();
    }
  }

  /** Put the sound on the clock, or the reference alone when there is none. */
  async #attach() {
    const { reference, sound, heads, shown } = this.#value;
    const videoUrl = reference?.video ? fileUrl(reference.video) : null;
    const lead = !sound && Boolean(videoUrl);
    this.reference.show(this.#reference, videoUrl, { lead, repeats: Boolean(reference?.repeats) });
    const first = heads.find(({ key }) => key === shown[0]);
    const track = first ? await fetchArrays(fileUrl(first.motion)) : this.#reference;
    if (sound) {
      this.audio.src = fileUrl(sound);
      this.clock.attach(this.audio, track.seconds);
    } else if (track) {
      this.audio.removeAttribute("src");
      this.clock.attach(lead ? this.reference.video : null, track.seconds);
    } else {
      this.clock.attach(null, 0);
    }
    this.transport.show({ fps: track?.fps ?? 30, peaks: track?.peaks });
  }

  /** Fetch who is to be shown and put them on the stage. */
  async #recast() {
    const turn = ++this.#casting;
    const { heads, shown, identity } = this.#value;
    const wanted = shown.map((key) => heads.find((head) => head.key === key));
    const actors = await Promise.all(
      wanted.length
        ? wanted.map((head) => this.cast.actor(head.key, head.identity, head.motion))
        : [this.cast.actor("", identity, null)],
    );
    if (turn !== this.#casting) return;
    actors.forEach((actor, i) => (actor.repeats = Boolean(wanted[i]?.repeats)));
    this.cast.keep(wanted.length ? heads.map(({ key }) => key) : [""]);
    this.#actors = actors;
    this.panels.show(wanted.length ? wanted : [NOBODY]);
    this.#layout();
  }

  #layout() {
    if (!this.studio || !this.#actors.length) return;
    const boxes = this.panels.boxes();
    this.studio.views = this.#actors.map(({ head }, i) => ({ head, box: boxes[i] }));
  }

  #refresh(now) {
    const started = performance.now();
    const time = this.clock.time;
    // The picture on screen is replaced now: this far it has fallen behind the sound.
    if (this.clock.playing && time > this.#drawn.time) remember(this.#drawn.offsets, time - this.#drawn.time);
    this.pose(time, now);
    this.#updatePanels(now);
    this.#drawn.time = time;
    remember(this.#drawn.frameMs, performance.now() - started);
  }

  /** Move the heads to `time` of the clock. */
  pose(time, now) {
    for (const { head, track, repeats } of this.#actors) {
      if (track) sampleWeights(track, moment(track, time, repeats) * track.fps, this.#weights);
      else this.idle.sample(now / 1000, this.#weights);
      if (head.pose(this.#weights)) this.studio.invalidate();
    }
  }

  #updatePanels(now) {
    this.transport.update(now);
    this.reference.update(this.clock);
    this.#tell();
  }

  /** Curves and other parts of the page follow the clock by this event. */
  #tell() {
    const { time, playing } = this.clock;
    if (time === this.#told.time && playing === this.#told.playing) return;
    this.#told = { time, playing };
    document.dispatchEvent(new CustomEvent("km-clock", { detail: this.#told }));
  }

  /** For measuring: script time per frame; how far a picture was behind the sound when it left, in seconds. */
  stats() {
    const { frameMs, offsets, time } = this.#drawn;
    return {
      scriptMs: median(frameMs),
      offset: median(offsets),
      worstOffset: Math.max(0, ...offsets),
      time,
      playing: this.clock.playing,
      takeBytes: this.#actors[0]?.track?.bytes ?? 0,
    };
  }

  /** The motion of a head that is shown, as it came from the server. */
  track(key) {
    return this.#actors.find((actor) => actor.key === key)?.track;
  }

  #key(event) {
    const target = event.target;
    if (event.key === " " && target.closest?.("button")) return;
    if (target === this.transport.scrub && event.key.startsWith("Arrow") === false && event.key !== " ") return;
    if (event.defaultPrevented || !this.transport.key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }
}

/** Which of its own seconds a motion shows at `time` of the clock. */
function moment({ seconds }, time, repeats) {
  return repeats && seconds ? time % seconds : time;
}

function remember(values, value) {
  values.push(value);
  if (values.length > 600) values.shift();
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

// The stage: one head, its sound, and the reference beside it. `mount` is called once by the Gradio
// component; afterwards every change of its value comes through `watch`.
//
// value = {identity, take, reference}; take and reference name files of this visitor's own folder.

import { fetchArrays, sampleWeights } from "./arrays.js";
import { Clock } from "./clock.js";
import { fileUrl } from "./files.js";
import { Head } from "./head.js";
import { Idle } from "./idle.js";
import { ReferencePanel } from "./reference.js";
import { skin } from "./skin.js";
import { Studio } from "./studio.js";
import { loadThree } from "./three_loader.js";
import { Transport } from "./transport.js";

export function mount(element, props, watch) {
  const viewer = new Viewer(element.querySelector(".km-stage"), props.assets);
  viewer.start().catch((error) => viewer.fail(error));
  const changed = () => viewer.show(props.value).catch((error) => viewer.say(error.message));
  watch("value", changed);
  changed();
  return viewer;
}

class Viewer {
  #value = {};
  #tracks = { take: null, reference: null };
  #weights = new Float32Array(52);
  #source = "take"; // which performance the head plays when there are both
  #drawn = { time: 0, frameMs: [], offsets: [] };
  #ready;
  #announceReady;

  constructor(root, assets) {
    this.root = root;
    this.assets = assets;
    this.#ready = new Promise((resolve) => (this.#announceReady = resolve));
    this.canvas = root.querySelector(".km-head");
    this.audio = root.querySelector("audio");
    this.clock = new Clock();
    this.reference = new ReferencePanel(root.querySelector(".km-reference"));
    this.transport = new Transport(root.querySelector(".km-transport"), this.clock, {
      resetCamera: () => this.studio?.resetCamera(),
      toggleFullscreen: () => this.#toggleFullscreen(),
    });
    this.sources = [...root.querySelectorAll("[data-source]")];
    for (const button of this.sources) {
      button.addEventListener("click", () => this.#play(button.dataset.source));
    }
    this.canvas.addEventListener("dblclick", () => this.studio?.resetCamera());
    root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && root.isConnected) this.#key(event);
    });
    root.kmViewer = this; // for the browser tests
  }

  async start() {
    const [three, basis] = await Promise.all([
      loadThree(this.assets.three.map((base) => (base.startsWith("http") ? base : fileUrl(base))), this.assets.integrity),
      fetchArrays(fileUrl(this.assets.basis)),
    ]);
    this.studio = new Studio(three, this.canvas);
    const { THREE } = three;
    this.texture = new THREE.Texture();
    this.texture.anisotropy = 4;
    this.head = new Head(THREE, basis, skin(THREE, this.texture));
    this.idle = new Idle(basis.names);
    await this.#wear(this.#value.identity ?? this.assets.identity);
    this.studio.add(this.head);
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

  async show(value) {
    const before = this.#value;
    this.#value = value ?? {};
    const { identity, take, reference } = this.#value;
    if (this.head && identity !== before.identity) await this.#wear(identity);
    if (take?.data === before.take?.data && reference?.data === before.reference?.data) return;
    this.say("");
    const [takeTrack, referenceTrack] = await Promise.all(
      [take, reference].map((part) => (part ? fetchArrays(fileUrl(part.data)) : null)),
    );
    if (this.#value.take?.data !== take?.data || this.#value.reference?.data !== reference?.data) return;
    this.#tracks = { take: takeTrack, reference: referenceTrack };
    this.#attach();
    this.root.classList.toggle("km-has-take", Boolean(take));
    this.root.classList.toggle("km-has-reference", Boolean(reference));
    if (take && take.data !== before.take?.data) {
      await this.#ready;
      // The button that made the take keeps no hold of the space bar.
      if (document.activeElement?.matches("button")) this.root.focus({ preventScroll: true });
      await this.clock.play();
    }
  }

  /** Put the take on the clock, or the reference alone when there is no take. */
  #attach() {
    const { take, reference } = this.#value;
    const { take: takeTrack, reference: referenceTrack } = this.#tracks;
    const videoUrl = reference?.video ? fileUrl(reference.video) : null;
    this.reference.show(referenceTrack, videoUrl, { lead: !take && Boolean(videoUrl), repeats: take?.use === "stylize" });
    if (take) {
      this.audio.src = fileUrl(take.sound);
      this.clock.attach(this.audio, takeTrack.seconds);
    } else if (referenceTrack) {
      this.audio.removeAttribute("src");
      this.clock.attach(videoUrl ? this.reference.video : null, referenceTrack.seconds);
    } else {
      this.clock.attach(null, 0);
    }
    this.transport.show({ fps: (takeTrack ?? referenceTrack)?.fps ?? 30, peaks: takeTrack?.peaks });
    this.#play(take ? "take" : "reference");
    this.root.querySelector(".km-label").textContent = take?.label ?? "";
  }

  #play(source) {
    this.#source = source;
    for (const button of this.sources) {
      button.setAttribute("aria-pressed", button.dataset.source === source);
    }
    this.studio?.invalidate();
  }

  async #wear(identity) {
    const files = this.assets.identities[identity];
    if (!files) return;
    const [{ neutral }, image] = await Promise.all([
      fetchArrays(fileUrl(files.neutral)),
      loadImage(fileUrl(files.texture)),
    ]);
    // A texture's size is fixed once it is on the GPU.
    this.texture.dispose();
    this.texture.image = image;
    this.texture.needsUpdate = true;
    this.head.neutral = neutral;
    this.studio.invalidate();
  }

  #refresh(now) {
    const started = performance.now();
    const time = this.clock.time;
    // The picture on screen is replaced now: this far it has fallen behind the sound.
    if (this.clock.playing && time > this.#drawn.time) remember(this.#drawn.offsets, time - this.#drawn.time);
    const track = this.#tracks[this.#source];
    if (track) {
      const seconds = this.#source === "reference" && this.#tracks.take ? this.reference.at(time) : time;
      sampleWeights(track, seconds * track.fps, this.#weights);
    } else {
      this.idle.sample(now / 1000, this.#weights);
    }
    if (this.head.pose(this.#weights)) this.studio.invalidate();
    this.#updatePanels(now);
    this.#drawn.time = time;
    remember(this.#drawn.frameMs, performance.now() - started);
  }

  #updatePanels(now) {
    this.transport.update(now);
    this.reference.update(this.clock);
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
      takeBytes: this.#tracks.take?.bytes ?? 0,
    };
  }

  /** The motion of `take` or `reference` as it came from the server. */
  track(name) {
    return this.#tracks[name];
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

function remember(values, value) {
  values.push(value);
  if (values.length > 600) values.shift();
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

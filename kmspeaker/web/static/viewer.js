// The stage: up to twelve heads on one clock under one camera, their sound, and the reference beside them.
// `mount` is called once by the Gradio component; afterwards every change of its value comes through
// `watch`. See value.js for the value.

import { fetchArrays, sampleTurn, sampleWeights } from "./arrays.js";
import { CompareBar } from "./compare_bar.js";
import { Heads, setOwnHeads } from "./heads.js";
import { Clock } from "./clock.js";
import { Difference } from "./difference.js";
import { fileUrl } from "./files.js";
import { IdleMotion } from "./idle_motion.js";
import { Panels } from "./panels.js";
import { ReferencePanel } from "./reference.js";
import { Rig } from "./rig.js";
import { Renderer } from "./renderer.js";
import { loadThree } from "./three_loader.js";
import { Transport } from "./transport.js";
import { LETTERS, readValue } from "./value.js";
import { View } from "./view.js";

const WAITING = ""; // the key of the head that is there before any other

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
  #sound = null; // the file on the clock
  #silent = true; // nothing but the reference is heard
  #actors = []; // on the stage now, in order
  #weights = new Float32Array(52);
  #turn = new Float32Array(3);
  #drawn = { time: 0, frameMs: [] };
  #announced = { time: -1, playing: false };
  #casting = 0;
  compared = []; // for each panel its distances to the base, null for the base itself
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
    this.view = new View();
    this.view.extras = () => this.#extras();
    this.bar = new CompareBar(root.querySelector(".km-bar"), this.view, {
      say: (sentence) => this.#tip(sentence),
      copyLink: () => this.#copyLink(),
    });
    this.panels = new Panels(root.querySelector(".km-panels"), this.view, assets.identities, () => this.#layout());
    this.difference = new Difference(root.querySelector(".km-difference"), this.view);
    this.reference = new ReferencePanel(root.querySelector(".km-reference"), this.view);
    this.transport = new Transport(root.querySelector(".km-transport"), this.clock, {
      resetCamera: () => this.renderer?.resetCamera(),
      turnCamera: (...by) => (this.renderer?.orbit(...by), this.view.touch()),
      toggleFullscreen: () => this.#toggleFullscreen(),
    });
    this.#listen();
    root.kmViewer = this; // for the browser tests
  }

  #listen() {
    const { root, clock, view } = this;
    this.canvas.addEventListener("dblclick", () => this.renderer?.resetCamera());
    root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => {
      if (event.target === document.body && root.isConnected) this.#key(event);
    });
    document.addEventListener("km-seek", ({ detail }) => {
      if (root.isConnected && Number.isFinite(detail?.time)) clock.seek(detail.time);
    });
    clock.addEventListener("change", () => !clock.playing && view.touch());
    let staged = "";
    view.addEventListener("change", () => {
      const { divider, ...others } = view.state;
      const now = JSON.stringify(others);
      if (now === staged) return this.#layout(); // only the divider has moved
      staged = now;
      this.#recast().catch((error) => this.say(error.message));
    });
    view.addEventListener("link", () => this.#followLink());
  }

  async start() {
    const [three, basis] = await Promise.all([
      loadThree(this.assets.three.map((base) => (base.startsWith("http") ? base : fileUrl(base))), this.assets.integrity),
      fetchArrays(fileUrl(this.assets.basis)),
    ]);
    const rig = new Rig(three.THREE, basis);
    this.rig = rig;
    this.renderer = new Renderer(three, this.canvas, rig.levels);
    rig.software = this.renderer.software;
    this.renderer.controls.addEventListener("end", () => this.view.touch());
    this.heads = new Heads(three.THREE, rig, this.assets, this.renderer.software ? 1 : 4);
    this.reference.points = (name) => rig.pointSet(name);
    this.idleMotion = new IdleMotion(basis.names);
    await this.#recast();
    this.#followLink();
    this.renderer.run(
      (now) => this.#refresh(now),
      (milliseconds) => remember(this.#drawn.frameMs, milliseconds),
    );
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

  /** A sentence that goes away. */
  #tip(sentence) {
    const tip = this.root.querySelector(".km-tip");
    tip.textContent = sentence;
    clearTimeout(this.tipTimer);
    this.tipTimer = setTimeout(() => (tip.textContent = ""), 4000);
  }

  async show(newValue) {
    const before = this.#value;
    setOwnHeads(this.assets.identities, newValue?.identities);
    const value = (this.#value = readValue(newValue, this.assets.identity));
    this.say("");
    const newShown = String(value.shown) !== String(before.shown);
    const newReference = value.reference?.data !== before.reference?.data;
    if (newReference) {
      const reference = value.reference ? await fetchArrays(fileUrl(value.reference.data)) : null;
      if (this.#value !== value) return;
      this.#reference = reference;
    }
    this.bar.catalogue = value.heads;
    // Whoever chose a face for all heads wants to see it.
    if (before.heads.length && value.identity !== before.identity) this.view.change({ faces: {} });
    this.view.offer(value.heads.map(({ key }) => key), value.shown, newShown);
    const newSound = await this.#attach();
    if (this.#value !== value) return;
    if (newReference && !newSound) this.#showReference();
    await this.#recast();
    this.root.classList.toggle("km-has-take", value.heads.some(({ sound }) => sound) || Boolean(value.sound));
    this.root.classList.toggle("km-has-reference", Boolean(value.reference));
    if (!this.#silent && (newSound || newShown)) {
      await this.#ready;
      // The button that made the take keeps no hold of the space bar.
      if (document.activeElement?.matches("button")) this.root.focus({ preventScroll: true });
      const { time } = this.view.linked;
      this.view.linked.time = null;
      if (time === null) await this.clock.play();
      else this.clock.seek(time); // a link shows its moment
    }
  }

  /** Put the first head's sound on the clock, or the reference alone; returns whether that is new. */
  async #attach() {
    const { reference, heads } = this.#value;
    const shown = this.view.state.heads.map((key) => heads.find((head) => head.key === key)).filter(Boolean);
    const first = shown.find(({ sound }) => sound) ?? shown[0];
    const sound = first?.sound ?? this.#value.sound;
    const playing = sound ?? reference?.data ?? "";
    if (this.#sound === playing) return false;
    // A reference that is measured anew goes on where it stands.
    const stays = !sound && this.#silent && reference?.video && this.reference.plays(fileUrl(reference.video));
    const since = stays ? this.clock.time : 0;
    this.#sound = playing;
    const track = first ? await fetchArrays(fileUrl(first.motion)) : this.#reference;
    if (this.#sound !== playing) return false;
    this.#silent = !sound;
    this.#showReference();
    if (sound && track) {
      this.audio.src = fileUrl(sound);
      this.clock.attach(this.audio, track.seconds);
    } else if (track) {
      this.audio.removeAttribute("src");
      this.clock.attach(reference?.video ? this.reference.video : null, track.seconds);
      if (since) this.clock.seek(since);
    } else {
      this.clock.attach(null, 0);
    }
    this.transport.show({ fps: track?.fps ?? 30, peaks: track?.peaks });
    return Boolean(sound);
  }

  #showReference() {
    const { reference } = this.#value;
    const url = reference?.video ? fileUrl(reference.video) : null;
    const lead = this.#silent && Boolean(url); // its video is then the clock's master
    this.reference.show(this.#reference, url, { lead, repeats: Boolean(reference?.repeats), neutral: reference?.neutral });
  }

  /** Who stands on the stage now, in order: entries of the catalogue with the face they wear. */
  #staged() {
    const { heads, identity } = this.#value;
    const { solo, mode, blind, revealed, faces } = this.view.state;
    const nameless = Boolean(blind) && !revealed;
    document.body.classList.toggle("km-nameless", nameless);
    const known = this.view.order.filter((key) => heads.some((head) => head.key === key));
    if (!known.length) return [{ key: WAITING, label: "", identity, motion: null }];
    const shown = solo && known.includes(solo) ? [solo] : mode === "wipe" ? known.slice(0, 2) : known;
    const entries = shown.map((key) => heads.find((head) => head.key === key));
    // A face would tell who it is.
    const same = blind ? entries[0].identity : null;
    return entries.map((head) => ({
      ...head,
      ...(nameless && { label: `Head ${LETTERS[known.indexOf(head.key)]}`, detail: "" }),
      identity: same ?? wearable(faces[head.key], this.assets) ?? head.identity,
    }));
  }

  /** Fetch who is to be shown and put them on the stage. */
  async #recast() {
    if (!this.heads) return;
    const turn = ++this.#casting;
    const staged = this.#staged();
    const actors = await Promise.all(staged.map((entry) => this.heads.actor(entry.key, entry)));
    if (turn !== this.#casting) return;
    const { state } = this.view;
    this.heads.keep(staged[0].key === WAITING ? [WAITING] : this.#value.heads.map(({ key }) => key));
    this.#actors = actors;
    for (const { head, cloud } of actors) if (cloud) head.use(this.rig.pointSet(state.points), this.reference.colours);
    this.#compare(staged);
    this.panels.show(staged, state);
    const { playing, duration } = this.clock;
    if (duration && (await this.#attach()) && playing) await this.clock.play();
  }

  #compare(staged) {
    const { mode, base, range } = this.view.state;
    const bodies = this.#actors.filter(({ cloud }) => !cloud);
    const comparing = mode === "difference" && bodies.length > 1;
    const from = comparing ? (bodies.find(({ key }) => key === base) ?? bodies.at(-1)) : null;
    const comparable = ({ head, rig }) => head !== from?.head && rig === from?.rig;
    for (const body of bodies) body.head.compare(comparable(body) ? from.head : null, range);
    this.difference.show(comparing ? staged.filter(({ cloud }) => !cloud) : [], from?.key);
    const numbers = (actor) => (comparable(actor) ? actor.head.apart : actor.head === from.head ? null : undefined);
    this.compared = comparing ? this.#actors.map(numbers) : [];
    this.renderer.invalidate();
  }

  #layout() {
    if (!this.renderer || !this.#actors.length) return;
    const boxes = this.panels.boxes();
    if (boxes.length !== this.#actors.length) return;
    const { mode, divider } = this.view.state;
    if (mode === "wipe" && boxes.length === 2) {
      const { clientWidth: width, clientHeight: height } = this.canvas;
      const box = { left: 0, top: 0, width, height };
      const at = Math.round(divider * width);
      this.renderer.views = [
        { head: this.#actors[0].head, box, scissor: { ...box, width: at } },
        { head: this.#actors[1].head, box, scissor: { ...box, left: at, width: width - at } },
      ];
      this.panels.placeDivider(divider);
    } else {
      this.renderer.views = this.#actors.map(({ head }, i) => ({ head, box: boxes[i] }));
    }
  }

  /** What the link carries beside the view. */
  #extras() {
    const { clock, renderer } = this;
    return {
      ...(renderer?.moved && { camera: renderer.standpoint.join() }),
      ...(clock.duration && !clock.playing && clock.time > 0 && { t: clock.time.toFixed(2) }),
      ...(clock.rate !== 1 && { speed: clock.rate }),
    };
  }

  #followLink() {
    const { camera, speed } = this.view.linked;
    if (camera) this.renderer.standpoint = camera;
    if (speed) this.clock.rate = speed;
  }

  async #copyLink() {
    const { link } = this.view;
    try {
      await navigator.clipboard.writeText(link);
      this.#tip("The link to this view is copied.");
    } catch {
      this.#tip("The address of this page is the link to this view.");
    }
  }

  #refresh(now) {
    const time = this.clock.timeToDraw(now);
    this.pose(time, now);
    this.#drawn.time = time;
    this.#updatePanels(now);
  }

  /** Move the heads to `time` of the clock. */
  pose(time, now) {
    for (const { head, track, repeats } of this.#actors) {
      if (track) {
        const frame = moment(track, time, repeats) * track.fps;
        sampleWeights(track, frame, this.#weights);
        sampleTurn(track, frame, this.#turn);
        const [yaw, pitch, roll] = this.#turn;
        if (head.turn(yaw, pitch, roll)) this.renderer.invalidate();
      } else {
        this.idleMotion.sample(now / 1000, this.#weights);
      }
      if (head.pose(this.#weights)) this.renderer.invalidate();
    }
  }

  #updatePanels(now) {
    this.transport.update(now);
    this.reference.update(this.clock);
    this.difference.update(now, this.compared, (i, text) => this.panels.note(i, text));
    this.#announce();
  }

  /** Curves and other parts of the page follow the clock by this event. */
  #announce() {
    const { time, playing } = this.clock;
    if (time === this.#announced.time && playing === this.#announced.playing) return;
    this.#announced = { time, playing };
    document.dispatchEvent(new CustomEvent("km-clock", { detail: this.#announced }));
  }

  /** For measuring: pictures so far, script time for one, the moment of the clock that was last drawn. */
  stats() {
    const { frameMs, time } = this.#drawn;
    return {
      pictures: this.renderer?.drawn ?? 0,
      triangles: this.renderer?.triangles ?? 0,
      scriptMs: median(frameMs),
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
    if (target.closest?.("select, textarea, input:not([type=range])")) return;
    if (event.key === " " && target.closest?.("button")) return;
    if (target === this.transport.scrub && /^(Home|End|Page|ArrowUp|ArrowDown)/.test(event.key)) return; // its own
    if (event.defaultPrevented || !(this.transport.key(event) || this.bar.key(event))) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }
}

/** The identity, if there is one of that name: links may say anything. */
function wearable(identity, { identities }) {
  return Object.hasOwn(identities, identity ?? "") ? identity : null;
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

// A page of clips and what they are rated with.

import { newName } from "./api.js";
import { h, list, paragraphs, show } from "./dom.js";
import { Player } from "./player.js";
import { bandsHead, categories, slider } from "./scales.js";

const KEYS = [..."1234567890-="];
const TOUCH = window.matchMedia("(pointer: coarse)").matches;
const ICONS = { play: "▶ Play", pause: "❚❚ Pause" };

// Resolves when the page is done; next() sends that, and answers with training's feedback.
export class RatingPage {
  #began = performance.now();
  #rated = new Map();
  #feedback = null;
  #done = false;

  constructor({ study, page, saver, next, leave }) {
    Object.assign(this, { study, page, saver, next, leave });
    this.check = page.kind === "check";
    this.pair = study.protocol === "pairwise";
    this.acr = study.protocol === "acr";
    this.player = new Player({ clips: page.clips, target: page.target, together: this.pair, muted: study.muted });
  }

  async open() {
    this.#scales();
    const { page, player } = this;
    const kind = page.kind === "training" ? "Practice" : "";
    this.missing = h("p", { id: "missing", "aria-live": "polite" });
    this.button = h("button", { type: "button", class: "go", "aria-describedby": "missing", onclick: () => this.enter() }, "Go on");
    this.button.disabled = true;
    this.playButton = h("button", { type: "button", class: "play", onclick: () => player.toggle() }, ICONS.play);
    const again = h("button", { type: "button", onclick: () => player.restart() }, "From the start");
    this.loopBox = h("input", { type: "checkbox", onchange: () => { player.loop = this.loopBox.checked; } });
    this.line = h("progress", { class: "time", max: 1, value: 0, "aria-hidden": "true" });
    this.section = h("section", { class: `rating ${this.pair ? "pair" : ""} ${page.target ? "targeted" : ""}` },
      h("div", { class: "question" }, kind && h("p", { class: "kind" }, kind), h("h1", {}, page.question)),
      h("div", { class: "stage" }, this.#stage(), this.line,
        h("div", { class: "controls" }, this.playButton, again, h("label", {}, this.loopBox, " Repeat"))),
      h("div", { class: "scales" }, this.#board()),
      h("div", { class: "onward" }, this.missing, this.button));
    show(this.section);
    this.missing.textContent = "The clips are loading.";
    player.addEventListener("state", () => { this.playButton.textContent = player.playing ? ICONS.pause : ICONS.play; });
    player.addEventListener("switch", () => this.#mark());
    player.addEventListener("play", () => this.#played());
    player.addEventListener("tick", () => { this.line.value = player.time / player.length; });
    await player.load();
    this.#mark();
    this.#say();
    this.scales[0].focus();
  }

  commit() {
    for (const scale of this.scales) scale.commit();
  }

  close() {
    this.commit();
    this.player.close();
  }

  // Keys of the whole page; true where one was used.
  key(event) {
    const { player } = this;
    if (event.key === " ") {
      if (event.target.matches("button, input[type=checkbox]")) return false;
      player.toggle();
    } else if (event.key === "Enter") {
      if (event.target.matches("button")) return false;
      this.enter();
    } else if (event.key === "r" || event.key === "R") player.restart();
    else if (event.key === "l" || event.key === "L") this.loopBox.click();
    else if (this.acr || this.pair) return this.scales.some((scale) => scale.pick?.(event.key));
    else {
      const clip = player.clips[KEYS.indexOf(event.key)];
      if (!clip) return false;
      this.#choose(clip.name);
    }
    return true;
  }

  async enter() {
    this.commit();
    if (this.#done) { this.leave(); return; }
    if (this.#lacking()) {
      this.missing.classList.remove("urgent");
      void this.missing.offsetWidth; // so that it flashes again
      this.missing.classList.add("urgent");
      return;
    }
    this.button.disabled = true;
    this.missing.textContent = "Saving.";
    let feedback;
    try {
      feedback = await this.next();
    } catch (error) {
      this.missing.textContent = error.message;
      this.button.disabled = false;
      return;
    }
    if (!feedback) { this.leave(); return; }
    this.#done = true;
    for (const input of this.section.querySelectorAll(".scales input")) input.disabled = true;
    this.#feedback = h("div", { class: "feedback", role: "status" }, paragraphs(feedback));
    this.section.querySelector(".onward").prepend(this.#feedback);
    this.missing.textContent = "";
    this.button.disabled = false;
    this.button.focus();
  }

  #scales() {
    const { page, study } = this;
    this.scales = page.asked.map((name) => {
      const on = { rate: (value) => this.#rate(name, value) };
      const value = page.ratings[name];
      if (value != null) this.#rated.set(name, value);
      if (this.pair) {
        const choices = [{ value: -1, label: "A", key: "1" }, { value: 0, label: "Neither", key: "0" }, { value: 1, label: "B", key: "2" }];
        return categories({ legend: page.question, choices: choices.filter((each) => each.value || study.ties), value, on });
      }
      if (this.acr) {
        const choices = study.bands.map((label, k) => ({ value: k + 1, label, key: String(k + 1) }));
        return categories({ legend: page.question, choices, value, on });
      }
      const clip = this.check ? "A" : name;
      on.choose = () => this.#choose(clip, false);
      return slider({ name: clip, value, bands: study.bands, on });
    });
  }

  #stage() {
    const frame = (clip, ...labels) => h("figure", {}, h("figcaption", {}, ...labels), clip.video);
    const { player, page } = this;
    if (this.pair) {
      const both = h("div", { class: "both" }, player.clips.map((clip) => frame(clip, clip.name)));
      return [page.target && frame(player.target, "Target"), both];
    }
    this.label = h("b", {}, this.acr ? "" : "A");
    return [page.target && frame(player.target, "Target"),
      h("figure", { class: "stack" }, h("figcaption", {}, this.acr ? "Clip" : "Clip ", this.label), player.clips.map((clip) => clip.video))];
  }

  #board() {
    if (this.pair || this.acr) {
      this.marks = [];
      return this.scales.map((scale) => scale.row);
    }
    this.marks = this.scales.map((scale, k) => {
      const name = this.check ? "A" : this.page.asked[k];
      const button = h("button", { type: "button", class: "letter", "aria-label": `Show clip ${name}`, onclick: () => this.#choose(name) }, name);
      const row = h("div", { class: "row" }, button, scale.row, scale.output);
      return { name, button, row };
    });
    return [bandsHead(this.study.bands), this.marks.map((each) => each.row)];
  }

  #choose(name, focus = true) {
    const k = this.marks.findIndex((each) => each.name === name);
    if (focus && k >= 0 && !this.#done) this.scales[k].focus();
    this.player.choose(name);
  }

  #mark() {
    const { active } = this.player;
    if (this.label && !this.acr) this.label.textContent = active.name;
    for (const { name, row, button } of this.marks) {
      const clip = this.player.clips.find((each) => each.name === name);
      row.classList.toggle("active", name === active.name);
      button.setAttribute("aria-pressed", String(name === active.name));
      row.classList.toggle("played", this.#enough(clip));
    }
  }

  #enough(clip) { return this.check || clip.plays >= this.study.plays; }

  #plays() { return Object.fromEntries(this.player.clips.map((clip) => [clip.name, clip.plays])); }
  #seconds() { return (performance.now() - this.#began) / 1000; }

  #played() {
    if (!this.#done) this.saver.add("api/play", { page: this.page.position, plays: this.#plays(), seconds: this.#seconds() });
    this.#mark();
    this.#say();
  }

  #rate(name, value) {
    if (this.#done) return;
    this.#rated.set(name, value);
    this.saver.add("api/rate", { page: this.page.position, name, value, seconds: this.#seconds(), save: newName(), plays: this.#plays() });
    this.#say();
  }

  #lacking() {
    const unseen = this.player.clips.filter((clip) => !this.#enough(clip)).map((clip) => clip.name);
    const unrated = this.page.asked.filter((name) => !this.#rated.has(name));
    const says = [];
    const times = this.study.plays > 1 ? `to the end ${this.study.plays} times` : "to the end";
    if (unseen.length) says.push(`play ${this.acr ? "the clip" : list(unseen)} ${times}`);
    if (unrated.length) {
      if (this.pair) says.push(this.study.ties ? "choose A, B or neither" : "choose A or B");
      else if (this.acr) says.push("choose a rating");
      else says.push(`move ${unrated.length > 1 ? "the sliders" : "the slider"} of ${list(this.check ? ["A"] : unrated)}`);
    }
    return says.length ? `To go on, ${says.join("; then ")}.` : "";
  }

  #say() {
    if (this.#done) return;
    const lacking = this.#lacking();
    this.missing.textContent = lacking || `All rated. Go on when you are sure${TOUCH ? "" : "; Enter does it, too"}.`;
    this.button.disabled = Boolean(lacking);
  }
}

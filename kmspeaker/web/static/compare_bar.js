// Over the stage: who is on it, and how they are compared.

import { MOST_SHOWN } from "./value.js";

const MODE_NAMES = { side: "Side by side", wipe: "Wipe", difference: "Difference" };

export class CompareBar {
  #catalogue = [];

  constructor(root, view, { say, copyLink }) {
    this.root = root;
    this.view = view;
    this.say = say;
    this.chips = root.querySelector(".km-chips");
    this.hidden = root.querySelector(".km-names-hidden");
    this.modes = [...root.querySelectorAll("[data-mode]")];
    const find = (name) => root.querySelector(`.km-${name}`);
    this.swapButton = find("swap");
    this.blindButton = find("blind");
    this.revealButton = find("reveal");
    for (const button of this.modes) button.addEventListener("click", () => this.setMode(button.dataset.mode));
    this.swapButton.addEventListener("click", () => this.swap());
    this.blindButton.addEventListener("click", () => this.toggleBlind());
    this.revealButton.addEventListener("click", () => this.reveal());
    find("link").addEventListener("click", copyLink);
    view.addEventListener("change", () => this.#reflect());
  }

  /** Everybody who may be shown: {key, label, detail}. */
  set catalogue(catalogue) {
    this.#catalogue = catalogue;
    this.root.hidden = catalogue.length === 0;
    this.chips.replaceChildren(
      ...catalogue.map(({ key, label, detail }) => {
        const chip = document.createElement("button");
        chip.type = "button";
        chip.className = "km-chip";
        chip.dataset.key = key;
        chip.textContent = label;
        chip.setAttribute("aria-label", label); // without the mark before it
        chip.title = detail ? `${label}: ${detail}` : label;
        chip.addEventListener("click", () => this.#toggle(key));
        return chip;
      }),
    );
    this.#reflect();
  }

  /** Letters and digits; returns whether the key meant something here. */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || this.root.hidden) return false;
    const { solo, mode } = this.view.state;
    const { order } = this.view;
    const name = event.key.toLowerCase();
    if (name === "s") this.swap();
    else if (name === "b") this.toggleBlind();
    else if (name === "v") this.reveal();
    else if (name === "w") this.setMode(mode === "wipe" ? "side" : "wipe");
    else if (name === "d") this.setMode(mode === "difference" ? "side" : "difference");
    else if (name === "0") this.view.change({ solo: null });
    else if (/^[1-9]$/.test(name) && Number(name) <= order.length) {
      const key = order[Number(name) - 1];
      this.view.change({ solo: solo === key ? null : key });
    } else return false;
    return true;
  }

  setMode(mode) {
    if (mode !== "side" && this.view.state.heads.length < 2) {
      this.say(`${MODE_NAMES[mode]} needs two heads: choose another one above.`);
      return;
    }
    this.view.change({ mode, solo: null });
  }

  /** The first goes last. */
  swap() {
    const { heads } = this.view.state;
    this.view.change({ heads: [...heads.slice(1), ...heads.slice(0, 1)] });
  }

  toggleBlind() {
    const { blind } = this.view.state;
    const seed = 1 + Math.floor(Math.random() * 1e6);
    this.view.change({ blind: blind ? 0 : seed, revealed: false, solo: null });
  }

  reveal() {
    if (this.view.state.blind) this.view.change({ revealed: !this.view.state.revealed });
  }

  #toggle(key) {
    const { heads } = this.view.state;
    if (heads.includes(key)) {
      if (heads.length > 1) this.view.change(without(this.view.state, key));
    } else if (heads.length < MOST_SHOWN) this.view.change({ heads: [...heads, key], solo: null });
    else this.say(`${MOST_SHOWN} heads fit: take one away first.`);
  }

  #reflect() {
    const { heads, mode, blind, revealed } = this.view.state;
    // Whoever takes a name away and sees which head goes knows it.
    this.chips.hidden = Boolean(blind) && !revealed;
    this.hidden.textContent = this.chips.hidden ? `${heads.length} heads in chance order, names hidden` : "";
    for (const chip of this.chips.children) chip.setAttribute("aria-pressed", heads.includes(chip.dataset.key));
    for (const button of this.modes) {
      button.setAttribute("aria-pressed", button.dataset.mode === mode);
      button.disabled = button.dataset.mode !== "side" && heads.length < 2;
    }
    this.swapButton.disabled = heads.length < 2 || Boolean(blind);
    this.blindButton.disabled = heads.length < 2;
    this.blindButton.setAttribute("aria-pressed", Boolean(blind));
    this.revealButton.hidden = !blind;
    this.revealButton.textContent = revealed ? "Hide" : "Reveal";
  }
}

/** The state without one head; what compares two needs two. */
function without({ heads, mode, base }, key) {
  const left = heads.filter((each) => each !== key);
  return {
    heads: left,
    solo: null,
    base: base === key ? null : base,
    mode: left.length < 2 ? "side" : mode,
  };
}

// What lies over the canvas: one panel for each head that is shown, with its name.

export class Panels {
  #panels = [];

  /** `onLayout` is called whenever the panels' places have changed. */
  constructor(root, onLayout) {
    this.root = root;
    new ResizeObserver(onLayout).observe(root);
  }

  /** One panel for each of `heads`: {key, label, detail}. */
  show(heads) {
    this.#panels = heads.map(panel);
    this.root.replaceChildren(...this.#panels);
    this.root.dataset.count = heads.length;
  }

  /** Each panel's place in the canvas, CSS pixels. */
  boxes() {
    const origin = this.root.getBoundingClientRect();
    return this.#panels.map((each) => {
      const { left, top, width, height } = each.getBoundingClientRect();
      return { left: left - origin.left, top: top - origin.top, width, height };
    });
  }
}

function panel({ key, label, detail }) {
  const each = document.createElement("section");
  each.className = "km-panel";
  each.dataset.key = key;
  each.setAttribute("aria-label", detail ? `${label}, ${detail}` : label);
  const name = document.createElement("p");
  name.className = "km-name";
  const strong = document.createElement("b");
  strong.textContent = label;
  const text = document.createElement("span");
  text.textContent = detail ?? "";
  name.append(strong, text);
  each.append(name);
  return each;
}

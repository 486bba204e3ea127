// What lies over the canvas: a panel for each head that is shown, with its name, the face it wears and
// a button to see it alone; the divider of a wipe.

const TALL = 295; // mm of the head a panel of any height shows
const WIDE = 205; // mm it must show
const FEW = 4; // heads that need no larger stage

export class Panels {
  #panels = [];
  #view;
  #faces;

  /**
   * `faces` has the identities to choose from; `onLayout` is called whenever places have changed.
   */
  constructor(root, view, faces, onLayout) {
    this.root = root;
    this.#view = view;
    this.#faces = faces;
    this.onLayout = onLayout;
    this.divider = root.parentElement.querySelector(".km-divider");
    new ResizeObserver(() => this.#arrange()).observe(root);
    this.#followDivider();
  }

  /** One panel for each of `heads`: {key, label, detail, identity, cloud}. */
  show(heads, { mode, solo, blind }) {
    const many = heads.length > 1 || Boolean(solo);
    this.#panels = heads.map((head) => this.#panel(head, { many, blind, solo }));
    this.mode = mode;
    const focus = this.#focus();
    this.root.replaceChildren(...this.#panels);
    focus();
    this.root.dataset.mode = mode;
    this.divider.hidden = mode !== "wipe" || heads.length < 2;
    this.#arrange();
  }

  /** Each panel's place in the canvas, CSS pixels. */
  boxes() {
    const origin = this.root.getBoundingClientRect();
    return this.#panels.map((each) => {
      const { left, top, width, height } = each.getBoundingClientRect();
      return { left: left - origin.left, top: top - origin.top, width, height };
    });
  }

  /** A line of text in a panel's corner. */
  note(index, text) {
    const note = this.#panels[index]?.querySelector(".km-panel-note");
    if (note && note.textContent !== text) note.textContent = text;
  }

  /** Panels are made anew: whoever walks by keyboard stays on the button or menu they pressed. */
  #focus() {
    const at = document.activeElement;
    const key = this.root.contains(at) ? at.closest("[data-key]")?.dataset.key : undefined;
    return () => {
      if (key === undefined) return;
      const panel = this.#panels.find((each) => each.dataset.key === key);
      (panel?.querySelector(at.localName) ?? this.root.closest(".km-stage")).focus({ preventScroll: true });
    };
  }

  /** As many columns as show the heads largest. */
  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.root;
    const count = this.#panels.length;
    const stage = this.root.closest(".km-stage");
    stage.classList.toggle("km-many", count > FEW);
    stage.style.setProperty("--km-thirds", Math.ceil(count / 3)); // rows on a phone
    let best = { size: 0, columns: 1 };
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const size = Math.min(height / rows / TALL, width / columns / WIDE);
      if (size > best.size) best = { size, columns };
    }
    const columns = this.mode === "wipe" ? 1 : best.columns;
    this.root.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.onLayout();
  }

  #panel({ key, label, detail, identity, cloud }, { many, blind, solo }) {
    const panel = element("section", { className: "km-panel" });
    panel.dataset.key = key;
    if (!label) return panel;
    panel.setAttribute("aria-label", detail ? `${label}, ${detail}` : label);
    const name = element("p", { className: "km-name" });
    name.append(
      element("b", { textContent: label }),
      element("span", { className: "km-detail", textContent: detail ?? "" }),
      element("span", { className: "km-panel-note" }),
    );
    const tools = element("div", { className: "km-panel-tools" });
    if (many) {
      const alone = element("button", { type: "button", textContent: solo ? "All" : "Solo" });
      alone.setAttribute("aria-label", solo ? "Show all heads again" : `Show ${label} alone`);
      alone.addEventListener("click", () => this.#view.change({ solo: solo ? null : key }));
      tools.append(alone);
    }
    if (!cloud && !blind) tools.append(this.#faceMenu(key, label, identity));
    panel.append(name, tools);
    return panel;
  }

  #faceMenu(key, label, identity) {
    const menu = element("select", { title: "The face it wears" });
    menu.setAttribute("aria-label", `Face of ${label}`);
    for (const face of Object.keys(this.#faces)) {
      const option = element("option", { value: face, textContent: called(face) });
      option.selected = face === identity;
      menu.append(option);
    }
    menu.addEventListener("change", () => {
      this.#view.change({ faces: { ...this.#view.state.faces, [key]: menu.value } });
    });
    return menu;
  }

  #followDivider() {
    const { divider } = this;
    const move = (part) => this.#view.change({ divider: Math.max(0, Math.min(1, part)) });
    divider.addEventListener("pointerdown", (event) => {
      divider.setPointerCapture(event.pointerId);
      event.preventDefault();
      divider.focus();
    });
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.root.getBoundingClientRect();
      move((event.clientX - left) / width);
    });
    divider.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (!step) return;
      move(this.#view.state.divider + step);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Show where the divider is. */
  placeDivider(part) {
    this.divider.style.left = `${100 * part}%`;
    this.divider.setAttribute("aria-valuenow", Math.round(100 * part));
  }
}

function called(face) {
  return face.startsWith("own-") ? "Your own" : face[0].toUpperCase() + face.slice(1);
}

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

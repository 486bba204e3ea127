// A radio group of cards: a title, a line of text, perhaps a picture. The chosen one is the component's value.

import { fileUrl } from "./files.js";

export function mount(element, props, watch) {
  const root = element.querySelector(".km-choices");
  const cards = props.options.map(card);
  root.replaceChildren(...cards);

  const reflect = () => {
    for (const each of cards) {
      const checked = each.dataset.value === props.value;
      each.setAttribute("aria-checked", checked);
      each.tabIndex = checked ? 0 : -1;
    }
  };
  const choose = (index) => {
    const each = cards[(index + cards.length) % cards.length];
    props.value = each.dataset.value;
    reflect();
    each.focus();
  };
  cards.forEach((each, index) => {
    each.addEventListener("click", () => choose(index));
    each.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      choose(index + step);
    });
  });
  watch("value", reflect);
  reflect();
}

function card({ value, label, description, picture }) {
  const each = document.createElement("button");
  each.type = "button";
  each.dataset.value = value;
  each.setAttribute("role", "radio");
  if (picture) {
    const image = document.createElement("img");
    Object.assign(image, { src: fileUrl(picture), alt: "" });
    each.title = `${label}: ${description}`;
    each.append(image);
  }
  const title = document.createElement("strong");
  title.textContent = label;
  const text = document.createElement("span");
  text.textContent = description;
  each.append(title, text);
  return each;
}

// The table of numbers, each explained by a sentence that pointer and keyboard can reach.

/** A table of `numbers` ({name, help}) with a column for each take of `heads`, and for the reference. */
export function numbersTable(numbers, heads, first, reference) {
  const takes = heads.filter((head) => head.numbers);
  if (!takes.length) return document.createDocumentFragment();
  const named = first && reference ? [reference.label] : [];
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const label of ["In numbers", ...takes.map((take) => take.label), ...named]) head.append(heading(label, "col"));
  const body = table.createTBody();
  numbers.forEach(({ name, help }, i) => {
    const row = body.insertRow();
    const title = heading("", "row");
    title.append(explained(name, help));
    row.append(title);
    for (const take of takes) fill(row.insertCell(), take.numbers[i][0]);
    if (named.length) fill(row.insertCell(), first.numbers?.[i][1]);
  });
  return table;
}

function heading(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function fill(cell, text) {
  cell.textContent = text || "\u2013";
  cell.classList.toggle("km-none", !/\d/.test(text ?? ""));
}

let count = 0;

/** A word that shows its explanation under the pointer, when it has the focus, or when tapped. */
function explained(name, help) {
  const wrap = document.createElement("span");
  const button = document.createElement("button");
  const tip = document.createElement("span");
  button.type = "button";
  button.className = "km-explained";
  button.textContent = name;
  tip.className = "km-explanation";
  tip.role = "tooltip";
  tip.id = `km-explanation-${count++}`;
  tip.textContent = help;
  tip.hidden = true;
  button.setAttribute("aria-describedby", tip.id);
  const place = () => {
    const { left, top, bottom } = button.getBoundingClientRect();
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(12, Math.min(left, innerWidth - width - 12))}px`;
    tip.style.top = `${top > height + 16 ? top - height - 8 : bottom + 8}px`;
  };
  const show = () => {
    tip.hidden = false;
    place();
    addEventListener("scroll", place, { passive: true }); // the focus itself may scroll the page
  };
  const hide = () => {
    tip.hidden = true;
    removeEventListener("scroll", place);
  };
  for (const name of ["mouseenter", "focus", "click"]) button.addEventListener(name, show);
  for (const name of ["mouseleave", "blur"]) button.addEventListener(name, hide);
  button.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  wrap.append(button, tip);
  return wrap;
}

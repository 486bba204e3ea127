// The owner's page: the token is typed in, kept in memory alone, and sent in a header.

import { ask, askJson } from "./api.js";
import { download, h, show } from "./dom.js";

const LONGEST = 600_000; // milliseconds that an analysis may take

const when = (seconds) => (seconds == null ? "–" : new Date(seconds * 1000).toLocaleString());

function enter(note = "") {
  const field = h("input", { id: "token", type: "password", autocomplete: "off" });
  const form = h("form", { class: "text", onsubmit: async (event) => {
    event.preventDefault();
    try { people(field.value, await askJson("api/owner/state", undefined, field.value)); } catch (error) { enter(error.message); }
  } }, h("h1", {}, "Owner's page"), h("label", { for: "token" }, "Token"), field,
  h("p", { class: "sentence", role: "alert" }, note), h("div", { class: "line" }, h("button", { class: "go" }, "Open")));
  show(form);
  field.focus();
}

function people(token, state) {
  document.title = `${state.title}: owner`;
  const says = h("p", { class: "sentence", role: "alert" });
  const results = h("div", { id: "results" });
  const button = (word, work, kind = "") => h("button", { type: "button", class: kind, onclick: async ({ target }) => {
    target.disabled = true;
    says.textContent = "";
    try { await work(); } catch (error) { says.textContent = error.message; }
    target.disabled = false;
  } }, word);
  const saved = (name) => async () => download(`${name}.zip`, await (await ask(`api/owner/${name}.zip`, undefined, token, LONGEST)).blob());
  show(h("section", { class: "text wide" }, h("h1", {}, state.title),
    h("p", {}, `${state.joined} joined, ${state.finished} finished, ${state.ratings} ratings. Who has withdrawn is not counted.`),
    h("div", { class: "line" },
      button("Analyse", async () => analysis(results, await askJson("api/owner/results", undefined, token, LONGEST)), "go"),
      button("Download the raw data (CSV, Parquet, codebook)", saved("data")),
      button("Download the whole report", saved("report")),
      button("Look again", async () => people(token, await askJson("api/owner/state", undefined, token)))),
    says, results,
    table("Participants", ["participant", "joined", "finished", "pages done"],
      state.participants.map((each) => [String(each.participant), when(each.joined_at), when(each.finished_at), String(each.pages)]), "", "h2")));
}

async function analysis(place, found) {
  place.replaceChildren(h("h2", {}, found.screened ? "Results after screening" : "Results"),
    h("p", {}, `${found.participants} participants, ${found.ratings} ratings.`),
    ...found.findings.map((line) => h("p", {}, line)),
    ...found.tables.map((each) => table(each.title, each.headings, each.rows, each.note)));
  await plotly();
  found.figures.forEach((figure, k) => {
    const drawing = h("div", { class: "figure" });
    place.append(h("h3", {}, found.titles[k]), drawing);
    Plotly.newPlot(drawing, figure.data, figure.layout, { displaylogo: false, responsive: true });
  });
}

function plotly() {
  if (window.Plotly) return undefined;
  return new Promise((resolve, reject) => {
    document.head.append(h("script", { src: "plotly.js", onload: resolve, onerror: () => reject(new Error("The figures cannot be drawn.")) }));
  });
}

function table(title, headings, rows, note = "", level = "h3") {
  return h("div", { class: "results" }, h(level, {}, title), h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, headings.map((word) => h("th", { scope: "col" }, word)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell) => h("td", {}, cell))))))), note && h("p", { class: "soft" }, note));
}

enter();

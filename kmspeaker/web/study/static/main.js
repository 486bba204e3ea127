// A session from consent to thanks. The server says where it stands; this page keeps nothing but
// the code, in memory and, where a frame allows it, until the window is closed.

import { Saver, askJson, myCode, setCode } from "./api.js";
import { download, h, paragraphs } from "./dom.js";
import { RatingPage } from "./rating.js";
import * as steps from "./steps.js";

const $ = (id) => document.getElementById(id);
let study, session, saver, page = null, over = false;

document.addEventListener("keydown", (event) => {
  if (!page || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "?") openMenu();
  else if (!page.key(event)) return;
  event.preventDefault();
});

// A slider that was just moved is saved though the window closes.
window.addEventListener("pagehide", () => page?.commit());

async function begin() {
  study = await askJson("api/study");
  document.title = study.title;
  $("title").textContent = study.title;
  let note = "";
  saver = new Saver();
  saver.addEventListener("change", ({ detail }) => tell(detail));
  if (myCode()) {
    await saver.settle();
    try { session = await askJson("api/session"); } catch (error) {
      if (error.status !== 401) throw error;
      setCode(null);
      note = error.message;
    }
  }
  session ??= await steps.consent(study, {
    note,
    join: async () => {
      const { code, ...joined } = await askJson("api/join", { consent: true });
      setCode(code);
      return joined;
    },
    resume: async (code) => {
      const resumed = await askJson("api/session", undefined, code.trim());
      setCode(code.trim());
      return resumed;
    },
  });
  $("menu").hidden = false;
  $("menu").addEventListener("click", openMenu);
  if (session.withdrawn) return withdrew();
  if (!session.begun && !session.completion) {
    await steps.check(study, myCode());
    await steps.guidelines(study);
  }
  return goOn();
}

async function goOn() {
  while (!over && session.page) {
    progress();
    await new Promise((leave, fail) => {
      page = new RatingPage({ study, page: session.page, saver, leave, next: finishPage });
      page.open().catch(fail);
    }).finally(closePage);
  }
  if (over) return;
  progress();
  let { completion } = session;
  completion ??= await steps.questionnaire(study, session.answers, {
    answer: (name, answer) => saver.add("api/answer", { name, answer }),
    done: async () => {
      await saver.flush();
      return (await askJson("api/finish", {})).completion;
    },
  });
  session.completion = completion;
  progress();
  steps.thanks(completion);
}

async function finishPage() {
  await saver.flush();
  const { feedback, ...next } = await askJson("api/next", { page: session.page.position });
  session = next;
  return feedback;
}

function closePage() {
  page?.close();
  page = null;
}

function progress() {
  $("progress").hidden = false;
  const bar = document.querySelector("#progress progress");
  bar.max = session.pages || 1;
  bar.value = session.done;
  const left = session.completion ? "done" : session.page ? `about ${steps.minutes(session.minutes)} left` : "last questions";
  document.querySelector("#progress span").textContent =
    session.page ? `Page ${session.done + 1} of ${session.pages}, ${left}` : left;
}

// What becomes of the ratings, in words; a file of them where they cannot be saved for long.
function tell({ state, sentence, status, rescue }) {
  const says = { saving: "Saving ...", saved: "Everything is saved.", failed: `${sentence} It is tried again.`, refused: sentence };
  $("saving").textContent = says[state];
  $("saving").className = state;
  $("rescue").hidden = !rescue;
  if (rescue && !$("rescue").childElementCount) {
    $("rescue").append("You need not lose anything: ", h("button", { type: "button", onclick: rescueFile }, "Download what is not saved"));
  }
  if (state === "refused" && status === 409) elsewhere();
  if (state === "refused" && status === 410) withdrew();
  if (state === "refused" && status === 401) deleted();
}

const rescueFile = () => download("ratings-not-saved.json",
  JSON.stringify({ study: study.title, code: myCode(), requests: saver.waiting }, null, 1), "application/json");

// Another window has gone on: so does this one.
async function elsewhere() {
  session = await askJson("api/session");
  page?.leave();
}

function gone() {
  over = true;
  saver.forget();
  closePage();
  $("menu").hidden = $("progress").hidden = true;
  $("saving").textContent = "";
}

function withdrew() {
  gone();
  const says = h("p", { class: "sentence", role: "alert" });
  const erase = async () => {
    try { await askJson("api/delete", {}); deleted(); } catch (error) { says.textContent = error.message; }
  };
  steps.left("You have withdrawn", "What you have rated counts in no analysis, and nothing more is kept. You may close this window.",
    h("div", { class: "line" }, h("button", { type: "button", class: "danger", onclick: erase }, "Delete what is there, too")), says);
}

function deleted() {
  gone();
  setCode(null);
  steps.left("You do not take part any more", "Nothing is kept of you. You may close this window.");
}

function openMenu() {
  const dialog = h("dialog", { class: "menu", "aria-labelledby": "menu-title", onclose: () => dialog.remove() });
  const says = h("p", { class: "sentence", role: "alert" });
  const ask = (title, text, word, path, end) => {
    const sure = h("button", { type: "button", class: "danger", onclick: async () => {
      try {
        await askJson(path, {});
        dialog.close();
        end();
      } catch (error) { says.textContent = error.message; }
    } }, word);
    dialog.replaceChildren(h("h2", { id: "menu-title" }, title), h("p", {}, text), says,
      h("div", { class: "line" }, sure, h("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "No, go back")));
    dialog.querySelector("[autofocus]").focus();
  };
  page?.player.pause();
  dialog.append(
    h("h2", { id: "menu-title" }, "Help and my data"),
    h("h3", {}, "What to look at"), ...paragraphs(study.guidelines || study.question),
    h("h3", {}, "How to"), ...steps.howTo(study),
    h("h3", {}, "Your code"), h("p", {}, "With it you go on later, on any device."), h("p", { class: "code" }, myCode()),
    h("h3", {}, "Stopping"),
    h("div", { class: "line" },
      h("button", { type: "button", onclick: () => ask("Withdraw?", "You stop here, and what you have rated is left out of every analysis. This cannot be undone.", "Yes, withdraw", "api/withdraw", withdrew) }, "Withdraw"),
      h("button", { type: "button", onclick: () => ask("Delete everything?", "All that you have rated and answered is deleted, your code too. This cannot be undone.", "Yes, delete my data", "api/delete", deleted) }, "Delete my data"),
      h("button", { type: "button", class: "go", autofocus: true, onclick: () => dialog.close() }, "Back to the study")));
  document.body.append(dialog);
  dialog.showModal();
}

begin().catch((error) => {
  closePage();
  steps.left("This does not work just now", error.message);
  $("main").append(h("p", {}, h("button", { type: "button", class: "go", onclick: () => location.reload() }, "Try again")));
});

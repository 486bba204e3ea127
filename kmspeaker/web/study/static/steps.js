// The steps around the rating pages: consent, the check of sound and picture, guidelines, questions, thanks.

import { Refusal } from "./api.js";
import { h, paragraphs, show } from "./dom.js";
import { categories } from "./scales.js";

const FEWEST_TONES = 2, MOST_TONES = 5, TONE = 0.22, GAP = 0.5; // seconds
const MOVIE = 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"';

const sentence = () => h("p", { class: "sentence", role: "alert" });

// join() and resume(code) end with the session, or throw.
export function consent(study, { join, resume, note }) {
  return new Promise((resolve) => {
    const says = sentence();
    if (note) says.textContent = note;
    let busy = false; // pressed twice, one still joins once
    const attempt = async (work) => {
      if (busy) return;
      busy = true;
      try { resolve(await work()); } catch (error) { says.textContent = error.message; }
      busy = false;
    };
    const code = h("input", { id: "code", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: "60" });
    const back = h("form", { class: "back", onsubmit: (event) => { event.preventDefault(); attempt(() => resume(code.value)); } },
      h("label", { for: "code" }, "I have begun already; my code is"), h("div", {}, code, h("button", {}, "Go on")));
    const agree = h("button", { type: "button", class: "go", onclick: () => attempt(join) }, "I agree and take part");
    show(h("section", { class: "text" }, h("h1", {}, study.title), paragraphs(study.consent),
      h("p", { class: "soft" }, `About ${minutes(study.minutes)}. `,
        study.muted ? "The clips have no sound." : "You need headphones or loudspeakers."),
      h("div", { class: "line" }, agree), says, back));
    agree.focus();
  });
}

export async function check(study, code) {
  const video = document.createElement("video");
  if (!video.canPlayType(MOVIE)) {
    show(h("section", { class: "text" }, h("h1", {}, "This browser cannot play the clips"),
      h("p", {}, "They are MP4 videos. Please take part with a current Chrome, Edge, Firefox or Safari.")));
    await new Promise(() => {});
  }
  await new Promise((resolve) => {
    const says = sentence();
    const onward = h("button", { type: "button", class: "go", onclick: resolve }, "Go on");
    onward.disabled = !study.muted;
    const phone = h("p", { class: "soft narrow" }, "A larger screen shows more of a face. If you stay with a phone, hold it upright and close to you.");
    show(h("section", { class: "text" },
      h("h1", {}, study.muted ? "Before you begin" : "Can you hear it?"),
      phone,
      study.muted ? h("p", {}, "The clips have no sound; you need not turn anything on.") : tones(says, () => {
        onward.disabled = false;
        says.textContent = "That is right. Leave the volume as it is.";
        onward.focus();
      }),
      says,
      h("h2", {}, "Your code"),
      h("p", {}, "Keep it if you may have to stop: with it you go on where you were, on any device. Nobody can find it for you later."),
      h("p", { class: "code" }, code),
      h("div", { class: "line" }, onward)));
    (document.querySelector(".tones button") ?? onward).focus();
  });
}

function tones(says, right) {
  let count = 0;
  const play = () => {
    const context = new AudioContext();
    count = FEWEST_TONES + (crypto.getRandomValues(new Uint8Array(1))[0] % (MOST_TONES - FEWEST_TONES + 1));
    for (let k = 0; k < count; k++) {
      const begin = context.currentTime + 0.2 + k * GAP;
      const tone = new OscillatorNode(context, { frequency: 440 });
      const gain = new GainNode(context, { gain: 0 });
      gain.gain.setTargetAtTime(0.25, begin, 0.01);
      gain.gain.setTargetAtTime(0, begin + TONE, 0.02);
      tone.connect(gain).connect(context.destination);
      tone.start(begin);
      tone.stop(begin + TONE + 0.2);
      if (k === count - 1) tone.onended = () => context.close();
    }
    says.textContent = "";
    answers.hidden = false;
    answers.querySelector("button").focus();
  };
  const answer = (number) => {
    if (number === count) right();
    else says.textContent = "That is not what was played. Turn the volume up a little, and play the tones again.";
  };
  const choices = Array.from({ length: MOST_TONES - FEWEST_TONES + 1 }, (_, k) => k + FEWEST_TONES);
  const answers = h("div", { class: "line answers", role: "group", "aria-label": "How many tones were there?", hidden: true },
    h("span", {}, "How many were there?"),
    choices.map((number) => h("button", { type: "button", onclick: () => answer(number) }, String(number))));
  return h("div", { class: "tones" }, h("p", {}, "Play some tones, set the volume so that they are pleasant, and count them."),
    h("div", { class: "line" }, h("button", { type: "button", onclick: play }, "Play the tones")), answers);
}

export function guidelines(study) {
  return new Promise((resolve) => {
    const begin = h("button", { type: "button", class: "go", onclick: resolve }, "Begin to practise");
    show(h("section", { class: "text" }, h("h1", {}, study.question), paragraphs(study.guidelines),
      h("h2", {}, "How to"), howTo(study), h("div", { class: "line" }, begin)));
    begin.focus();
  });
}

export function howTo(study) {
  const rows = [["Space", "play, pause"], ["R", "from the start"], ["L", "repeat, or not"]];
  if (study.protocol === "mushra") {
    rows.push(["1 to 9", "show clip A, B, C ... at the same moment"], ["← →", "move its slider by one"],
      ["Page ↑ ↓", "move it by ten"]);
  } else if (study.protocol === "acr") rows.push(["1 to 5", `rate, from ${study.bands[0]} to ${study.bands[4]}`]);
  else rows.push(["1, 2", "A is better, B is better"], ...(study.ties ? [["0", "neither is"]] : []));
  rows.push(["Enter", "go on"]);
  const touch = { mushra: "Touch a letter to show its clip at the same moment, and drag its slider to rate it.",
    acr: "Touch what the clip is like.", pairwise: "Touch the letter of the better one." }[study.protocol];
  return [h("p", { class: "touch" }, touch), h("table", { class: "keys" }, h("tbody", {}, rows.map(([key, what]) =>
    h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, what)))))];
}

// Each answer is saved as it is given; done() ends with the completion code, or throws.
export function questionnaire(study, answers, { answer, done }) {
  return new Promise((resolve) => {
    const says = sentence();
    const submit = h("button", { class: "go" }, "Finish");
    const pending = [];
    const fields = study.questionnaire.map((question) => field(question, answers[question.name] ?? "", answer, pending));
    const form = h("form", { class: "text", onsubmit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        for (const flush of pending) flush();
        resolve(await done());
      } catch (error) {
        says.textContent = error instanceof Refusal ? error.message : "That did not work; try it again.";
        submit.disabled = false;
      }
    } }, h("h1", {}, study.questionnaire.length ? "A few last questions" : "That was all"), fields, says, h("div", { class: "line" }, submit));
    show(form);
    (form.querySelector("input, textarea") ?? submit).focus();
  });
}

function field(question, value, answer, pending) {
  const note = question.required ? "" : " (optional)";
  const choices = question.answer === "choice" ? question.choices : ["1", "2", "3", "4", "5", "6", "7"];
  if (question.answer !== "text") {
    const on = { rate: (chosen) => answer(question.name, chosen) };
    const group = categories({ legend: question.text, value, on, choices: choices.map((each) => ({ value: each, label: each, key: "" })) });
    return h("div", { class: "asked" }, h("p", { class: "label" }, question.text, h("span", { class: "soft" }, note)), group.row);
  }
  const name = `answer-${question.name}`;
  let saved = value;
  const save = () => {
    if (area.value === saved) return;
    saved = area.value;
    answer(question.name, area.value);
  };
  const area = h("textarea", { id: name, rows: 4, maxlength: 2000, onchange: save });
  area.value = value;
  pending.push(save);
  return h("div", { class: "asked" }, h("label", { for: name }, question.text, h("span", { class: "soft" }, note)), area);
}

export function thanks(completion) {
  show(h("section", { class: "text" }, h("h1", {}, "Thank you"),
    h("p", {}, "All your ratings are saved. Your completion code is"),
    h("p", { class: "code", id: "completion" }, completion),
    h("p", {}, "Give it to whoever invited you, if they ask for it. You may close this window.")));
}

export function left(title, text, ...more) {
  show(h("section", { class: "text" }, h("h1", {}, title), h("p", {}, text), more));
}

const minutes = (count) => (count === 1 ? "1 minute" : `${count} minutes`);
export { minutes };

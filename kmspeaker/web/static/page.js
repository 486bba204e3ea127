// What the page does beside the stage: inputs rest until the box is ticked, a restarted server is noticed and reported.

import { fileUrl } from "./files.js";
import { offerVideos, takeAnySpeech } from "./speech.js";
import { sayUnseen } from "./unseen.js";

const ASK_EVERY = 15000; // milliseconds
const SERVER = "km-server", HAD = "km-had";

export function mount(element, props) {
  const alert = element.querySelector(".km-alert");
  explain(element.querySelector(".km-how"), props.shows);
  takeAnySpeech();
  sayUnseen();
  rest();
  // Some inputs are drawn only when their tab is opened.
  new MutationObserver(rest).observe(document.querySelector(".km-inputs") ?? document.body, { childList: true, subtree: true });
  document.addEventListener("km-consent", () => setTimeout(rest));
  document.addEventListener("km-neutral", ({ detail }) => sayNeutral(detail.time));
  watchServer(alert);
}

/** The server measures the reference against its face at `time`, or as at first where that is null. */
function sayNeutral(time) {
  const button = document.querySelector("#neutral");
  if (!button) return;
  button.dataset.moment = JSON.stringify(time);
  button.click();
}

/** A picture that moves says what the page does: once, and again when asked. */
function explain(how, { face, head }) {
  const video = how.querySelector("video");
  video.src = fileUrl(face);
  how.querySelector("img").src = fileUrl(head);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const play = () => {
    video.currentTime = 0;
    how.classList.add("km-moves");
    video.play().catch(() => how.classList.remove("km-moves"));
  };
  video.addEventListener("ended", () => how.classList.remove("km-moves"));
  how.addEventListener("click", play);
  if (!still) play();
}

/** Uploads wait for the consent, whatever Gradio draws anew; keys and screen readers cannot reach them before. */
function rest() {
  const consent = document.querySelector("#consent input")?.checked ?? false;
  offerVideos();
  for (const each of document.querySelectorAll(".km-gated")) if (each.inert === consent) each.inert = !consent;
}

/** A restarted server has forgotten this visitor: open the page anew and say so. */
async function watchServer(alert) {
  const now = window.gradio_config?.app_id?.toString();
  if (!now) return;
  const before = remembered(SERVER);
  if (before && before !== now && remembered(HAD)) {
    alert.textContent = "The server was started again, and your files and takes were deleted with it. Please give them once more.";
  }
  remember(SERVER, now);
  remember(HAD, "");
  const ask = async () => {
    const answer = await fetch(`${window.gradio_config.root ?? ""}/gradio_api/app_id`).then((r) => r.json()).catch(() => null);
    if (answer && String(answer.app_id) !== now) location.reload();
  };
  setInterval(ask, ASK_EVERY);
  document.addEventListener("visibilitychange", () => document.hidden || ask());
  new MutationObserver(() => {
    if (document.querySelector(".km-has-take, .km-has-reference, #stage > .wrap:not(.hide)")) remember(HAD, "yes");
  }).observe(document.querySelector("#stage"), { subtree: true, attributes: true, attributeFilter: ["class"] });
}

function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {} // a browser that forbids it forgets
}

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

// The speech may be a file that the page's sound input refuses: a video, or sound of a kind that this browser does not play.
// Such files go to an input of their own, and the server gives back their sound.

const PLACE = ".km-audio", OTHER = "#voice input[type=file]";
// Names are given too: systems know no kind for some of them.
const ACCEPT = "audio/*,video/*,.mkv,.mov,.avi,.mts,.mxf,.wmv,.flv,.caf,.amr,.ape,.wv,.tta,.w64,.au,.ac3,.eac3,.opus,.ts,.mpg,.3gp,.dv";
const LONGEST_WAIT = 120_000; // milliseconds

/** Whether the sound input takes it and the browser plays it. */
export function plays({ type }, player = new Audio()) {
  return type.startsWith("audio/") && player.canPlayType(type) !== "";
}

export function takeAnySpeech() {
  document.addEventListener("change", (event) => {
    const { target } = event;
    if (!target.matches?.(`${PLACE} input[type=file]`) || !target.files.length) return;
    if (handOver(target.files[0])) stop(event);
  }, true);
  document.addEventListener("drop", (event) => {
    const place = event.target.closest?.(PLACE);
    const file = event.dataTransfer?.files[0];
    if (!place || !file || !handOver(file)) return;
    stop(event);
    event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true }));
  }, true);
}

/** The file chooser offers videos too; Gradio makes a new input now and then. */
export function offerVideos() {
  for (const input of document.querySelectorAll(`${PLACE} input[type=file]`)) {
    if (input.accept !== ACCEPT) input.accept = ACCEPT;
  }
}

function handOver(file) {
  if (plays(file)) return false;
  wait(file.name);
  give(file, performance.now() + LONGEST_WAIT);
  return true;
}

/** The other input is there once the file before has been dealt with. */
function give(file, until) {
  const other = document.querySelector(OTHER);
  if (!other) {
    if (performance.now() < until) setTimeout(give, 50, file, until);
    return;
  }
  const files = new DataTransfer();
  files.items.add(file);
  other.files = files.files;
  other.dispatchEvent(new Event("change", { bubbles: true }));
}

/** While the file travels the input says so: no sign of Gradio's is seen of a hidden one. */
function wait(name) {
  const place = document.querySelector(PLACE);
  place.dataset.taking = `Taking the sound of ${name} …`;
  const done = () => {
    delete place.dataset.taking;
    notices.disconnect();
    clearTimeout(timer);
    document.removeEventListener("km-heard", done);
  };
  const notices = new MutationObserver(() => document.querySelector(".toast-body") && done());
  notices.observe(document.body, { childList: true, subtree: true });
  const timer = setTimeout(done, LONGEST_WAIT);
  document.addEventListener("km-heard", done);
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

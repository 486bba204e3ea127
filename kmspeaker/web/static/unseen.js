// A video of a kind that this browser does not show would leave its input black: it says so, and where the video is seen.

const PLACE = ".km-video";

export function sayUnseen() {
  for (const event of ["loadedmetadata", "error"]) document.addEventListener(event, look, true); // they do not bubble
}

function look({ type, target }) {
  if (!target.matches?.("video, source")) return;
  target.closest(PLACE)?.toggleAttribute("data-unseen", type === "error" || !target.videoWidth);
}

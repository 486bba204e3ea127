// Curves as plotly's data and layout: rows over one axis of time, from weights the page has anyway.

const LOST = 2, BRIDGED = 1; // as in tracking.py
const DOUBTFUL = 3; // as in packing.py
const MARKS = [[BRIDGED, "bridged", "hidden for a moment"], [DOUBTFUL, "doubtful", "fit in doubt"], [LOST, "lost", "lost"]];
const GAP = 0.036; // of the height, above each row for its name
const ROWS = [
  { name: "lips", title: "Lip opening, mm above rest", share: 3 },
  { name: "wave", title: "Speech", share: 0.9, needs: "sound" },
  { name: "spectrum", title: "Spectrogram, to 8 kHz", share: 1.5, needs: "sound" },
  { name: "brows", title: "Brow height, mm above rest", share: 1.7 },
  { name: "eyes", title: "Eye opening, mm against rest", share: 1.7 },
  { name: "weight", title: "", share: 1.7 },
  { name: "tracking", title: "Share of the reference's face that is in the picture", share: 0.55, needs: "tracking" },
];

/**
 * `heads` are {label, detail, track, place: {shift, rate, hold, repeats}}, `sound` what `curves.sound_arrays`
 * packed (or null), `rows` what each weight adds to each measure, `style` gives the colours.
 */
export function figure({ heads, sound, rows, weight, weightPlace, style, narrow }) {
  const colour = (name) => style.getPropertyValue(`--km-${name}`).trim();
  const duration = sound?.seconds ?? Math.max(...heads.map(({ track }) => track.seconds));
  const drawn = styled(heads, colour, duration);
  const tracked = heads.find(({ track }) => track.status);
  const there = ROWS.filter(({ needs }) => !needs || (needs === "sound" ? sound : tracked));
  const total = there.reduce((sum, { share }) => sum + share, 0);
  const layout = {
    meta: { duration },
    margin: { l: narrow ? 30 : 38, r: 10, t: 14, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily, size: 11.5, color: colour("soft") },
    showlegend: false,
    hovermode: "x unified",
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink"), size: 12 } },
    // A finger scrolls the page; the buttons zoom.
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    annotations: [],
    images: [],
    shapes: [],
  };
  const data = [];
  let top = 1 - GAP;
  there.forEach(({ name, title, share }, i) => {
    const bottom = top - (share / total) * (1 - GAP * there.length);
    const id = i ? `${i + 1}` : "";
    const axes = { xaxis: "x", yaxis: `y${id}` };
    const bare = ["wave", "spectrum", "tracking"].includes(name);
    const axis = { domain: [Math.max(0, bottom), top], fixedrange: true, zeroline: !bare, zerolinecolor: colour("bar"), zerolinewidth: 1, showgrid: !bare, gridcolor: colour("line"), showticklabels: !bare, nticks: 4, tickfont: { size: 10.5 } };
    layout[`yaxis${id}`] = axis;
    layout.annotations.push({
      text: name === "weight" ? `<b>${weight}</b>` : title,
      xref: "paper", yref: "paper", x: 0, y: top, xanchor: "left", yanchor: "bottom",
      xshift: -4, showarrow: false, font: { size: 11.5, color: colour("ink") },
    });
    if (name === "wave") data.push(waveTrace(sound, colour, axes));
    else if (name === "spectrum") layout.images.push(picture(sound, colour, axes.yaxis));
    else if (name === "tracking") data.push(confidence(tracked, duration, colour, axes, layout));
    else {
      const read = name === "weight" ? oneOf(weightPlace) : sumOf(rows[name]);
      for (const head of drawn) data.push(line(head, read, duration, axes));
    }
    if (name === "wave") Object.assign(axis, { range: [-1.05, 1.05], zeroline: false });
    if (name === "spectrum" || name === "tracking") axis.range = [0, 1];
    if (name === "weight") Object.assign(axis, { range: [-0.04, 1.04] });
    top = bottom - GAP;
  });
  if (there.some(({ name }) => name === "spectrum")) {
    // An axis without a trace would not be there.
    const place = there.findIndex(({ name }) => name === "spectrum") + 1;
    data.push({ x: [0, duration], y: [0, 0], xaxis: "x", yaxis: `y${place}`, mode: "markers", marker: { opacity: 0 }, hoverinfo: "skip" });
  }
  layout.xaxis = { range: [0, duration], minallowed: 0, maxallowed: duration, anchor: `y${there.length}`, showgrid: false, zeroline: false, ticksuffix: " s", tickfont: { size: 11 }, hoverformat: ".2f" };
  return { data, layout, legend: drawn };
}

/** Heads with their lines: each take a colour of its own, references dashed in the text's colour. */
function styled(heads, colour, duration) {
  let takes = 0;
  return heads.map((head) => {
    const dashed = Boolean(head.track.status);
    const moved = head.place.shift && Math.abs(head.place.shift) > 0.015;
    const again = head.place.repeats && head.track.seconds < duration - 0.1;
    const note = moved
      ? `moved ${head.place.shift > 0 ? "later" : "earlier"} by ${Math.abs(head.place.shift).toFixed(2)} s`
      : again ? `starts again after ${head.track.seconds.toFixed(1)} s` : "";
    return { ...head, dashed, note, ...lineOf(dashed ? null : takes++, colour) };
  });
}

/** Four colours, first drawn through, then in dots, then in long dashes. */
function lineOf(number, colour) {
  if (number === null) return { colour: colour("soft"), dash: "4px,3px", drawn: "dashed" };
  const [dash, drawn] = [["solid", "solid"], ["2px,2px", "dotted"], ["10px,3px", "dashed"]][Math.floor(number / 4) % 3];
  return { colour: colour(`line-${(number % 4) + 1}`), dash, drawn };
}

function line({ label, track, place, colour, dashed, dash }, read, duration, axes) {
  const { x, y } = onClock(track, read, place, duration);
  const format = axes.yaxis && "%{y:.2f}";
  return { x, y, ...axes, name: label, mode: "lines", connectgaps: false, line: { color: colour, width: dashed ? 1.6 : 2, dash }, hovertemplate: format };
}

/** A curve over the clock: null where the head has no moment or its face is lost. */
function onClock(track, read, { shift, rate, hold, repeats }, duration) {
  const { fps, frames, seconds, weights, status, times } = track;
  const count = Math.max(1, Math.round(duration * fps));
  const x = new Array(count), y = new Array(count);
  for (let i = 0; i < count; i++) {
    const time = (x[i] = i / fps);
    let own = (time - shift) * rate;
    if (repeats && own >= seconds) own %= seconds;
    if (hold) own = Math.max(0, Math.min(own, (frames - 1) / fps));
    const frame = own * fps;
    const inside = frame > -0.5 && frame < frames - 0.5;
    const lost = status && inside && status[nearest(times, own)] === LOST;
    const below = Math.max(0, Math.min(frames - 1, Math.floor(frame + 1e-6)));
    const above = Math.min(frames - 1, below + 1);
    const part = Math.max(0, Math.min(1, frame - below));
    y[i] = inside && !lost ? (read(weights, below) * (1 - part) + read(weights, above) * part) / 65535 : null;
  }
  return { x, y };
}

const oneOf = (place) => (weights, frame) => weights[52 * frame + place];

const sumOf = (row) => (weights, frame) => {
  let sum = 0;
  for (let i = 0; i < 52; i++) sum += row[i] * weights[52 * frame + i];
  return sum;
};

function waveTrace({ waveform, wavePerSecond }, colour, axes) {
  const count = waveform.length / 2;
  const x = new Array(2 * count), y = new Array(2 * count);
  for (let i = 0; i < count; i++) {
    x[2 * i] = x[2 * i + 1] = i / wavePerSecond;
    y[2 * i] = waveform[2 * i] / 127;
    y[2 * i + 1] = waveform[2 * i + 1] / 127;
  }
  return { x, y, ...axes, mode: "lines", line: { color: colour("wave-fill"), width: 1 }, hoverinfo: "skip" };
}

/** The spectrogram as a picture in the axes: dark is loud in the light, light is loud in the dark. */
function picture({ spectrogram, bands, spectraPerSecond }, colour, yref) {
  const width = spectrogram.length / bands;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, bands];
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, bands);
  const [from, to] = [colour("panel"), colour("ink")].map(rgb);
  for (let band = 0; band < bands; band++) {
    for (let k = 0; k < width; k++) {
      const loud = (spectrogram[band * width + k] / 255) ** 1.6;
      const pixel = 4 * ((bands - 1 - band) * width + k);
      for (let c = 0; c < 3; c++) image.data[pixel + c] = from[c] + (to[c] - from[c]) * 0.92 * loud;
      image.data[pixel + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  // A spectrum is centred on its moment.
  const half = 0.5 / spectraPerSecond;
  return { source: canvas.toDataURL(), xref: "x", yref, x: -half, y: 1, sizex: width / spectraPerSecond, sizey: 1, sizing: "stretch", layer: "below" };
}

/** How much of the face lies in the picture; bars where it was bridged, lost or the fit is in doubt. */
function confidence({ track, place }, duration, colour, axes, layout) {
  const { status, times, confidence: sure, seconds } = track;
  const count = Math.max(1, Math.round(duration * 25));
  const x = new Array(count), y = new Array(count), text = new Array(count);
  let open = null;
  const close = (end) => {
    if (!open) return;
    const fill = colour(MARKS.find(([state]) => state === open.state)[1]);
    layout.shapes.push({ type: "rect", xref: "x", yref: axes.yaxis, x0: open.start, x1: end, y0: 0, y1: 1, line: { width: 0 }, fillcolor: fill, opacity: 0.85, layer: "above" });
    open = null;
  };
  for (let i = 0; i < count; i++) {
    const time = (x[i] = i / 25);
    let own = (time - place.shift) * place.rate;
    if (place.repeats && own >= seconds) own %= seconds;
    const inside = own >= -1e-3 && own <= seconds;
    const frame = nearest(times, own);
    const state = inside ? status[frame] : null;
    y[i] = inside && state !== LOST ? (sure ? sure[frame] / 255 : 1) : inside ? 0 : null;
    text[i] = state === LOST ? "lost" : state === BRIDGED ? "hidden for a moment, bridged" : sure ? `${Math.round(100 * y[i])} %` : "seen";
    if (state === DOUBTFUL) text[i] += ", fit in doubt";
    if (open && open.state !== state) close(time);
    if (!open && MARKS.some(([each]) => each === state)) open = { state, start: time };
  }
  close(duration);
  const marks = MARKS.filter(([state]) => status.includes(state));
  const named = marks.map(([, name, meaning]) => `<span style="color:${colour(name)}">\u25a0</span> ${meaning}`);
  layout.annotations.at(-1).text += named.length ? `: ${named.join(" ")}` : "";
  return { x, y, text, ...axes, mode: "lines", line: { color: colour("upper"), width: 1 }, fill: "tozeroy", fillcolor: translucent(colour("upper")), hovertemplate: "%{text}", name: "face" };
}

function nearest(times, time) {
  let low = 0, high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] > time) high = middle;
    else low = middle;
  }
  return Math.abs(times[high] - time) < Math.abs(times[low] - time) ? high : low;
}

function rgb(hex) {
  return hex.match(/[0-9a-f]{2}/gi).map((part) => Number.parseInt(part, 16));
}

function translucent(hex) {
  return `rgba(${rgb(hex).join()},0.72)`;
}

// Reads the container that `packing.pack_arrays` writes: in gzip, uint32 header length, JSON header, arrays.

const TYPES = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  float32: Float32Array,
};

const cache = new Map();

/** Named typed arrays and plain values of the file at `url`; the same promise for the same address. */
export function fetchArrays(url) {
  if (!cache.has(url)) {
    const promise = download(url);
    promise.catch(() => cache.delete(url));
    cache.set(url, promise);
  }
  return cache.get(url);
}

async function download(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`The server no longer has this data (${response.status}).`);
  const packed = await response.blob();
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  const arrays = unpackArrays(await new Response(stream).arrayBuffer());
  return { ...arrays, bytes: packed.size };
}

function unpackArrays(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const start = Math.ceil((4 + length) / 4) * 4;
  const result = { ...header.values };
  for (const [name, { type, offset, count }] of Object.entries(header.arrays)) {
    result[name] = new TYPES[type](buffer, start + offset, count);
  }
  return result;
}

/** Weights of the moment `frame` (a real number) of a track of uint16 fractions, linear between frames. */
export function sampleWeights(track, frame, into) {
  const size = into.length;
  const last = track.frames - 1;
  const below = Math.max(0, Math.min(last, Math.floor(frame)));
  const above = Math.min(last, below + 1);
  const t = Math.max(0, Math.min(1, frame - below));
  for (let i = 0; i < size; i++) {
    const a = track.weights[below * size + i];
    const b = track.weights[above * size + i];
    into[i] = (a + (b - a) * t) / 65535;
  }
}

/** Yaw, pitch and roll in radians at `frame`; none where the track has none. */
export function sampleTurn(track, frame, into) {
  if (!track.head) {
    into.fill(0);
    return;
  }
  const last = track.frames - 1;
  const below = Math.max(0, Math.min(last, Math.floor(frame)));
  const above = Math.min(last, below + 1);
  const t = Math.max(0, Math.min(1, frame - below));
  for (let i = 0; i < 3; i++) {
    const a = track.head[3 * below + i];
    into[i] = (a + (track.head[3 * above + i] - a) * t) / 10_000;
  }
}

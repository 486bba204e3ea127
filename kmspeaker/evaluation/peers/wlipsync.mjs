// wlipsync.mjs FOLDER RATE FPS FRAMES PROFILE < samples: the curves of a profile's vowels.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { answer, folder, others, readSamples, rowsOf } from "./worklet.mjs";

const [fps, frames, place] = others;
console.log = console.warn = console.error;
await import(pathToFileURL(`${folder}/dist/audio-processor.js`).href);
const library = await import(pathToFileURL(`${folder}/dist/wlipsync.js`).href);

library.configuration.wasmModule = await WebAssembly.compile(
  readFileSync(`${folder}/dist/wlipsync.wasm`),
);
const node = await library.createWLipSyncNode(null, JSON.parse(readFileSync(place, "utf8")));
while (node.processor.volumeView === null) await setTimeout(1);
const names = Object.keys(node.weights);
const rows = rowsOf(node, readSamples(), Number(fps), Number(frames), 0, () =>
  names.map((name) => node.weights[name] * node.volume),
);
answer({ names, rows });

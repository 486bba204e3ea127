// headaudio.mjs FOLDER RATE FPS FRAMES DELAY < samples: the curves of HeadAudio's visemes.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { answer, folder, others, readSamples, rowsOf } from "./worklet.mjs";

const [fps, frames, delay] = others.map(Number);
console.log = console.warn = console.error;
await import(pathToFileURL(`${folder}/modules/headworklet.mjs`).href);
const { HeadAudio } = await import(pathToFileURL(`${folder}/modules/headaudio.mjs`).href);

const node = new HeadAudio(null);
const model = readFileSync(`${folder}/dist/model-en-mixed.bin`).toString("base64");
await node.loadModel(`data:application/octet-stream;base64,${model}`);
const shown = Object.fromEntries(node.visemeNames.map((name) => [name, 0]));
node.onvalue = (name, value) => {
  shown[name] = value;
};
const rows = rowsOf(node, readSamples(), fps, frames, delay, () => {
  node.update(1000 / fps);
  return Object.values(shown);
});
answer({ names: node.visemeNames, rows });

// rhubarb.mjs FOLDER RATE < samples: Rhubarb's cues, each a mouth and when it begins.
import { pathToFileURL } from "node:url";
import { answer, folder, readSamples } from "./worklet.mjs";

console.log = console.warn = console.error; // it talks while it works
const { Rhubarb } = await import(pathToFileURL(`${folder}/dist/index.js`).href);
const samples = Int16Array.from(readSamples(), (x) => 32767 * Math.max(-1, Math.min(1, x)));
answer(await Rhubarb.getLipSync(Buffer.from(samples.buffer)));
process.exit(0); // its threads would keep it

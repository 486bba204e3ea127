// wlipsync_features.mjs FOLDER RATE CHANNELS WINDOW < float32 windows: 12 coefficients of each, by wLipSync itself.
import { readFileSync } from "node:fs";

const [folder, ...numbers] = process.argv.slice(2);
const [rate, channels, window] = numbers.map(Number);
const memory = new WebAssembly.Memory({ initial: 4 });
const code = readFileSync(`${folder}/dist/wlipsync.wasm`);
const { exports } = (await WebAssembly.instantiate(code, { env: { memory } })).instance;
exports.load_profile(16_000, 1024, channels, 2, 12, 1, 0); // as many coefficients as entries
exports.set_input(rate);
const input = new Float32Array(
  memory.buffer,
  exports.get_input_buffer(),
  exports.get_input_buffer_size(),
);
const bytes = readFileSync(0);
const samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const rows = [];
for (let at = 0; at < samples.length; at += window) {
  input.fill(0);
  input.set(samples.subarray(at, at + window), input.length - window); // it reads what lies before 0
  exports.execute(0);
  rows.push([...new Float32Array(memory.buffer, exports.mfccOut.value, 12)]);
}
console.log(JSON.stringify(rows));

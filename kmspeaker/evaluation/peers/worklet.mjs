// The little of a browser's audio that a worklet needs, without a clock: sound is given in blocks
// of 128 samples, and the two halves of a node hear each other's messages at once.
import { readFileSync, writeSync } from "node:fs";

const BLOCK = 128;
const processors = new Map();
let portOfProcessor = null;

function joinedPorts() {
  const ports = [0, 1].map(() => ({ onmessage: null }));
  ports.forEach((port, k) => {
    port.postMessage = (data) => ports[1 - k].onmessage?.({ data });
  });
  return ports;
}

globalThis.AudioWorkletProcessor = class {
  port = portOfProcessor;
};

globalThis.AudioWorkletNode = class {
  constructor(context, name, { processorOptions = {}, parameterData = {} } = {}) {
    const Processor = processors.get(name);
    [this.port, portOfProcessor] = joinedPorts();
    this.processor = new Processor({ processorOptions, parameterData });
    this.values = {};
    for (const { name: each, defaultValue } of Processor.parameterDescriptors ?? []) {
      this.values[each] = new Float32Array([parameterData[each] ?? defaultValue]);
    }
  }
};

globalThis.registerProcessor = (name, Processor) => processors.set(name, Processor);

// What a script was called with: the package's folder, the rate, and whatever follows.
export const [folder, rate, ...others] = process.argv.slice(2);
globalThis.sampleRate = Number(rate);
globalThis.currentTime = 0;

export function readSamples() {
  const bytes = readFileSync(0);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

// A row for each frame: what `show` gives when all of the sound until `delay` after it was heard.
export function rowsOf(node, samples, fps, frames, delay, show) {
  const rows = [];
  let at = 0;
  for (let frame = 0; frame < frames; frame++) {
    const until = (frame / fps + delay) * sampleRate;
    for (; at + BLOCK <= until; at += BLOCK) {
      const block = new Float32Array(BLOCK);
      block.set(samples.subarray(at, at + BLOCK));
      globalThis.currentTime = at / sampleRate;
      node.processor.process([[block]], [], node.values);
    }
    rows.push(show());
  }
  return rows;
}

export function answer(value) {
  const bytes = Buffer.from(JSON.stringify(value));
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

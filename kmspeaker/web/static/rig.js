// The shared part of all heads: what moves them, triangles, and how finely they are drawn.
//
// A level is a surface to draw. "fine" is the rig's own, lit at its pixels and folded; "close", "middle" and
// "light" are parts of it (see decimation.py).

import { PHONE } from "./device.js";
import { foldsOf, motionOf, wholeMotion } from "./motion.js";

export class Rig {
  #levels = new Map();

  /** Without a graphics card: what moves is lit at its vertices. Set before anything is drawn. */
  software = false;

  constructor(THREE, basis) {
    this.THREE = THREE;
    this.basis = basis;
    this.names = basis.names;
    this.pivot = new THREE.Vector3(...basis.headPivot);
    this.motion = wholeMotion(basis);
  }

  /** What can be drawn and how many triangles it costs, the finest first. */
  get levels() {
    return Object.keys(this.basis.levels).map((name) => ({ name, triangles: this.basis[`${name}Triangles`].length / 3 }));
  }

  /** The keypoint set `name`: {vertices, upper, start}, `start` counted through all sets. */
  pointSet(name) {
    const { pointSets, pointVertices, pointUpper } = this.basis;
    let start = 0;
    for (const [each, count] of Object.entries(pointSets)) {
      const end = start + count;
      if (each === name) return { start, vertices: pointVertices.subarray(start, end), upper: pointUpper.subarray(start, end) };
      start = end;
    }
    return null;
  }

  level(name) {
    if (!this.#levels.has(name)) this.#levels.set(name, this.#make(name));
    return this.#levels.get(name);
  }

  #make(name) {
    const { THREE, basis, motion } = this;
    const { renderSource, vertexCount } = basis;
    const triangles = basis[`${name}Triangles`];
    const groups = basis.levels[name];
    // In the order of their use, which software renderers' small caches of corners like.
    const drawn = distinct(triangles);
    const vertices = distinct(drawn.map((each) => renderSource[each]));
    const drawnPlace = places(drawn, renderSource.length);
    const vertexPlace = places(vertices, vertexCount);
    const source = drawn.map((each) => vertexPlace[renderSource[each]]);
    const index = triangles.map((corner) => drawnPlace[corner]);
    const faces = index.map((corner) => source[corner]);
    const fine = name === "fine";
    return {
      source,
      uv: new THREE.BufferAttribute(picked(basis.uv, drawn, 2), 2),
      surface: new THREE.BufferAttribute(picked(basis.surface, drawn, 4), 4, true),
      index: new THREE.BufferAttribute(index, 1),
      groups: drawCalls(groups, basis.bothSides),
      vertexCount: vertices.length,
      faces,
      skin: skinVertices(faces, groups),
      fine,
      rough: !fine && (this.software || name === "light"), // lit at its vertices
      motion: motionOf(motion, vertices, vertexCount),
      folds: fine && !PHONE ? foldsOf(basis, vertices) : [],
      ownOf: (neutral) => picked(neutral, vertices, 3),
    };
  }
}

/** The distinct values of a Uint16Array, in the order in which they come. */
function distinct(values) {
  return Uint16Array.from(new Set(values));
}

/** Where each of `values` stands among them. */
function places(values, size) {
  const result = new Uint16Array(size);
  values.forEach((value, place) => (result[value] = place));
  return result;
}

/** The vertices of the part called skin. */
function skinVertices(faces, groups) {
  const { start, count } = groups.find(({ part }) => part === "skin");
  return distinct(faces.subarray(start, start + count));
}

function picked(values, which, size) {
  const result = new values.constructor(which.length * size);
  which.forEach((from, to) => {
    for (let i = 0; i < size; i++) result[to * size + i] = values[from * size + i];
  });
  return result;
}

/** What is seen from outside only, then what is seen from both sides: few calls, neighbours joined. */
function drawCalls(groups, bothSides) {
  const result = [];
  for (const { part, start, count } of groups) {
    const material = Number(bothSides.includes(part));
    const last = result.at(-1);
    if (last?.material === material) last.count += count;
    else if (count) result.push({ start, count, material });
  }
  return result;
}

// The shared part of all heads: shapes, triangles, and how finely they are drawn.
//
// A level is a surface to draw. "fine" is one step of subdivision of the rig; "own" is the rig's own
// surface, "middle" and "light" are parts of it (see decimation.py), their vertices where subdivision puts
// them, so that a change of level hardly shows.

const SMALLEST_MOVE = 0.02; // mm at weight 1; less is left out

export class Rig {
  #levels = new Map();

  /** Without a graphics card: what moves is lit at its vertices. Set before anything is drawn. */
  software = false;

  constructor(THREE, basis) {
    this.THREE = THREE;
    this.basis = basis;
    this.names = basis.names;
    this.pivot = new THREE.Vector3(...basis.headPivot);
    this.matrix = {
      rows: basis.rows,
      columns: basis.columns,
      shares: Float32Array.from(basis.shares, (share) => share / 65535),
    };
  }

  /** What can be drawn and how many triangles it costs, the finest first. */
  get levels() {
    const { triangles, coarseTriangles, middleTriangles, lightTriangles } = this.basis;
    return [
      { name: "fine", triangles: triangles.length / 3 },
      { name: "own", triangles: coarseTriangles.length / 3 },
      { name: "middle", triangles: middleTriangles.length / 3 },
      { name: "light", triangles: lightTriangles.length / 3 },
    ];
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
    const { basis } = this;
    if (name === "fine") return this.#fine();
    if (name === "own") return this.#direct(basis.coarseTriangles, basis.groups, this.software);
    if (name === "middle") return this.#direct(basis.middleTriangles, basis.middleGroups, this.software);
    // So small, lashes are single dots.
    const groups = basis.lightGroups.filter(({ part }) => part !== "lashes");
    const end = Math.max(...groups.map(({ start, count }) => start + count));
    return this.#direct(basis.lightTriangles.subarray(0, end), groups, true);
  }

  #fine() {
    const { THREE, basis, matrix } = this;
    const pieces = 4; // of each triangle
    return {
      source: basis.renderSource,
      uv: new THREE.BufferAttribute(basis.uv, 2),
      surface: new THREE.BufferAttribute(basis.surface, 4, true),
      index: new THREE.BufferAttribute(basis.triangles, 1),
      groups: drawCalls(basis.groups, pieces),
      matrix,
      vertexCount: basis.vertexCount,
      faces: basis.faces,
      skin: skinVertices(basis.coarseTriangles.map((corner) => basis.renderSource[corner]), basis.groups),
      rough: false,
      shapes: { starts: basis.starts, indices: basis.indices, deltas: scaled(basis) },
      smoothed: (neutral) => neutral,
    };
  }

  /** A level that draws some or all of the rig's own vertices, smoothed beforehand. */
  #direct(triangles, groups, rough) {
    const { THREE, basis, matrix } = this;
    // In the order of their use, which software renderers' small caches of corners like.
    const drawn = distinct(triangles);
    const vertices = distinct(drawn.map((each) => basis.renderSource[each]));
    const drawnPlace = places(drawn, basis.renderSource.length);
    const vertexPlace = places(vertices, basis.vertexCount);
    const source = drawn.map((each) => vertexPlace[basis.renderSource[each]]);
    const index = triangles.map((corner) => drawnPlace[corner]);
    const faces = index.map((corner) => source[corner]);
    return {
      source,
      uv: new THREE.BufferAttribute(picked(basis.uv, drawn, 2), 2),
      surface: new THREE.BufferAttribute(picked(basis.surface, drawn, 4), 4, true),
      index: new THREE.BufferAttribute(index, 1),
      groups: drawCalls(groups, 1),
      matrix: null,
      vertexCount: vertices.length,
      faces,
      skin: skinVertices(faces, groups),
      rough, // lit at its vertices
      shapes: smoothedShapes(basis, matrix, vertices),
      smoothed: (neutral) => rowsTimes(matrix, vertices, neutral, new Float32Array(3 * vertices.length)),
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

/** The skin and what is like it first, then the lashes: few calls, neighbours joined. */
function drawCalls(groups, pieces) {
  const result = [];
  for (const { part, start, count } of groups) {
    const material = Number(part === "lashes");
    const last = result.at(-1);
    if (last?.material === material) last.count += count * pieces;
    else result.push({ start: start * pieces, count: count * pieces, material });
  }
  return result;
}

/** The shapes' entries in millimetres at weight 1. */
function scaled({ starts, scales, deltas }) {
  const result = new Float32Array(deltas.length);
  for (let shape = 0; shape < scales.length; shape++) {
    for (let i = 3 * starts[shape]; i < 3 * starts[shape + 1]; i++) result[i] = deltas[i] * scales[shape];
  }
  return result;
}

/** The shapes after smoothing, which is linear, on `vertices`: sparse again. */
function smoothedShapes(basis, matrix, vertices) {
  const { starts, indices, vertexCount } = basis;
  const deltas = scaled(basis);
  const dense = new Float32Array(3 * vertexCount);
  const smooth = new Float32Array(3 * vertices.length);
  const sparse = { starts: new Uint32Array(starts.length), indices: [], deltas: [] };
  for (let shape = 0; shape + 1 < starts.length; shape++) {
    dense.fill(0);
    for (let i = starts[shape]; i < starts[shape + 1]; i++) {
      for (let axis = 0; axis < 3; axis++) dense[3 * indices[i] + axis] = deltas[3 * i + axis];
    }
    rowsTimes(matrix, vertices, dense, smooth);
    for (let place = 0, at = 0; place < vertices.length; place++, at += 3) {
      const x = smooth[at], y = smooth[at + 1], z = smooth[at + 2];
      if (Math.abs(x) + Math.abs(y) + Math.abs(z) < SMALLEST_MOVE) continue;
      sparse.indices.push(place);
      sparse.deltas.push(x, y, z);
    }
    sparse.starts[shape + 1] = sparse.indices.length;
  }
  return { starts: sparse.starts, indices: Uint16Array.from(sparse.indices), deltas: Float32Array.from(sparse.deltas) };
}

/** Some rows of `matrix` times the points `from`. */
function rowsTimes({ rows, columns, shares }, which, from, into) {
  for (let place = 0; place < which.length; place++) {
    let x = 0, y = 0, z = 0;
    for (let i = rows[which[place]], end = rows[which[place] + 1]; i < end; i++) {
      const share = shares[i];
      const at = columns[i] * 3;
      x += share * from[at]; y += share * from[at + 1]; z += share * from[at + 2];
    }
    into[place * 3] = x; into[place * 3 + 1] = y; into[place * 3 + 2] = z;
  }
  return into;
}

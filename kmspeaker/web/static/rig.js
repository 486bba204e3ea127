// The shared part of all heads: shapes, triangles, and how finely they are drawn.
//
// A level is a surface to draw. "fine" is one step of subdivision of the rig; "own" is the rig's own
// surface, moved to where subdivision would put its vertices, so that a change of level hardly shows.

export const LEVELS = ["fine", "own"];

export class Rig {
  #levels = new Map();

  constructor(THREE, basis) {
    this.THREE = THREE;
    this.basis = basis;
    this.names = basis.names;
    this.matrix = {
      rows: basis.rows,
      columns: basis.columns,
      shares: Float32Array.from(basis.shares, (share) => share / 65535),
    };
  }

  level(name) {
    if (!this.#levels.has(name)) this.#levels.set(name, name === "fine" ? this.#fine() : this.#own());
    return this.#levels.get(name);
  }

  #fine() {
    const { basis, matrix } = this;
    return {
      ...this.#surface(basis.renderSource, basis.uv, basis.surface, basis.triangles, 4),
      matrix,
      vertexCount: basis.vertexCount,
      faces: basis.faces,
      shapes: { starts: basis.starts, indices: basis.indices, deltas: scaled(basis) },
      smoothed: (neutral) => neutral,
    };
  }

  #own() {
    const { basis, matrix } = this;
    const count = basis.coarseRenderCount;
    const source = basis.renderSource.subarray(0, count);
    return {
      ...this.#surface(source, basis.uv.subarray(0, 2 * count), basis.surface.subarray(0, 4 * count), basis.coarseTriangles, 1),
      matrix: null,
      vertexCount: basis.vertexCount,
      faces: basis.faces,
      shapes: smoothedShapes(basis, matrix),
      smoothed: (neutral) => apply(matrix, neutral, new Float32Array(neutral.length)),
    };
  }

  /** What all heads of a level share on the graphics card, and its draw calls: the skin, then the lashes. */
  #surface(source, uv, surface, triangles, pieces) {
    const { THREE, basis } = this;
    const groups = basis.groups.map(({ part, start, count }) => ({
      start: start * pieces,
      count: count * pieces,
      material: Number(part === "lashes"),
    }));
    return {
      source,
      uv: new THREE.BufferAttribute(uv, 2),
      surface: new THREE.BufferAttribute(surface, 4, true),
      index: new THREE.BufferAttribute(triangles, 1),
      groups: joined(groups),
    };
  }
}

/** Neighbouring groups of one material as one draw call. */
function joined(groups) {
  const result = [];
  for (const group of groups) {
    const last = result.at(-1);
    if (last?.material === group.material && last.start + last.count === group.start) last.count += group.count;
    else result.push({ ...group });
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

/** The shapes after smoothing, which is linear: sparse again, on the rig's own vertices. */
function smoothedShapes(basis, matrix) {
  const { starts, indices, vertexCount } = basis;
  const deltas = scaled(basis);
  const dense = new Float32Array(3 * vertexCount);
  const smooth = new Float32Array(3 * vertexCount);
  const found = { starts: new Uint32Array(starts.length), indices: [], deltas: [] };
  for (let shape = 0; shape + 1 < starts.length; shape++) {
    dense.fill(0);
    for (let i = starts[shape]; i < starts[shape + 1]; i++) {
      for (let axis = 0; axis < 3; axis++) dense[3 * indices[i] + axis] = deltas[3 * i + axis];
    }
    apply(matrix, dense, smooth);
    for (let vertex = 0, at = 0; vertex < vertexCount; vertex++, at += 3) {
      const x = smooth[at], y = smooth[at + 1], z = smooth[at + 2];
      if (Math.abs(x) + Math.abs(y) + Math.abs(z) < SMALLEST_MOVE) continue;
      found.indices.push(vertex);
      found.deltas.push(x, y, z);
    }
    found.starts[shape + 1] = found.indices.length;
  }
  return { starts: found.starts, indices: Uint16Array.from(found.indices), deltas: Float32Array.from(found.deltas) };
}

const SMALLEST_MOVE = 0.02; // mm at weight 1

/** Rows of `matrix` times the points `from`, as many as `into` takes. */
function apply({ rows, columns, shares }, from, into) {
  for (let row = 0, i = 0; 3 * row < into.length; row++) {
    let x = 0, y = 0, z = 0;
    for (const end = rows[row + 1]; i < end; i++) {
      const share = shares[i];
      const at = columns[i] * 3;
      x += share * from[at]; y += share * from[at + 1]; z += share * from[at + 2];
    }
    into[row * 3] = x; into[row * 3 + 1] = y; into[row * 3 + 2] = z;
  }
  return into;
}

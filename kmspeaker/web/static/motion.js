// How weights move vertices and fold the skin: FaceModel.vertices and wrinkling (face/rig.py) once more.
//
// Motion is {shapes, lids}. Shapes are sparse: entries from `starts[shape]` on move the vertices
// `indices` by `deltas`, mm at weight 1. Near a lid of `lids` what other shapes do fades as it closes.

const SMALLEST_WEIGHT = 1e-3;
const ABSENT = 0xffff;

/** Of the whole rig, from what viewer.py packed. */
export function wholeMotion(basis) {
  const { starts, indices, lidShapes, lidStarts, lidVertices, lidMasks } = basis;
  const shapes = { starts, indices, deltas: scaled(basis) };
  const lids = lidShapes.map((shape, lid) => {
    const vertices = lidVertices.subarray(lidStarts[lid], lidStarts[lid + 1]);
    const mask = Float32Array.from(lidMasks.subarray(lidStarts[lid], lidStarts[lid + 1]), (share) => share / 255);
    return { shape, vertices, mask, blink: dense(shapes, shape, vertices, basis.vertexCount) };
  });
  return { shapes, lids };
}

/** The same of some vertices only. */
export function motionOf({ shapes, lids }, vertices, vertexCount) {
  const places = placesOf(vertices, vertexCount);
  const starts = new Uint32Array(shapes.starts.length);
  const indices = new Uint16Array(shapes.indices.length);
  const deltas = new Float32Array(shapes.deltas.length);
  let kept = 0;
  for (let shape = 0; shape + 1 < starts.length; shape++) {
    for (let i = shapes.starts[shape]; i < shapes.starts[shape + 1]; i++) {
      const place = places[shapes.indices[i]];
      if (place === ABSENT) continue;
      indices[kept] = place;
      for (let axis = 0; axis < 3; axis++) deltas[3 * kept + axis] = shapes.deltas[3 * i + axis];
      kept += 1;
    }
    starts[shape + 1] = kept;
  }
  const some = { starts, indices: indices.slice(0, kept), deltas: deltas.slice(0, 3 * kept) };
  return {
    shapes: some,
    lids: lids.map(({ shape, vertices, mask }) => {
      const lid = masked(vertices, mask, places);
      return { shape, ...lid, blink: dense(some, shape, lid.vertices, places.length) };
    }),
  };
}

/** Which lines some vertices carry: for each fold {layer, causes, vertices, mask}. */
export function foldsOf(basis, vertices) {
  const { foldStarts, foldVertices, foldMasks, foldCauses, foldLayers, names, vertexCount } = basis;
  const places = placesOf(vertices, vertexCount);
  return Array.from(foldLayers, (layer, fold) => {
    const [start, end] = [foldStarts[fold], foldStarts[fold + 1]];
    const causes = foldCauses.subarray(fold * names.length, (fold + 1) * names.length);
    return { layer, causes, ...masked(foldVertices.subarray(start, end), foldMasks.subarray(start, end), places) };
  });
}

/** Put the face of `weights` into `vertices`. */
export function move({ shapes, lids }, weights, neutral, vertices) {
  vertices.set(neutral);
  const { starts, indices, deltas } = shapes;
  for (let shape = 0; shape < weights.length; shape++) {
    const weight = weights[shape];
    if (weight < SMALLEST_WEIGHT) continue;
    for (let i = starts[shape], at = 3 * i, end = starts[shape + 1]; i < end; i++, at += 3) {
      const vertex = indices[i] * 3;
      vertices[vertex] += weight * deltas[at];
      vertices[vertex + 1] += weight * deltas[at + 1];
      vertices[vertex + 2] += weight * deltas[at + 2];
    }
  }
  for (const lid of lids) close(lid, weights[lid.shape], neutral, vertices);
}

function close({ vertices: which, mask, blink }, closed, neutral, vertices) {
  if (closed < SMALLEST_WEIGHT) return;
  for (let i = 0; i < which.length; i++) {
    const fading = closed * mask[i];
    for (let axis = 0; axis < 3; axis++) {
      const at = 3 * which[i] + axis;
      vertices[at] -= fading * (vertices[at] - neutral[at] - closed * blink[3 * i + axis]);
    }
  }
}

/** How deep the lines of either layer are at each vertex, 255 for full depth. */
export function foldSkin(folds, weights, depths) {
  depths.fill(0);
  for (const { layer, causes, vertices, mask } of folds) {
    let depth = 0;
    for (let i = 0; i < weights.length; i++) depth += causes[i] * weights[i];
    depth = Math.min(depth, 1);
    if (depth < SMALLEST_WEIGHT) continue;
    for (let i = 0; i < vertices.length; i++) depths[2 * vertices[i] + layer] += depth * mask[i];
  }
}

/** The shapes' entries in millimetres at weight 1. */
function scaled({ starts, scales, deltas }) {
  const result = new Float32Array(deltas.length);
  for (let shape = 0; shape < scales.length; shape++) {
    for (let i = 3 * starts[shape]; i < 3 * starts[shape + 1]; i++) result[i] = deltas[i] * scales[shape];
  }
  return result;
}

/** What one shape does to `vertices`. */
function dense({ starts, indices, deltas }, shape, vertices, vertexCount) {
  const all = new Float32Array(3 * vertexCount);
  for (let i = starts[shape]; i < starts[shape + 1]; i++) all.set(deltas.subarray(3 * i, 3 * i + 3), 3 * indices[i]);
  const result = new Float32Array(3 * vertices.length);
  vertices.forEach((vertex, i) => result.set(all.subarray(3 * vertex, 3 * vertex + 3), 3 * i));
  return result;
}

function placesOf(vertices, vertexCount) {
  const places = new Uint16Array(vertexCount).fill(ABSENT);
  vertices.forEach((vertex, place) => (places[vertex] = place));
  return places;
}

/** A mask at the vertices that have places. */
function masked(vertices, mask, places) {
  const kept = [...vertices.keys()].filter((i) => places[vertices[i]] !== ABSENT);
  return {
    vertices: Uint16Array.from(kept, (i) => places[vertices[i]]),
    mask: mask.constructor.from(kept, (i) => mask[i]),
  };
}

// One talking head: a neutral face on the shared rig, posed by ARKit weights, with true normals.
// Shapes are added on the CPU: a pose moves a few thousand vertices, which costs less than a morph
// texture on weak hardware and gives true normals, where blended normals would shade lips wrongly.

const STRIDE = 6; // position and normal, side by side

export class Head {
  #rig;
  #skin;
  #neutral = null;
  #weights;
  #pose = 0; // counts changes of weights and neutral
  #bodies = new Map(); // what is drawn, for each level that was needed so far

  constructor(rig, skin) {
    this.#rig = rig;
    this.#skin = skin;
    this.#weights = new Float32Array(rig.names.length);
    this.mesh = new rig.THREE.Mesh(new rig.THREE.BufferGeometry(), skin.fine);
    this.mesh.frustumCulled = false;
    this.mesh.visible = false;
  }

  set texture(texture) {
    this.#skin.uniforms.colours.value = texture;
  }

  /** Another person's face on the same shapes; the pose stays. */
  set neutral(neutral) {
    this.#neutral = neutral;
    for (const body of this.#bodies.values()) body.neutral = null;
    this.#pose += 1;
  }

  /** Take the pose of ARKit weights in [0, 1]; returns whether anything moves. */
  pose(weights) {
    const shown = this.#weights;
    let i = 0;
    while (i < shown.length && weights[i] === shown[i]) i++;
    if (i === shown.length) return false;
    shown.set(weights);
    this.#pose += 1;
    return true;
  }

  /** Bring the drawn surface up to date; a pose that was drawn already costs nothing. */
  prepare(levelName) {
    if (!this.#neutral) return;
    const body = this.#body(levelName);
    this.mesh.geometry = body.geometry;
    this.mesh.material = levelName === "light" ? this.#skin.rough : this.#skin.fine;
    if (body.pose === this.#pose) return;
    body.pose = this.#pose;
    const { level, vertices, normals } = body;
    body.neutral ??= level.smoothed(this.#neutral);
    vertices.set(body.neutral);
    addShapes(level.shapes, this.#weights, vertices);
    addNormals(level.faces, vertices, normals);
    if (level.matrix) subdivided(level, vertices, normals, body.buffer.array);
    else copied(level.source, vertices, normals, body.buffer.array);
    body.buffer.needsUpdate = true;
  }

  dispose() {
    for (const { geometry } of this.#bodies.values()) geometry.dispose();
    for (const material of [...this.#skin.fine, ...this.#skin.rough]) material.dispose();
    this.mesh.removeFromParent();
  }

  #body(levelName) {
    let body = this.#bodies.get(levelName);
    if (!body) this.#bodies.set(levelName, (body = this.#newBody(levelName)));
    return body;
  }

  #newBody(levelName) {
    const { THREE } = this.#rig;
    const level = this.#rig.level(levelName);
    const buffer = new THREE.InterleavedBuffer(new Float32Array(level.source.length * STRIDE), STRIDE);
    buffer.setUsage(THREE.DynamicDrawUsage);
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.InterleavedBufferAttribute(buffer, 3, 0));
    geometry.setAttribute("normal", new THREE.InterleavedBufferAttribute(buffer, 3, 3));
    geometry.setAttribute("uv", level.uv);
    geometry.setAttribute("surface", level.surface);
    geometry.setIndex(level.index);
    for (const { start, count, material } of level.groups) geometry.addGroup(start, count, material);
    return {
      level,
      geometry,
      buffer,
      neutral: null, // the person's vertices on this level
      vertices: new Float32Array(level.vertexCount * 3),
      normals: new Float32Array(level.vertexCount * 3), // as long as the faces around are large
      pose: -1,
    };
  }
}

function addShapes({ starts, indices, deltas }, weights, vertices) {
  for (let shape = 0; shape < weights.length; shape++) {
    const weight = weights[shape];
    if (weight < 1e-3) continue;
    for (let i = starts[shape], at = 3 * i, end = starts[shape + 1]; i < end; i++, at += 3) {
      const vertex = indices[i] * 3;
      vertices[vertex] += weight * deltas[at];
      vertices[vertex + 1] += weight * deltas[at + 1];
      vertices[vertex + 2] += weight * deltas[at + 2];
    }
  }
}

function addNormals(faces, p, n) {
  n.fill(0);
  for (let i = 0; i < faces.length; i += 3) {
    const a = faces[i] * 3, b = faces[i + 1] * 3, c = faces[i + 2] * 3;
    const ax = p[a], ay = p[a + 1], az = p[a + 2];
    const ux = p[b] - ax, uy = p[b + 1] - ay, uz = p[b + 2] - az;
    const vx = p[c] - ax, vy = p[c + 1] - ay, vz = p[c + 2] - az;
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    n[a] += x; n[a + 1] += y; n[a + 2] += z;
    n[b] += x; n[b + 1] += y; n[b + 2] += z;
    n[c] += x; n[c + 1] += y; n[c + 2] += z;
  }
}

/** One step of subdivision: each drawn vertex is a mean of a few of the rig's. */
function subdivided({ matrix: { rows, columns, shares }, source }, vertices, normals, into) {
  unit(normals); // else large triangles would outweigh their neighbours
  for (let drawn = 0, at = 0; drawn < source.length; drawn++, at += STRIDE) {
    const row = source[drawn];
    let x = 0, y = 0, z = 0, nx = 0, ny = 0, nz = 0;
    for (let i = rows[row], end = rows[row + 1]; i < end; i++) {
      const share = shares[i];
      const column = columns[i] * 3;
      x += share * vertices[column]; y += share * vertices[column + 1]; z += share * vertices[column + 2];
      nx += share * normals[column]; ny += share * normals[column + 1]; nz += share * normals[column + 2];
    }
    into[at] = x; into[at + 1] = y; into[at + 2] = z;
    into[at + 3] = nx; into[at + 4] = ny; into[at + 5] = nz;
  }
}

/** The vertices as they are; the shader brings normals to length one. */
function copied(source, vertices, normals, into) {
  for (let drawn = 0, at = 0; drawn < source.length; drawn++, at += STRIDE) {
    const from = source[drawn] * 3;
    into[at] = vertices[from]; into[at + 1] = vertices[from + 1]; into[at + 2] = vertices[from + 2];
    into[at + 3] = normals[from]; into[at + 4] = normals[from + 1]; into[at + 5] = normals[from + 2];
  }
}

function unit(normals) {
  for (let i = 0; i < normals.length; i += 3) {
    const x = normals[i], y = normals[i + 1], z = normals[i + 2];
    const scale = 1 / (Math.sqrt(x * x + y * y + z * z) || 1);
    normals[i] = x * scale; normals[i + 1] = y * scale; normals[i + 2] = z * scale;
  }
}

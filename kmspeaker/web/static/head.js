// One talking head: a neutral face on the shared rig, posed by ARKit weights, with true normals.
// Shapes are added on the CPU: a pose moves a few thousand vertices, which costs less than a morph
// texture on weak hardware and gives true normals, where blended normals would shade lips wrongly.

import { Hair } from "./hair.js";
import { foldSkin, move } from "./motion.js";

const STRIDE = 6; // position and normal, side by side

export class Head {
  #rig;
  #skin;
  #hair;
  #neutral = null;
  #weights;
  #pose = 0; // counts changes of weights and neutral
  #bodies = new Map(); // what is drawn, for each level that was needed so far
  #base = null; // the head that distances are measured to

  /** Distances to the base when last drawn, mm over the skin: {mean, largest}. */
  apart = { mean: 0, largest: 0 };

  /** `skin` and `hair` are the materials of each. */
  constructor(rig, skin, hair) {
    this.#rig = rig;
    this.#skin = skin;
    this.#hair = new Hair(rig.THREE, hair);
    this.#weights = new Float32Array(rig.names.length);
    this.mesh = new rig.THREE.Mesh(new rig.THREE.BufferGeometry(), skin.fine);
    this.mesh.frustumCulled = false;
    this.mesh.visible = false;
    this.mesh.add(this.#hair.mesh);
  }

  /** The pictures of the skin, of its lines and of the hair. */
  set pictures({ skin, wrinkles, hair }) {
    this.#skin.uniforms.colours.value = skin;
    this.#skin.uniforms.heights.value = wrinkles;
    this.#hair.picture = hair;
  }

  /** Another person on the same shapes; the pose stays. */
  set person(person) {
    this.#neutral = person.neutral;
    this.#skin.uniforms.folding.value = person.folding ?? 0;
    this.#hair.person = person;
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

  /** Show how far each point's motion is from that of another head, `range` mm in the last colour. */
  compare(base, range) {
    this.#base = base;
    this.#skin.uniforms.range.value = range;
    for (const body of this.#bodies.values()) body.comparedTo = -1;
  }

  /** Turn about where the skull rests on the spine; radians. */
  turn(yaw, pitch, roll) {
    const { mesh } = this;
    if (mesh.rotation.y === yaw && mesh.rotation.x === pitch && mesh.rotation.z === roll) return false;
    mesh.rotation.set(pitch, yaw, roll, "YXZ");
    const pivot = this.#rig.pivot;
    mesh.position.copy(pivot).applyEuler(mesh.rotation).negate().add(pivot);
    mesh.updateMatrixWorld();
    return true;
  }

  /** Bring the drawn surface up to date; a pose that was drawn already costs nothing. */
  prepare(levelName) {
    if (!this.#neutral) return;
    const body = this.#body(levelName);
    this.mesh.geometry = body.geometry;
    const look = this.#base ? "apart" : body.level.rough ? "rough" : "fine";
    this.mesh.material = this.#skin[look];
    this.#hair.prepare(look, body.level.fine);
    if (body.pose !== this.#pose) this.#update(body);
    if (this.#base) this.#measure(body, this.#base.#prepared(levelName));
  }

  #prepared(levelName) {
    const body = this.#body(levelName);
    if (body.pose !== this.#pose) this.#update(body);
    return body;
  }

  #update(body) {
    body.pose = this.#pose;
    const { level, vertices, normals, folded } = body;
    body.neutral ??= level.ownOf(this.#neutral);
    move(level.motion, this.#weights, body.neutral, vertices);
    addNormals(level.faces, vertices, normals);
    copied(level.source, vertices, normals, body.buffer.array);
    body.buffer.needsUpdate = true;
    if (!folded) return;
    foldSkin(level.folds, this.#weights, folded.vertices);
    spread(level.source, folded.vertices, 2, folded.drawn.array);
    folded.drawn.needsUpdate = true;
  }

  /** How far the motion of each vertex is from the base's: between two faces only motion compares. */
  #measure(body, base) {
    if (body.comparedTo === base.pose && body.comparedAt === body.pose) return;
    body.comparedTo = base.pose;
    body.comparedAt = body.pose;
    const { level, vertices, neutral, distances } = body;
    for (let i = 0, at = 0; i < distances.length; i++, at += 3) {
      const x = vertices[at] - neutral[at] - base.vertices[at] + base.neutral[at];
      const y = vertices[at + 1] - neutral[at + 1] - base.vertices[at + 1] + base.neutral[at + 1];
      const z = vertices[at + 2] - neutral[at + 2] - base.vertices[at + 2] + base.neutral[at + 2];
      distances[i] = Math.sqrt(x * x + y * y + z * z);
    }
    body.apart ??= new this.#rig.THREE.BufferAttribute(new Float32Array(level.source.length), 1);
    body.geometry.setAttribute("apart", body.apart);
    spread(level.source, distances, 1, body.apart.array);
    body.apart.needsUpdate = true;
    let sum = 0, largest = 0;
    for (const vertex of level.skin) {
      sum += distances[vertex];
      if (distances[vertex] > largest) largest = distances[vertex];
    }
    this.apart.mean = sum / level.skin.length;
    this.apart.largest = largest;
  }

  dispose() {
    for (const { geometry } of this.#bodies.values()) geometry.dispose();
    const { fine, rough, apart } = this.#skin;
    for (const material of [...fine, ...rough, ...apart]) material.dispose();
    this.#hair.dispose();
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
    let folded = null; // how deep the skin's lines are
    if (level.folds.length) {
      const drawn = new THREE.BufferAttribute(new Uint8ClampedArray(2 * level.source.length), 2, true);
      geometry.setAttribute("depths", drawn.setUsage(THREE.DynamicDrawUsage));
      folded = { vertices: new Float32Array(2 * level.vertexCount), drawn };
    }
    return {
      level,
      geometry,
      folded,
      buffer,
      neutral: null, // the person's vertices on this level
      vertices: new Float32Array(level.vertexCount * 3),
      normals: new Float32Array(level.vertexCount * 3), // as long as the faces around are large
      distances: new Float32Array(level.vertexCount), // mm to the base
      apart: null, // the same on what is drawn
      comparedTo: -1,
      comparedAt: -1,
      pose: -1,
    };
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

/** The vertices as they are; the shader brings normals to length one. */
function copied(source, vertices, normals, into) {
  for (let drawn = 0, at = 0; drawn < source.length; drawn++, at += STRIDE) {
    const from = source[drawn] * 3;
    into[at] = vertices[from]; into[at + 1] = vertices[from + 1]; into[at + 2] = vertices[from + 2];
    into[at + 3] = normals[from]; into[at + 4] = normals[from + 1]; into[at + 5] = normals[from + 2];
  }
}

/** Values at the vertices, `size` each, to what is drawn. */
function spread(source, values, size, into) {
  for (let drawn = 0; drawn < source.length; drawn++) {
    for (let i = 0; i < size; i++) into[drawn * size + i] = values[source[drawn] * size + i];
  }
}

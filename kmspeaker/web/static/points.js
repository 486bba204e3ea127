// The keypoints as a cloud in space: some of the rig's vertices, in the colours of the overlay.

import { move } from "./motion.js";

const VERTEX = `
attribute vec3 tint;
varying vec3 vTint;
uniform float size;
void main() {
  vTint = tint;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
  gl_PointSize = size * projectionMatrix[1][1] / gl_Position.w;
}`;

const FRAGMENT = `
varying vec3 vTint;
void main() {
  float away = length(gl_PointCoord - 0.5) * 2.0;
  if (away > 1.0) discard;
  gl_FragColor = vec4(vTint * (1.0 - 0.45 * away * away), 1.0);
}`;

/** Stands on the stage like a head: takes a pose, is drawn, has a mesh. */
export class Cloud {
  #rig;
  #vertices;
  #neutral = null;
  #weights;
  #set = null;
  #changed = true;

  constructor(rig) {
    this.#rig = rig;
    this.#weights = new Float32Array(rig.names.length);
    const { THREE, basis } = rig;
    this.#vertices = new Float32Array(3 * basis.vertexCount);
    const material = new THREE.ShaderMaterial({
      vertexShader: VERTEX,
      fragmentShader: FRAGMENT,
      uniforms: { size: { value: 1 } },
    });
    this.mesh = new THREE.Points(new THREE.BufferGeometry(), material);
    this.mesh.frustumCulled = false;
    this.mesh.visible = false;
  }

  set person({ neutral }) {
    this.#neutral = neutral;
    this.#changed = true;
  }

  /** Which keypoints: {vertices, upper}, and their two colours as [r, g, b]. */
  use(set, colours) {
    const { THREE } = this.#rig;
    this.#set = set;
    const count = set.vertices.length;
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(new Float32Array(3 * count), 3).setUsage(THREE.DynamicDrawUsage));
    const tint = new Float32Array(3 * count);
    set.upper.forEach((upper, i) => tint.set(colours[upper], 3 * i));
    geometry.setAttribute("tint", new THREE.BufferAttribute(tint, 3));
    this.mesh.geometry.dispose();
    this.mesh.geometry = geometry;
    this.#changed = true;
  }

  turn() {
    return false; // the cloud shows the face's own motion
  }

  pose(weights) {
    let i = 0;
    while (i < weights.length && weights[i] === this.#weights[i]) i++;
    if (i === weights.length) return false;
    this.#weights.set(weights);
    this.#changed = true;
    return true;
  }

  prepare(level, pixels) {
    if (!this.#neutral || !this.#set) return;
    const few = this.#set.vertices.length < 200;
    this.mesh.material.uniforms.size.value = (few ? 4.2 : 1.8) * 0.5 * pixels;
    if (!this.#changed) return;
    this.#changed = false;
    move(this.#rig.motion, this.#weights, this.#neutral, this.#vertices);
    const position = this.mesh.geometry.attributes.position;
    this.#set.vertices.forEach((vertex, i) => {
      for (let axis = 0; axis < 3; axis++) position.array[3 * i + axis] = this.#vertices[3 * vertex + axis];
    });
    position.needsUpdate = true;
  }

  dispose() {
    this.mesh.geometry.dispose();
    this.mesh.material.dispose();
    this.mesh.removeFromParent();
  }
}

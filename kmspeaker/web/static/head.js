// One talking head: a neutral face, 52 sparse shapes, a smoothed surface, normals right in every pose.
// Shapes are added on the CPU: a pose moves a few thousand vertices, which costs less than a morph
// texture on weak hardware and gives true normals, where blended normals would shade lips wrongly.

export class Head {
  #basis;
  #neutral;
  #shares; // of each entry of the subdivision, as fractions
  #vertices; // (V, 3) of the current pose
  #normals; // (V, 3), as long as the faces around are large
  #fine; // (F, 3), scratch for one or the other on the surface that is drawn
  #shown = null; // weights of the current pose
  #detailed = true;
  #indices; // triangles of the rig's own surface and of the fine one

  constructor(THREE, basis, materials) {
    this.#basis = basis;
    const { renderSource, uv, surface, rows, shares, vertexCount } = basis;
    this.#shares = Float32Array.from(shares, (share) => share / 65535);
    this.#vertices = new Float32Array(vertexCount * 3);
    this.#normals = new Float32Array(vertexCount * 3);
    this.#fine = new Float32Array((rows.length - 1) * 3);

    this.geometry = new THREE.BufferGeometry();
    const dynamic = (size) =>
      new THREE.BufferAttribute(new Float32Array(renderSource.length * size), size).setUsage(
        THREE.DynamicDrawUsage,
      );
    this.geometry.setAttribute("position", dynamic(3));
    this.geometry.setAttribute("normal", dynamic(3));
    this.geometry.setAttribute("uv", new THREE.BufferAttribute(uv, 2));
    this.geometry.setAttribute("surface", new THREE.BufferAttribute(surface, 4, true));
    this.mesh = new THREE.Mesh(this.geometry, materials);
    this.mesh.frustumCulled = false;
    this.#indices = [basis.coarseTriangles, basis.triangles].map((t) => new THREE.BufferAttribute(t, 1));
    this.#index();
  }

  /** Whether the fine surface is drawn, or the rig's own with a quarter of the triangles. */
  set detailed(detailed) {
    if (detailed === this.#detailed) return;
    this.#detailed = detailed;
    this.#index();
    const weights = this.#shown;
    this.#shown = null;
    if (weights) this.pose(weights);
  }

  #index() {
    this.geometry.setIndex(this.#indices[Number(this.#detailed)]);
    this.geometry.clearGroups();
    const pieces = this.#detailed ? 4 : 1;
    for (const { part, start, count } of this.#basis.groups) {
      this.geometry.addGroup(start * pieces, count * pieces, part === "lashes" ? 1 : 0);
    }
  }

  /** Another person's face on the same shapes; the pose stays. */
  set neutral(neutral) {
    this.#neutral = neutral;
    const weights = this.#shown ?? new Float32Array(this.#basis.names.length);
    this.#shown = null;
    this.pose(weights);
  }

  /** Move to ARKit weights in [0, 1]; returns whether anything moved. */
  pose(weights) {
    if (!this.#neutral || (this.#shown && weights.every((w, i) => w === this.#shown[i]))) return false;
    this.#shown = Float32Array.from(weights);
    this.#addShapes(weights);
    this.#computeNormals();
    this.#draw(this.#vertices, this.geometry.attributes.position);
    this.#draw(this.#normals, this.geometry.attributes.normal);
    return true;
  }

  #addShapes(weights) {
    const { starts, scales, indices, deltas } = this.#basis;
    const vertices = this.#vertices;
    vertices.set(this.#neutral);
    for (let shape = 0; shape < weights.length; shape++) {
      if (weights[shape] < 1e-4) continue;
      const amount = weights[shape] * scales[shape];
      for (let i = starts[shape]; i < starts[shape + 1]; i++) {
        const vertex = indices[i] * 3;
        vertices[vertex] += amount * deltas[i * 3];
        vertices[vertex + 1] += amount * deltas[i * 3 + 1];
        vertices[vertex + 2] += amount * deltas[i * 3 + 2];
      }
    }
  }

  #computeNormals() {
    const { faces } = this.#basis;
    const p = this.#vertices;
    const n = this.#normals.fill(0);
    for (let i = 0; i < faces.length; i += 3) {
      const a = faces[i] * 3, b = faces[i + 1] * 3, c = faces[i + 2] * 3;
      const ux = p[b] - p[a], uy = p[b + 1] - p[a + 1], uz = p[b + 2] - p[a + 2];
      const vx = p[c] - p[a], vy = p[c + 1] - p[a + 1], vz = p[c + 2] - p[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      n[a] += x; n[a + 1] += y; n[a + 2] += z;
      n[b] += x; n[b + 1] += y; n[b + 2] += z;
      n[c] += x; n[c + 1] += y; n[c + 2] += z;
    }
    for (let i = 0; i < n.length; i += 3) {
      const length = Math.sqrt(n[i] * n[i] + n[i + 1] * n[i + 1] + n[i + 2] * n[i + 2]) || 1;
      n[i] /= length; n[i + 1] /= length; n[i + 2] /= length;
    }
  }

  /** One step of subdivision (each fine vertex is a mean of a few), then a copy to each side of a seam.
   * The rig's own vertices come first among the fine ones: without detail it stops after them. */
  #draw(values, attribute) {
    const { rows, columns, renderSource, vertexCount, coarseRenderCount } = this.#basis;
    const rowCount = this.#detailed ? rows.length - 1 : vertexCount;
    const renderCount = this.#detailed ? renderSource.length : coarseRenderCount;
    const shares = this.#shares;
    const fine = this.#fine;
    for (let row = 0, i = 0; row < rowCount; row++) {
      let x = 0, y = 0, z = 0;
      for (const end = rows[row + 1]; i < end; i++) {
        const share = shares[i];
        const column = columns[i] * 3;
        x += share * values[column]; y += share * values[column + 1]; z += share * values[column + 2];
      }
      fine[row * 3] = x; fine[row * 3 + 1] = y; fine[row * 3 + 2] = z;
    }
    const target = attribute.array;
    for (let i = 0; i < renderCount; i++) {
      const from = renderSource[i] * 3;
      target[i * 3] = fine[from];
      target[i * 3 + 1] = fine[from + 1];
      target[i * 3 + 2] = fine[from + 2];
    }
    attribute.needsUpdate = true;
  }
}

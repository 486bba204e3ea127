// A head of another mesh (a visitor's GLB, decoded on the server) as a rig of its own: one surface, drawn
// whole at every level.

export class OwnRig {
  #shared;
  #levels = new Map();

  /** `rig` is the program's own, `body` what `viewer.write_body` packed. */
  constructor(rig, body) {
    const { THREE } = rig;
    this.THREE = THREE;
    this.names = rig.names;
    this.pivot = rig.pivot;
    this.software = rig.software;
    const { source, triangles, skin, oneSided } = body;
    this.#shared = {
      source,
      uv: new THREE.BufferAttribute(body.uv, 2),
      surface: new THREE.BufferAttribute(body.surface, 4, true),
      index: new THREE.BufferAttribute(triangles, 1),
      groups: [
        { start: 0, count: oneSided, material: 0 },
        { start: oneSided, count: triangles.length - oneSided, material: 1 },
      ],
      vertexCount: body.neutral.length / 3,
      faces: triangles.map((corner) => source[corner]),
      skin,
      motion: { shapes: body, lids: [] },
      folds: [],
      ownOf: (neutral) => neutral,
    };
  }

  level(name) {
    const rough = this.software && name !== "fine"; // lit at its vertices
    if (!this.#levels.has(rough)) this.#levels.set(rough, { ...this.#shared, rough });
    return this.#levels.get(rough);
  }
}

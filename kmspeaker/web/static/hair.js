// What a head wears: strips with a picture that turn with it and stand still else. Whoever wears none has an
// empty mesh.

const LIFT = 1.02; // of few triangles, so that the scalp between their corners stays under them

export class Hair {
  #THREE;
  #materials;
  #triangles = { all: 0, thin: 0 };

  constructor(THREE, materials) {
    this.#THREE = THREE;
    this.#materials = materials;
    this.mesh = new THREE.Mesh(new THREE.BufferGeometry(), materials.fine);
    this.mesh.frustumCulled = false;
    this.mesh.renderOrder = 1; // after the head, or it would shine through where the bust fades
    this.mesh.visible = false;
  }

  set picture(picture) {
    this.#materials.uniforms.colours.value = picture;
  }

  /** Whose it is: what `viewer.write_identity` packed. */
  set person({ hairPlaces, hairNormals, hairUv, hairSurface, hairTriangles, hairThin, tint }) {
    const { BufferAttribute, BufferGeometry } = this.#THREE;
    this.mesh.geometry.dispose();
    const geometry = (this.mesh.geometry = new BufferGeometry());
    this.mesh.visible = Boolean(hairPlaces);
    if (!hairPlaces) return;
    geometry.setAttribute("position", new BufferAttribute(hairPlaces, 3));
    geometry.setAttribute("normal", new BufferAttribute(hairNormals, 3, true));
    geometry.setAttribute("uv", new BufferAttribute(hairUv, 2, true));
    geometry.setAttribute("surface", new BufferAttribute(hairSurface, 4, true));
    geometry.setIndex([...hairTriangles, ...hairThin]);
    this.#triangles = { all: hairTriangles.length, thin: hairThin.length };
    this.#materials.uniforms.tint.value.fromArray(tint);
  }

  /** Look as the head does: `fine` hair has all of its triangles. */
  prepare(look, fine) {
    const { all, thin } = this.#triangles;
    this.mesh.material = this.#materials[look];
    if (fine) this.mesh.geometry.setDrawRange(0, all);
    else this.mesh.geometry.setDrawRange(all, thin);
    this.mesh.scale.setScalar(fine ? 1 : LIFT);
    this.mesh.updateMatrixWorld();
  }

  dispose() {
    const { fine, rough, apart } = this.#materials;
    for (const material of [fine, rough, apart]) material.dispose();
    this.mesh.geometry.dispose();
  }
}

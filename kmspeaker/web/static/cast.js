// Who may stand on the stage: for each head of the catalogue its motion, and on demand its body.

import { fetchArrays } from "./arrays.js";
import { fileUrl } from "./files.js";
import { Head } from "./head.js";
import { Cloud } from "./points.js";
import { skin } from "./skin.js";

export class Cast {
  #actors = new Map();
  #textures = new Map(); // by identity, as promises

  /** `anisotropy` is how many samples a slanted texture may cost. */
  constructor(THREE, rig, identities, anisotropy) {
    this.anisotropy = anisotropy;
    this.THREE = THREE;
    this.rig = rig;
    this.identities = identities;
  }

  /** The head `key` in the body of `identity`, moving as `motion` (a file's name, or null) says. */
  async actor(key, { identity, motion, cloud = false, repeats = false }) {
    const [track, neutral, texture] = await Promise.all([
      motion ? fetchArrays(fileUrl(motion)) : null,
      this.#neutral(identity),
      cloud ? null : this.#texture(identity),
    ]);
    let actor = this.#actors.get(key);
    if (!actor) {
      const head = cloud ? new Cloud(this.rig) : new Head(this.rig, skin(this.THREE));
      actor = { key, head, cloud, neutral: null, track: null };
      this.#actors.set(key, actor);
    }
    if (actor.neutral !== neutral) {
      actor.neutral = neutral;
      actor.head.neutral = neutral;
      if (!cloud) actor.head.texture = texture;
    }
    return Object.assign(actor, { track, repeats });
  }

  /** Forget all but `keys`. */
  keep(keys) {
    for (const [key, { head }] of this.#actors) {
      if (keys.includes(key)) continue;
      head.dispose();
      this.#actors.delete(key);
    }
  }

  async #neutral(identity) {
    return (await fetchArrays(fileUrl(this.identities[identity].neutral))).neutral;
  }

  #texture(identity) {
    if (!this.#textures.has(identity)) {
      const promise = this.#loadTexture(fileUrl(this.identities[identity].texture));
      promise.catch(() => this.#textures.delete(identity));
      this.#textures.set(identity, promise);
    }
    return this.#textures.get(identity);
  }

  async #loadTexture(url) {
    const image = new Image();
    image.src = url;
    await image.decode();
    const texture = new this.THREE.Texture(image);
    texture.anisotropy = this.anisotropy;
    if (this.anisotropy === 1) texture.minFilter = this.THREE.LinearMipmapNearestFilter;
    texture.needsUpdate = true;
    return texture;
  }
}

// Who may stand on the stage: for each head of the catalogue its motion, and on demand its body.

import { fetchArrays } from "./arrays.js";
import { fileUrl } from "./files.js";
import { Head } from "./head.js";
import { skin } from "./skin.js";

export class Cast {
  #actors = new Map();
  #textures = new Map(); // by identity, as promises

  constructor(THREE, rig, identities) {
    this.THREE = THREE;
    this.rig = rig;
    this.identities = identities;
  }

  /** The head `key` in the body of `identity`, moving as `motion` (a file's name, or null) says. */
  async actor(key, identity, motion) {
    const [track, neutral, texture] = await Promise.all([
      motion ? fetchArrays(fileUrl(motion)) : null,
      this.#neutral(identity),
      this.#texture(identity),
    ]);
    let actor = this.#actors.get(key);
    if (!actor) {
      actor = { key, head: new Head(this.rig, skin(this.THREE)), identity: null, track: null };
      this.#actors.set(key, actor);
    }
    if (actor.identity !== identity) {
      actor.identity = identity;
      actor.head.neutral = neutral;
      actor.head.texture = texture;
    }
    actor.track = track;
    return actor;
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
    texture.anisotropy = 4;
    texture.needsUpdate = true;
    return texture;
  }
}

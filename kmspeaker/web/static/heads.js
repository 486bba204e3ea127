// Who may stand on the stage: for each head of the catalogue its motion, and on demand its body.

import { fetchArrays } from "./arrays.js";
import { fileUrl } from "./files.js";
import { Head } from "./head.js";
import { OwnRig } from "./own_rig.js";
import { Cloud } from "./points.js";
import { skin } from "./skin.js";

/** Put a visitor's own heads among the identities, instead of those they had before. */
export function setOwnHeads(identities, own) {
  for (const name of Object.keys(identities)) if (name.startsWith("own-")) delete identities[name];
  Object.assign(identities, own);
}

export class Heads {
  #actors = new Map();
  #textures = new Map(); // by identity, as promises
  #rigs = new Map(); // of heads of other meshes, by their file

  /** `anisotropy` is how many samples a slanted texture may cost. */
  constructor(THREE, rig, identities, anisotropy) {
    this.anisotropy = anisotropy;
    this.THREE = THREE;
    this.rig = rig;
    this.identities = identities;
  }

  /** The head `key` in the body of `identity`, moving as `motion` (a file's name, or null) says. */
  async actor(key, { identity, motion, cloud = false, repeats = false }) {
    const [track, body, texture] = await Promise.all([
      motion ? fetchArrays(fileUrl(motion)) : null,
      this.#body(identity, cloud),
      cloud ? null : this.#texture(identity),
    ]);
    const { rig, neutral } = body;
    let actor = this.#actors.get(key);
    if (actor && actor.rig !== rig) {
      actor.head.dispose();
      actor = null;
    }
    if (!actor) {
      const head = cloud ? new Cloud(rig) : new Head(rig, skin(this.THREE));
      actor = { key, head, cloud, rig, neutral: null, track: null };
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

  /** Whose shapes move, and the face at rest. Keypoints are the program's own, whoever wears the take. */
  async #body(identity, cloud) {
    const { body } = this.identities[identity];
    if (body && !cloud) {
      if (!this.#rigs.has(body)) this.#rigs.set(body, new OwnRig(this.rig, await fetchArrays(fileUrl(body))));
      const rig = this.#rigs.get(body);
      return { rig, neutral: rig.neutral };
    }
    const program = body ? Object.values(this.identities)[0] : this.identities[identity];
    return { rig: this.rig, neutral: (await fetchArrays(fileUrl(program.neutral))).neutral };
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

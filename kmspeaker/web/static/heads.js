// Who may stand on the stage: for each head of the catalogue its motion, and on demand its body.

import { fetchArrays } from "./arrays.js";
import { fileUrl } from "./files.js";
import { Head } from "./head.js";
import { OwnRig } from "./own_rig.js";
import { Cloud } from "./points.js";
import { PHONE } from "./device.js";
import { hair, skin } from "./skin.js";

/** Put a visitor's own heads among the identities, instead of those they had before. */
export function setOwnHeads(identities, own) {
  for (const name of Object.keys(identities)) if (name.startsWith("own-")) delete identities[name];
  Object.assign(identities, own);
}

export class Heads {
  #actors = new Map();
  #textures = new Map(); // by file, as promises
  #rigs = new Map(); // of heads of other meshes, by their file

  /** `wrinkles` is the picture of the skin's lines, `anisotropy` how many samples a slanted texture may cost. */
  constructor(THREE, rig, { identities, wrinkles }, anisotropy) {
    this.anisotropy = anisotropy;
    this.THREE = THREE;
    this.rig = rig;
    this.identities = identities;
    this.wrinkles = wrinkles;
  }

  /** The head `key` in the body of `identity`, moving as `motion` (a file's name, or null) says. */
  async actor(key, { identity, motion, cloud = false, repeats = false }) {
    const [track, { rig, person }, pictures] = await Promise.all([
      motion ? fetchArrays(fileUrl(motion)) : null,
      this.#body(identity, cloud),
      cloud ? null : this.#pictures(identity),
    ]);
    let actor = this.#actors.get(key);
    if (actor && actor.rig !== rig) {
      actor.head.dispose();
      actor = null;
    }
    if (!actor) {
      const head = cloud ? new Cloud(rig) : new Head(rig, skin(this.THREE), hair(this.THREE));
      actor = { key, head, cloud, rig, person: null, track: null };
      this.#actors.set(key, actor);
    }
    if (actor.person !== person) {
      actor.person = person;
      actor.head.person = person;
      if (!cloud) actor.head.pictures = pictures;
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

  /** Whose shapes move, and who wears them. Keypoints are the program's own, whoever wears the take. */
  async #body(identity, cloud) {
    const { body } = this.identities[identity];
    if (body && !cloud) {
      const person = await fetchArrays(fileUrl(body));
      if (!this.#rigs.has(body)) this.#rigs.set(body, new OwnRig(this.rig, person));
      return { rig: this.#rigs.get(body), person };
    }
    const program = body ? Object.values(this.identities)[0] : this.identities[identity];
    return { rig: this.rig, person: await fetchArrays(fileUrl(program.neutral)) };
  }

  async #pictures(identity) {
    const { texture, small, hair, body } = this.identities[identity];
    const wrinkles = PHONE || body ? null : this.wrinkles;
    const files = [(PHONE && small) || texture, wrinkles, hair];
    const [skinPicture, wrinklePicture, hairPicture] = await Promise.all(files.map((file) => file && this.#texture(file)));
    return { skin: skinPicture, wrinkles: wrinklePicture, hair: hairPicture };
  }

  #texture(file) {
    if (!this.#textures.has(file)) {
      const promise = this.#loadTexture(fileUrl(file));
      promise.catch(() => this.#textures.delete(file));
      this.#textures.set(file, promise);
    }
    return this.#textures.get(file);
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

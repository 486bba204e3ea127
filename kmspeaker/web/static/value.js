// The component's value as the stage uses it.
//
// {heads: [{key, label, detail, identity, motion, sound, repeats}], shown: [keys], sound,
//  reference: {data, video, repeats, neutral}, identities: {name: {neutral or body, texture}}}
// `motion`, `sound`, `data` and `video` name files of this visitor's own folder. The sound of the first
// head that has one is heard, else the value's. `repeats` says that what is shorter than the sound
// starts again; else its last picture stays. `neutral` are words on what was said to be the face at rest.

export const MOST_SHOWN = 12; // as in stage_value.py
export const LETTERS = "ABCDEFGHIJKL";
const NOTHING = { heads: [], shown: [], sound: null, reference: null };

/** The value with every part there. */
export function readValue(value, fallbackIdentity) {
  const { heads, shown, sound, reference } = { ...NOTHING, ...value };
  const keys = shown.filter((key) => heads.some((head) => head.key === key));
  return {
    heads: reference ? [...heads, keypoints(reference, heads, value?.identity ?? fallbackIdentity)] : heads,
    shown: keys.length ? keys.slice(0, MOST_SHOWN) : heads.slice(0, 1).map((head) => head.key),
    sound,
    reference,
    identity: value?.identity ?? heads[0]?.identity ?? fallbackIdentity, // of the head that waits
  };
}

/** The reference's keypoints in space, a head like the others for those who choose. */
function keypoints(reference, heads, identity) {
  return {
    key: "keypoints",
    label: "Keypoints",
    detail: "of the reference, in 3D",
    identity: heads.find(({ motion }) => motion === reference.data)?.identity ?? identity,
    motion: reference.data,
    repeats: reference.repeats,
    cloud: true,
  };
}

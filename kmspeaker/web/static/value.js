// The component's value as the stage uses it.
//
// {heads: [{key, label, detail, identity, motion, repeats}], shown: [keys], sound, reference: {data, video, repeats}}
// `motion`, `sound`, `data` and `video` name files of this visitor's own folder. `repeats` says that
// what is shorter than the sound starts again; else its last picture stays.

export const MOST_SHOWN = 4;
const NOTHING = { heads: [], shown: [], sound: null, reference: null };

/** The value with every part there, or of the page before takes had names: {identity, take, reference}. */
export function readValue(value, fallbackIdentity) {
  if (!value) return { ...NOTHING, identity: fallbackIdentity };
  const { heads, shown = [], sound = null, reference = null } = value.heads ? value : formerly(value);
  const known = shown.filter((key) => heads.some((head) => head.key === key));
  return {
    heads,
    shown: known.length ? known.slice(0, MOST_SHOWN) : heads.slice(0, 1).map((head) => head.key),
    sound,
    reference,
    identity: value.identity ?? heads[0]?.identity ?? fallbackIdentity, // of the head that waits
  };
}

function formerly({ identity, take, reference }) {
  const repeats = take?.use === "stylize";
  const heads = [];
  if (take) heads.push({ key: "take", label: "Result", detail: take.label, identity, motion: take.data });
  if (reference) {
    heads.push({ key: "reference", label: "Reference", detail: "tracked performance", identity, motion: reference.data, repeats });
  }
  return {
    heads,
    shown: heads.slice(0, 1).map((head) => head.key),
    sound: take?.sound ?? null,
    reference: reference && { ...reference, repeats },
  };
}

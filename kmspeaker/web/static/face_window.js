// The part of a reference's picture that shows the face: of one size throughout, steady where the head
// is, and slowly after it where it moves about.

const ROOM = 2.1; // sides of the window, of the face's: what hair and chin need
const SLACK = 0.3; // how far from the window's middle the face may be, of its size, before the window moves
const SLOW = 1.5; // seconds before and after that a moving window is averaged over
const HIGHER = 0.12; // by how much of its size the window's middle lies above the face's: there is hair
const WORTH = 0.85; // a window larger than this share of the picture, both ways, is no closer look

/** {width, height, corner(frame)} in pixels of the picture, or null where the face fills it. */
export function faceWindow({ keypoints, keypointCount, status, times, width, height }, lost) {
  if (!keypointCount || !width || !height) return null;
  const boxes = [...times].map((_, frame) => (status[frame] === lost ? null : boxOf(keypoints, keypointCount, frame)));
  const seen = boxes.filter(Boolean);
  if (!seen.length) return null;
  const sizes = seen.map(({ size }) => size).sort((a, b) => a - b);
  const size = sizes[Math.floor(0.9 * (sizes.length - 1))];
  const side = Math.min(Math.round(ROOM * size), width, height);
  if (side > WORTH * width && side > WORTH * height) return null;
  const step = (times.at(-1) - times[0]) / Math.max(1, times.length - 1);
  const reach = step > 0 ? Math.round(SLOW / step) : 0;
  const path = (axis, most) => {
    const middles = seen.map((box) => box.middle[axis]);
    const [low, high] = extremes(middles);
    const steady = high - low <= 2 * SLACK * size;
    const middle = steady ? () => (low + high) / 2 : following(boxes, axis, reach, SLACK * size);
    return (frame) => Math.min(Math.max(middle(frame) - side / 2, 0), most - side);
  };
  const [left, top] = [path(0, width), path(1, height)];
  return { width: side, height: side, corner: (frame) => [left(frame), top(frame)] };
}

function boxOf(keypoints, count, frame) {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (let i = 2 * frame * count; i < 2 * (frame + 1) * count; i++) {
    const place = keypoints[i] / 8; // eighths of a pixel
    low[i % 2] = Math.min(low[i % 2], place);
    high[i % 2] = Math.max(high[i % 2], place);
  }
  const size = Math.max(high[0] - low[0], high[1] - low[1]);
  return { middle: [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2 - HIGHER * size], size };
}

/** Smallest and largest; spreading a long film over arguments would be too many of them. */
function extremes(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
}

/** The face's middle, averaged twice over `reach` frames to both sides, `slack` from it at most; held where it is lost. */
function following(boxes, axis, reach, slack) {
  let last = boxes.find(Boolean).middle[axis];
  const middles = Float64Array.from(boxes, (box) => (last = box ? box.middle[axis] : last));
  let path = middles;
  for (let round = 0; round < 2; round++) {
    const sums = new Float64Array(path.length + 1);
    path.forEach((value, k) => (sums[k + 1] = sums[k] + value));
    path = path.map((_, k) => {
      const near = Math.min(reach, k, path.length - 1 - k); // as many on both sides: nothing lags at the ends
      return (sums[k + near + 1] - sums[k - near]) / (2 * near + 1);
    });
  }
  path = path.map((middle, k) => Math.min(Math.max(middle, middles[k] - slack), middles[k] + slack));
  return (frame) => path[Math.min(Math.max(frame, 0), path.length - 1)];
}

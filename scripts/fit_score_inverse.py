"""Learn ``assets/tracking/score_inverse.npz`` from pictures: ``fit_score_inverse.py RENDERS``.

RENDERS is what ``render_expressions.py`` wrote. Every sixth person is held out; printed is how far
off their weights are by the network, beside the prior of one measured answer a shape that
retargeting had before, and by zero.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kmspeaker.face.rig import ARKIT_NAMES, without_side
from kmspeaker.reference.score_inverse import SCORE_INVERSE, ScoreInverse

HELD_OUT = 6
HIDDEN = 96
STEPS, BATCH, RATE, DECAY = 6000, 256, 2e-3, 1e-4
REST_ERROR = 0.03
"""By which scores at rest are off, as an estimate is."""
BLUR = 0.02
"""Noise of a score."""
HAND_SET: Mapping[str, float] = {
    **{"jawOpen": 0.71, "eyeSquint": 0.65, "browDown": 0.53, "browInnerUp": 0.59},
    **{"browOuterUp": 0.7, "mouthSmile": 0.87, "mouthPucker": 0.83, "mouthUpperUp": 0.64},
    "mouthShrugLower": 0.6,
}
"""What the former prior divided a score by; all other shapes it drew to zero."""
SHOWN = (
    *("browDown", "browInnerUp", "browOuterUp", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer"),
    *("mouthSmile", "mouthFrown", "mouthUpperUp", "mouthStretch", "mouthPress", "mouthShrugLower"),
    *("mouthPucker", "mouthFunnel", "jawOpen"),
)


@dataclass(frozen=True)
class Renders:
    """Changes of scores from each person's rest, and the weights behind them."""

    change: np.ndarray  # (n, 52)
    weights: np.ndarray  # (n, 52)
    held_out: np.ndarray  # (n,)


class Network(nn.Module):
    """What ``score_inverse.Perceptron`` computes, to be learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(52, HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.third = nn.Linear(HIDDEN, 52, bias=False)
        self.straight = nn.Linear(52, 52, bias=False)
        nn.init.zeros_(self.straight.weight)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """(n, 52), zeros for zeros."""
        return self._raw(given) - self._raw(torch.zeros(1, 52))

    def _raw(self, given: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.second(torch.tanh(self.first(given))))
        return self.third(hidden) + self.straight(given)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """As ``ScoreInverse.load`` reads them."""
        tensors = {
            "first": self.first.weight.T,
            "first_bias": self.first.bias,
            "second": self.second.weight.T,
            "second_bias": self.second.bias,
            "third": self.third.weight.T,
            "straight": self.straight.weight.T,
        }
        return {
            f"{name}_{key}": value.detach().numpy().astype(np.float16)
            for key, value in tensors.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Learn what makes our head be scored so.")
    parser.add_argument("renders", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=SCORE_INVERSE)
    options = parser.parse_args()
    renders = read(options.renders)
    own = ~renders.held_out
    change, weights = (torch.tensor(v[own]) for v in (renders.change, renders.weights))
    guess = fit(change, weights, noise=(REST_ERROR, BLUR))
    answer = fit(weights, change, noise=(0.0, 0.0))
    np.savez_compressed(
        options.output, allow_pickle=False, **guess.arrays("guess"), **answer.arrays("answer")
    )
    print_errors(renders, ScoreInverse.load(options.output))


def read(path: Path) -> Renders:
    """Pictures of expressions, relative to the same person's pictures at rest."""
    with np.load(path, allow_pickle=False) as file:
        person, at_rest, scores = file["person"], file["at_rest"], file["scores"]
        weights = file["weights"]
    change = np.zeros_like(scores)
    for one in np.unique(person):
        own = person == one
        change[own] = scores[own] - np.median(scores[own & at_rest], axis=0)
    shown = ~at_rest
    return Renders(change[shown], weights[shown], (person % HELD_OUT == 0)[shown])


def fit(given: torch.Tensor, wanted: torch.Tensor, noise: tuple[float, float]) -> Network:
    """A network from one to the other; noise is of each input that moves at all."""
    torch.manual_seed(0)
    rng = torch.Generator().manual_seed(0)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    moves = given.std(0) > 0.01
    spread = float(np.hypot(*noise))
    for _ in range(STEPS):
        chosen = torch.randint(len(given), (BATCH,), generator=rng)
        seen = given[chosen] + spread * moves * torch.randn(BATCH, 52, generator=rng)
        loss = nn.functional.mse_loss(network(seen), wanted[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network


def print_errors(renders: Renders, inverse: ScoreInverse) -> None:
    """Of the held-out people, shape by shape: correlation, and root mean square error."""
    out = renders.held_out
    change, weights = renders.change[out], renders.weights[out]
    change = change.astype(np.float64)
    learnt, guess = inverse.weights(change), inverse.guess(change).clip(0, 1)
    by_hand = np.zeros_like(weights)
    for k, name in enumerate(ARKIT_NAMES):
        answer = HAND_SET.get(without_side(name))
        if answer is not None:
            by_hand[:, k] = (change[:, k] / answer).clip(0, 1)
    print(f"{len(change)} pictures of people not learnt from; root mean square error, correlation")
    print(f"{'shape':16} {'learnt':>12} {'guess alone':>12} {'by hand':>12} {'zero':>6}")
    totals = np.zeros(4)
    for shape in SHOWN:
        own = [k for k, name in enumerate(ARKIT_NAMES) if without_side(name) == shape]
        truth = weights[:, own].ravel()
        cells = []
        for column, guessed in enumerate((learnt, guess, by_hand, 0 * weights)):
            found = guessed[:, own].ravel()
            error = float(np.sqrt(np.mean((found - truth) ** 2)))
            totals[column] += error / len(SHOWN)
            along = np.corrcoef(found, truth)[0, 1] if found.std() > 0 else 0.0
            cells.append(f"{error:.3f}" + (f" {along:5.2f}" if column < 3 else ""))
        print(f"{shape:16} {cells[0]:>12} {cells[1]:>12} {cells[2]:>12} {cells[3]:>6}")
    print("mean             " + "  ".join(f"{total:.3f}" for total in totals))


if __name__ == "__main__":
    main()

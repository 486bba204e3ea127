"""How many participants the next study needs.

Place in the flow: ``analysis`` calls it with the effects it has found, which are themselves
uncertain: a plan, not a promise.
"""

from scipy.stats import nct, t

ALPHA = 0.05
POWER = 0.8
EFFICIENCY = 0.955
"""Of Wilcoxon's signed rank test to the t test, normal differences (3/pi)."""
MOST = 10_000
_CERTAIN = 8.0
"""Standard errors beyond the edge of rejection at which the power is 1 to many digits."""


def t_test_power(effect: float, participants: int, alpha: float = ALPHA) -> float:
    """The power of a paired, two-sided t test.

    Args:
        effect: Mean difference over the standard deviation of differences (Cohen's d_z).
        participants: How many.
        alpha: The level.
    """
    degrees = participants - 1
    edge = float(t.ppf(1 - alpha / 2, degrees))
    shift = abs(effect) * participants**0.5
    if shift > edge + _CERTAIN:
        return 1.0  # far out scipy's noncentral t is not to be trusted
    wrong_side = float(nct.cdf(-edge, degrees, shift))  # scipy: not a number where next to nothing
    return float(nct.sf(edge, degrees, shift)) + (wrong_side if wrong_side > 0 else 0.0)


def participants_needed(
    effect: float, *, comparisons: int = 1, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """The fewest with which Wilcoxon's test finds an effect with this power.

    Args:
        effect: Cohen's d_z.
        comparisons: Made in all: the level is divided by them (Bonferroni), which is at least as
            careful as Holm.
        alpha: Level of all of them together.
        power: Wanted of this one.

    Returns:
        How many; None where even ``MOST`` would not do.
    """
    level = alpha / comparisons
    if t_test_power(effect, MOST, level) < power:
        return None
    low, high = 2, MOST
    while low < high:
        middle = (low + high) // 2
        if t_test_power(effect, middle, level) >= power:
            high = middle
        else:
            low = middle + 1
    return min(MOST, -int(-low / EFFICIENCY // 1))

"""Orders are balanced over participants, and follow from the design and a number alone."""

from collections import Counter
from itertools import pairwise, permutations

import pytest
from studies import a_design, design_of, table

from kmspeaker.errors import InputError
from kmspeaker.study.plan import Page, plan, williams


def rating_pages(pages: tuple[Page, ...]) -> list[Page]:
    return [page for page in pages if page.kind == "rating"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9])
def test_in_a_williams_design_places_and_neighbours_are_balanced(count: int):
    rows = williams(count)
    assert len(rows) == (count if count % 2 == 0 or count == 1 else 2 * count)
    for place in range(count):
        assert set(Counter(row[place] for row in rows).values()) == {len(rows) // count}
    neighbours = Counter(pair for row in rows for pair in pairwise(row))
    assert set(neighbours) == set(permutations(range(count), 2))
    assert len(set(neighbours.values())) <= 1


def test_a_plan_is_a_function_of_design_and_number():
    assert plan(a_design(), 7) == plan(a_design(), 7)
    assert plan(a_design(), 7) != plan(a_design(), 8)
    content = table()
    content["seed"] = 4
    assert plan(design_of(content), 7) != plan(a_design(), 7)
    with pytest.raises(InputError, match="numbers begin at 0"):
        plan(a_design(), -1)


def test_every_stimulus_of_every_item_stands_at_every_place_equally_often():
    design = a_design(systems=3, items=6)  # four rated conditions
    for first in (0, 4, 8):  # any four in a row
        places = Counter(
            (page.item, place, stimulus)
            for participant in range(first, first + 4)
            for page in rating_pages(plan(design, participant))
            for place, stimulus in enumerate(page.stimuli)
        )
        assert len(places) == 6 * 4 * 4
        assert set(places.values()) == {1}


def test_every_item_stands_at_every_place_equally_often():
    design = a_design(items=6)
    places = Counter(
        (place, page.item)
        for participant in range(12)
        for place, page in enumerate(rating_pages(plan(design, participant)))
    )
    assert set(places.values()) == {2}


def test_where_nobody_sees_all_items_sets_do_not_overlap_and_are_used_equally():
    design = a_design(items=50, pages=10)  # as in the paper: five sets of ten
    sets = [frozenset(page.item for page in rating_pages(plan(design, n))) for n in range(10)]
    assert sets[:5] == sets[5:]
    assert all(not one & other for k, one in enumerate(sets[:5]) for other in sets[k + 1 : 5])
    uneven = a_design(items=6, pages=4)
    seen = Counter(page.item for n in range(3) for page in rating_pages(plan(uneven, n)))
    assert set(seen.values()) == {2}


def test_single_stimuli_of_one_item_never_stand_together_and_all_come_once():
    design = a_design(kind="acr", items=5)
    for participant in range(8):
        pages = rating_pages(plan(design, participant))
        assert len(pages) == design.rating_pages == 20
        assert len({(page.item, page.stimuli) for page in pages}) == 20
        assert all(a.item != b.item for a, b in pairwise(pages))


def test_of_a_pair_each_stands_on_each_side_for_every_second_participant():
    design = a_design(kind="pairwise", systems=2, items=4)  # three pairs, six orders of them
    flips = Counter(
        (page.item, page.rated[0], page.flipped)
        for participant in range(12)
        for page in rating_pages(plan(design, participant))
    )
    assert len(flips) == 4 * 3 * 2
    assert set(flips.values()) == {6}
    page = rating_pages(plan(design, 0))[0]
    assert set(page.rated[0].split("|")) == set(page.stimuli)


@pytest.mark.parametrize("kind", ["mushra", "acr", "pairwise"])
def test_training_comes_first_and_checks_come_where_they_are_set(kind: str):
    content = table(kind=kind, items=4)
    content["training"] = [{**content["items"][0], "name": "practice", "feedback": "Well done."}]
    low = {"mushra": 20, "acr": 2, "pairwise": 0}[kind]
    content["attention"] = [
        {"after": after, "instruction": "Here.", "low": low, "high": low} for after in (0, 2)
    ]
    kinds = [page.kind for page in plan(design_of(content), 5)]
    trained = kinds.index("check")
    assert set(kinds[:trained]) == {"training"}
    assert kinds[trained + 1 : trained + 4] == ["rating", "rating", "check"]
    assert [page.position for page in plan(design_of(content), 5)] == list(range(len(kinds)))

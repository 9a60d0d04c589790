"""The campaign with a fixed seed, for seconds: what it once found stays found."""

import pytest
from campaign import BROKEN, KINDS, PATIENCE, campaign

TORCH = ("checkpoints", "recipes")  # which take longest to start


@pytest.mark.parametrize("name", [name for name in KINDS if name not in TORCH])
def test_damaged_and_hostile_inputs_are_read_or_refused_in_a_line(name: str) -> None:
    found, _ = campaign([name], seed=0, seconds=4)[name]  # hundreds of inputs on a machine at rest
    if sum(found) < 6:
        found, _ = campaign([name], seed=0, seconds=PATIENCE, count=6)[name]
    assert found[BROKEN] == 0
    assert sum(found) > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_so_they_are_where_torch_is_needed(name: str) -> None:
    found, _ = campaign([name], seed=0, seconds=10)[name]
    assert found[BROKEN] == 0
    assert sum(found) > 5

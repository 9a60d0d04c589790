import itertools

import pytest
import torch

from wordsight.models.parseq.permutations import draw_orders, query_masks


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_orders_come_in_mirrored_pairs_and_begin_left_to_right():
    orders = draw_orders(7, 6, generator())
    assert orders.shape == (6, 9)
    assert orders[0].tolist() == list(range(9))
    assert orders[1].tolist() == [0, 8, 7, 6, 5, 4, 3, 2, 1]  # right to left, the end first
    for order, mirror in (orders[2:4], orders[4:6]):
        assert order[1:-1].tolist() == mirror[1:-1].flip(0).tolist()
        assert sorted(order.tolist()) == list(range(9))
        assert order[0] == 0
        assert order[-1] == 8


@pytest.mark.parametrize(("length", "expected"), [(0, 1), (1, 1), (2, 2), (3, 6), (4, 6)])
def test_short_words_use_every_order_at_most_once(length, expected):
    for seed in range(20):
        orders = draw_orders(length, 6, generator(seed))
        inner = [tuple(order[order.ne(0) & order.ne(length + 1)].tolist()) for order in orders]
        assert len(inner) == len(set(inner)) == expected


def test_four_letters_reach_every_order():
    seen = set()
    for seed in range(200):
        orders = draw_orders(4, 6, generator(seed))
        seen |= {tuple(order[order.ne(0) & order.ne(5)].tolist()) for order in orders}
    assert seen == set(itertools.permutations(range(1, 5)))


def test_the_same_generator_draws_the_same_orders():
    assert torch.equal(draw_orders(9, 6, generator(3)), draw_orders(9, 6, generator(3)))
    assert not torch.equal(draw_orders(9, 6, generator(3)), draw_orders(9, 6, generator(4)))


def test_masks_show_exactly_what_was_predicted_before():
    orders = draw_orders(5, 4, generator(2))
    masks = query_masks(orders)
    assert masks.shape == (4, 6, 6)
    for order, mask in zip(orders.tolist(), masks, strict=True):
        for query in range(6):  # the query of content position query + 1
            before = set(order[: order.index(query + 1)])
            assert {c for c in range(6) if mask[query, c] == 0} == before & set(range(6))
            assert all(value in (0.0, float("-inf")) for value in mask[query].tolist())


def test_left_to_right_is_the_causal_mask():
    mask = query_masks(draw_orders(4, 1, generator()))[0]
    assert torch.equal(mask == 0, torch.ones(5, 5).tril().bool())

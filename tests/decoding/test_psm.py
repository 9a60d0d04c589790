import copy

import numpy as np
import pytest
from greedy_reference import decode_one
from random_graphs import RandomGraphs, read_constrained

from wordsight.decoding import Passes, Settings, Spec, decode_psm, psm, read_psm
from wordsight.decoding.draft_verify import spelled
from wordsight.decoding.logits_constraint import log_softmax
from wordsight.text import CharCaptions, Charset, CharTokenizer, Constraint

TOKENIZER = CharTokenizer(Charset("small", "abcdefghij"))
MAX_LENGTH = 24  # above the length of the first draft
SPEC = Spec(TOKENIZER, MAX_LENGTH, CharCaptions(TOKENIZER, MAX_LENGTH))


def decode(graphs, images, **options):
    return decode_psm(graphs, images, SPEC, **options)


@pytest.fixture(scope="module", params=[-3.0, 0.0, 3.0], ids=["long", "middling", "short"])
def graphs(request):
    return RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=request.param)


@pytest.fixture(scope="module")
def images():
    return RandomGraphs.images(64)


@pytest.mark.parametrize("refine_iters", [0, 1, 2])
def test_equals_greedy_step_by_step(graphs, images, refine_iters):
    expected = [decode_one(graphs, image, SPEC, refine_iters) for image in images]
    for batch in (1, 2, 7, 64):
        for start in range(0, len(images), batch):
            found = decode(graphs, images[start : start + batch], refine_iters=refine_iters).logits
            for want, got in zip(expected[start : start + batch], found, strict=True):
                assert want.argmax(1).tolist() == got.argmax(1).tolist()
                np.testing.assert_allclose(got, want, atol=1e-4)


def test_the_cases_are_hard_enough(images):
    """What the tests above stand on: words of all lengths, empty and endless ones, captions that change."""
    lengths, captions_changed = set(), 0
    for bias in (-3.0, 0.0, 3.0):
        graphs = RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=bias)
        graphs_visual = RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=bias, cross=False)
        lengths |= {len(TOKENIZER.decode(x.argmax(1))) for x in decode(graphs, images).logits}
        before = [x.argmax(1).tolist() for x in decode(graphs_visual, images, refine_iters=0).logits]
        after = [x.argmax(1).tolist() for x in decode(graphs_visual, images, refine_iters=1).logits]
        captions_changed += sum(a != b for a, b in zip(before, after, strict=True))
    assert {0, 1, 2, MAX_LENGTH + 1} <= lengths
    assert len(lengths) >= 8
    assert captions_changed > 20


def test_a_word_does_not_depend_on_its_batch(graphs, images):
    alone = [read_psm(graphs, images[i : i + 1], SPEC)[0] for i in range(16)]
    for order in (np.arange(64), np.random.default_rng(3).permutation(64)):
        together = read_psm(graphs, images[order], SPEC)
        for i in range(16):
            reading = together[int(np.flatnonzero(order == i)[0])]
            assert reading.text == alone[i].text
            assert reading.confidence == pytest.approx(alone[i].confidence, rel=1e-4)


def test_without_cross_branch_the_refined_visual_reading_counts(images):
    graphs = RandomGraphs(TOKENIZER, MAX_LENGTH, seed=2, end_bias=1.0, cross=False)
    for refine_iters in (0, 1):
        expected = [decode_one(graphs, image, SPEC, refine_iters) for image in images[:16]]
        found = decode(graphs, images[:16], refine_iters=refine_iters)
        assert (found.passes.cross, found.passes.text) == (0, 0)
        for want, got in zip(expected, found.logits, strict=True):
            np.testing.assert_allclose(got, want, atol=1e-4)


def test_never_more_passes_than_steps(images):
    """Visual without refinement: a draft and its verification; the draft alone for an empty word."""
    graphs = RandomGraphs(TOKENIZER, 14, seed=1, cross=False, end_bias=1.0)  # one draft is enough for 14 characters
    seen = set()
    for image in images:
        decoded = decode_psm(graphs, image[None], Spec(TOKENIZER, 14), refine_iters=0)
        steps = len(decoded.logits[0])
        assert decoded.passes.visual <= max(steps, 1)
        assert (decoded.passes.visual == 1) == (steps == 1 and decoded.logits[0].argmax() == TOKENIZER.eos)
        seen.add((steps, decoded.passes.visual))
    assert len(seen) > 5


class Sure(RandomGraphs):
    """Knows its words whatever the context: what a well-trained model is like."""

    words = ("abc", "", "jihgfedc", "a")

    def _decode(self, w, tokens, kv, mask, memory_mask):
        logits = super()._decode(w, tokens, kv, mask, memory_mask) / 100
        for row, word in zip(logits, kv[:, 0, 0, 0, 0], strict=True):
            for position, i in enumerate([*TOKENIZER.ids(self.words[int(word)]), TOKENIZER.eos][: tokens.shape[1]]):
                row[position, i] += 9
        return logits

    def image(self, images):
        seen = super().image(images)
        for x in (seen.visual, seen.cross):
            x[:, 0, 0, 0, 0] = np.arange(len(images)) % len(self.words)
        return seen


def test_a_sure_model_needs_five_decoder_passes_for_a_batch():
    graphs = Sure(TOKENIZER, MAX_LENGTH)
    decoded = decode(graphs, graphs.images(8))
    # draft, verify, refine; verify, refine; one caption each
    assert decoded.passes == Passes(visual=3, cross=2, text=1)
    assert graphs.rows_seen == [8, 6, 8, 8, 8]  # the two empty words are known from the draft
    assert [r.text for r in read_psm(graphs, graphs.images(8), SPEC)] == list(Sure.words) * 2


class Drafted(RandomGraphs):
    """Its columns say `drafts`, by the row."""

    def image(self, images):
        return super().image(images)._replace(columns=self.drafts[: len(images)])


@pytest.mark.parametrize("refine_iters", [0, 1])
@pytest.mark.parametrize("kind", ["right", "random", "empty", "too long"])
def test_what_is_read_does_not_depend_on_the_draft(graphs, images, kind, refine_iters):
    expected = decode(graphs, images, refine_iters=refine_iters)
    eos, drafted = TOKENIZER.eos, copy.copy(graphs)
    drafted.__class__ = Drafted
    written = [x.argmax(1) for x in decode(graphs, images, mode="visual", refine_iters=0).logits]
    drafted.drafts = {
        "right": np.array([columns(ids, eos, 2 * MAX_LENGTH + 2) for ids in written]),
        "random": np.random.default_rng(5).integers(0, TOKENIZER.num_classes, (len(images), 12)),
        "empty": np.full((len(images), 12), eos),
        "too long": np.tile(np.array([1, 2], np.int64), (len(images), MAX_LENGTH)),
    }[kind]
    found = decode(drafted, images, refine_iters=refine_iters)
    for want, got in zip(expected.logits, found.logits, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4)
    if kind == "right":
        refinements = expected.passes.visual - decode(graphs, images, refine_iters=0).passes.visual
        assert found.passes.visual == 1 + refinements


def columns(ids, eos, width):
    """Columns that spell `ids`: a blank between any two."""
    spelled = [x for i in ids for x in (i, eos)]
    return [*spelled, *[eos] * (width - len(spelled))]


def test_what_columns_spell():
    e = TOKENIZER.eos
    given = np.array([[1, 1, e, 1, 2, 2, e], [e, e, e, e, e, e, e], [3, 4, 5, 6, 7, 8, 9]])
    assert spelled(given, 5, e).tolist() == [[1, 1, 2, e, e], [e] * 5, [3, 4, 5, 6, 7]]


def test_finished_rows_leave_the_batch():
    graphs = RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, cross=False)
    decode(graphs, graphs.images(64), refine_iters=0)
    assert graphs.rows_seen[-1] < 16
    assert all(a >= b for a, b in zip(graphs.rows_seen[2:], graphs.rows_seen[3:], strict=False))


def test_no_images():
    graphs = RandomGraphs(TOKENIZER, MAX_LENGTH)
    assert read_psm(graphs, graphs.images(0), SPEC) == []
    assert decode(graphs, graphs.images(0)).passes == Passes(0, 0, 0)


def test_adaptively_only_doubtful_words_are_spell_checked(graphs, images, monkeypatch):
    full = decode(graphs, images, mode="full").logits
    visual = decode(graphs, images, mode="visual").logits
    means = np.array([np.exp(log_softmax(x).max(axis=1).mean()) for x in visual])
    sure = float(np.median(means))
    monkeypatch.setattr(psm, "SURE", sure)
    found = decode(graphs, images, mode="adaptive")
    for mean, got, checked, unchecked in zip(means, found.logits, full, visual, strict=True):
        np.testing.assert_allclose(got, checked if mean < sure else unchecked, atol=1e-4)
    assert any(len(a) != len(b) or not np.allclose(a, b) for a, b in zip(found.logits, full, strict=True))


@pytest.mark.parametrize(("sure", "as_in"), [(0.0, "visual"), (1.1, "full")])
def test_at_its_ends_adaptive_is_visual_or_full(graphs, images, monkeypatch, sure, as_in):
    monkeypatch.setattr(psm, "SURE", sure)
    found, expected = decode(graphs, images, mode="adaptive"), decode(graphs, images, mode=as_in)
    assert found.passes == expected.passes
    for got, want in zip(found.logits, expected.logits, strict=True):
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_a_sure_model_needs_no_spell_checker():
    graphs = Sure(TOKENIZER, MAX_LENGTH)
    readings = read_psm(graphs, graphs.images(8), SPEC, Settings(mode="adaptive"))
    assert [r.text for r in readings] == list(Sure.words) * 2
    assert decode(graphs, graphs.images(8), mode="adaptive").passes == Passes(visual=3, cross=0, text=0)


def test_under_a_constraint_all_is_spell_checked(graphs, images, monkeypatch):
    monkeypatch.setattr(psm, "SURE", 0.0)
    rule = Constraint.allow("abc", TOKENIZER)
    full = read_constrained(graphs, images, SPEC, rule, mode="full")
    visual = read_constrained(graphs, images, SPEC, rule, mode="visual")
    adaptive = read_constrained(graphs, images, SPEC, rule, mode="adaptive")
    free = [r.text for r in read_psm(graphs, images, SPEC, Settings(mode="visual"))]
    bound = [i for i, text in enumerate(free) if set(text) - set("abc")]
    assert [adaptive[i].text for i in bound] == [full[i].text for i in bound]
    assert [full[i].text for i in bound] != [visual[i].text for i in bound]

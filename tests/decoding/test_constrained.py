import itertools

import numpy as np
import pytest
from greedy_reference import decode_one
from random_graphs import RandomGraphs, read_constrained

from wordsight.decoding import Spec, read_psm
from wordsight.decoding.logits_constraint import LogitsConstraint
from wordsight.decoding.psm import decode_seen
from wordsight.errors import ConfigError
from wordsight.text import CharCaptions, Charset, CharTokenizer, Constraint

TOKENIZER = CharTokenizer(Charset("small", "abcdefghij"))
MAX_LENGTH = 20
SPEC = Spec(TOKENIZER, MAX_LENGTH, CharCaptions(TOKENIZER, MAX_LENGTH))
WORDS = ["abba", "jig", "head", "cafe", "face", "faced", "bee", "decade"]
CONSTRAINTS = {
    "allow": Constraint.allow("aceg", TOKENIZER),
    "pattern": Constraint.pattern("[a-d]{2}(ee|ff)*[hij]{1,3}", TOKENIZER),
    "lexicon": Constraint.lexicon(WORDS, TOKENIZER),
}


@pytest.fixture(scope="module", params=[-3.0, 0.0, 3.0], ids=["long", "middling", "short"])
def graphs(request):
    return RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=request.param)


@pytest.fixture(params=list(CONSTRAINTS))
def constraint(request):
    return CONSTRAINTS[request.param]


@pytest.mark.parametrize("mode", ["full", "visual", "parallel"])
@pytest.mark.parametrize("refine_iters", [0, 1])
def test_what_is_read_is_allowed(graphs, constraint, mode, refine_iters):
    readings = read_constrained(graphs, graphs.images(24), SPEC, constraint, mode=mode, refine_iters=refine_iters)
    assert all(constraint.accepts(TOKENIZER.ids(r.text)) for r in readings)
    assert all(0 < r.confidence <= 1 for r in readings)
    if constraint is not CONSTRAINTS["allow"]:  # there, random logits give up least by ending at once
        assert len({r.text for r in readings}) > 1


def test_what_was_allowed_anyway_is_read_as_without_a_constraint(graphs):
    images = graphs.images(24)
    free = read_psm(graphs, images, SPEC)
    everything = Constraint.pattern(".{0,21}", TOKENIZER)
    assert read_constrained(graphs, images, SPEC, everything) == free


class RuledOut(RandomGraphs):
    """Greedy's step-by-step reference, told of a rule the slow way: at each step from the characters so far."""

    constraint: Constraint

    def _decode(self, w, tokens, kv, mask, memory_mask):
        logits = super()._decode(w, tokens, kv, mask, memory_mask)
        for row, context in zip(logits, tokens, strict=True):
            state, steps = 0, len(context)
            for i in range(steps):
                if i:
                    if context[i] not in self.constraint.steps[state]:
                        break
                    state = self.constraint.steps[state][context[i]]
                allowed = self.constraint.choices(state, MAX_LENGTH - i, TOKENIZER.eos)
                row[i, [k for k in range(TOKENIZER.num_classes) if k not in allowed]] = -1e9
        return logits


@pytest.mark.parametrize("end_bias", [-3.0, 0.0, 3.0])
def test_equals_constrained_greedy_step_by_step(end_bias, constraint):
    graphs = RandomGraphs(TOKENIZER, MAX_LENGTH, seed=1, end_bias=end_bias)
    slow = RuledOut(TOKENIZER, MAX_LENGTH, seed=1, end_bias=end_bias)
    slow.constraint = constraint
    images = graphs.images(24)
    rule = LogitsConstraint(constraint, TOKENIZER.eos, MAX_LENGTH)
    found = decode_seen(graphs, graphs.image(images), SPEC, mode="full", refine_iters=0, allowed=rule).logits
    for image, got in zip(images, found, strict=True):
        want = decode_one(slow, image, SPEC, 0)
        assert want.argmax(1).tolist() == got.argmax(1).tolist()


def test_positions_that_are_read_at_once_become_the_allowed_text_that_gives_up_least():
    rng = np.random.default_rng(0)
    rule = LogitsConstraint(CONSTRAINTS["lexicon"], TOKENIZER.eos, MAX_LENGTH)
    short = LogitsConstraint(Constraint.pattern("[a-c]{1,3}", TOKENIZER), TOKENIZER.eos, MAX_LENGTH)
    triples = ["".join(t) for n in (1, 2, 3) for t in itertools.product("abc", repeat=n)]
    for one, texts in ((rule, WORDS), (short, triples)):
        for _ in range(40):
            logits = rng.normal(size=(1, 8, TOKENIZER.num_classes)).astype(np.float32) * 3
            scores = logits[0] - logits[0].max(1, keepdims=True)
            best = max(texts, key=lambda t: sum(scores[i, k] for i, k in enumerate([*TOKENIZER.ids(t), 0])))
            assert TOKENIZER.decode(one.jointly(logits)[0].argmax(1)) == best


def test_a_word_does_not_depend_on_its_batch(graphs, constraint):
    images = graphs.images(12)
    together = read_constrained(graphs, images, SPEC, constraint)
    for i in range(12):
        alone = read_constrained(graphs, images[i : i + 1], SPEC, constraint)[0]
        assert (alone.text, alone.outside) == (together[i].text, together[i].outside)


class Says(RandomGraphs):
    """Sees one word, and is sure of it to some degree."""

    def __init__(self, word, sure):
        super().__init__(TOKENIZER, MAX_LENGTH, seed=1, cross=False)
        self.word, self.sure = word, sure

    def _decode(self, w, tokens, kv, mask, memory_mask):
        logits = super()._decode(w, tokens, kv, mask, memory_mask) / 100
        for position, i in enumerate([*TOKENIZER.ids(self.word), TOKENIZER.eos][: tokens.shape[1]]):
            logits[:, position, i] += self.sure
        return logits


def test_outside_says_that_something_else_is_written():
    lexicon = CONSTRAINTS["lexicon"]
    (inside,) = read_constrained(Says("cafe", 9), RandomGraphs.images(1), SPEC, lexicon)
    (blurred,) = read_constrained(Says("cade", 4), RandomGraphs.images(1), SPEC, lexicon)
    (other,) = read_constrained(Says("bhig", 9), RandomGraphs.images(1), SPEC, lexicon)
    assert (inside.text, inside.outside) == ("cafe", False)
    assert (blurred.text, blurred.outside) == ("cafe", False)  # one letter that was not sure
    assert other.outside
    assert other.text in WORDS


def test_no_images_and_no_room():
    graphs = RandomGraphs(TOKENIZER, MAX_LENGTH)
    assert read_constrained(graphs, graphs.images(0), SPEC, CONSTRAINTS["allow"]) == []
    with pytest.raises(ConfigError, match="21 characters or more, this model writes 20"):
        read_constrained(graphs, graphs.images(1), SPEC, Constraint.pattern("a{21}", TOKENIZER))

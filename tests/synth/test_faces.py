"""Which letters faces draw, which are kept for tests, and who is picked for a text."""

import pickle
import random
import string
from dataclasses import replace
from pathlib import Path

import pytest

from wordsight.synth.faces import FontBook, held_out, select_faces
from wordsight.synth.fonts import LETTERS, Face, font_index, ink, open_font


@pytest.fixture(scope="module")
def faces(few_fonts: Path) -> tuple[Face, ...]:
    return font_index([few_fonts])


def test_faces_draw_the_letters_they_claim(faces: tuple[Face, ...], few_fonts: Path) -> None:
    assert font_index([few_fonts]) == faces
    claimed = 0
    for face in faces:
        font = open_font(face)
        bare = {c: ink(font, c)[0] for c in "Ee"}
        for letter, base in (("É", "E"), ("é", "e"), ("ế", "e")):
            if letter in face.characters:
                mask, plain = ink(font, letter)[0], bare[base]
                assert mask is not None and plain is not None  # noqa: PT018 for the types
                assert mask.shape[0] >= plain.shape[0]
                assert mask.shape != plain.shape or (mask != plain).any()
                claimed += 1
    assert claimed > 0


def test_a_face_without_a_letter_does_not_claim_it(faces: tuple[Face, ...]) -> None:
    assert not any("\u0378" in face.characters for face in faces)
    assert all(set(face.characters) & set(LETTERS) <= set(LETTERS) for face in faces)
    assert all(len(set(face.characters)) == len(face.characters) for face in faces)


def _face(family: str, characters: str = "AB", score: float = 1.0, mono: bool = False) -> Face:
    return Face("", 32, characters, 0, score, family, mono)


def test_look_alikes_are_on_one_side() -> None:
    for alike in (("nimbussans", "texgyreheros", "liberationsans", "freesans"), ("lato", "carlito"), ("rasa", "yrsa")):
        assert len({held_out(_face(family)) for family in alike}) == 1
    sides = [held_out(_face(f"family{k:04d}"[::-1])) for k in range(1000)]
    assert 100 < sum(sides) < 240  # a sixth


def test_kept_faces_are_the_ones_asked_for() -> None:
    faces = [_face(f"{k:04d}family") for k in range(100)]
    test, train = select_faces(faces, True), select_faces(faces, False)
    assert {*test} | {*train} == {*faces}
    assert not {*test} & {*train}
    assert select_faces(faces, None) == tuple(faces)
    assert select_faces([replace(faces[0], family=train[0].family)], True)  # better one of the others than none


def test_faces_are_picked_by_what_they_draw() -> None:
    letters = "aegikltIL0189.:-"
    faces = [_face("a", letters), _face("b", letters + "é"), _face("c", letters, mono=True), _face("d", "é", 0.3)]
    book = FontBook(faces)
    rng = random.Random(1)
    assert {book.pick(rng, "ég", "plain") for _ in range(50)} == {1}
    assert {book.pick(rng, "ag 1", "mono") for _ in range(50)} == {2}
    assert {book.pick(rng, "ag", "plain") for _ in range(50)} == {0, 1, 2}
    assert {book.pick(rng, "é", "mono") for _ in range(50)} == {1, 3}  # rather another face than none
    assert book.pick(rng, "ß", "any") is None
    assert book.able("é") == 0b1010


def test_few_glyphs_are_remembered_and_none_are_pickled(
    faces: tuple[Face, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wordsight.synth.faces._GLYPH_CACHE_BYTES", 5000)
    book = FontBook(faces)
    number = book.pick(random.Random(0), string.ascii_letters)
    assert number is not None
    before = [book.glyph(number, c).advance for c in string.ascii_letters]
    assert len(book._glyphs) < 10
    assert [book.glyph(number, c).advance for c in string.ascii_letters] == before
    assert not pickle.loads(pickle.dumps(book))._glyphs

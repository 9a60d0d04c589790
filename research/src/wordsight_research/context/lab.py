"""What trainings share: words, scene encoders and their tokens, stage one. What takes long is kept on disk."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from wordsight.data import open_source
from wordsight.data.labels import rejection
from wordsight.errors import ConfigError
from wordsight.evaluate import Protocol
from wordsight.evaluate.wordset import WordSet
from wordsight.models import checkpoint
from wordsight.models.clip4str import Clip4Str
from wordsight.models.clipter import ClipterConfig
from wordsight.models.clipter.backbones import Encoder
from wordsight.models.clipter.encoders import load_encoder
from wordsight.models.clipter.scene import SceneEncoder, untrained
from wordsight.models.peft.files import fingerprint
from wordsight.synth.vocabulary import load_words
from wordsight.synth.words import RenderedWords
from wordsight.text import Charset
from wordsight.train.scene_cache import SceneCache
from wordsight_research.ablations.plain import PlainWords
from wordsight_research.context.arms import CLEAN, Arm
from wordsight_research.context.damage import Pixels
from wordsight_research.context.data import OWN_LETTERS, SCRIPTS, Source, Words, plain, real, rendered, training_part
from wordsight_research.context.detected import Find, detected
from wordsight_research.context.encoder import make_encoder
from wordsight_research.context.fit import Fit, fit
from wordsight_research.context.recognizers import LONGEST, new_recognizer, visual_branch
from wordsight_research.context.strata import Vocabulary
from wordsight_research.context.views import Told, View, told

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What all trainings of an experiment share.

    Attributes:
        steps: optimiser steps of the second stage.
        steps_one: of the first, in which a recognizer learns to read crops.
        batch_size: words per step.
        lr: peak learning rate of the second stage.
        lr_one: of the first.
        scene_dropout: share of words that lose their scene in training.
        train_scenes: rendered scenes to train on.
        test_scenes: rendered scenes to read.
        wear: how worn rendered words are, 0 to 1.
        loose_words: rendered words without a scene that stage one reads besides.
        encoder: scene encoder, as `wordsight.models.clipter.encoders.load_encoder` takes it; None: the rendered-scene
            encoder.
        encoder_scenes: rendered scenes that it learns from.
        encoder_steps: its optimiser steps.
        resolution: side of the square that scenes are resized to; None: the encoder's own.
        data: folder with train/NAME/scenes.jsonl, and test/NAME/scenes.jsonl of sets that have test scenes.
        folds: of real sets without.
        starts: (recognizer, checkpoint folder) pairs: trained recognizers that take the place of stage one.
        start_data: data sets and word lists that these were trained on, for those that do not carry their words.
        mixed: second stages compute in bfloat16 where that is enough.
    """

    steps: int = 1000
    steps_one: int = 2500
    batch_size: int = 32
    lr: float = 1e-3
    lr_one: float = 2e-3
    scene_dropout: float = 0.1
    train_scenes: int = 1500
    test_scenes: int = 300
    wear: float = 0.7
    loose_words: int = 6000
    encoder: str | None = None
    encoder_scenes: int = 1200
    encoder_steps: int = 1000
    resolution: int | None = None
    data: Path | None = None
    folds: int = 5
    starts: tuple[tuple[str, str], ...] = ()
    start_data: tuple[Path, ...] = ()
    mixed: bool = False


def key(*facts: Any) -> str:
    """A name that changes with the facts."""
    return sha256(json.dumps(plain(list(facts)), sort_keys=True).encode()).hexdigest()[:12]


def fusion_of(arm: Arm) -> ClipterConfig:
    """What an arm says about it.

    Raises:
        ConfigError: the arm has none.
    """
    if arm.clipter is None:
        raise ConfigError(f"{arm.name} has no fusion")
    return arm.clipter


class Laboratory:
    """Makes what is asked for once, and keeps it.

    Args:
        settings: of all trainings.
        out: folder for what takes long.
        say: told what is being done.
        find: finds words in a photograph, as polygons in its pixels; None: nobody does.
        load: finds the scene encoder that `Settings.encoder` or an arm names.
    """

    def __init__(
        self,
        settings: Settings,
        out: Path,
        say: Callable[[str], None] = log.info,
        find: Find | None = None,
        load: Callable[[str, int | None], Encoder] = load_encoder,
    ) -> None:
        self.settings = settings
        self.out = out
        self.say = say
        self.find = find
        self.load = load
        self._starts = dict(settings.starts)
        self._before: dict[str, WordSet | None] = {}
        self._charsets: dict[str, Charset] = {}
        self._found: dict[Any, Words] = {}
        self._words: dict[Any, list[tuple[Words, Words]]] = {}
        self._caches: dict[Any, SceneCache] = {}
        self._told: dict[Any, tuple[Words, Told]] = {}
        self._training: dict[Any, Words] = {}
        self._loose: dict[bool, tuple[list[Pixels], list[str]]] = {}

    def charset(self, arm: Arm) -> Charset:
        """What an arm's recognizer writes: a given one its own, a new one letters without case, and digits."""
        if arm.recognizer in self._starts:
            if arm.recognizer not in self._charsets:
                self._charsets[arm.recognizer] = checkpoint.load_recognizer(self._starts[arm.recognizer])[0].cfg.charset
            return self._charsets[arm.recognizer]
        if not arm.source.script:
            return Charset.preset("36")
        if arm.source.script == OWN_LETTERS:
            return self._own_letters(self.words(arm.source))
        letters = SCRIPTS[arm.source.script]
        return Charset(arm.source.script, letters + letters.upper())

    def _own_letters(self, pairs: Sequence[tuple[Words, Words]]) -> Charset:
        """The characters of a set's training labels that occur at least three times."""
        count = Counter(c for train, _ in pairs for label in train.labels for c in label if not c.isspace())
        return Charset("own", "".join(sorted(c for c, times in count.items() if times >= 3)))

    def words(self, source: Source, jitter: float = 0.0) -> list[tuple[Words, Words]]:
        """(training, test) words of a source, a pair for each fold; all that it has, before `training_part`.

        Raises:
            ConfigError, DataError: it is not available.
        """
        whole = replace(source, share=1.0, per_scene=None, most=None, unseen=0.0)
        place = (whole, jitter)
        if place not in self._words:
            self._words[place] = self._read(whole, jitter)
        return self._words[place]

    def _read(self, source: Source, jitter: float) -> list[tuple[Words, Words]]:
        one = self.settings
        if source.rendered:
            parts = []
            for part, count in (("train", one.train_scenes), ("test", one.test_scenes)):
                folder = self.out / "scenes" / key(asdict(source), part, count, one.wear)
                if not (folder / "scenes.jsonl").is_file():
                    self.say(f"rendering {count} scenes, dial {source.dial:g}, to {part}")
                parts.append(rendered(source, part, count, one.wear, folder, jitter if part == "test" else 0.0))
            pairs = [(parts[0], parts[1])]
        else:
            pairs = real(one.data or Path(), source.name, one.folds, jitter)
        if source.script == OWN_LETTERS:
            given = [self.charset(Arm("", source=source, recognizer=name)) for name in self._starts]
            charset = given[0] if given else self._own_letters(pairs)
            return [(train, _writable(test, charset)) for train, test in pairs]
        protocol = Protocol.named("36")
        return [(train, self._counted(test, source, protocol)) for train, test in pairs]

    def _counted(self, words: Words, source: Source, protocol: Protocol) -> Words:
        """Those that the protocol counts; other scripts have none of its characters."""
        if source.script:
            return words
        return words[[i for i, label in enumerate(words.labels) if not protocol.reject(label)]]

    def found(self, source: Source, fold: int) -> Words | None:
        """What is found in the test scenes of a source, with empty labels; None where nobody looks."""
        if self.find is None:
            return None
        scenes = list(dict.fromkeys(self.words(source)[fold][1].scenes))
        name = key([scene.digest for scene in scenes])
        if name not in self._found:
            self._found[name] = detected(scenes, self.find, self.out / "boxes" / f"{name}.json")
        return self._found[name]

    def training(self, arm: Arm, fold: int) -> Words:
        """The words of the second stage of an arm."""
        name = arm.source, fold
        if name not in self._training:
            charset = self.charset(arm)
            words = self.words(arm.source)[fold][0]
            usable = training_part(words, arm.source, lambda label: not rejection(label, charset, LONGEST))
            self._training[name] = usable
        return self._training[name]

    def encoder_name(self, arm: Arm) -> str:
        """What `load_encoder` is told; the rendered-scene encoder is made where no other is given."""
        one = self.settings
        if arm.encoder not in ("given", "random"):
            return arm.encoder
        if one.encoder is not None:
            return one.encoder
        folder = self.out / "encoder" / key(one.encoder_scenes, one.encoder_steps, one.wear)
        return str(make_encoder(folder, one.encoder_scenes, one.encoder_steps, one.wear, self.say).resolve())

    def clipter(self, arm: Arm) -> ClipterConfig:
        """What is inserted: the arm's, with the encoder that this run has."""
        name = "random" if arm.encoder == "random" else self.encoder_name(arm)
        return replace(fusion_of(arm), encoder=name, scene_dim=self.scene_encoder(arm).width)

    def _cache(self, arm: Arm) -> SceneCache:
        cfg = fusion_of(arm)
        name = (arm.encoder, cfg.kernel, cfg.keep_cls)
        if name not in self._caches:
            given = self.load(self.encoder_name(arm), self.settings.resolution)
            encoder = SceneEncoder(given, cfg.kernel, cfg.keep_cls)
            if arm.encoder == "random":
                encoder = untrained(encoder)
            self._caches[name] = SceneCache(encoder, folder=self.out / "tokens")
        return self._caches[name]

    def scene_encoder(self, arm: Arm) -> SceneEncoder:
        """The same with its pooling."""
        return self._cache(arm).encoder

    def told(self, arm: Arm, words: Words, view: View, seed: int) -> Told | None:
        """The context that an arm gets for words under a view; None if none."""
        if arm.clipter is None:
            return None
        cache = self._cache(arm)
        pairing = seed if view.of != "own" or view.mode == "constant" else 0
        name = (id(words), view, pairing, cache.encoder.identity)
        if name not in self._told:
            if len(self._told) > 40:  # tokens of a view of one set: megabytes
                self._told.clear()
            # The words are kept beside it: another object must not come by their id
            self._told[name] = words, told(words, view, cache, cache.encoder.width, pairing)
        return self._told[name][1]

    def stage_one(self, arm: Arm, fold: int) -> Path:
        """Checkpoint folder of the recognizer that an arm starts from; its config.json names the vocabulary."""
        if arm.recognizer in self._starts:
            return self._given(arm.recognizer, Path(self._starts[arm.recognizer]))
        one = self.settings
        # What a crop shows does not depend on the dial, so recognizers of all dials start alike.
        source = replace(arm.source, dial=0.0, share=1.0, per_scene=None, most=None)
        data = [one.train_scenes] if source.rendered else [str(one.data), fold, one.folds]
        plan = Fit(one.steps_one, one.batch_size, one.lr_one, 0, CLEAN)
        facts = [arm.recognizer, asdict(source), asdict(plan), one.wear]
        out = self.out / "stage-one" / key(facts, data, one.loose_words)
        if (out / "vocabulary.json").is_file():
            return out
        words = self.training(replace(arm, source=source), fold)
        crops, labels = list(words.crops), list(words.labels)
        if not source.script:  # otherwise there are none
            loose = self._loose_words(source.rendered)
            crops, labels = crops + loose[0], labels + loose[1]
        self.say(f"stage one: {arm.recognizer}, {source.name}, {one.steps_one} steps on {len(crops)} words")
        torch.manual_seed(0)
        model = new_recognizer(arm.recognizer, self.charset(arm))
        branches = {"cross": False} if arm.recognizer == "parseq" else {}
        trained = fit(model, crops, labels, plan, options=branches)
        if arm.recognizer == "parseq":
            model = visual_branch(model)
        seen = Vocabulary.of(labels, folded=True)
        checkpoint.save(model, out, vocabulary=seen.hash, loss=trained.loss, seconds=trained.seconds)
        (out / "vocabulary.json").write_text(json.dumps(Counter(labels), ensure_ascii=False), encoding="utf-8")
        return out

    def _given(self, recognizer: str, folder: Path) -> Path:
        """A checkpoint folder of the user's; the PARSeq in a CLIP4STR is written out."""
        model, about = checkpoint.load(folder)
        if model.architecture == recognizer:
            return folder
        if recognizer != "parseq" or not isinstance(model, Clip4Str):
            raise ConfigError(f"{folder} holds a {model.architecture}, not a {recognizer}")
        out = self.out / "stage-one" / f"parseq-{fingerprint(model.state_dict())[:12]}"
        return out if (out / "config.json").is_file() else checkpoint.save(visual_branch(model), out, **about)

    def _loose_words(self, plain: bool) -> tuple[list[Pixels], list[str]]:
        """Words without scenes, from which reading is learned sooner: plain ones, or as on photographs."""
        if plain not in self._loose:
            count = self.settings.loose_words
            self.say(f"rendering {count} words")
            source = PlainWords(count) if plain else RenderedWords(count)
            charset = Charset.preset("36")
            samples = [source[i] for i in range(count)]
            samples = [s for s in samples if not rejection(s.text, charset, LONGEST)]
            self._loose[plain] = [s.image for s in samples], [s.text for s in samples]
        return self._loose[plain]

    def vocabulary(self, arm: Arm, folds: Sequence[int], folded: bool = True) -> list[Vocabulary] | None:
        """The words that an arm was trained on in both stages, for each fold.

        None where those of the first are not known: of a given recognizer that does not carry them. Of one that does
        only hashes are known, with case ignored: None where case counts.
        """
        before = self._words_before(arm)
        if arm.recognizer in self._starts and (before is None or not folded):
            return None
        out = []
        for fold in folds:
            counts = Counter(self.training(arm, fold).labels)
            file = self.stage_one(arm, fold) / "vocabulary.json"
            if file.is_file():
                counts += Counter(json.loads(file.read_text(encoding="utf-8")))
            out.append(Vocabulary(counts, folded, before))
        return out

    def _words_before(self, arm: Arm) -> WordSet | None:
        """Words of a given recognizer's own training, as it carries them, or of the data that the user names."""
        if arm.recognizer not in self._starts:
            return None
        if arm.recognizer not in self._before:
            found = WordSet.load(Path(self._starts[arm.recognizer]))
            if found is None and self.settings.start_data:
                found = WordSet.of(word for path in self.settings.start_data for word in _words_of(path))
            self._before[arm.recognizer] = found
        return self._before[arm.recognizer]

    def has_test(self, name: str) -> bool:
        """Whether a real set has test scenes of its own, rather than folds of its training scenes."""
        return ((self.settings.data or Path()) / "test" / name / "scenes.jsonl").is_file()

    def trained_on(self, arm: Arm) -> tuple[str, ...] | None:
        """Names of the data that a given recognizer was trained on, as its card says, or the user; None if neither.

        Of one that was trained on the spot there are none but its own.
        """
        if arm.recognizer not in self._starts:
            return ()
        data = checkpoint.load(self._starts[arm.recognizer])[1].get("data")
        names: list[str] = [path.name for path in self.settings.start_data]
        while isinstance(data, dict):
            names += [str(name) for name in (*data.get("real", ()), *data.get("pseudo", ()))]
            data = data.get("before")
        return tuple(dict.fromkeys(names)) or None


def _writable(words: Words, charset: Charset) -> Words:
    """Those that a recognizer of this charset can write."""
    return words[[i for i, label in enumerate(words.labels) if not rejection(label, charset, LONGEST)]]


def _words_of(path: Path) -> list[str]:
    """Of a word list, or of a data set's labels."""
    if path.is_file() and path.suffix in (".txt", ".tsv"):
        return list(load_words(path).words)
    source = open_source(path)
    return [source.text(i) for i in range(len(source))]

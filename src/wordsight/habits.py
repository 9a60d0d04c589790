"""Options and methods that people know from other libraries, answered with how it is done here, in one line."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from wordsight.errors import ConfigError

T = TypeVar("T")

_LANGUAGES = "a reader has no language option: the model determines which letters it reads, see `wordsight models list`"
_DEVICE = 'use device="cuda" or device="cpu"; by default the best available is used'
_FOLDER = 'models are packs here: use model="NAME" (wordsight models list) or model="FOLDER"'
_TURNED = "rotated text is always read"
_QUIET = 'nothing is printed; logging.getLogger("wordsight") controls what is logged'

_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("lang", "langs", "lang_list", "language", "languages"), _LANGUAGES),
    **dict.fromkeys(("gpu", "use_gpu", "use_cuda", "gpu_id"), _DEVICE),
    **dict.fromkeys(
        ("det_model_dir", "rec_model_dir", "cls_model_dir", "model_storage_directory", "ocr_version"), _FOLDER
    ),
    **dict.fromkeys(("use_angle_cls", "use_textline_orientation", "use_doc_orientation_classify"), _TURNED),
    **dict.fromkeys(("show_log", "verbose"), _QUIET),
    "thorough": "it is now tta=True, test-time augmentation",
    "download_enabled": "nothing is downloaded: the models come with the package",
    "cpu_threads": "use threads=4",
    "rec_batch_num": "use batch_size=32",
}
_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("readtext", "ocr", "predict", "recognize_text"), "use reader.read(photo)"),
    "recognize": "use reader.read_crops(crops), or reader.read(photo, boxes)",
    "readtext_batched": "use reader.iter_read(photos)",
}


def explains_habits(reader: type[T]) -> type[T]:
    """Class decorator: options and methods of EasyOCR and PaddleOCR raise an error that names those of this library."""
    init: Callable[..., None] = reader.__init__

    @wraps(init)
    def checked(self: T, *args: Any, **options: Any) -> None:
        foreign = next((name for name in options if name in _OPTIONS), None)
        if foreign is not None:
            raise ConfigError(f"{foreign}: {_OPTIONS[foreign]}")
        if args and isinstance(args[0], list | tuple | set):
            raise ConfigError(f"{list(args[0])!r:.60}: {_LANGUAGES}")
        if len(args) > 1 and isinstance(args[1], bool):
            raise ConfigError(f"{args[1]}: {_DEVICE}")
        init(self, *args, **options)

    def absent(self: T, name: str) -> Any:
        cure = f": {_METHODS[name]}" if name in _METHODS else ""
        raise AttributeError(f"{reader.__name__!r} object has no attribute {name!r}{cure}")

    vars_of_class: Any = reader
    vars_of_class.__init__ = checked
    vars_of_class.__getattr__ = absent
    return reader

"""Trained models that come with the package, each a folder with its model card."""

from pathlib import Path

_HERE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The folder of a model that comes with the package, for ``from_pretrained``.

    Each has a recipe of the same name, which makes it again.

    Raises:
        ValueError: there is no such model; the message lists those that there are.
    """
    names = sorted(path.parent.name for path in _HERE.glob("*/config.json"))
    if name not in names:
        raise ValueError(f"No model {name!r} comes with the package; there are {', '.join(names)}.")
    return _HERE / name

"""Offer networks and trackers, one module each: their parameter names, signatures, statuses and answers.

A preset is data. Adding one is adding a module with a `PRESET` here (or in a folder on this package's path); it is
found by its name. What they have in common is in `ricochet.intake.preset`, signatures in
`ricochet.intake.signatures`.
"""

from __future__ import annotations

import importlib
import pkgutil

from ricochet.intake.preset import Preset


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(name: str) -> Preset:
    """The preset of that name; KeyError if there is none. Only this one's module is imported."""
    if name not in names():
        raise KeyError(name)
    preset: Preset = importlib.import_module(f"{__name__}.{name}").PRESET
    return preset

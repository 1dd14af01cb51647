"""The settings that functions load, found in their `app.py` without running it: that would need their environment."""

import ast
from pathlib import Path

from ricochet.settings import EnvironmentSettings

FUNCTIONS = Path(__file__).parents[1] / "functions"


def settings_of(folder: str) -> list[type[EnvironmentSettings]]:
    """Return every class whose `load` the function calls."""
    tree = ast.parse((FUNCTIONS / folder / "app.py").read_text(encoding="utf-8"))
    definitions = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom, ast.ClassDef))]
    names = {"__name__": f"functions.{folder}.app"}
    exec(compile(ast.Module(definitions, []), f"{folder}/app.py", "exec"), names)
    loads = [
        node.func.value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load"
    ]
    return [names[name] for name in loads]


def every_model() -> list[type[EnvironmentSettings]]:
    """Return the settings of every function, and those that they are made of."""
    loaded = [model for path in sorted(FUNCTIONS.glob("*/app.py")) for model in settings_of(path.parent.name)]
    parts = [part for model in loaded for part in model.__mro__ if issubclass(part, EnvironmentSettings)]
    return [model for model in dict.fromkeys(parts) if model is not EnvironmentSettings]

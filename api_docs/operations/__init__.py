"""What each function answers: one module for each, of the function's name."""

import importlib
import pkgutil

from api_docs.description import Operation


def all_operations() -> list[Operation]:
    return [operation for module in pkgutil.iter_modules(__path__) for operation in operations_of(module.name)]


def operations_of(function: str) -> tuple[Operation, ...]:
    """ModuleNotFoundError for a function that has no description."""
    described: tuple[Operation, ...] = importlib.import_module(f"{__name__}.{function}").OPERATIONS
    return described

"""The operations of each function, in a module with the function's name."""

import importlib
import pkgutil

from api_docs.description import Operation


def all_operations() -> list[Operation]:
    return [operation for module in pkgutil.iter_modules(__path__) for operation in operations_of(module.name)]


def operations_of(function: str) -> tuple[Operation, ...]:
    """Return the operations of a function. Raise ModuleNotFoundError if it is not described."""
    described: tuple[Operation, ...] = importlib.import_module(f"{__name__}.{function}").OPERATIONS
    return described

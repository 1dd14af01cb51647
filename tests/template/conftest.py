"""The loaded template as a fixture."""

import pytest

from tests.template import cloudformation


@pytest.fixture
def template() -> cloudformation.Template:
    return cloudformation.load()

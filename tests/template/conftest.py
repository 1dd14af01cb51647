"""The template, read once."""

import pytest

from tests.template import cloudformation


@pytest.fixture
def template() -> cloudformation.Template:
    return cloudformation.load()

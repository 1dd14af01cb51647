"""Unit tests have no network: no socket can be opened and no name resolved."""

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def _offline():
    disable_socket()
    yield
    enable_socket()

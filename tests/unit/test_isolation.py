"""The fixture that keeps unit tests off the network does so."""

import socket
import warnings

import pytest
from pytest_socket import SocketBlockedError


@pytest.mark.parametrize(
    "reach_out", [lambda: socket.socket(), lambda: socket.getaddrinfo("example.com", 443)], ids=["socket", "name"]
)
def test_neither_a_socket_nor_a_name_can_be_had(reach_out):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SocketBlockedError):
            reach_out()

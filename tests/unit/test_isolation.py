"""Unit tests cannot reach the network."""

import socket
import warnings

import pytest
from pytest_socket import SocketBlockedError


def open_a_socket():
    return socket.socket()


def resolve_a_name():
    return socket.getaddrinfo("example.com", 443)


@pytest.mark.parametrize("reach_out", [open_a_socket, resolve_a_name])
def test_opening_a_socket_or_resolving_a_name_is_blocked(reach_out):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SocketBlockedError):
            reach_out()

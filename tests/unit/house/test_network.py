"""Tests stay on loopback: a connection to anywhere else is refused before a packet leaves."""

import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "bank.example"])
def test_elsewhere_is_refused(address):
    with pytest.raises(PermissionError, match="stay on loopback"):
        socket.create_connection((address, 1883), timeout=1)


def test_loopback_is_free():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as end:
        end.connect(server.getsockname())

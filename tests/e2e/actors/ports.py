"""Ports that nobody else can get between the choice and the start of the program."""

import socket


class HeldPort:
    """A port bound at port 0 and kept bound, but not listening, while a program listens on it.

    Linux lets a second socket with SO_REUSEADDR bind and listen as long as no other one listens,
    and gives a bound port to nobody who asks for "any".
    """

    def __init__(self, address="127.0.0.1"):
        self._socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind((address, 0))
        self.port = self._socket.getsockname()[1]

    def close(self):
        self._socket.close()

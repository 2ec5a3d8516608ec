"""A WebSocket echo and a client that talks to one: websocket_echo.py serve PORT | talk URL

The client prints a line of JSON: how many bytes of each message came back the same, what a ping took, and the close code.
"""

import json
import sys

from websockets.sync.client import connect
from websockets.sync.server import serve

SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]


def echo(socket):
    for message in socket:
        socket.send(message)
    # The close handshake is the library's.


def run(port):
    with serve(echo, "127.0.0.1", port, max_size=1 << 21, compression=None) as server:
        server.serve_forever()


def talk(url):
    with connect(url, max_size=1 << 21, subprotocols=None, user_agent_header="weir-tests") as socket:
        for size in SIZES:
            binary = bytes(number % 251 for number in range(size))
            assert swapped(socket, binary) == binary
        assert swapped(socket, "grüße ☃") == "grüße ☃"
        # One message in three fragments.
        socket.send(["frag", "ment", "ed"])
        assert socket.recv(timeout=20) == "fragmented"
        pong = socket.ping()
        assert pong.wait(20), "no pong"
        socket.close(4001, "enough")
    print(json.dumps({"sizes": SIZES, "close_code": socket.close_code, "extensions": len(socket.protocol.extensions)}))


def swapped(socket, message):
    socket.send(message)
    return socket.recv(timeout=20)


if sys.argv[1] == "serve":
    run(int(sys.argv[2]))
else:
    talk(sys.argv[2])

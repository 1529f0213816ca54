"""Prints what ``openssl s_client`` sends first: python -m tests.tls.hello_of OPENSSL"""

import socket
import subprocess
import sys


def main(openssl: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        options = ["-servername", "s-client.example", "-alpn", "h2,http/1.1"]
        client = subprocess.Popen(
            [openssl, "s_client", "-connect", address, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        connection, _ = listening.accept()
        with connection:
            connection.settimeout(30)
            sys.stdout.buffer.write(connection.recv(1 << 16))
        client.wait(30)


if __name__ == "__main__":
    main(sys.argv[1])

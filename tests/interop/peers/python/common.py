"""What client.py and server.py share: the official flags, certificates, sizes."""

import argparse

from interop import messages_pb2

REQUESTS = (27182, 8, 1828, 45904)
ANSWERS = (31415, 9, 2653, 58979)
LARGE_REQUEST = 271828
LARGE_ANSWER = 314159
INITIAL = "x-grpc-test-echo-initial"
TRAILING = "x-grpc-test-echo-trailing-bin"


def flags():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--use_tls", type=lambda text: text == "true", default=False)
    parser.add_argument("--ca_file")
    parser.add_argument("--tls_cert_file")
    parser.add_argument("--tls_key_file")
    return parser


def read(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def payload(size):
    return messages_pb2.Payload(body=bytes(size))

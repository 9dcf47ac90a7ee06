"""What the programs of the story share: the world as it comes in, and how they say what they have learnt."""

import importlib
import json
import sys
import time

import grpc


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def eventually(look, what, seconds=45):
    """Asks until there is an answer. `what` may be a function that tells how it stands."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")


class Door:
    """One channel, and calls by the names of the .proto files."""

    def __init__(self, channel, package, bearer=None):
        self.channel = channel
        self.package = package
        self.metadata = [("authorization", f"Bearer {bearer}")] if bearer else []

    def call(self, file, service, method, **fields):
        """Calls a method and gives its answer, a list for a stream."""
        name = f"{self.package}.{file}"
        stub = getattr(importlib.import_module(name + "_pb2_grpc"), service + "Stub")(self.channel)
        request = getattr(importlib.import_module(name + "_pb2"), method + "Request")(**fields)
        answer = getattr(stub, method)(request, metadata=self.metadata, timeout=60)
        return list(answer) if hasattr(answer, "__next__") else answer

    def refused(self, file, service, method, **fields):
        """Calls a method that must fail and gives its code's name."""
        try:
            answer = self.call(file, service, method, **fields)
        except grpc.RpcError as error:
            return error.code().name
        raise AssertionError(f"{service}/{method} was not refused but answered {answer}")


def native(world, bearer=None):
    """The native listener: TLS with the zone's own authority."""
    with open(world["ca"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [("grpc.ssl_target_name_override", "soke.localhost")]
    return Door(grpc.secure_channel(world["address"]["native"], credentials, options), "soke.v1", bearer)


def plain(world, listener, package, bearer=None):
    """A listener without encryption."""
    return Door(grpc.insecure_channel(world["address"][listener]), package, bearer)


def main(steps):
    """Runs the step that was asked for."""
    world = json.load(sys.stdin)
    learnt = steps[sys.argv[1]](world)
    json.dump(learnt or {}, sys.stdout)

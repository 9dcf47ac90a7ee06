"""A channel of grpcio. Prints each of its states, and does what its standard input says: connect, call."""

import sys

import grpc


def main(target, idle_ms):
    options = [
        ("grpc.client_idle_timeout_ms", int(idle_ms)),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 200),
    ]
    with grpc.insecure_channel(target, options) as channel:
        channel.subscribe(lambda state: print(state.name, flush=True))
        for line in sys.stdin:
            if line.strip() == "connect":
                channel.subscribe(lambda state: None, try_to_connect=True)
            else:
                empty_call = channel.unary_unary("/grpc.testing.TestService/EmptyCall")
                empty_call(b"", timeout=60)


if __name__ == "__main__":
    main(*sys.argv[1:])

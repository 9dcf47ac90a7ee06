"""The gRPC document's Greeter as a server of grpcio. Prints its port, and ends with its standard input.

Arguments: nothing, or the files of a certificate chain, its key, and the authority of the callers' certificates.
"""

import sys
from concurrent import futures

import grpc
from helloworld import helloworld_pb2, helloworld_pb2_grpc


class Greeter(helloworld_pb2_grpc.GreeterServicer):
    def SayHello(self, request, context):
        return helloworld_pb2.HelloResponse(message="Hello,%s!" % request.name)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def main(files):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    helloworld_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    if not files:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        chain, key, *callers = map(contents, files)
        callers = callers[0] if callers else None
        credentials = grpc.ssl_server_credentials(
            [(key, chain)], root_certificates=callers, require_client_auth=callers is not None
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0).wait()


if __name__ == "__main__":
    main(sys.argv[1:])

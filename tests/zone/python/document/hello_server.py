# A server of both services of the gRPC document, until Ctrl-C. It prints the port that it has taken.
# Arguments: the files of a certificate and of its key where TLS is to be spoken.
from concurrent import futures
import sys

import grpc
from protos import hello_pb2
from protos import hello_pb2_grpc
from protos import helloworld_pb2
from protos import helloworld_pb2_grpc


def reply(name):
    return hello_pb2.HelloResponse(reply="Hello,%s!" % name)


class Greeter(helloworld_pb2_grpc.GreeterServicer):
    def SayHello(self, request, context):
        return helloworld_pb2.HelloResponse(message="Hello,%s!" % request.name)


class Hello(hello_pb2_grpc.HelloServiceServicer):
    def SayHello(self, request, context):
        return reply(request.greeting)

    def LotsOfReplies(self, request, context):
        for number in 1, 2, 3:
            yield hello_pb2.HelloResponse(reply="Hello,%s! %d" % (request.greeting, number))

    def LotsOfGreetings(self, requests, context):
        return reply(",".join(request.greeting for request in requests))

    def BidiHello(self, requests, context):
        for request in requests:
            yield reply(request.greeting)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=10))
    helloworld_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    hello_pb2_grpc.add_HelloServiceServicer_to_server(Hello(), server)
    if certificate is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        credentials = grpc.ssl_server_credentials([(read(key), read(certificate))])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(0)


if __name__ == '__main__':
    serve(*sys.argv[1:])

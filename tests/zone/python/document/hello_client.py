# A client of both services of the gRPC document, all four kinds of calls, which prints each reply on a line.
# Arguments: the address, and the certificate of the authority to trust where TLS is spoken.
import sys

import grpc
from protos import hello_pb2
from protos import hello_pb2_grpc
from protos import helloworld_pb2
from protos import helloworld_pb2_grpc


def greeting(name):
    return hello_pb2.HelloRequest(greeting=name)


def run(address, authority=None):
    if authority is None:
        channel = grpc.insecure_channel(address)
    else:
        with open(authority, "rb") as file:
            channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(file.read()))
    with channel:
        greeter = helloworld_pb2_grpc.GreeterStub(channel)
        print(greeter.SayHello(helloworld_pb2.HelloRequest(name="张三"), timeout=60).message)
        hello = hello_pb2_grpc.HelloServiceStub(channel)
        print(hello.SayHello(greeting("Ada"), timeout=60).reply)
        for answer in hello.LotsOfReplies(greeting("Ben"), timeout=60):
            print(answer.reply)
        print(hello.LotsOfGreetings(map(greeting, ["Cy", "Dee"]), timeout=60).reply)
        for answer in hello.BidiHello(map(greeting, ["Eve", "Flo"]), timeout=60):
            print(answer.reply)


if __name__ == '__main__':
    run(*sys.argv[1:])

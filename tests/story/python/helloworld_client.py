"""A client of the shape that the gRPC document shows: the Greeter on localhost:50051, and the document's line."""

from __future__ import absolute_import, print_function

import grpc
from helloworld import helloworld_pb2, helloworld_pb2_grpc


def run():
    with grpc.insecure_channel("localhost:50051") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        resp = stub.SayHello(helloworld_pb2.HelloRequest(name="张三"), wait_for_ready=True, timeout=60)
        print("接收到服务端的响应: %s" % resp.message)


if __name__ == "__main__":
    run()

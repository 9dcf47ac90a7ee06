# A client of the Greeter, of the shape that the gRPC document shows.
from __future__ import absolute_import, print_function

import grpc
from protos import helloworld_pb2
from protos import helloworld_pb2_grpc


def run():
    with grpc.insecure_channel("localhost:50051") as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        resp = stub.SayHello(helloworld_pb2.HelloRequest(name="张三"))
        print("接收到服务端的响应: %s" % resp.message)


if __name__ == '__main__':
    run()

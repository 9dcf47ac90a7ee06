# The gRPC document's client of its Greeter, with the address given to it.
import sys

import grpc
from helloworld import helloworld_pb2
from helloworld import helloworld_pb2_grpc


def run(address):
    with grpc.insecure_channel(address) as channel:
        stub = helloworld_pb2_grpc.GreeterStub(channel)
        resp = stub.SayHello(helloworld_pb2.HelloRequest(name="张三"))
        print("接收到服务端的响应: %s" % resp.message)


if __name__ == '__main__':
    run(sys.argv[1])

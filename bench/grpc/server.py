"""gRPC's test service on grpcio, as much of it as the bench calls. Prints its port; ends with standard input."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from interop import empty_pb2, messages_pb2, test_pb2_grpc

ZEROS = bytes(4 * 1024 * 1024)


class Echo(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        return empty_pb2.Empty()

    def FullDuplexCall(self, requests, context):
        for request in requests:
            size = request.response_parameters[0].size
            body = ZEROS[:size]
            yield messages_pb2.StreamingOutputCallResponse(payload=messages_pb2.Payload(body=body))


server = grpc.server(ThreadPoolExecutor(max_workers=16))
test_pb2_grpc.add_TestServiceServicer_to_server(Echo(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()

"""gRPC's interoperability server with grpcio. Prints `stands on PORT` and stays until it is ended."""

import time
from concurrent import futures

import grpc

from common import INITIAL, TRAILING, flags, payload, read
from interop import empty_pb2, messages_pb2, test_pb2_grpc

parser = flags()
parser.add_argument("--port", type=int, default=0)
given = parser.parse_args()


def echo(context):
    for key, value in context.invocation_metadata():
        if key == INITIAL:
            context.send_initial_metadata(((key, value),))
        elif key == TRAILING:
            context.set_trailing_metadata(((key, value),))


def end_as_asked(request, context):
    if request.response_status.code:
        codes = {code.value[0]: code for code in grpc.StatusCode}
        context.abort(codes[request.response_status.code], request.response_status.message)


class TestService(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        echo(context)
        return empty_pb2.Empty()

    def UnaryCall(self, request, context):
        compress = request.response_compressed.value
        if compress:
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        end_as_asked(request, context)
        answer = messages_pb2.SimpleResponse(payload=payload(request.response_size))
        if request.fill_server_id:
            answer.server_id = "grpcio"
        return answer

    def outputs(self, request, context):
        for wanted in request.response_parameters:
            time.sleep(wanted.interval_us / 1_000_000)
            if not wanted.compressed.value:
                context.disable_next_message_compression()
            yield messages_pb2.StreamingOutputCallResponse(payload=payload(wanted.size))

    def StreamingOutputCall(self, request, context):
        if any(wanted.compressed.value for wanted in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        echo(context)
        yield from self.outputs(request, context)

    def StreamingInputCall(self, requests, context):
        echo(context)
        total = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=total)

    def FullDuplexCall(self, requests, context):
        echo(context)
        for request in requests:
            end_as_asked(request, context)
            yield from self.outputs(request, context)

    def HalfDuplexCall(self, requests, context):
        echo(context)
        for request in list(requests):
            yield from self.outputs(request, context)


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)])
    test_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    address = f"127.0.0.1:{given.port}"
    if given.use_tls:
        pair = (read(given.tls_key_file), read(given.tls_cert_file))
        authority = read(given.ca_file)
        credentials = grpc.ssl_server_credentials((pair,), authority, authority is not None)
        port = server.add_secure_port(address, credentials)
    else:
        port = server.add_insecure_port(address)
    server.start()
    print(f"stands on {port}", flush=True)
    server.wait_for_termination()


main()

"""gRPC's interoperability cases with grpcio: several in one process, a line for each.

`passed CASE` or `failed CASE: why`; the exit code is 1 when one has failed.
"""

import queue
import sys

import grpc

import tokens
from common import ANSWERS, INITIAL, LARGE_ANSWER, LARGE_REQUEST, REQUESTS, TRAILING, flags, payload, read
from interop import empty_pb2, messages_pb2, test_pb2_grpc

LONGEST = 60
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
FLAG = messages_pb2.BoolValue

parser = flags()
parser.add_argument("--server_host", default="localhost")
parser.add_argument("--server_port", type=int, required=True)
parser.add_argument("--server_host_override")
parser.add_argument("--test_case", required=True)
parser.add_argument("--metadata_server")
parser.add_argument("--default_service_account", default="")
parser.add_argument("--oauth_scope", default="")
parser.add_argument("--service_account_key_file")
parser.add_argument("--use_test_ca")
given = parser.parse_args()


def same(what, wanted, found):
    if wanted != found:
        raise AssertionError(f"{what}: {wanted!r} is right, and {found!r} came")


def channel(call_credentials=None, compression=None):
    target = f"{given.server_host}:{given.server_port}"
    if not given.use_tls:
        return grpc.insecure_channel(target, compression=compression)
    credentials = grpc.ssl_channel_credentials(
        read(given.ca_file), read(given.tls_key_file), read(given.tls_cert_file)
    )
    if call_credentials is not None:
        credentials = grpc.composite_channel_credentials(credentials, call_credentials)
    options = [("grpc.ssl_target_name_override", given.server_host_override)]
    return grpc.secure_channel(target, credentials, options=options, compression=compression)


def large(**more):
    return messages_pb2.SimpleRequest(response_size=LARGE_ANSWER, payload=payload(LARGE_REQUEST), **more)


def ping(request, answer):
    return messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=answer)], payload=payload(request)
    )


def ended(call):
    """The code and message with which a call ends."""
    try:
        result = call()
        if hasattr(result, "__next__"):
            for _ in result:
                pass
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


class Requests:
    """Requests that are given one by one."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, None)

    def send(self, request):
        self.queue.put(request)

    def end(self):
        self.queue.put(None)


def empty_unary(stub):
    answer = stub.EmptyCall(empty_pb2.Empty(), timeout=LONGEST)
    same("the answer's bytes", b"", answer.SerializeToString())


def large_unary(stub):
    same("bytes of the answer", LARGE_ANSWER, len(stub.UnaryCall(large(), timeout=LONGEST).payload.body))


def client_streaming(stub):
    requests = (messages_pb2.StreamingInputCallRequest(payload=payload(size)) for size in REQUESTS)
    answer = stub.StreamingInputCall(requests, timeout=LONGEST)
    same("the sum", sum(REQUESTS), answer.aggregated_payload_size)


def server_streaming(stub):
    request = messages_pb2.StreamingOutputCallRequest(
        response_parameters=[messages_pb2.ResponseParameters(size=size) for size in ANSWERS]
    )
    answers = stub.StreamingOutputCall(request, timeout=LONGEST)
    same("the answers", list(ANSWERS), [len(answer.payload.body) for answer in answers])


def ping_pong(stub):
    requests = Requests()
    answers = stub.FullDuplexCall(iter(requests), timeout=LONGEST)
    for request, answer in zip(REQUESTS, ANSWERS):
        requests.send(ping(request, answer))
        same("bytes of the answer", answer, len(next(answers).payload.body))
    requests.end()
    same("more answers", [], list(answers))


def empty_stream(stub):
    same("answers", [], list(stub.FullDuplexCall(iter(()), timeout=LONGEST)))


def timeout_on_sleeping_server(stub):
    requests = Requests()
    requests.send(messages_pb2.StreamingOutputCallRequest(payload=payload(REQUESTS[0])))
    try:
        code, _ = ended(lambda: stub.FullDuplexCall(iter(requests), timeout=0.001))
    finally:
        requests.end()
    same("the code", grpc.StatusCode.DEADLINE_EXCEEDED, code)


def cancel_after_begin(stub):
    requests = Requests()
    call = stub.StreamingInputCall.future(iter(requests), timeout=LONGEST)
    call.cancel()
    requests.end()
    same("the code", grpc.StatusCode.CANCELLED, call.code())


def cancel_after_first_response(stub):
    requests = Requests()
    answers = stub.FullDuplexCall(iter(requests), timeout=LONGEST)
    requests.send(ping(REQUESTS[0], ANSWERS[0]))
    same("bytes of the answer", ANSWERS[0], len(next(answers).payload.body))
    answers.cancel()
    requests.end()
    same("the code", grpc.StatusCode.CANCELLED, ended(lambda: answers)[0])


def status_code_and_message(stub):
    status = messages_pb2.EchoStatus(code=2, message="test status message")
    wanted = (grpc.StatusCode.UNKNOWN, "test status message")
    unary = messages_pb2.SimpleRequest(response_status=status)
    same("the status of UnaryCall", wanted, ended(lambda: stub.UnaryCall(unary, timeout=LONGEST)))
    stream = messages_pb2.StreamingOutputCallRequest(response_status=status)
    found = ended(lambda: stub.FullDuplexCall(iter((stream,)), timeout=LONGEST))
    same("the status of FullDuplexCall", wanted, found)


def special_status_message(stub):
    request = messages_pb2.SimpleRequest(response_status=messages_pb2.EchoStatus(code=2, message=SPECIAL))
    found = ended(lambda: stub.UnaryCall(request, timeout=LONGEST))
    same("the status", (grpc.StatusCode.UNKNOWN, SPECIAL), found)


def custom_metadata(stub):
    sent = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\xab\xab\xab"))
    _, unary = stub.UnaryCall.with_call(large(), metadata=sent, timeout=LONGEST)
    stream = stub.FullDuplexCall(iter((ping(LARGE_REQUEST, LARGE_ANSWER),)), metadata=sent, timeout=LONGEST)
    same("bytes of the answer", [LARGE_ANSWER], [len(answer.payload.body) for answer in stream])
    for call in (unary, stream):
        first, last = dict(call.initial_metadata()), dict(call.trailing_metadata())
        same("initial metadata", sent[0][1], first.get(INITIAL))
        same("trailing metadata", sent[1][1], last.get(TRAILING))


def unimplemented_method(stub):
    found = ended(lambda: stub.UnimplementedMethod(empty_pb2.Empty(), timeout=LONGEST))
    same("the code", grpc.StatusCode.UNIMPLEMENTED, found[0])


def unimplemented_service(_stub):
    with channel() as own:
        stub = test_pb2_grpc.UnimplementedServiceStub(own)
        found = ended(lambda: stub.UnimplementedCall(empty_pb2.Empty(), timeout=LONGEST))
    same("the code", grpc.StatusCode.UNIMPLEMENTED, found[0])


def client_compressed_unary(stub):
    probe = ended(lambda: stub.UnaryCall(large(expect_compressed=FLAG(value=True)), timeout=LONGEST))
    same("the code of the probe", grpc.StatusCode.INVALID_ARGUMENT, probe[0])
    for value, compression in ((True, grpc.Compression.Gzip), (False, grpc.Compression.NoCompression)):
        request = large(expect_compressed=FLAG(value=value))
        answer = stub.UnaryCall(request, compression=compression, timeout=LONGEST)
        same("bytes of the answer", LARGE_ANSWER, len(answer.payload.body))


def who(stub, scoped=True, **more):
    answer = stub.UnaryCall(large(fill_username=True, fill_oauth_scope=True), timeout=LONGEST, **more)
    same("bytes of the answer", LARGE_ANSWER, len(answer.payload.body))
    same("the caller", given.default_service_account, answer.username)
    same("whether the scope is one that was asked for", scoped, answer.oauth_scope in given.oauth_scope.split())


def as_caller(credentials, **more):
    with channel(credentials) as own:
        who(test_pb2_grpc.TestServiceStub(own), **more)


class Bearer(grpc.AuthMetadataPlugin):
    """Sends a token that is made for each call."""

    def __init__(self, make):
        self.make = make

    def __call__(self, context, callback):
        callback((("authorization", f"Bearer {self.make(context.service_url)}"),), None)


def bearer(make):
    return grpc.metadata_call_credentials(Bearer(make))


def exchanged_token(_service=None):
    return tokens.exchanged(given.service_account_key_file, given.oauth_scope)


def oauth2_auth_token(_stub):
    as_caller(grpc.access_token_call_credentials(exchanged_token()))


def per_rpc_creds(stub):
    who(stub, credentials=grpc.access_token_call_credentials(exchanged_token()))


def service_account_creds(_stub):
    as_caller(bearer(exchanged_token))


def compute_engine_creds(_stub):
    as_caller(bearer(lambda _service: tokens.machine(given.metadata_server)))


def jwt_token_creds(_stub):
    as_caller(bearer(lambda service: tokens.own(given.service_account_key_file, service)), scoped=False)


def main():
    code = 0
    for name in given.test_case.split(","):
        try:
            with channel() as own:
                globals()[name](test_pb2_grpc.TestServiceStub(own))
        except Exception as fault:
            code = 1
            print(f"failed {name}: {fault!r}".replace("\n", " "), flush=True)
        else:
            print(f"passed {name}", flush=True)
    sys.exit(code)


main()

"""A client of LiteKube's network controller: plain grpcio and stubs made from proto/, nothing of Soke's own code.

Reads one JSON object from standard input: `control` and `bootstrap` (addresses), and `folder`, in which an
administrator's ca.pem, client.pem and client-key.pem lie. Ends with 0, or with a traceback that says what was expected.
"""

import base64
import json
import os
import sys

import grpc
from google.protobuf import json_format
from pb import network_controller_pb2 as messages
from pb import network_controller_pb2_grpc as stubs


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def plain(answer):
    """An answer as JSON has it."""
    return json_format.MessageToDict(answer)


def go_through(control, bootstrap, what):
    """Makes every call of both services once, as an administrator."""
    same(plain(control.HelloWorld(messages.HelloWorldRequest(hello_text="hi"))), {"thanksText": "hello,this wanna"}, what)
    same(plain(control.HealthCheck(messages.HealthCheckRequest())), {"code": "200"}, what)
    same(plain(bootstrap.HealthCheck(messages.HealthCheckRequest())), {"code": "200"}, what)

    made = control.GetBootStrapToken(messages.GetBootStrapTokenRequest(expireTime=10))
    same((made.code, made.message, len(made.bootStrapToken), made.cloudIp), ("200", "ok", 16, "127.0.0.1"), what)
    node = bootstrap.GetToken(messages.GetTokenRequest(bootStrapToken=made.bootStrapToken))
    same((node.code, node.message, len(node.token)), ("200", "ok", 16), what)
    for field in ["GrpcCaCert", "GrpcClientCert", "NetworkCaCert", "NetworkClientCert"]:
        assert base64.b64decode(getattr(node, field), validate=True).startswith(b"-----BEGIN CERTIFICATE-----"), field
    for field in ["GrpcClientKey", "NetworkClientKey"]:
        assert base64.b64decode(getattr(node, field), validate=True).startswith(b"-----BEGIN EC PRIVATE KEY-----"), field
    again = bootstrap.GetToken(messages.GetTokenRequest(bootStrapToken=made.bootStrapToken))
    same((again.code, again.message, again.token), ("400", "fail to find such item", ""), what)

    state = control.CheckConnState(messages.CheckConnStateRequest(token=node.token))
    same(plain(state), {"code": "200", "message": "ok", "connState": -1}, what)
    address = control.GetRegistedIp(messages.GetRegistedIpRequest(token=node.token))
    same(plain(address), {"code": "200", "message": "ok"}, what)
    return node


def refused(call, request, wanted, what):
    try:
        answer = call(request, timeout=20)
    except grpc.RpcError as error:
        same(error.code(), wanted, what)
        return
    raise AssertionError(f"{what}: answered {answer}")


def main():
    given = json.load(sys.stdin)
    folder = given["folder"]
    authority = read(folder, "ca.pem")
    admin = grpc.ssl_channel_credentials(authority, read(folder, "client-key.pem"), read(folder, "client.pem"))
    anybody = grpc.ssl_channel_credentials(authority)
    control = stubs.LiteKubeNCServiceStub(grpc.secure_channel(given["control"], admin))
    bootstrap = stubs.LiteKubeNCBootstrapServiceStub(grpc.secure_channel(given["bootstrap"], anybody))
    go_through(control, bootstrap, "with encryption")
    node = go_through(control, bootstrap, "again")

    # A machine with what it was given: it asks of itself, makes no tokens, and ends itself.
    own = grpc.ssl_channel_credentials(
        base64.b64decode(node.GrpcCaCert), base64.b64decode(node.GrpcClientKey), base64.b64decode(node.GrpcClientCert)
    )
    machine = stubs.LiteKubeNCServiceStub(grpc.secure_channel(given["control"], own))
    state = machine.CheckConnState(messages.CheckConnStateRequest(token=node.token))
    same((state.code, state.connState), ("200", -1), "a machine asks of itself")
    life = messages.GetBootStrapTokenRequest(expireTime=1)
    refused(machine.GetBootStrapToken, life, grpc.StatusCode.PERMISSION_DENIED, "a machine makes no tokens")
    ended = machine.UnRegister(messages.UnRegisterRequest(token=node.token))
    same(plain(ended), {"code": "200", "message": "ok", "result": True}, "a machine ends itself")
    ask = messages.CheckConnStateRequest(token=node.token)
    refused(machine.CheckConnState, ask, grpc.StatusCode.UNAUTHENTICATED, "its certificate counts no more")

    # Without a certificate there is no connection to the control service.
    nobody = stubs.LiteKubeNCServiceStub(grpc.secure_channel(given["control"], anybody))
    refused(nobody.HealthCheck, messages.HealthCheckRequest(), grpc.StatusCode.UNAVAILABLE, "nobody")

    # In a zone to try clients out the same goes without encryption.
    go_through(
        stubs.LiteKubeNCServiceStub(grpc.insecure_channel(given["control"])),
        stubs.LiteKubeNCBootstrapServiceStub(grpc.insecure_channel(given["bootstrap"])),
        "without encryption",
    )


main()

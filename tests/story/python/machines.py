"""LiteKube's network controller by grpcio, under a certificate that openssl made the request for."""

import base64
import os
import subprocess

import grpc
from pb import network_controller_pb2 as messages
from pb import network_controller_pb2_grpc as stubs
from world import main, native, same

# A client's first bytes of HTTP/2 (RFC 9113), so that there is an answer to wait for: preface, no settings, and a GOAWAY.
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\x08\7\0\0\0\0\0" + bytes(8)


def path(world, name):
    return os.path.join(world["folder"], name)


def read(world, name):
    with open(path(world, name), "rb") as file:
        return file.read()


def write(world, name, content):
    with open(path(world, name), "wb") as file:
        file.write(content)


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    same(done.returncode, 0, f"openssl {' '.join(arguments)}: {done.stderr.decode()}")
    return done.stdout


def certificate(world):
    """Ada, who is an administrator, gets a certificate for a key that openssl made."""
    key = path(world, "client-key.pem")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    request = openssl("req", "-new", "-key", key, "-subj", "/CN=ada", "-outform", "DER")
    zone = native(world, world["bearer"])
    answer = zone.call("session", "SessionService", "CreateCertificate", certificate_request=request)
    pem = b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n" for der in answer.chain
    )
    write(world, "client.pem", pem)
    with open(world["ca"], "rb") as file:
        write(world, "ca.pem", file.read())


def control(world, key="client-key.pem", chain="client.pem"):
    credentials = grpc.ssl_channel_credentials(read(world, "ca.pem"), read(world, key), read(world, chain))
    return stubs.LiteKubeNCServiceStub(grpc.secure_channel(world["address"]["litekube.control"], credentials))


def bootstrap(world):
    credentials = grpc.ssl_channel_credentials(read(world, "ca.pem"))
    return stubs.LiteKubeNCBootstrapServiceStub(grpc.secure_channel(world["address"]["litekube.bootstrap"], credentials))


def token(world):
    """A bootstrap token."""
    made = control(world).GetBootStrapToken(messages.GetBootStrapTokenRequest(expireTime=10), timeout=60)
    same((made.code, made.message, len(made.bootStrapToken)), ("200", "ok", 16), "a bootstrap token")
    return {"bootstrap_token": made.bootStrapToken}


def register(world):
    """A machine registers with it, once."""
    request = messages.GetTokenRequest(bootStrapToken=world["bootstrap_token"])
    node = bootstrap(world).GetToken(request, timeout=60)
    same((node.code, node.message, len(node.token)), ("200", "ok", 16), "a machine's token")
    write(world, "machine.pem", base64.b64decode(node.GrpcClientCert))
    write(world, "machine-key.pem", base64.b64decode(node.GrpcClientKey))
    write(world, "machine-ca.pem", base64.b64decode(node.GrpcCaCert))
    return {"machine": node.token}


def registered(world):
    """The token is spent, and the machine is one of the zone's: it asks of itself with its own certificate."""
    again = bootstrap(world).GetToken(messages.GetTokenRequest(bootStrapToken=world["bootstrap_token"]), timeout=60)
    same((again.code, again.token), ("400", ""), "a token used twice")
    state = control(world, "machine-key.pem", "machine.pem").CheckConnState(
        messages.CheckConnStateRequest(token=world["machine"]), timeout=60
    )
    same((state.code, state.message, state.connState), ("200", "ok", -1), "a machine's state")


def connects(world, *further):
    """What openssl's own client says of the control listener."""
    command = ["openssl", "s_client", "-connect", world["address"]["litekube.control"], "-alpn", "h2", "-ign_eof"]
    command += ["-CAfile", path(world, "machine-ca.pem"), "-verify_return_error", *further]
    done = subprocess.run(command, capture_output=True, input=HTTP_2, timeout=60)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def handshake(world):
    """openssl connects with the machine's certificates, and without them it does not."""
    own = ["-cert", path(world, "machine.pem"), "-key", path(world, "machine-key.pem")]
    code, said = connects(world, *own)
    assert "Verify return code: 0 (ok)" in said and "ALPN protocol: h2" in said, (code, said)
    assert "alert" not in said, (code, said)
    code, said = connects(world)
    assert "alert" in said, ("a connection without a certificate", code, said)


def refused(world):
    """Ada's certificate has ended with her session."""
    for call, request in [
        (control(world).GetBootStrapToken, messages.GetBootStrapTokenRequest(expireTime=10)),
        (control(world).CheckConnState, messages.CheckConnStateRequest(token=world["machine"])),
    ]:
        try:
            answer = call(request, timeout=60)
        except grpc.RpcError as error:
            same(error.code().name, "UNAUTHENTICATED", "after revoking: her certificate")
            continue
        raise AssertionError(f"after revoking: her certificate was answered {answer}")


if __name__ == "__main__":
    steps = [certificate, token, register, registered, handshake, refused]
    main({step.__name__: step for step in steps})

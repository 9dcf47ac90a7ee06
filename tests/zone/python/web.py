"""The native port as a page in a browser and a prober see it: gRPC-Web over HTTP/1.1 with the standard library, and health
without any stub.

Reads one JSON object from standard input: `address` (host and port), `ca` (a file), `bearer`, and `job`, the number of a
job that has ended and has written the lines 1 to 1000. Ends with 0, or with a traceback that says what was expected.
"""

import base64
import http.client
import json
import ssl
import sys

import grpc
from soke.v1 import job_pb2 as jobs
from soke.v1 import zone_pb2 as zone

NAME = "soke.localhost"


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


class Page:
    """Makes calls as the script of a page does."""

    def __init__(self, world):
        self.host, port = world["address"].rsplit(":", 1)
        self.port = int(port)
        self.context = ssl.create_default_context(cafile=world["ca"])
        self.bearer = world["bearer"]

    def call(self, path, message, answer, kind, bearer=True):
        """Gives the messages of the answer, and the code with which the call ended."""
        connection = http.client.HTTPSConnection(NAME, self.port, context=self.context, timeout=60)
        # The name is the zone's own; it stands at this address.
        connection._create_connection = lambda _address, *rest: http.client.socket.create_connection(
            (self.host, self.port), *rest
        )
        body = message.SerializeToString()
        body = b"\0" + len(body).to_bytes(4, "big") + body
        is_text = kind.startswith("application/grpc-web-text")
        headers = {"content-type": kind, "accept": kind, "x-grpc-web": "1", "origin": f"https://{NAME}:{self.port}"}
        if bearer:
            headers["authorization"] = f"Bearer {self.bearer}"
        connection.request("POST", path, base64.b64encode(body) if is_text else body, headers)
        response = connection.getresponse()
        same(response.status, 200, path)
        body = response.read()
        if is_text:
            # Each piece may be padded by itself.
            pieces = body.replace(b"=", b"= ").replace(b"= =", b"==").split()
            body = b"".join(base64.b64decode(piece) for piece in pieces)
        messages, code = [], response.headers.get("grpc-status")
        while body:
            mark, length = body[0], int.from_bytes(body[1:5], "big")
            piece, body = body[5 : 5 + length], body[5 + length :]
            if mark == 0x80:
                trailers = dict(line.split(":", 1) for line in piece.decode().split("\r\n") if line)
                code = trailers["grpc-status"]
            else:
                messages.append(answer.FromString(piece))
        connection.close()
        return messages, int(code)


def web(world):
    page = Page(world)
    status, output = "/soke.v1.ZoneService/GetStatus", "/soke.v1.JobService/FollowOutput"
    follow = jobs.FollowOutputRequest(number=world["job"], stream=jobs.STREAM_STDOUT)
    wanted = b"".join(b"%d\n" % number for number in range(1, 1001))
    for kind in "application/grpc-web+proto", "application/grpc-web-text+proto":
        messages, code = page.call(status, zone.GetStatusRequest(), zone.GetStatusResponse, kind)
        same((len(messages), code), (1, 0), kind)
        same(messages[0].zone_host, NAME, kind)
        chunks, code = page.call(output, follow, jobs.FollowOutputResponse, kind)
        same((b"".join(chunk.chunk for chunk in chunks), code), (wanted, 0), kind)
        same(page.call(status, zone.GetStatusRequest(), zone.GetStatusResponse, kind, bearer=False), ([], 16), kind)


def health(world):
    with open(world["ca"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [("grpc.ssl_target_name_override", NAME)]
    with grpc.secure_channel(world["address"], credentials, options) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        serving, jobs_of = b"\x08\x01", b"\x0a\x12soke.v1.JobService"
        files_of = b"\x0a\x17scow.portal.FileService"
        metadata = [("authorization", f"Bearer {world['bearer']}")]
        same(check(b"", timeout=60), serving, "the whole")
        same(check(jobs_of, metadata=metadata, timeout=60), serving, "a part")
        same(check(files_of, metadata=metadata, timeout=60), serving, "a part of another protocol")
        try:
            check(jobs_of, timeout=60)
            raise AssertionError("a stranger was told of a part")
        except grpc.RpcError as error:
            same(error.code(), grpc.StatusCode.UNAUTHENTICATED, "a part for a stranger")
        stream = watch(jobs_of, metadata=metadata, timeout=60)
        same(next(stream), serving, "the first of a watch")
        stream.cancel()


if __name__ == "__main__":
    given = json.load(sys.stdin)
    web(given)
    health(given)

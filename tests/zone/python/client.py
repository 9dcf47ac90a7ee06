"""A foreign client of a zone: plain grpcio and stubs made from proto/, nothing of Soke's own code.

Reads one JSON object from standard input: `address`, `ca` (a file), `play` (which function below) and what that
play needs. Ends with 0 and one line per step, or with a traceback that says what was expected.
"""

import base64
import hmac
import importlib
import json
import sys
import time

import grpc

SESSION = "soke.v1.session"
JOBS = "soke.v1.job"
USERS = "soke.v1.user"
ZONE = "soke.v1.zone"
PORTAL_JOBS = "scow.portal.job"
PORTAL_FILES = "scow.portal.file"

# Every call that needs a bearer: file, service, method, and whether it answers a stream.
NEED_BEARER = [
    (SESSION, "SessionService", "SignOut"),
    (SESSION, "SessionService", "WhoAmI"),
    (SESSION, "SessionService", "SetPassword"),
    (SESSION, "SessionService", "AddKey"),
    (SESSION, "SessionService", "CreateCertificate"),
    (JOBS, "JobService", "SubmitJob"),
    (JOBS, "JobService", "GetJob"),
    (JOBS, "JobService", "ListJobs"),
    (JOBS, "JobService", "CancelJob"),
    (JOBS, "JobService", "WatchJob"),
    (JOBS, "JobService", "FollowOutput"),
    (USERS, "UserService", "CreateUser"),
    (USERS, "UserService", "ListUsers"),
    (USERS, "UserService", "CreateSignInCode"),
    (USERS, "UserService", "RevokeSessions"),
    (ZONE, "ZoneService", "GetStatus"),
    (PORTAL_JOBS, "JobService", "SubmitJob"),
    (PORTAL_JOBS, "JobService", "ListRunningJobs"),
    (PORTAL_JOBS, "JobService", "ListAllJobs"),
    (PORTAL_JOBS, "JobService", "CancelJob"),
    (PORTAL_FILES, "FileService", "GetHomeDirectory"),
    (PORTAL_FILES, "FileService", "ReadDirectory"),
    (PORTAL_FILES, "FileService", "Download"),
]


class Zone:
    """One channel to the zone."""

    def __init__(self, given):
        with open(given["ca"], "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        options = [("grpc.ssl_target_name_override", "soke.localhost")]
        self.channel = grpc.secure_channel(given["address"], credentials, options)

    def message(self, file, name, fields):
        """A request message with these fields; names of messages are those of the .proto file."""
        return getattr(importlib.import_module(file + "_pb2"), name)(**fields)

    def call(self, file, service, method, fields=None, bearer=None):
        """Calls a method and gives its answer, a list for a stream."""
        stub = getattr(importlib.import_module(file + "_pb2_grpc"), service + "Stub")(self.channel)
        request = self.message(file, method + "Request", fields or {})
        metadata = [("authorization", f"Bearer {bearer}")] if bearer is not None else []
        answer = getattr(stub, method)(request, metadata=metadata, timeout=20)
        return list(answer) if hasattr(answer, "__next__") else answer

    def refused(self, file, service, method, fields=None, bearer=None):
        """Calls a method that must fail and gives its code and sentence."""
        try:
            answer = self.call(file, service, method, fields, bearer)
        except grpc.RpcError as error:
            return error.code(), error.details()
        raise AssertionError(f"{service}/{method} was not refused but answered {answer}")

    def sign_in(self, code):
        """Signs in with a one-time code."""
        return self.call(SESSION, "SessionService", "SignIn", {"link_code": code})


def eventually(look, what, seconds=30):
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def same(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def story(zone, given):
    """Signs in, submits, lists, downloads, cancels and signs out, on both doors."""
    signed_in = zone.sign_in(given["code"])
    bearer, name = signed_in.tokens.access_token, signed_in.identity.user_name
    who = zone.call(SESSION, "SessionService", "WhoAmI", {}, bearer).identity
    same((who.user_name, list(who.roles)), (name, ["owner"]), "who the bearer is")
    print("signed in as", name)

    mine = {"user_id": name, "cluster": "local"}
    home = zone.call(PORTAL_FILES, "FileService", "GetHomeDirectory", mine, bearer).path
    assert home.startswith("/"), f"the home is absolute: {home}"
    job = {
        **mine,
        "job_name": "from-python",
        "command": "echo hello from a foreign client; cat /proc/self/loginuid >/dev/null; exit 0",
        "node_count": 1,
        "core_count": 1,
        "max_time": 1,
        "working_directory": "python",
        "output": "said.txt",
        "error_output": "complained.txt",
    }
    number = zone.call(PORTAL_JOBS, "JobService", "SubmitJob", job, bearer).job_id
    print("submitted job", number)

    def ended():
        listed = zone.call(PORTAL_JOBS, "JobService", "ListAllJobs", mine, bearer).results
        found = [job for job in listed if job.job_id == number]
        same(len(found), 1, "the job in the list")
        return found[0] if found[0].state == "COMPLETED" else None

    info = eventually(ended, "the job is COMPLETED")
    same(info.name, "from-python", "its name")
    listing = zone.call(PORTAL_FILES, "FileService", "ReadDirectory", {**mine, "path": home + "/python"}, bearer)
    names = sorted(entry.name for entry in listing.results)
    same(names, ["complained.txt", "said.txt"], "what the job left")
    parts = zone.call(PORTAL_FILES, "FileService", "Download", {**mine, "path": home + "/python/said.txt"}, bearer)
    said = b"".join(part.chunk for part in parts)
    same(said, b"hello from a foreign client\n", "its output")
    print("downloaded", len(said), "bytes")

    record = zone.call(JOBS, "JobService", "GetJob", {"number": number}, bearer).job
    same((record.exit_code, record.HasField("exit_code")), (0, True), "its exit code")
    chunks = zone.call(JOBS, "JobService", "FollowOutput", {"number": number, "stream": 1}, bearer)
    same(b"".join(chunk.chunk for chunk in chunks), said, "the same output at the other door")

    sleeper = {**job, "job_name": "sleeper", "command": "sleep 300", "output": "s.txt", "error_output": "e.txt"}
    number = zone.call(PORTAL_JOBS, "JobService", "SubmitJob", sleeper, bearer).job_id

    def running():
        listed = zone.call(PORTAL_JOBS, "JobService", "ListRunningJobs", mine, bearer).results
        return [job for job in listed if job.job_id == str(number) and job.state == "RUNNING"]

    eventually(running, "the sleeper runs")
    zone.call(PORTAL_JOBS, "JobService", "CancelJob", {**mine, "job_id": number}, bearer)
    watched = zone.call(JOBS, "JobService", "WatchJob", {"number": number}, bearer)
    state = importlib.import_module(JOBS + "_pb2").JobState.Name(watched[-1].job.state)
    same(state, "JOB_STATE_CANCELLED", "how the sleeper ended")
    print("cancelled job", number)

    zone.call(SESSION, "SessionService", "SignOut", {}, bearer)
    code, _details = zone.refused(SESSION, "SessionService", "WhoAmI", {}, bearer)
    same(code, grpc.StatusCode.UNAUTHENTICATED, "after the sign-out")
    print("signed out")


def refusals(zone, given):
    """Every call without a bearer and with each bad one of `bearers` is UNAUTHENTICATED, and says nothing more."""
    bearers = {"none": None, **given["bearers"]}
    for file, service, method in NEED_BEARER:
        for what, bearer in bearers.items():
            code, details = zone.refused(file, service, method, {}, bearer)
            same(code, grpc.StatusCode.UNAUTHENTICATED, f"{service}/{method} with bearer {what}")
            assert bearer is None or bearer not in details, f"{service}/{method} tells the bearer"
    print(len(NEED_BEARER) * len(bearers), "refused")


def bad_inputs(zone, given):
    """Each row of the table: a call with one or more wrong fields is refused, and every wrong field is named."""
    wrong = []
    for row in given["rows"]:
        file, service, method = row["call"]
        code, details = zone.refused(file, service, method, row["fields"], given["bearer"])
        unnamed = [word for word in row["names"] if word not in details]
        if code.name != row["code"] or unnamed:
            wrong.append(f"{row}: {code.name} {details!r}, not named: {unnamed}")
    assert not wrong, "\n".join(wrong)
    print(len(given["rows"]), "rows")


def paths(zone, given):
    """Z05: a path that is not exactly a method's is UNIMPLEMENTED, with a bearer and without."""
    service, method = "soke.v1.SessionService", "WhoAmI"
    good = f"/{service}/{method}"
    # No path at all for HTTP/2 (RFC 9113, section 8.3.1): the stream is reset before anything reads it.
    no_paths = [good[1:], f"\\{service}\\{method}", f"/{service}/{method}\u0020"]
    odd = [
        "/" + good,
        f"/{service}//{method}",
        good + "/",
        good + "//",
        f"/{service}%2F{method}",
        f"/{service}/WhoAm%49",
        f"/soke%2Ev1.SessionService/{method}",
        good.upper(),
        good.lower(),
        f"/{service}/whoAmI",
        f"/{service}",
        f"/{service}/",
        "/",
        f"/./{service}/{method}",
        f"/x/../{service}/{method}",
        f"/{service}/../{service}/{method}",
        f"/{service}/{method}?x=1",
        f"/{service}/{method};x=1",
        f"/{service}/" + "A" * 6000,
        "/" + "A" * 6000 + f"/{method}",
        good * 200,
    ]
    for bearer in [None, given["bearer"]]:
        metadata = [("authorization", f"Bearer {bearer}")] if bearer else []

        def code_of(path):
            call = zone.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
            try:
                call(b"", metadata=metadata, timeout=20)
            except grpc.RpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        wanted = grpc.StatusCode.OK if bearer else grpc.StatusCode.UNAUTHENTICATED
        same(code_of(good), wanted, good)
        for path in odd:
            same(code_of(path), grpc.StatusCode.UNIMPLEMENTED, path[:80])
        for path in no_paths:
            refused = [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL]
            assert code_of(path) in refused, f"{path}: {code_of(path)}"
    print(len(odd) + len(no_paths), "paths")


def forgeries(zone, given):
    """T03: tokens made from a good one without its key are refused, whatever their header claims."""
    good = given["bearer"]
    head, claims, signature = good.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, claims)]

    def part(value):
        text = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    def token(header, body, key=None):
        signed = part({**decoded[0], **header}) + "." + part({**decoded[1], **body})
        if key is None:
            return f"{signed}.{signature}"
        if key == b"":
            return signed + "."
        return signed + "." + part(hmac.new(key, signed.encode(), "sha256").digest())

    def without(name):
        body = {key: value for key, value in decoded[1].items() if key != name}
        return f"{head}.{part(body)}.{signature}"

    with open(given["ca"], "rb") as file:
        public = file.read()
    forged = {
        "alg none": token({"alg": "none"}, {}, b""),
        "alg none with a signature": token({"alg": "none"}, {}),
        "alg None": token({"alg": "None"}, {}, b""),
        "HS256 by the CA's certificate": token({"alg": "HS256"}, {}, public),
        "HS256 by the key's name": token({"alg": "HS256"}, {}, str(decoded[0].get("kid")).encode()),
        "unknown kid": token({"kid": "somebody"}, {}),
        "kid with a path": token({"kid": "../../keys/seal.key"}, {}),
        "no kid": f"{part({'alg': 'EdDSA'})}.{claims}.{signature}",
        "key in the header": token({"jwk": {"kty": "OKP", "crv": "Ed25519", "x": part(b"0" * 32)}}, {}),
        "later end": token({}, {"exp": decoded[1]["exp"] + 3600}),
        "end as text": token({}, {"exp": "9999999999"}),
        "no end": without("exp"),
        "another zone": token({}, {"aud": "another"}),
        "another user": token({}, {"sub": "somebody"}),
        "no signature": f"{head}.{claims}.",
        "two parts": f"{head}.{claims}",
        "four parts": good + "." + signature,
        "twice": f"{good},{good}",
        "signature of another length": good + "AAAA",
    }
    for what, bearer in forged.items():
        code, details = zone.refused(SESSION, "SessionService", "WhoAmI", {}, bearer)
        same(code, grpc.StatusCode.UNAUTHENTICATED, what)
        assert signature not in details, f"{what}: the answer tells the token"
    # The bearer in another place than `authorization` counts for nothing.
    stub = importlib.import_module(SESSION + "_pb2_grpc").SessionServiceStub(zone.channel)
    request = zone.message(SESSION, "WhoAmIRequest", {})
    for metadata in [
        [("authorization", good)],
        [("authorization", f"Basic {good}")],
        [("cookie", f"authorization=Bearer {good}")],
        [("authorization", f"Bearer {good}"), ("authorization", f"Bearer {good}")],
    ]:
        try:
            stub.WhoAmI(request, metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            same(error.code(), grpc.StatusCode.UNAUTHENTICATED, str(metadata)[:40])
        else:
            raise AssertionError(f"accepted: {str(metadata)[:40]}")
    print(len(forged), "forgeries")


def main():
    given = json.load(sys.stdin)
    zone = Zone(given)
    {"story": story, "refusals": refusals, "bad_inputs": bad_inputs, "paths": paths, "forgeries": forgeries}[given["play"]](zone, given)


main()

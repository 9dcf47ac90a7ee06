"""soke.v1 by plain grpcio: the owner's part of the story, jobs on the second machine, the audit trail, revoking."""

import hashlib
import time

import grpc
from world import eventually, main, native, same

SESSION = ("session", "SessionService")
JOB = ("job", "JobService")


def owner(world):
    """The owner signs in with the one-time code that the first start has printed."""
    answer = native(world).call(*SESSION, "SignIn", link_code=world["code"])
    same(list(answer.identity.roles), ["owner"], "who signs in first")
    return {"owner": answer.tokens.access_token}


def invite(world):
    """A token for one machine."""
    zone = native(world, world["owner"])
    answer = zone.call("node", "NodeService", "CreateJoinToken", node_name="far", uses=1)
    return {"token": answer.text}


def password(world):
    """Ada signs in with the password that she was given."""
    from soke.v1 import session_pb2

    proof = session_pb2.PasswordProof(user_name="ada", password=world["password"])
    answer = native(world).call(*SESSION, "SignIn", password=proof)
    same(answer.identity.user_name, "ada", "who signs in by password")
    return {"bearer": answer.tokens.access_token, "refresh": answer.tokens.refresh_token, "user_id": answer.identity.user_id}


def who(world):
    """Every bearer that the story has is the same person's."""
    found = set()
    for name in ["bearer", "key_bearer", "wallet_bearer", "kapi_token"]:
        if name in world:
            identity = native(world, world[name]).call(*SESSION, "WhoAmI").identity
            found.add((identity.user_id, identity.user_name))
    same(found, {(world["user_id"], "ada")}, "who the bearers are")


def sums():
    """What the job on the second machine writes, computed here."""
    lines = []
    for n in range(1, 21):
        text = "".join(f"{number}\n" for number in range(n, n + 1000))
        lines.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {n}.txt\n")
    return "".join(lines)


def job(world):
    """A job on the second machine; its output comes through the server and is checked."""
    zone = native(world, world["bearer"])
    script = (
        "#!/bin/sh\nset -eu\nmkdir -p sums\ncd sums\n"
        "for n in $(seq 1 20); do seq $n $((n + 999)) > $n.txt; done\n"
        "for n in $(seq 1 20); do sha256sum $n.txt; done\n"
    )
    fields = {"name": "sums", "script": script, "cores": 1, "time_limit_secs": 120, "node": "far"}
    number = zone.call(*JOB, "SubmitJob", **fields).job.number
    return {"job": number}


def job_ended(world):
    """It has ended well, there, and wrote what it must."""
    zone, number = native(world, world["bearer"]), world["job"]

    def ended():
        job = zone.call(*JOB, "GetJob", number=number).job
        return job if job.HasField("ended_at") else None

    job = eventually(ended, "the job ends")
    same((job.exit_code, job.node_name, job.user_name), (0, "far", "ada"), "how the job ended")
    chunks = zone.call(*JOB, "FollowOutput", number=number, stream="STREAM_STDOUT")
    same(b"".join(chunk.chunk for chunk in chunks).decode(), sums(), "what the job wrote")


def trail(world):
    """One trail, and the same actor behind every door."""
    zone = native(world, world["owner"])
    wanted = {tuple(pair) for pair in world["doors"]}

    def deeds():
        found, token = [], ""
        while True:
            page = zone.call("audit", "AuditService", "ListDeeds", page_size=1000, page_token=token)
            found.extend(page.deeds)
            token = page.next_page_token
            if not token:
                return found

    def by_ada():
        return [deed for deed in deeds() if not deed.refused and "ada" in (deed.actor_name, deed.speaks_for)]

    def missing():
        return sorted(wanted - {(deed.door, deed.action) for deed in by_ada()})

    # What was done a moment ago is sealed within a second.
    eventually(lambda: not missing(), lambda: f"the trail does not tell of {missing()}")
    ids = {deed.actor_id for deed in by_ada() if deed.actor_name == "ada"}
    same(ids, {world["user_id"]}, "whose deeds they are")
    verdict = zone.call("audit", "AuditService", "VerifyTrail")
    assert verdict.whole and verdict.deeds > len(wanted), f"the trail is whole: {verdict}"


def ledger(world):
    """Every book, and together they are nothing."""
    books = native(world, world["owner"]).call("account", "AccountService", "GetLedger")
    same(books.sum.ten_thousandths, 0, "the sum of the ledger")


def revoke(world):
    """The owner ends every session of ada; an open stream of hers ends with them."""
    stub = native(world, world["bearer"])
    from soke.v1 import job_pb2, job_pb2_grpc

    fields = {"name": "waits", "script": "#!/bin/sh\nsleep 600\n", "cores": 1, "time_limit_secs": 900}
    number = stub.call(*JOB, "SubmitJob", **fields).job.number
    watch = job_pb2_grpc.JobServiceStub(stub.channel).WatchJob(
        job_pb2.WatchJobRequest(number=number), metadata=stub.metadata, timeout=60
    )
    next(watch)
    answer = native(world, world["owner"]).call("user", "UserService", "RevokeSessions", user_name="ada")
    begun = time.monotonic()
    assert answer.ended >= 4, f"sessions by password, key, wallet, kRPC, certificate: {answer.ended}"
    try:
        for _change in watch:
            pass
        raise AssertionError("the open stream went on to the end of the job")
    except grpc.RpcError as error:
        same(error.code().name, "UNAUTHENTICATED", "how the open stream ended")
    lasted = time.monotonic() - begun
    assert lasted < 5, f"the open stream went on for {lasted} s"
    native(world, world["owner"]).call(*JOB, "CancelJob", number=number)


def refused(world):
    """No bearer of ada's opens anything, and none can be renewed."""
    for name in ["bearer", "key_bearer", "wallet_bearer", "kapi_token"]:
        if name in world:
            code = native(world, world[name]).refused(*SESSION, "WhoAmI")
            same(code, "UNAUTHENTICATED", f"after revoking: {name}")
            code = native(world, world[name]).refused(*JOB, "SubmitJob", script="true")
            same(code, "UNAUTHENTICATED", f"after revoking: {name}")
    code = native(world).refused(*SESSION, "Refresh", refresh_token=world["refresh"])
    same(code, "UNAUTHENTICATED", "after revoking: a refresh token")


if __name__ == "__main__":
    steps = [owner, invite, password, who, job, job_ended, trail, ledger, revoke, refused]
    main({step.__name__: step for step in steps})

"""SCOW's portal by grpcio: the front end speaks for ada, and ada for herself with her own bearer."""

from world import eventually, main, plain, same

HERS = {"user_id": "ada", "cluster": "local"}
JOB = ("job", "JobService")
FILE = ("file", "FileService")
# What is put into her home.
WORDS = [b"hold ", b"your ", b"own ", b"court\n"]


def front_end(world):
    return plain(world, "scow.portal", "scow.portal", world["front_end"])


def herself(world):
    return plain(world, "scow.portal", "scow.portal", world["bearer"])


def accounts(world):
    """The accounts that ada may spend from."""
    for door in [front_end(world), herself(world)]:
        same(list(door.call(*JOB, "ListAccounts", **HERS).accounts), ["lab"], "her accounts")


def upload(world):
    """A file of hers, in pieces."""
    from scow.portal import file_pb2, file_pb2_grpc

    door = front_end(world)
    home = door.call(*FILE, "GetHomeDirectory", **HERS).path
    assert home.startswith("/"), home
    info = file_pb2.UploadRequest.Info(path=f"{home}/words.txt", **HERS)
    pieces = [file_pb2.UploadRequest(info=info)] + [file_pb2.UploadRequest(chunk=word) for word in WORDS]
    answer = file_pb2_grpc.FileServiceStub(door.channel).Upload(iter(pieces), metadata=door.metadata, timeout=60)
    same(answer.written_bytes, sum(map(len, WORDS)), "bytes of the upload")
    return {"home": home}


def submit(world):
    """A job that the account pays for, on the file that she has put there."""
    job = {
        **HERS,
        "job_name": "paid",
        "account": "lab",
        "partition": "local",
        "node_count": 1,
        "core_count": 1,
        "max_time": 5,
        "command": "sleep 1.2; cat ../words.txt",
        "working_directory": "paid",
        "output": "said.txt",
        "error_output": "complained.txt",
    }
    return {"portal_job": front_end(world).call(*JOB, "SubmitJob", **job).job_id}


def ended(world):
    """It ends well, in ada's name, and its output is hers to fetch."""

    def listed():
        jobs = front_end(world).call(*JOB, "ListAllJobs", **HERS).results
        found = [job for job in jobs if job.job_id == world["portal_job"]]
        return found[0] if found and found[0].state not in ("PENDING", "RUNNING") else None

    job = eventually(listed, "the job ends")
    same((job.state, job.account, job.name), ("COMPLETED", "lab", "paid"), "how the job ended")
    path = f"{world['home']}/paid/said.txt"
    for door in [front_end(world), herself(world)]:
        parts = door.call(*FILE, "Download", path=path, **HERS)
        same(b"".join(part.chunk for part in parts), b"".join(WORDS), "what the job wrote")
    names = [file.name for file in front_end(world).call(*FILE, "ReadDirectory", path=f"{world['home']}/paid", **HERS).results]
    assert "said.txt" in names, names


def refused(world):
    """Her own bearer opens nothing, and nobody's opens nothing."""
    for door in [herself(world), plain(world, "scow.portal", "scow.portal")]:
        for service, method in [(JOB, "ListAllJobs"), (FILE, "GetHomeDirectory")]:
            same(door.refused(*service, method, **HERS), "UNAUTHENTICATED", "after revoking: the portal")


if __name__ == "__main__":
    main({step.__name__: step for step in [accounts, upload, submit, ended, refused]})

"""BuckyOS's kRPC over plain HTTP: verify-hub and system_config, by nothing but urllib."""

import base64
import hashlib
import json
import time
import urllib.request

from world import main, same


def ask(world, listener, service, method, params, token=None):
    """Makes a call and gives its result; a failure raises with its text."""
    seq = time.time_ns() // 1000
    body = {"method": method, "params": params, "sys": [seq] if token is None else [seq, token]}
    request = urllib.request.Request(
        f"http://{world['address'][listener]}/kapi/{service}",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        reply = json.load(answer)
    same(reply["sys"][0], seq, "the number of the call")
    if "error" in reply:
        raise RuntimeError(reply["error"])
    return reply["result"]


def hub(world, method, params):
    return ask(world, "buckyos.node_gateway", "verify-hub", method, params)


def config(world, method, params):
    return ask(world, "buckyos.system_config", "system_config", method, params, world["kapi_token"])


def proof(name, password, nonce):
    """The stored form of the password, and that with the nonce."""
    stored = base64.b64encode(hashlib.sha256(f"{password}{name}.buckyos".encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256(f"{stored}{nonce}".encode()).digest()).decode()


def claims(token):
    """What a token says, without asking whether it is good."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def login(world):
    """Ada signs in with the proof of her password."""
    nonce = time.time_ns() // 1_000_000
    params = {
        "type": "password",
        "username": "ada",
        "password": proof("ada", world["password"], nonce),
        "appid": "files",
        "login_nonce": nonce,
    }
    answer = hub(world, "login_by_password", params)
    token = answer["session_token"]
    same(claims(token)["sub"], "ada", "who the token is for")
    same(hub(world, "verify_token", {"session_token": token}), True, "whether the token is good")
    return {"kapi_token": token, "kapi_refresh": answer["refresh_token"]}


def write(world):
    """She writes under her own name."""
    config(world, "sys_config_set", {"key": "users/ada/motto", "value": "hold your own court"})


def read(world):
    """What she wrote is there."""
    entry = config(world, "sys_config_get", {"key": "users/ada/motto"})
    same(entry["value"], "hold your own court", "what was written")


def refused(world):
    """The session is over: nothing is written, verified or renewed."""
    calls = [
        (write, (world,)),
        (read, (world,)),
        (hub, (world, "verify_token", {"session_token": world["kapi_token"]})),
        (hub, (world, "refresh_token", {"refresh_token": world["kapi_refresh"]})),
    ]
    for call, arguments in calls:
        try:
            answer = call(*arguments)
        except RuntimeError:
            continue
        raise AssertionError(f"after revoking: {arguments[1:]} answered {answer}")


if __name__ == "__main__":
    main({step.__name__: step for step in [login, write, read, refused]})

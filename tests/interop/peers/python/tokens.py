"""Tokens of a service account: signed by its own key, exchanged for one of its issuer, or the machine's own.

RS256 (RFC 7518, section 3.3) in a few lines, because grpcio brings no keys.
"""

import base64
import hashlib
import json
import time
import urllib.parse
import urllib.request

LONGEST = 60
# What stands before a SHA-256 in a signature (RFC 8017, section 9.2, note 1).
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def element(der, at):
    """Where the contents of the DER element at a place begin and end."""
    length, begin = der[at + 1], at + 2
    if length > 0x7F:
        digits = length & 0x7F
        length, begin = int.from_bytes(der[begin : begin + digits], "big"), begin + digits
    return begin, begin + length


def key(pem):
    """Modulus and private exponent of an RSA key in PKCS #8."""
    der = base64.b64decode("".join(line for line in pem.splitlines() if "-" not in line))
    at, _ = element(der, 0)
    for _ in range(2):
        _, at = element(der, at)
    at, _ = element(der, at)
    at, _ = element(der, at)
    numbers = []
    for _ in range(4):
        begin, at = element(der, at)
        numbers.append(int.from_bytes(der[begin:at], "big"))
    _version, modulus, _public, private = numbers
    return modulus, private


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(path):
    with open(path, encoding="ascii") as file:
        return json.load(file)


def own(path, audience, **more):
    """A token that the account signs itself."""
    account, now = read(path), int(time.time())
    email = account["client_email"]
    head = {"alg": "RS256", "typ": "JWT", "kid": account["private_key_id"]}
    claims = {"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 3600, **more}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
    modulus, private = key(account["private_key"])
    size = (modulus.bit_length() + 7) // 8
    digest = SHA256 + hashlib.sha256(signed.encode()).digest()
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(digest)) + b"\x00" + digest
    signature = pow(int.from_bytes(padded, "big"), private, modulus)
    return f"{signed}.{base64url(signature.to_bytes(size, 'big'))}"


def granted(asked):
    with urllib.request.urlopen(asked, timeout=LONGEST) as answer:
        return json.load(answer)["access_token"]


def exchanged(path, scope):
    """A token of the account's issuer, for one that the account has signed."""
    uri = read(path)["token_uri"]
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": own(path, uri, scope=scope),
    }
    return granted(urllib.request.Request(uri, data=urllib.parse.urlencode(form).encode()))


def machine(server):
    """A token of the machine's own account."""
    url = f"http://{server}/computeMetadata/v1/instance/service-accounts/default/token"
    return granted(urllib.request.Request(url, headers={"Metadata-Flavor": "Google"}))

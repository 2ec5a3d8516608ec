"""Computes the AWS signature of every recorded request anew, with botocore's own signer: verify_signatures.py RECORD

RECORD is what fake_sagemaker.py wrote. Prints a line of JSON for each signed request: the key's id, the service, which headers were
signed, and whether botocore comes to the same signature.
"""

import base64
import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def verify(line):
    request_line, *fields = line["head"].split("\r\n")[:-2]
    method, path, _ = request_line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    given = dict(field.strip().split("=", 1) for field in headers.get("authorization", "").partition(" ")[2].split(",") if field)
    if not given:
        return None
    key, _, region, service, _ = given["Credential"].split("/")
    signed = given["SignedHeaders"].split(";")
    request = AWSRequest(method, f"http://{headers['host']}{path}", data=base64.b64decode(line["body"]))
    for name in signed:
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    signer = SigV4Auth(Credentials(key, SECRET, headers.get("x-amz-security-token")), service, region)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return {"key": key, "service": service, "signed": signed, "holds": signature == given["Signature"]}


with open(sys.argv[1], encoding="utf-8") as record:
    for line in record:
        verdict = verify(json.loads(line))
        if verdict:
            print(json.dumps(verdict))

"""Compares the backend's signatures with botocore's, for random requests."""

import datetime
import hashlib
import json
import os
import random
import string
import subprocess
import unittest
import urllib.parse

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REQUESTS = 2000
ALPHABET = string.ascii_letters + string.digits + "/._-~ +&=%$'()*!@:,;äß\u20ac"


def random_request(source):
    def text(longest, alphabet=ALPHABET):
        return "".join(source.choice(alphabet) for _ in range(source.randint(1, longest)))

    names = source.sample(["range", "if-none-match", "content-type", "x-amz-meta-a",
                           "x-amz-security-token"], source.randint(0, 5))
    fields = [[name, text(20, string.ascii_letters + string.digits + "-=*/+")] for name in names]
    sha256 = hashlib.sha256(text(50).encode()).hexdigest()
    return {
        "method": source.choice(["GET", "PUT", "HEAD", "DELETE"]),
        "path": "/" + text(60),
        "query": [[name, text(20)] for name in source.sample(
            ["list-type", "prefix", "start-after", "continuation-token", "a b", "Z", "ü"],
            source.randint(0, 7))],
        "fields": fields + [["host", "archive.s3.example.org:9000"],
                            ["x-amz-content-sha256", sha256]],
        "payload_sha256": sha256,
        "time": source.randint(1_000_000_000, 4_000_000_000),
        "key": text(20, string.ascii_uppercase + string.digits),
        "secret": text(40, string.ascii_letters + string.digits + "/+"),
        "region": source.choice(["us-east-1", "eu-central-1", "default"]),
    }


def botocore_signature(request, path, query):
    """What botocore makes of the request as it goes over the wire."""
    class Fixed(S3SigV4Auth):
        def _modify_request_before_signing(self, _):
            pass

    url = "https://archive.s3.example.org:9000" + path + ("?" + query if query else "")
    aws = AWSRequest(request["method"], url, headers=dict(request["fields"]))
    moment = datetime.datetime.fromtimestamp(request["time"], datetime.timezone.utc)
    aws.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    aws.headers["X-Amz-Date"] = aws.context["timestamp"]
    signer = Fixed(Credentials(request["key"], request["secret"]), "s3", request["region"])
    canonical = signer.canonical_request(aws)
    to_sign = signer.string_to_sign(aws, canonical)
    return signer.signature(to_sign, aws)


class OracleTest(unittest.TestCase):
    def test_random_requests_are_signed_as_botocore_signs_them(self):
        source = random.Random(1)
        requests = [random_request(source) for _ in range(REQUESTS)]
        process = subprocess.run(
            [os.environ["OPENARCHIVER_S3_SIGN"]], check=True, capture_output=True,
            input="".join(json.dumps(r) + "\n" for r in requests).encode())
        answers = process.stdout.decode().splitlines()
        self.assertEqual(len(answers), REQUESTS)
        for request, answer in zip(requests, answers):
            path, query, authorization = answer.split("\t")
            self.assertEqual(urllib.parse.unquote(path), request["path"])
            self.assertEqual(sorted(map(list, urllib.parse.parse_qsl(query))),
                             sorted(request["query"]))
            signature = authorization.rsplit("Signature=", 1)[1]
            self.assertEqual(signature, botocore_signature(request, path, query), request)


if __name__ == "__main__":
    unittest.main()

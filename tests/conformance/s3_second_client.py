"""Another S3 client than this project's: s3_second_client.py ENDPOINT KEY SECRET BUCKET VERB [KEY...]

list: each object's key, size and the SHA-256 of its bytes; put: objects of their key's bytes;
create-lockable: a bucket with Object Lock; create-locked: one whose objects are locked for a day by
default; create-versions: one that keeps versions; versions: all versions of the keys (of all without),
by key, the newest first; protection: how the keys are locked and held; delete: tries to delete every
version of the keys, and tells what the store says; hide: puts a delete marker on the keys.
"""

import hashlib
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, key_id, secret, bucket, verb, *keys = sys.argv[1:]
client = boto3.client(
    "s3", endpoint_url=endpoint, aws_access_key_id=key_id, aws_secret_access_key=secret,
    region_name="us-east-1",
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
if verb == "list":
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for entry in page.get("Contents", []):
            body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            print(entry["Key"], entry["Size"], hashlib.sha256(body).hexdigest())
elif verb == "put":
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
elif verb == "create-lockable":
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
elif verb == "create-locked":
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
elif verb == "create-versions":
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
elif verb == "versions":
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in page.get("Versions", []):
            print(entry["Key"], entry["Size"])
        for entry in page.get("DeleteMarkers", []):
            print(entry["Key"], "marker")
elif verb == "protection":
    for key in keys:
        head = client.head_object(Bucket=bucket, Key=key)
        until = head.get("ObjectLockRetainUntilDate")
        print(key, head.get("ObjectLockMode"), until and int(until.timestamp()),
              head.get("ObjectLockLegalHoldStatus"))
elif verb == "delete":
    for key in keys:
        listed = client.list_object_versions(Bucket=bucket, Prefix=key)
        for entry in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
            if entry["Key"] == key:
                try:
                    client.delete_object(Bucket=bucket, Key=key, VersionId=entry["VersionId"])
                    print(key, "deleted")
                except ClientError as error:
                    print(key, error.response["Error"]["Code"])
elif verb == "hide":
    for key in keys:
        client.delete_object(Bucket=bucket, Key=key)
else:
    sys.exit(f"unknown verb {verb}")

"""Another S3 client than this project's: s3_second_client.py ENDPOINT KEY SECRET BUCKET VERB [KEY...]

list: each object's key, size and the SHA-256 of its bytes; put: objects of their key's bytes;
create-locked: a bucket whose objects are under Object Lock for a day.
"""

import hashlib
import sys

import boto3
from botocore.config import Config

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
elif verb == "create-locked":
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
else:
    sys.exit(f"unknown verb {verb}")

"""Buckets of the gateway that CTest starts, by boto3: another client than the program."""

import contextlib
import json
import os
import pathlib
import uuid

import boto3
from botocore.config import Config


class Bucket:
    """A new bucket; with versions the gateway ignores If-None-Match in it. `keys` are those of
    another user than the gateway's first."""

    def __init__(self, versions=False, keys=None, object_lock=False):
        self.gateway = json.loads(pathlib.Path(os.environ["OPENARCHIVER_RGW"]).read_text())
        self.keys = keys or self.gateway
        self.name = f"archive-{uuid.uuid4().hex}"
        with self.client() as client:
            lock = {"ObjectLockEnabledForBucket": True} if object_lock else {}
            client.create_bucket(Bucket=self.name, **lock)
            if versions:
                client.put_bucket_versioning(
                    Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def client(self):
        return contextlib.closing(boto3.client(
            "s3", endpoint_url=self.gateway["endpoint"], region_name="us-east-1",
            aws_access_key_id=self.keys["access_key_id"],
            aws_secret_access_key=self.keys["secret_access_key"],
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"})))

    def config(self, folder):
        """Of the storage backend. The keys are put into a file in the folder."""
        self.write_credentials(folder, self.keys)
        return {"bucket": self.name, "prefix": "mail", "endpoint": self.gateway["endpoint"],
                "credentials_file": "./credentials", "profile": "archive"}

    def write_credentials(self, folder, keys):
        (folder / "credentials").write_text(
            "[archive]\n"
            f"aws_access_key_id = {keys['access_key_id']}\n"
            f"aws_secret_access_key = {keys['secret_access_key']}\n")

    def download(self, folder):
        """Every object of the prefix as a file, and how many there are."""
        count = 0
        with self.client() as client:
            for page in client.get_paginator("list_objects_v2").paginate(
                    Bucket=self.name, Prefix="mail/"):
                for entry in page.get("Contents", []):
                    file = folder / entry["Key"].removeprefix("mail/")
                    file.parent.mkdir(parents=True, exist_ok=True)
                    client.download_file(self.name, entry["Key"], str(file))
                    assert file.stat().st_size == entry["Size"]
                    count += 1
        return count

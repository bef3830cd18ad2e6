"""The objects of an archive behind the program's back, on every backend: what another program can
do to them."""

import contextlib
import os
import sqlite3

from s3_bucket import Bucket


class FolderObjects:
    backend = "filesystem"

    def __init__(self, folder, name="archive"):
        self.root = folder / name
        self.config = {"root": f"./{name}"}

    def keys(self, prefix=""):
        return sorted(key for path in self.root.rglob("*") if path.is_file()
                      and (key := str(path.relative_to(self.root))).startswith(prefix)
                      and not key.startswith("tmp~"))

    def get(self, key):
        return (self.root / key).read_bytes()

    def put(self, key, content):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.write_bytes(content)
        os.chmod(path, 0o444)

    def remove(self, key):
        (self.root / key).unlink()


class SqliteObjects:
    backend = "sqlite"

    def __init__(self, folder, name="archive"):
        self.file = folder / name / "archive.db"
        self.config = {"file": f"./{name}/archive.db"}

    @contextlib.contextmanager
    def database(self):
        with contextlib.closing(sqlite3.connect(self.file)) as database, database:
            yield database

    def keys(self, prefix=""):
        with self.database() as database:
            return sorted(k for k, in database.execute("SELECT key FROM objects")
                          if k.startswith(prefix))

    def get(self, key):
        with self.database() as database:
            return b"".join(piece for piece, in database.execute(
                "SELECT bytes FROM pieces JOIN objects ON object = piece >> 20 WHERE key=?"
                " ORDER BY piece", (key,)))

    def put(self, key, content):
        self.remove(key)
        with self.database() as database:
            row = database.execute(
                "INSERT INTO objects(key, size, modified_at) VALUES(?,?,0)",
                (key, len(content))).lastrowid
            for piece, at in enumerate(range(0, len(content), 1 << 20)):
                database.execute("INSERT INTO pieces(piece, bytes) VALUES(?,?)",
                                 ((row << 20) + piece, content[at:at + (1 << 20)]))

    def remove(self, key):
        with self.database() as database:
            database.execute("DELETE FROM pieces WHERE piece >> 20 IN"
                             " (SELECT object FROM objects WHERE key=?)", (key,))
            database.execute("DELETE FROM objects WHERE key=?", (key,))


class BucketObjects:
    backend = "s3"

    def __init__(self, folder, name="archive"):
        del name  # each bucket is another one
        self.bucket = Bucket()
        self.config = self.bucket.config(folder)

    def keys(self, prefix=""):
        with self.bucket.client() as client:
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket.name, Prefix=f"mail/{prefix}")
            keys = [e["Key"].removeprefix("mail/") for p in pages for e in p.get("Contents", [])]
        return sorted(key for key in keys if key == key.lower())  # but for the backend's probe

    def get(self, key):
        with self.bucket.client() as client:
            return client.get_object(Bucket=self.bucket.name, Key=f"mail/{key}")["Body"].read()

    def put(self, key, content):
        with self.bucket.client() as client:
            client.put_object(Bucket=self.bucket.name, Key=f"mail/{key}", Body=content)

    def remove(self, key):
        with self.bucket.client() as client:
            client.delete_object(Bucket=self.bucket.name, Key=f"mail/{key}")


BACKENDS = {objects.backend: objects for objects in (FolderObjects, SqliteObjects, BucketObjects)}

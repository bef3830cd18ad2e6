"""A disk that knows what is written and what would survive a power cut. It is fed with the calls of
a traced program and can put down the folder as it would be found afterwards.

Nothing is promised that POSIX does not: the bytes of a file last once the file is synced, names once
their folder is."""

import os
import pathlib


class File:
    def __init__(self, content=b""):
        self.content = bytearray(content)
        self.synced = bytes(content)


class Folder:
    """Its names are in Disk.names."""


class Disk:
    def __init__(self, root):
        """All that is below the root now is taken to last."""
        self.root = str(root)
        self.names = {}  # path -> File or Folder
        for folder, folders, files in os.walk(self.root):
            for name in folders:
                self.names[f"{folder}/{name}"] = Folder()
            for name in files:
                path = f"{folder}/{name}"
                if not os.path.islink(path) and pathlib.Path(path).is_file():
                    self.names[path] = File(pathlib.Path(path).read_bytes())
        self.lasting = dict(self.names)
        self.open = {}  # descriptor -> [File or Folder, path, position, appends]

    def inside(self, path):
        return path.startswith(self.root + "/")

    def do(self, operation):
        """True where it changed anything."""
        act = getattr(self, "do_" + operation.name, None)
        return bool(act and act(operation))

    def path(self, text):
        return os.path.normpath(os.path.join(self.root, os.fsdecode(text)))

    def do_openat(self, op):
        path = self.path(op.texts()[0])
        self.open.pop(op.result, None)
        if path != self.root and not self.inside(path):
            return False
        flags = op.numbers()[2]
        if "O_TMPFILE" in flags:
            self.open[op.result] = [File(), path, 0, False]
            return False
        changed = False
        if "O_CREAT" in flags and path not in self.names:
            self.names[path] = File()
            changed = True
        entry = self.names.get(path, Folder())
        if "O_TRUNC" in flags and isinstance(entry, File) and entry.content:
            entry.content.clear()
            changed = True
        self.open[op.result] = [entry, path, 0, "O_APPEND" in flags]
        return changed

    def put(self, file, offset, text):
        if len(file.content) < offset:
            file.content.extend(bytes(offset - len(file.content)))
        file.content[offset:offset + len(text)] = text

    def do_write(self, op):
        entry = self.open.get(int(op.numbers()[0]))
        if entry is None:
            return False
        text = op.texts()[0][:op.result]
        at = len(entry[0].content) if entry[3] else entry[2]
        self.put(entry[0], at, text)
        entry[2] = at + len(text)
        return True

    def do_pwrite64(self, op):
        numbers = op.numbers()
        entry = self.open.get(int(numbers[0]))
        if entry is None:
            return False
        self.put(entry[0], int(numbers[3]), op.texts()[0][:op.result])
        return True

    def do_ftruncate(self, op):
        descriptor, size = map(int, op.numbers())
        entry = self.open.get(descriptor)
        if entry is None:
            return False
        content = entry[0].content
        del content[size:]
        content.extend(bytes(size - len(content)))
        return True

    def do_fsync(self, op):
        entry = self.open.get(int(op.numbers()[0]))
        if entry is None:
            return False
        if isinstance(entry[0], File):
            entry[0].synced = bytes(entry[0].content)
        else:
            folder = entry[1]
            for path in [p for p in self.lasting if os.path.dirname(p) == folder]:
                del self.lasting[path]
            for path, what in self.names.items():
                if os.path.dirname(path) == folder:
                    self.lasting[path] = what
        return True

    do_fdatasync = do_fsync

    def paths(self, op):
        return [self.path(text) for text in op.texts()]

    def do_rename(self, op):
        old, new = self.paths(op)
        if not self.inside(old):
            return False
        assert isinstance(self.names[old], File), f"a folder is renamed: {old}"
        self.names[new] = self.names.pop(old)
        return True

    do_renameat2 = do_rename

    def do_link(self, op):
        old, new = self.paths(op)
        if not self.inside(new):
            return False
        self.names[new] = self.names[old]
        return True

    do_linkat = do_link

    def do_unlink(self, op):
        return self.inside(self.paths(op)[0]) and self.names.pop(self.paths(op)[0], None) is not None

    do_unlinkat = do_rmdir = do_unlink

    def do_mkdir(self, op):
        path = self.paths(op)[0]
        if self.inside(path):
            self.names[path] = Folder()
        return self.inside(path)

    do_mkdirat = do_mkdir

    def after_power_cut(self, names, contents):
        """What is found: {path below the root: bytes, or None for a folder}. `names` and `contents`
        say whether unsynced ones came through: any of them may."""
        there = self.names if names else self.lasting
        found = {}
        for path, what in sorted(there.items()):
            parent = os.path.dirname(path)
            if parent == self.root or isinstance(there.get(parent), Folder):
                is_file = isinstance(what, File)
                found[os.path.relpath(path, self.root)] = (
                    None if not is_file else bytes(what.content) if contents else what.synced)
        return {path: what for path, what in found.items()
                if all(parent in found for parent in map(str, pathlib.PurePath(path).parents)
                       if parent != ".")}


def put_down(state, folder):
    for path, content in state.items():
        target = folder / path
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o600)

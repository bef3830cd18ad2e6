"""Every message of the log has an id, and docs/messages.md explains each id."""

import collections
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

CALL = re.compile(r"\b(?:log|log_|logger|logger_|named_)(?:\(\))?\s*(?:->|\.)\s*"
                  r"(trace|debug|info|warn|error|critical|log)\(\s*")
LEVELS = re.compile(r"[^\",]*,\s*")  # an expression, such as bad ? level::err : level::warn
LITERALS = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*)+')
ID = re.compile(r"OA-\d{4}(?= )")
ROW = re.compile(r"\| `(OA-\d{4})` \| (\w+) \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", re.M)
NAMES = {"warn": "warning", "err": "error"}
ORDER = ["trace", "debug", "info", "warning", "error", "critical"]

# They hand over what others say: plugins, whose own messages are looked at, and programs.
FORWARDERS = {"engine/plugin/host_services.cpp": "mapped, ", "plugins/subprocess/program.cpp": "is("}

Message = collections.namedtuple("Message", "id level text place")


def literal(text):
    return "".join(part[1:-1] for part in re.findall(r'"(?:[^"\\]|\\.)*"', text)).replace('\\"', '"')


def messages_of(file):
    """Every message at level info or above; without an id: None."""
    text = file.read_text()
    name = str(file.relative_to(ROOT))
    for call in CALL.finditer(text):
        level, at = call[1], call.end()
        if level == "log":
            if name in FORWARDERS and text.startswith(FORWARDERS[name], at):
                continue
            given = LEVELS.match(text, at)
            levels = re.findall(r"(?:LogLevel|level)::(\w+)", given[0])
            level = max((NAMES.get(one, one) for one in levels), key=ORDER.index)
            at = given.end()
        level = NAMES.get(level, level)
        if level in ("trace", "debug"):
            continue
        words = LITERALS.match(text, at)
        message = literal(words[0]) if words else ""
        found = ID.match(message)
        yield Message(found[0] if found else None, level, message[8:] if found else message,
                      f"{name}:{text.count(chr(10), 0, call.start()) + 1}")


def all_messages():
    return [message for part in ("engine", "plugins", "storage-backends")
            for file in sorted((ROOT / part).rglob("*.[ch]pp")) if "tests" not in file.parts
            for message in messages_of(file)]


def entries():
    return ROW.findall((ROOT / "docs/messages.md").read_text())


def as_documented(message):
    """As docs/messages.md has it: up to the first value."""
    return re.split(r"\{|:$", message.text)[0].strip(" :=")


class MessagesTest(unittest.TestCase):
    maxDiff = None

    def test_every_message_has_an_id(self):
        messages = all_messages()
        self.assertGreater(len(messages), 60, "the sources are read no more")
        self.assertEqual([m.place for m in messages if not m.id], [])

    def test_an_id_means_one_thing(self):
        texts = collections.defaultdict(set)
        for message in all_messages():
            texts[message.id].add(message.text)
        self.assertEqual({key: said for key, said in texts.items() if len(said) > 1}, {})

    def test_every_id_is_explained_once_and_no_other(self):
        explained = [entry[0] for entry in entries()]
        self.assertEqual([key for key, n in collections.Counter(explained).items() if n > 1], [])
        used = {message.id for message in all_messages()}
        self.assertEqual(sorted(set(explained) - used), [], "explained, but nothing says it")
        self.assertEqual(sorted(used - set(explained)), [], "said, but not explained")
        self.assertEqual(explained, sorted(explained), "in the order of ids")

    def test_what_is_explained_is_what_is_said(self):
        said = {message.id: message for message in all_messages()}
        for key, level, text, means, do in entries():
            with self.subTest(key):
                self.assertTrue(means.strip() and do.strip())
                message = said[key]
                self.assertIn(level, (message.level, "varies"))
                self.assertTrue(message.text.startswith(text.split("…")[0].rstrip()),
                                (message.text, text))

    def test_the_check_finds_what_is_wrong(self):
        """The patterns see a message without an id, whatever its form."""
        source = pathlib.Path(ROOT / "engine" / "none.cpp")
        for text, wanted in (
                ('log_->warn("no id: {}", x)', [(None, "warning")]),
                ('log.error(\n    "OA-1234 two "\n    "lines", x)', [("OA-1234", "error")]),
                ('logger_.log(sdk::LogLevel::warning, what, {})', [(None, "warning")]),
                ('named_->info("OA-1234: not an id")', [(None, "info")]),
                ('options_.log->log(bad ? spdlog::level::err : spdlog::level::warn, "OA-1234 a")',
                 [("OA-1234", "error")]),
                ('log->debug("of no concern")', [])):
            with self.subTest(text):
                class File:
                    read_text = staticmethod(lambda text=text: text)
                    relative_to = staticmethod(source.relative_to)
                self.assertEqual([(m.id, m.level) for m in messages_of(File)], wanted)


if __name__ == "__main__":
    unittest.main()

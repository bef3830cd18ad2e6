"""The public headers change with the epoch only: sdk/epochs.txt has the hash of each epoch's."""

import hashlib
import pathlib
import re
import unittest

SDK = pathlib.Path(__file__).resolve().parents[2] / "sdk"


def code_of(text):
    """Without comments and layout: what a compiler sees, near enough."""
    text = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or " ", text,
                  flags=re.DOTALL)
    return " ".join(text.split())


def hash_of_headers():
    digest = hashlib.sha256()
    for header in sorted((SDK / "include" / "openarchiver" / "sdk").glob("*.hpp")):
        digest.update(f"{header.name}\n{code_of(header.read_text())}\n".encode())
    return digest.hexdigest()


class Headers(unittest.TestCase):
    def test_headers_change_with_the_epoch_only(self):
        lines = [line.split() for line in (SDK / "epochs.txt").read_text().splitlines()
                 if line and not line.startswith("#")]
        epoch = int(re.search(r"kAbiEpoch = (\d+);",
                              (SDK / "include/openarchiver/sdk/abi.hpp").read_text()).group(1))
        self.assertEqual([int(line[0]) for line in lines], list(range(2, epoch + 1)))
        self.assertEqual(
            lines[-1][1], hash_of_headers(),
            "the public headers have changed. If a layout, a virtual table or a contract did, raise "
            f"kAbiEpoch and add the line '{epoch + 1} HASH' to sdk/epochs.txt, and what plugins have "
            "to change to docs/decisions/0003-epochs.md. If binaries do not notice, replace the "
            f"last line by '{epoch} {hash_of_headers()} neutral: WHY'")

    def test_what_is_no_code_does_not_count(self):
        self.assertEqual(code_of('int a; // x\n/* y */ int  b = "//"; '), 'int a; int b = "//";')


if __name__ == "__main__":
    unittest.main()

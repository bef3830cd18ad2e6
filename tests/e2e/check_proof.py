"""Checks a proof of OpenArchiver: check_proof.py PROOF PUBLIC_KEY.pem [CONTENT]"""
import base64, hashlib, json, subprocess, sys, tempfile

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

proof = json.load(open(sys.argv[1]))

# 1. The head is signed by the archive: Ed25519 over the text up to the empty line.
text, _, signature = proof["head"].partition("\n\n")
with tempfile.NamedTemporaryFile() as signed, tempfile.NamedTemporaryFile() as by:
    signed.write(text.encode() + b"\n"), signed.flush()
    by.write(base64.b64decode(signature.split()[2])[4:]), by.flush()
    subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", sys.argv[2], "-rawin",
                    "-in", signed.name, "-sigfile", by.name], check=True)
origin, size, root = text.split("\n")[:3]
size, root = int(size), base64.b64decode(root)

# 2. The statement is a leaf of the tree that the head signs (RFC 9162, 2.1.3.2).
node, last = proof["leaf"], size - 1
value = sha256(b"\0", bytes.fromhex(proof["salt"]), proof["statement"].encode())
for sibling in map(bytes.fromhex, proof["path"]):
    if node & 1 or node == last:
        value = sha256(b"\1", sibling, value)
        while not node & 1 and node:
            node, last = node >> 1, last >> 1
    else:
        value = sha256(b"\1", value, sibling)
    node, last = node >> 1, last >> 1
assert last == 0 and value == root, "the statement is not in the tree"

# 3. It is of this archive, and of this content.
said = dict(line.split(" ", 1) for line in proof["statement"].splitlines()[1:])
assert origin == "openarchiver/" + said["archive"], "another archive"
if len(sys.argv) > 3:
    assert hashlib.sha256(open(sys.argv[3], "rb").read()).hexdigest() == said["content"], "other content"
print(proof["statement"] + "is proven by " + text.split("\n")[3])

// Talks to the simulator with @azure/msal-node and @microsoft/microsoft-graph-client over HTTPS.
// Usage: node check.mjs HTTPS-ORIGIN CERTIFICATE-PEM KEY-PEM (NODE_EXTRA_CA_CERTS set)
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfidentialClientApplication } from "@azure/msal-node";
import graph from "@microsoft/microsoft-graph-client";

const { Client, PageIterator, ResponseType, GraphError } = graph;
const [origin, certificateFile, keyFile] = process.argv.slice(2);
const host = new URL(origin).host;
const tenant = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f";
const clientId = "c0ffee00-1111-4222-8333-444455556666";
const scopes = ["https://graph.microsoft.com/.default"];

function application(credential) {
    return new ConfidentialClientApplication({
        auth: {
            clientId,
            authority: `${origin}/${tenant}`,
            knownAuthorities: [host],
            ...credential,
        },
    });
}

async function control(name, body) {
    const answer = await fetch(`${origin}/control/${name}`, body === undefined ? {}
        : { method: "POST", body: JSON.stringify(body) });
    assert.equal(answer.status, 200, name);
    return answer.json();
}

function ok(text) {
    console.log(`ok   ${text}`);
}

const withSecret = await application({ clientSecret: "simulated-secret-value" })
    .acquireTokenByClientCredential({ scopes });
assert.ok(withSecret.accessToken && withSecret.expiresOn > new Date());
ok("msal: token by secret");

const pem = readFileSync(certificateFile, "utf8");
const thumbprintSha256 = createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");
const withCertificate = await application({
    clientCertificate: { thumbprintSha256, privateKey: readFileSync(keyFile, "utf8") },
}).acquireTokenByClientCredential({ scopes });
assert.ok(withCertificate.accessToken);
ok("msal: token by certificate");

await assert.rejects(
    application({ clientSecret: "wrong" }).acquireTokenByClientCredential({ scopes }),
    (problem) => problem.errorCode === "invalid_client" && /AADSTS7000215/.test(problem.message));
ok("msal: wrong secret is invalid_client with AADSTS7000215");

const client = Client.init({
    baseUrl: `${origin}/`,
    defaultVersion: "v1.0",
    customHosts: new Set([new URL(origin).hostname]),
    authProvider: (done) => done(null, withCertificate.accessToken),
});
const immutable = { Prefer: 'IdType="ImmutableId"' };

async function collect(request, headers = {}) {
    const items = [];
    const iterator = new PageIterator(client, await request.headers(headers).get(),
        (item) => { items.push(item); return true; }, { headers });
    await iterator.iterate();
    return { items, deltaLink: iterator.getDeltaLink() };
}

const truth = await control("tenant?sha256=1");
const users = await collect(client.api("/users").select("id,userPrincipalName,mail").top(2));
const idsOf = (list) => list.map((each) => each.id).sort();
assert.deepEqual(idsOf(users.items), idsOf(truth.users));
ok(`graph: ${users.items.length} users in pages of 2`);

const user = truth.users.find((each) => each.upn === "anna.kos@contoso.example");
const folders = await collect(
    client.api(`/users/${user.id}/mailFolders`).query({ includeHiddenFolders: "true" }), immutable);
const top = user.folders.find((folder) => folder.well_known === "msgfolderroot");
assert.deepEqual(idsOf(folders.items),
    idsOf(user.folders.filter((folder) => folder.parent === top.id)));
ok(`graph: ${folders.items.length} folders`);

const inbox = user.folders.find((folder) => folder.well_known === "inbox");
const paged = { Prefer: 'odata.maxpagesize=7, IdType="ImmutableId"' };
const first = await collect(client.api(`/users/${user.id}/mailFolders/${inbox.id}/messages/delta`)
    .select("id,subject,isDraft"), paged);
const expected = user.messages.filter((message) => message.folder === inbox.id);
assert.deepEqual(idsOf(first.items), idsOf(expected));
assert.ok(first.deltaLink);
ok(`graph: delta of ${first.items.length} messages with PageIterator`);

const delivered = await control("deliver", { user: user.id, folder: "inbox", count: 2 });
await control("delete", { user: user.id, message: expected[0].id });
const second = await collect(client.api(first.deltaLink), paged);
assert.deepEqual(idsOf(second.items.filter((item) => !item["@removed"])),
    idsOf(delivered.messages));
assert.deepEqual(idsOf(second.items.filter((item) => item["@removed"])), [expected[0].id]);
ok("graph: second delta round");

for (const message of expected.slice(1, 6)) {
    const path = `/users/${user.id}/messages/${encodeURIComponent(message.id)}/$value`;
    const bytes = await client.api(path)
        .headers(immutable).responseType(ResponseType.ARRAYBUFFER).get();
    assert.equal(createHash("sha256").update(Buffer.from(bytes)).digest("hex"), message.sha256);
}
ok("graph: $value bytes");

await control("faults", { match: { route: "folders" }, times: 1,
    action: { status: 429, code: "ApplicationThrottled", headers: { "Retry-After": "1" } } });
const begin = Date.now();
await client.api(`/users/${user.id}/mailFolders/inbox`).get();
assert.ok(Date.now() - begin >= 900);
ok("graph: waits for Retry-After and succeeds");

await assert.rejects(client.api(`/users/${user.id}/messages/AAMk=`).get(),
    (problem) => problem instanceof GraphError && problem.statusCode === 400 &&
        problem.code === "ErrorInvalidIdMalformed");
ok("graph: errors are understood");
console.log("all client checks passed");

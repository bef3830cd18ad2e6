import PostalMime from "postal-mime";
import { useEffect, useRef, useState } from "preact/hooks";
import { api, part, save, withQuery } from "./api.js";
import * as format from "./format.js";
import { harmless } from "./mail_body.js";
import { Facts, Loaded, PageTitle, Time, useAction, useLoaded } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.message;
const VIEWS = ["html", "text", "raw", "history", "proof"];

const people = (list) => (list || []).flatMap((one) => one.group || [one])
  .map((one) => (one.name && one.name !== one.address ? `${one.name} <${one.address}>` : one.address)).join(", ");

function Html({ mail }) {
  const { text, blocked } = harmless(mail.html, mail.attachments);
  return (
    <>
      {blocked > 0 && <p class="help">{fill(words.blocked, { count: format.count(blocked) })}</p>}
      <iframe title={words.frame} sandbox="" referrerpolicy="no-referrer" srcdoc={text} />
    </>
  );
}

function History({ item, version, onVersion }) {
  const shown = item.versions.find((one) => one.version === version);
  return (
    <>
      {item.versions.length > 1 && (
        <label>
          {words.version}{" "}
          <select value={version} onChange={(event) => onVersion(Number(event.target.value))}>
            {item.versions.map((one) => <option key={one.version} value={one.version}>{one.version}</option>)}
          </select>
        </label>
      )}
      <ol class="history">
        {item.history.map((one, index) => (
          <li key={index}>
            <Time iso={one.at} /> {words.events[one.event] || one.event} {one.folder && one.folder.join(" / ")}
          </li>
        ))}
      </ol>
      <Facts of={[
        [words.archived, <Time iso={shown.archived_at} />],
        [words.size, format.bytes(shown.size)],
        [words.sha256, <code>{shown.sha256}</code>],
        [words.fidelity, shown.fidelity],
      ]} />
    </>
  );
}

function Proof({ item, version }) {
  const [busy, run] = useAction();
  const [proof, setProof] = useState("");
  const make = () => run(async () =>
    setProof(await api.text(withQuery(`/items/${part(item.ref)}/proof`, { version }))));
  return (
    <>
      <p>{words.proofHelp}</p>
      {proof ? (
        <>
          <button type="button" class="primary"
            onClick={() => save(proof, `${item.ref}.${version}.proof.json`, "application/json")}>{words.proofSave}</button>
          <pre tabIndex={0}>{proof}</pre>
        </>
      ) : <button type="button" disabled={busy} onClick={make}>{words.proofGet}</button>}
    </>
  );
}

/** Those that the text does not show. */
function Attachments({ item, version }) {
  const address = `/items/${part(item.ref)}/attachments`;
  const loaded = useLoaded(() => api.get(withQuery(address, { version })), [item.ref, version]);
  const [busy, run] = useAction();
  const download = (one) => run(async () => save(
    await api.bytes(withQuery(`${address}/${one.number}`, { version })), one.file_name, "application/octet-stream"));
  return (
    <Loaded of={loaded}>
      {({ attachments, complete }) => {
        const list = attachments.filter((one) => !(one.content_id && one.disposition !== "attachment"
          && one.media_type.startsWith("image/")));
        return list.length > 0 && (
          <section aria-label={words.attachments}>
            <h2>{words.attachments}</h2>
            <ul class="attachments">
              {list.map((one) => (
                <li key={one.number}>
                  <span>{one.name || one.file_name}</span>{" "}
                  <span class="help">{one.media_type}, {format.bytes(one.size)}</span>{" "}
                  <button type="button" disabled={busy} aria-label={`${words.download}: ${one.name || one.file_name}`}
                    onClick={() => download(one)}>{words.download}</button>
                </li>
              ))}
            </ul>
            {!complete && <p class="help">{words.moreAttachments}</p>}
          </section>
        );
      }}
    </Loaded>
  );
}

/** Tabs as the ARIA practices have them: arrow keys move between them. */
function Tabs({ names, shown, onShow }) {
  const list = useRef(null);
  const moved = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = names[(names.indexOf(shown) + step + names.length) % names.length];
      onShow(next);
      list.current.querySelector(`#tab-${next}`).focus();
    }
  };
  return (
    <div role="tablist" aria-label={words.views} ref={list} onKeyDown={moved}>
      {names.map((name) => (
        <button key={name} type="button" role="tab" id={`tab-${name}`} aria-selected={shown === name}
          aria-controls="view" tabIndex={shown === name ? 0 : -1} onClick={() => onShow(name)}>{words[name]}</button>
      ))}
    </div>
  );
}

function Shown({ item, version, onVersion }) {
  const stated = item.versions.find((one) => one.version === version);
  const loaded = useLoaded(async () => {
    const bytes = await api.bytes(withQuery(`/items/${part(item.ref)}/raw`, { version }));
    const mail = stated.media_type === "message/rfc822" ? await PostalMime.parse(bytes) : null;
    return { bytes, mail };
  }, [item.ref, version]);
  const [view, setView] = useState("");
  return (
    <Loaded of={loaded}>
      {({ bytes, mail }) => {
        const views = VIEWS.filter((name) => (name !== "html" || mail?.html) && (name !== "text" || mail?.text
          || (mail && !mail.html)));
        const current = views.includes(view) ? view : views[0];
        return (
          <>
            {mail ? (
              <Facts of={[
                [words.from, people([mail.from].filter(Boolean))],
                [words.to, people(mail.to)],
                [words.cc, people(mail.cc)],
                [words.bcc, people(mail.bcc)],
                [words.date, mail.date && <Time iso={mail.date} />],
                [words.received, stated.received_at && <Time iso={stated.received_at} />],
                [words.mailbox, `${item.address}${item.in_mailbox ? "" : ` (${strings.search.left})`}`],
                [words.folders, item.folders.map((path) => path.join(" / ")).join(", ")],
              ]} />
            ) : <p>{words.notMail}</p>}
            <Tabs names={views} shown={current} onShow={setView} />
            <div role="tabpanel" id="view" aria-labelledby={`tab-${current}`}>
              {current === "html" && <Html mail={mail} />}
              {current === "text" && <pre tabIndex={0} class="mail">{mail.text || words.noBody}</pre>}
              {current === "raw" && (
                <>
                  <button type="button" onClick={() => save(bytes, `${item.ref}.eml`, "message/rfc822")}>
                    {words.downloadRaw}
                  </button>
                  <pre tabIndex={0}>{new TextDecoder("utf-8").decode(bytes.slice(0, 1 << 20))}</pre>
                </>
              )}
              {current === "history" && <History item={item} version={version} onVersion={onVersion} />}
              {current === "proof" && <Proof item={item} version={version} />}
            </div>
            {mail && <Attachments item={item} version={version} />}
          </>
        );
      }}
    </Loaded>
  );
}

function Item({ item }) {
  const newest = item.versions[item.versions.length - 1];
  const [version, setVersion] = useState(newest.version);
  return (
    <>
      <PageTitle>{newest.subject || strings.search.noSubject}</PageTitle>
      <Shown key={version} item={item} version={version} onVersion={setVersion} />
    </>
  );
}

export function Message({ reference }) {
  const item = useLoaded(() => api.get(`/items/${part(reference)}`), [reference]);
  useEffect(() => scrollTo(0, 0), [reference]);
  return <Loaded of={item}>{(value) => <Item item={value} />}</Loaded>;
}

// What the list of sources and the page of one have in common.
import { useEffect, useRef, useState } from "preact/hooks";
import { api, follow, part } from "./api.js";
import * as format from "./format.js";
import { Dialog, Field, may, useAction, useSession } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.sources;

/** Calls `changed` when a source began, ended or got on: at most every two seconds while it runs. */
export function useLive(changed) {
  const latest = useRef(changed);
  latest.current = changed;
  useEffect(() => {
    const stop = new AbortController();
    let before = "";
    let at = 0;
    follow("/events", stop.signal, ({ sources }) => {
      const now = JSON.stringify(sources.map(({ next_run_at, ...rest }) => rest));
      if (now !== before && Date.now() - at >= 2000) {
        before = now;
        at = Date.now();
        latest.current();
      }
    });
    return () => stop.abort();
  }, []);
}

export function Progress({ source }) {
  const { coverage, accounts } = source;
  const expected = coverage.archived + coverage.failed + coverage.pending + coverage.unexplained;
  const done = coverage.archived + coverage.failed;
  const importing = source.status === "importing" || source.status === "pending";
  const running = source.progress?.sources?.[0];
  const ready = accounts.up_to_date;
  const wanted = accounts.up_to_date + accounts.importing + accounts.failed;
  const text = expected > 0
    ? fill(words.itemsOf, { done: format.count(done), total: format.count(expected) })
    : fill(words.items, { count: format.count(source.items) });
  return (
    <div class="progress">
      {(importing || source.running) && (
        <progress aria-label={fill(words.accountsOf, { done: ready, total: wanted })}
          value={expected > 0 ? done : undefined} max={expected > 0 ? expected : undefined} />
      )}
      <span>{text}</span>
      {importing && wanted > 0 && <span>{fill(words.accountsOf, { done: ready, total: wanted })}</span>}
      {running && running.seconds_left !== null && importing
        && <span>{fill(words.left, { time: format.duration(running.seconds_left) })}</span>}
      {source.running && !importing && <span>{words.running}</span>}
    </div>
  );
}

function Removal({ source, onClose, onRemoved }) {
  const [typed, setTyped] = useState("");
  const [busy, run] = useAction();
  const remove = async (event) => {
    event.preventDefault();
    const done = await run(() => api.remove(`/sources/${part(source.id)}?confirm=${part(typed)}`),
      fill(words.removed, { name: source.name }));
    if (done) {
      onRemoved();
    }
  };
  return (
    <Dialog title={fill(words.removeTitle, { name: source.name })} onClose={onClose}>
      <form onSubmit={remove}>
        <p>{fill(words.removeText, { id: source.id })}</p>
        <Field label={words.removeLabel} required>
          {(attributes) => <input {...attributes} value={typed} autocomplete="off"
            onInput={(event) => setTyped(event.target.value)} />}
        </Field>
        <div class="actions">
          <button class="danger" disabled={busy || typed !== source.id}>{words.remove}</button>
          <button type="button" onClick={onClose}>{strings.cancel}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function SourceActions({ source, onChanged, onRemoved }) {
  const session = useSession();
  const [busy, run] = useAction();
  const [removing, setRemoving] = useState(false);
  const ask = async (what, done) => {
    await run(() => api.post(`/sources/${part(source.id)}/${what}`), fill(done, { name: source.name }));
    onChanged();
  };
  const named = (text) => `${text}: ${source.name}`;
  return (
    <div class="actions">
      {may(session, "operate") && (source.paused_by
        ? <button type="button" disabled={busy} aria-label={named(words.resume)}
          onClick={() => ask("resume", words.resumed)}>{words.resume}</button>
        : (
          <>
            <button type="button" disabled={busy} aria-label={named(words.sync)}
              onClick={() => ask("sync", words.requested)}>{words.sync}</button>
            <button type="button" disabled={busy} aria-label={named(words.pause)}
              onClick={() => ask("pause", words.paused)}>{words.pause}</button>
          </>
        ))}
      {may(session, "administer") && source.origin === "api" && (
        <>
          <a class="button" aria-label={named(words.edit)} href={`#/sources/${part(source.id)}/edit`}>{words.edit}</a>
          <button type="button" aria-label={named(words.remove)} onClick={() => setRemoving(true)}>{words.remove}</button>
        </>
      )}
      {removing && <Removal source={source} onClose={() => setRemoving(false)}
        onRemoved={() => { setRemoving(false); onRemoved(); }} />}
    </div>
  );
}

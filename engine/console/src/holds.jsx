import { useState } from "preact/hooks";
import { api, part, withQuery } from "./api.js";
import * as format from "./format.js";
import { Reason, useDeed } from "./deeds.jsx";
import { Dialog, Field, Loaded, may, PageTitle, Time, useAction, useLoaded, useSession } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.holds;
const LISTS = ["sources", "accounts", "folders"];
const TEXTS = ["sender", "query"];
const TIMES = ["since", "until"];
const EMPTY = Object.fromEntries(["matter", "reason", ...LISTS, ...TEXTS, ...TIMES].map((name) => [name, ""]));

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

function Place({ onClose }) {
  const [hold, setHold] = useState(EMPTY);
  const [busy, run] = useAction();
  const submit = async (event) => {
    event.preventDefault();
    const body = { ...hold, ...Object.fromEntries(LISTS.map((name) => [name, lines(hold[name])])) };
    if (await run(() => api.post("/holds", body), words.placed)) {
      onClose();
    }
  };
  const field = (name, control) => (
    <Field key={name} label={words[name]} help={words.help[name]} required={name === "matter" || name === "reason"}>
      {(attributes) => control({ ...attributes, value: hold[name],
        onInput: (event) => setHold({ ...hold, [name]: event.target.value }) })}
    </Field>
  );
  return (
    <Dialog title={words.place} onClose={onClose}>
      <form onSubmit={submit}>
        {field("matter", (attributes) => <input {...attributes} autocomplete="off" />)}
        {field("reason", (attributes) => <input {...attributes} autocomplete="off" />)}
        <fieldset>
          <legend>{words.scope}</legend>
          <p class="help">{words.scopeHelp}</p>
          {LISTS.map((name) => field(name, (attributes) => <textarea {...attributes} rows={2} />))}
          {TEXTS.map((name) => field(name, (attributes) => <input {...attributes} autocomplete="off" />))}
          {TIMES.map((name) => field(name, (attributes) => <input {...attributes} type="date" />))}
        </fieldset>
        <div class="actions">
          <button class="primary" disabled={busy}>{words.submit}</button>
          <button type="button" onClick={onClose}>{strings.cancel}</button>
        </div>
      </form>
    </Dialog>
  );
}

function Scope({ scope }) {
  const said = [...LISTS, ...TEXTS].filter((name) => scope[name]?.length)
    .map((name) => [words[name], [].concat(scope[name]).join(", ")]);
  const times = TIMES.filter((name) => scope[name]).map((name) => [words[name], <Time iso={scope[name]} />]);
  const all = [...said, ...times];
  return all.length === 0 ? words.everything : all.map(([name, value]) => (
    <span key={name} class="detail">{name}: {value}</span>
  ));
}

export function Holds() {
  const session = useSession();
  const [all, setAll] = useState(false);
  const list = useLoaded(() => api.get(withQuery("/holds", { all })), [all]);
  const [placing, setPlacing] = useState(false);
  const [releasing, setReleasing] = useState(null);
  const [busy, deed] = useDeed();
  const mayHold = may(session, "hold");
  return (
    <>
      <PageTitle actions={mayHold && (
        <button type="button" class="primary" onClick={() => setPlacing(true)}>{words.place}</button>
      )}>
        {strings.pages.holds}
      </PageTitle>
      <p>{words.intro}</p>
      <label class="choice">
        <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /> {words.all}
      </label>
      <Loaded of={list}>
        {({ holds }) => (holds.length === 0 ? <p>{words.none}</p> : (
          <table>
            <thead>
              <tr><th>{words.matter}</th><th>{words.scope}</th><th>{words.items}</th><th>{words.placedBy}</th>
                <th>{words.reason}</th><th><span class="unseen">{strings.sources.actions}</span></th></tr>
            </thead>
            <tbody>
              {holds.map((one) => (
                <tr key={one.id}>
                  <th scope="row" data-label={words.matter}>{one.matter} <code>{one.id}</code></th>
                  <td data-label={words.scope}><Scope scope={one.scope} /></td>
                  <td data-label={words.items} class="number">{format.count(one.items)}</td>
                  <td data-label={words.placedBy}>{one.placed_by}, <Time iso={one.placed_at} /></td>
                  <td data-label={words.reason}>
                    {one.reason}
                    {one.released_at && (
                      <span class="detail">
                        {fill(words.releasedBy, { name: one.released_by, reason: one.release_reason })}
                        {" "}<Time iso={one.released_at} />
                      </span>
                    )}
                  </td>
                  <td>
                    {mayHold && !one.released_at && (
                      <button type="button" aria-label={`${words.release}: ${one.matter}`}
                        onClick={() => setReleasing(one)}>{words.release}</button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </Loaded>
      {placing && <Place onClose={() => { setPlacing(false); list.reload(); }} />}
      {releasing && (
        <Reason title={fill(words.releaseTitle, { matter: releasing.matter })} text={words.releaseText}
          action={words.release} busy={busy} onClose={() => setReleasing(null)}
          onGiven={async (reason) => {
            await deed(() => api.post(`/holds/${part(releasing.id)}/release`, { reason }), words.released);
            setReleasing(null);
            list.reload();
          }} />
      )}
    </>
  );
}

import { useEffect, useState } from "preact/hooks";
import { api, part, withQuery } from "./api.js";
import { Export } from "./export.jsx";
import * as format from "./format.js";
import { Alert, Field, Loaded, PageTitle, Time, useLoaded } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.search;
const PAGE = 25;
const FILTERS = ["source", "account", "folder", "since", "until", "has_attachment", "order"];

/** The snippet with what was found marked; places are in characters, not in UTF-16 units. */
function Snippet({ hit }) {
  const characters = Array.from(hit.snippet);
  const pieces = [];
  let at = 0;
  for (const [begin, end] of hit.highlights) {
    pieces.push(characters.slice(at, begin).join(""), <mark>{characters.slice(begin, end).join("")}</mark>);
    at = end;
  }
  pieces.push(characters.slice(at).join(""));
  return <p class="snippet">{pieces}</p>;
}

function Hit({ hit }) {
  return (
    <li class="hit">
      <a href={`#/items/${part(hit.ref)}`}>{hit.subject || words.noSubject}</a>
      <p class="about">
        <span>{hit.from}</span>
        <Time iso={hit.received_at} otherwise={strings.unknown} />
        <span>{hit.address}</span>
        {hit.folders.map((path) => <span key={path.join("/")}>{path.join(" / ")}</span>)}
        {hit.has_attachment && <span>{words.hasAttachment}</span>}
        {!hit.in_mailbox && <span>{words.left}</span>}
      </p>
      {hit.snippet && <Snippet hit={hit} />}
    </li>
  );
}

function Coverage({ of }) {
  const gaps = Object.entries(of).filter(([, number]) => number > 0)
    .map(([reason, number]) => fill(words.gaps[reason] || `{count} ${reason}`, { count: format.count(number) }));
  return gaps.length > 0 && <p class="help">{fill(words.notSearched, { list: gaps.join(", ") })}</p>;
}

function Counts({ counts, narrow, addresses }) {
  const list = (title, rows) => rows.length > 1 && (
    <div>
      <h3>{title}</h3>
      <ul>
        {rows.map(([text, number, filter]) => (
          <li key={text}><a href={narrow(filter)}>{text}</a> {format.count(number)}</li>
        ))}
      </ul>
    </div>
  );
  return (
    <div class="counts">
      {list(words.bySource, counts.sources.map((one) => [one.source, one.hits, { source: one.source }]))}
      {list(words.byAccount, counts.accounts.map((one) => [addresses.get(one.account) || one.account, one.hits,
        { account: one.account }]))}
      {list(words.byYear, counts.years.map((one) => [String(one.year), one.hits,
        { since: `${one.year}-01-01`, until: `${one.year + 1}-01-01` }]))}
    </div>
  );
}

function Results({ asked }) {
  const [more, setMore] = useState([]);
  const ask = (offset) => api.get(withQuery("/search", { ...asked, counts: offset === 0, limit: PAGE, offset }));
  const first = useLoaded(() => ask(0), [JSON.stringify(asked)]);
  const [error, setError] = useState("");
  const [exporting, setExporting] = useState(false);
  return (
    <section aria-label={words.results}>
      <h2>{words.results}</h2>
      <Loaded of={first}>
        {({ hits, summary }) => {
          const all = [...hits, ...more.flatMap((page) => page.hits)];
          const last = more.length ? more[more.length - 1].summary : summary;
          return (
            <>
              <p role="status">
                {all.length === 0 ? words.nothing
                  : fill(words.foundAll, { count: format.count(summary.counts ? summary.counts.total : all.length) })}
              </p>
              {all.length > 0 && <button type="button" onClick={() => setExporting(true)}>{words.export}</button>}
              <Coverage of={summary.coverage} />
              {summary.ranked_newest_only && <p class="help">{words.partial}</p>}
              {summary.counts && <Counts counts={summary.counts}
                addresses={new Map(all.map((hit) => [hit.account, hit.address]))}
                narrow={(filter) => `#${withQuery("/search", { ...asked, ...filter })}`} />}
              <ol class="hits">{all.map((hit) => <Hit key={`${hit.ref}.${hit.version}`} hit={hit} />)}</ol>
              {error && <Alert text={error} />}
              {last.more && (
                <button type="button" onClick={() => ask(all.length).then((page) => setMore([...more, page]),
                  (problem) => setError(problem.message))}>{strings.more}</button>
              )}
            </>
          );
        }}
      </Loaded>
      {exporting && <Export search={asked} onClose={() => setExporting(false)} />}
    </section>
  );
}

export function Search({ query }) {
  const asked = Object.fromEntries(["q", ...FILTERS].map((name) => [name, query.get(name) || ""]));
  const text = query.toString();
  const [form, setForm] = useState(asked);
  useEffect(() => setForm(asked), [text]);
  const set = (name) => (event) => setForm({ ...form,
    [name]: event.target.type === "checkbox" ? (event.target.checked ? "true" : "") : event.target.value });
  const input = (name, type = "text") => (attributes) => (
    <input {...attributes} type={type} value={form[name]} autocomplete="off" onInput={set(name)} />
  );
  const submit = (event) => {
    event.preventDefault();
    location.hash = `#${withQuery("/search", form)}`;
  };
  const filtered = FILTERS.some((name) => asked[name]);
  return (
    <>
      <PageTitle>{strings.pages.search}</PageTitle>
      <form role="search" onSubmit={submit}>
        <Field label={words.query} help={words.queryHelp}>
          {(attributes) => (
            <div class="with-button">
              <input {...attributes} type="search" value={form.q} onInput={set("q")} />
              <button class="primary">{words.submit}</button>
            </div>
          )}
        </Field>
        <details open={filtered}>
          <summary>{words.filters}</summary>
          <div class="grid">
            <Field label={words.source}>{input("source")}</Field>
            <Field label={words.account}>{input("account")}</Field>
            <Field label={words.folder}>{input("folder")}</Field>
            <Field label={words.since}>{input("since", "date")}</Field>
            <Field label={words.until}>{input("until", "date")}</Field>
            <Field label={words.order}>
              {(attributes) => (
                <select {...attributes} value={form.order} onChange={set("order")}>
                  <option value="">{words.newest}</option>
                  <option value="relevance">{words.relevance}</option>
                </select>
              )}
            </Field>
            <Field label={words.attachment}>
              {(attributes) => <input {...attributes} type="checkbox" checked={form.has_attachment === "true"}
                onChange={set("has_attachment")} />}
            </Field>
          </div>
        </details>
      </form>
      {text && <Results key={text} asked={asked} />}
    </>
  );
}

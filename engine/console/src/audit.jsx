import { useState } from "preact/hooks";
import { api, save, withQuery } from "./api.js";
import { Alert, Loaded, PageTitle, Time, useAction, useLoaded } from "./parts.jsx";
import { strings } from "./strings.js";

const words = strings.audit;

export function Audit() {
  const first = useLoaded(() => api.get("/audit"), []);
  const [more, setMore] = useState([]);
  const [error, setError] = useState("");
  const [busy, run] = useAction();
  // As JSON lines, all of it.
  const download = () => run(async () => {
    const lines = [];
    let after = null;
    do {
      const page = await api.get(withQuery("/audit", { limit: 1000, after }));
      lines.push(...page.entries.map((entry) => `${JSON.stringify(entry)}\n`));
      after = page.next;
    } while (after);
    save(lines.join(""), "audit.jsonl", "application/x-ndjson");
  });
  return (
    <>
      <PageTitle actions={<button type="button" disabled={busy} onClick={download}>{words.export}</button>}>
        {strings.pages.audit}
      </PageTitle>
      <p>{words.intro}</p>
      <Loaded of={first}>
        {(page) => {
          const pages = [page, ...more];
          const { next } = pages[pages.length - 1];
          return (
            <>
              <table>
                <thead>
                  <tr><th>{words.when}</th><th>{words.who}</th><th>{words.action}</th><th>{words.object}</th>
                    <th>{words.detail}</th></tr>
                </thead>
                <tbody>
                  {pages.flatMap((one) => one.entries).map((entry) => (
                    <tr key={entry.id}>
                      <td data-label={words.when}><Time iso={entry.at} /></td>
                      <td data-label={words.who}>
                        {entry.by} ({strings.roles[entry.role] || words.commandLine})
                      </td>
                      <td data-label={words.action}><code>{entry.action}</code></td>
                      <td data-label={words.object}>{entry.object}</td>
                      <td data-label={words.detail}>
                        {Object.entries(entry.detail).map(([name, value]) => (
                          <span key={name} class="detail">{name}: {typeof value === "string" ? value : JSON.stringify(value)}</span>
                        ))}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
              {error && <Alert text={error} />}
              {next && (
                <button type="button" onClick={() => api.get(withQuery("/audit", { after: next }))
                  .then((one) => setMore([...more, one]), (problem) => setError(problem.message))}>
                  {strings.more}
                </button>
              )}
            </>
          );
        }}
      </Loaded>
    </>
  );
}

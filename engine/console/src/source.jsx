import { useState } from "preact/hooks";
import { api, part, withQuery } from "./api.js";
import * as format from "./format.js";
import { Facts, Loaded, PageTitle, Status, Time, useLoaded } from "./parts.jsx";
import { Progress, SourceActions, useLive } from "./source_parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.sources;
const COVERAGE = ["upstream", "archived", "excluded", "failedItems", "pending", "unexplained"];

function CoverageHead() {
  return COVERAGE.map((name) => <th key={name} class="number">{words[name]}</th>);
}

function CoverageCells({ of }) {
  return COVERAGE.map((name) => {
    const value = of?.[name === "failedItems" ? "failed" : name];
    return (
      <td key={name} data-label={words[name]}
        class={`number${value > 0 && (name === "unexplained" || name === "failedItems") ? " bad" : ""}`}>
        {value === undefined || value === null ? "–" : format.count(value)}
      </td>
    );
  });
}

function Folders({ source, account, tick }) {
  const list = useLoaded(() => api.get(withQuery("/folders", { source, account: account.id })), [source, account.id]);
  const [seen, setSeen] = useState(tick);
  if (seen !== tick) {
    setSeen(tick);
    list.reload();
  }
  return (
    <Loaded of={list}>
      {({ folders }) => (
        <table class="inner">
          <thead><tr><th>{words.folder}</th><th>{words.status}</th><CoverageHead /></tr></thead>
          <tbody>
            {folders.map((folder) => (
              <tr key={folder.id}>
                <th scope="row" data-label={words.folder}>{folder.path.join(" / ")}</th>
                <td data-label={words.status}>
                  <Status value={folder.status} />
                  {folder.error && <p class="reason">{folder.error.message}</p>}
                </td>
                <CoverageCells of={folder.coverage} />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Loaded>
  );
}

function Account({ account, source, tick }) {
  const [open, setOpen] = useState(false);
  const name = account.address || account.id;
  return (
    <>
      <tr>
        <th scope="row" data-label={words.account}>
          <button type="button" class="expand" aria-expanded={open} onClick={() => setOpen(!open)}
            aria-label={fill(words.showFolders, { name })}>{open ? "▾" : "▸"}</button>
          {" "}{name}
        </th>
        <td data-label={words.status}>
          <Status value={account.status} />
          {account.progress && account.progress.expected > 0 && (
            <progress aria-label={name} value={account.progress.done} max={account.progress.expected} />
          )}
          {(account.error?.message || account.reason)
            && <p class="reason">{account.error?.message || account.reason}</p>}
        </td>
        <td data-label={words.lastSync}><Time iso={account.last_pass_at} /></td>
        <CoverageCells of={account.coverage} />
      </tr>
      {open && (
        <tr class="below">
          <td colSpan={3 + COVERAGE.length}><Folders source={source} account={account} tick={tick} /></td>
        </tr>
      )}
    </>
  );
}

export function Source({ id }) {
  const [tick, setTick] = useState(0);
  const loaded = useLoaded(async () => {
    const [source, { accounts }] = await Promise.all([api.get(`/sources/${part(id)}`),
      api.get(withQuery("/accounts", { source: id }))]);
    return { source, accounts };
  }, [id], 30000);
  const reload = () => {
    loaded.reload();
    setTick((before) => before + 1);
  };
  useLive(reload);
  return (
    <Loaded of={loaded}>
      {({ source, accounts }) => (
        <>
          <PageTitle actions={<SourceActions source={source} onChanged={reload}
            onRemoved={() => { location.hash = "#/sources"; }} />}>
            {source.name}
          </PageTitle>
          <p>
            <Status value={source.status} />
            {source.reason && <span class="reason"> {source.reason}</span>}
          </p>
          {source.origin === "profile" && <p class="help">{words.ofProfile}</p>}
          <Progress source={source} />
          <Facts of={[
            [words.lastGood, <Time iso={source.good_run_at} />],
            [words.nextSync, source.next_run_at && <Time iso={source.next_run_at} />],
            [words.everySeconds, format.duration(source.every_seconds)],
            [words.credentials, source.credentials_expire_at && <Time iso={source.credentials_expire_at} />],
            [words.failures, source.failures > 0 ? <a href="#/failures">{format.count(source.failures)}</a> : "0"],
          ]} />
          <h2>{words.accounts}</h2>
          <p class="help">{words.coverageHelp} {words.live}</p>
          {accounts.length === 0 ? <p>{words.noAccounts}</p> : (
            <table>
              <thead>
                <tr><th>{words.account}</th><th>{words.status}</th><th>{words.lastSync}</th><CoverageHead /></tr>
              </thead>
              <tbody>
                {accounts.map((account) => <Account key={account.id} account={account} source={id} tick={tick} />)}
              </tbody>
              <tfoot>
                <tr>
                  <th scope="row" colSpan={3}>{words.allAccounts}</th>
                  <CoverageCells of={source.coverage} />
                </tr>
              </tfoot>
            </table>
          )}
        </>
      )}
    </Loaded>
  );
}

import { api, part } from "./api.js";
import * as format from "./format.js";
import { Loaded, may, PageTitle, Status, Time, useLoaded, useSession } from "./parts.jsx";
import { Progress, SourceActions, useLive } from "./source_parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.sources;

export function Sources() {
  const session = useSession();
  const list = useLoaded(async () => {
    const [{ sources }, { providers }] = await Promise.all([api.get("/sources"), api.get("/providers")]);
    return { sources, titles: new Map(providers.map((one) => [one.id, one.title])) };
  }, [], 30000);
  useLive(list.reload);
  return (
    <>
      <PageTitle actions={may(session, "administer")
        && <a class="button primary" href="#/sources/new">{words.create}</a>}>
        {strings.pages.sources}
      </PageTitle>
      <Loaded of={list}>
        {({ sources, titles }) => (sources.length === 0 ? <p>{words.empty}</p> : (
          <table>
            <thead>
              <tr>
                <th>{words.name}</th><th>{words.provider}</th><th>{words.status}</th><th>{words.progress}</th>
                <th>{words.lastSync}</th><th>{words.failures}</th>
                {may(session, "operate") && <th>{words.actions}</th>}
              </tr>
            </thead>
            <tbody>
              {sources.map((source) => (
                <tr key={source.id}>
                  <th scope="row" data-label={words.name}>
                    <a href={`#/sources/${part(source.id)}`}>{source.name}</a>
                  </th>
                  <td data-label={words.provider}>{titles.get(source.provider) || source.provider}</td>
                  <td data-label={words.status}>
                    <Status value={source.status} />
                    {source.reason && <p class="reason">{source.reason}</p>}
                  </td>
                  <td data-label={words.progress}><Progress source={source} /></td>
                  <td data-label={words.lastSync}><Time iso={source.good_run_at} /></td>
                  <td data-label={words.failures}>
                    {source.failures > 0 ? <a href="#/failures">{format.count(source.failures)}</a> : "0"}
                  </td>
                  {may(session, "operate") && (
                    <td data-label={words.actions}>
                      <SourceActions source={source} onChanged={list.reload} onRemoved={list.reload} />
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </Loaded>
    </>
  );
}

import { api, part } from "./api.js";
import * as format from "./format.js";
import { Facts, Loaded, PageTitle, Status, Time, useLoaded } from "./parts.jsx";
import { strings } from "./strings.js";

const words = strings.health;

function witness(state) {
  if (!state) {
    return strings.none;
  }
  return state.error ? <span class="bad">{state.error}</span> : <Time iso={state.at} />;
}

export function Health() {
  const status = useLoaded(() => api.get("/status"), [], 10000);
  return (
    <>
      <PageTitle>{strings.pages.health}</PageTitle>
      <Loaded of={status}>
        {({ sources, archive, evidence, service }) => (
          <div class="panels">
            <section>
              <h2>{words.service}</h2>
              <Facts of={[[words.version, service.version], [words.host, service.host],
                [words.started, <Time iso={service.started_at} />]]} />
            </section>
            <section>
              <h2>{words.archive}</h2>
              {archive && <Facts of={[[words.items, format.count(archive.items)],
                [words.bytes, format.bytes(archive.bytes)], [words.stored, format.bytes(archive.bytes_stored)],
                [words.encrypted, archive.encrypted ? strings.form.yes : strings.form.no]]} />}
            </section>
            <section>
              <h2>{words.evidence}</h2>
              <Facts of={[
                [words.head, evidence.head ? <>{evidence.head.number}, <Time iso={evidence.head.time} /></> : strings.none],
                [words.leaves, evidence.head && format.count(evidence.head.leaves)],
                [words.timestamp, witness(evidence.timestamp)],
                [words.publication, witness(evidence.publication)],
                [words.problems, evidence.problems.length > 0
                  && <ul class="bad">{evidence.problems.map((one) => <li key={one}>{one}</li>)}</ul>],
              ].filter(([, value]) => value !== false)} />
            </section>
            <section class="wide">
              <h2>{words.sources}</h2>
              <table>
                <thead>
                  <tr><th>{strings.sources.name}</th><th>{strings.sources.status}</th><th>{words.lag}</th>
                    <th>{strings.sources.failures}</th></tr>
                </thead>
                <tbody>
                  {sources.map((one) => (
                    <tr key={one.id}>
                      <th scope="row" data-label={strings.sources.name}>
                        <a href={`#/sources/${part(one.id)}`}>{one.name}</a>
                      </th>
                      <td data-label={strings.sources.status}>
                        <Status value={one.status} />
                        {one.reason && <p class="reason">{one.reason}</p>}
                      </td>
                      <td data-label={words.lag}>
                        {one.lag_seconds === null ? strings.never : format.duration(one.lag_seconds)}
                      </td>
                      <td data-label={strings.sources.failures}>{format.count(one.failures)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          </div>
        )}
      </Loaded>
    </>
  );
}

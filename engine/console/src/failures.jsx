import { api } from "./api.js";
import { Loaded, may, PageTitle, Time, useAction, useLoaded, useSession } from "./parts.jsx";
import { strings } from "./strings.js";

const words = strings.failures;

export function Failures() {
  const session = useSession();
  const list = useLoaded(() => api.get("/failures"), [], 15000);
  const [busy, run] = useAction();
  const act = async (action, done) => {
    await run(action, done);
    list.reload();
  };
  const mayAct = may(session, "operate");
  return (
    <>
      <PageTitle actions={mayAct && (
        <button type="button" disabled={busy} onClick={() => act(() => api.post("/failures/retry"), words.retried)}>
          {words.retry}
        </button>
      )}>
        {strings.pages.failures}
      </PageTitle>
      <p>{words.intro}</p>
      <Loaded of={list}>
        {({ failures }) => (failures.length === 0 ? <p class="good">{words.none}</p> : (
          <table>
            <thead>
              <tr>
                <th>{words.where}</th><th>{words.kind}</th><th>{words.code}</th><th>{words.message}</th>
                <th>{words.attempts}</th><th>{words.next}</th><th />
              </tr>
            </thead>
            <tbody>
              {failures.map((one, index) => (
                <tr key={one.ref || index}>
                  <th scope="row" data-label={words.where}>
                    {[one.source, one.address, one.folder?.join(" / "), one.ref].filter(Boolean).join(" · ")}
                  </th>
                  <td data-label={words.kind}>{words.kinds[one.kind]}</td>
                  <td data-label={words.code}><code>{one.service_code || one.code}</code></td>
                  <td data-label={words.message}>{one.message}</td>
                  <td data-label={words.attempts} class="number">{one.attempts}</td>
                  <td data-label={words.next}>
                    {one.accepted ? words.accepted : <Time iso={one.next_try_at} otherwise="" />}
                  </td>
                  <td>
                    {mayAct && one.kind === "item" && !one.accepted && (
                      <button type="button" disabled={busy} aria-label={`${words.accept}: ${one.ref}`}
                        onClick={() => act(() => api.post("/failures/accept", { refs: [one.ref] }), words.acceptedNow)}>
                        {words.accept}
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </Loaded>
    </>
  );
}

import { useState } from "preact/hooks";
import { api } from "./api.js";
import { useDeed } from "./deeds.jsx";
import * as format from "./format.js";
import { Dialog, Facts, Loaded, may, PageTitle, Time, useAction, useLoaded, useSession } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.retention;

function covers(policy) {
  const list = ["sources", "accounts", "folders"].filter((name) => policy[name].length)
    .map((name) => `${words[name]}: ${policy[name].join(", ")}`);
  return list.length ? list.map((one) => <span key={one} class="detail">{one}</span>) : words.everything;
}

/** The policies; with what is due by them once that was simulated. */
function Policies({ policies, simulated }) {
  return (
    <table>
      <thead>
        <tr>
          <th>{words.policy}</th><th>{words.covers}</th><th>{words.keep}</th>
          {simulated && <><th>{words.items}</th><th>{words.due}</th><th>{words.size}</th><th>{words.between}</th>
            <th>{words.held}</th><th>{words.locked}</th></>}
        </tr>
      </thead>
      <tbody>
        {policies.map((one) => (
          <tr key={one.id}>
            <th scope="row" data-label={words.policy}>{one.id}</th>
            <td data-label={words.covers}>{covers(one)}</td>
            <td data-label={words.keep}>{one.keep}, {words.from[one.counted_from]}</td>
            {simulated && (
              <>
                <td data-label={words.items} class="number">{format.count(one.items)}</td>
                <td data-label={words.due} class="number">{format.count(one.due.items)}</td>
                <td data-label={words.size} class="number">{format.bytes(one.due.bytes)}</td>
                <td data-label={words.between}>
                  {one.due.items > 0 && <><Time iso={one.due.oldest} /> – <Time iso={one.due.newest} /></>}
                </td>
                <td data-label={words.held} class="number">{format.count(one.held_items)}</td>
                <td data-label={words.locked} class="number">{format.count(one.locked_items)}</td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Approval({ approval }) {
  return approval.approved
    ? <p class="good">{fill(words.approvedBy, { name: approval.approved_by })} <Time iso={approval.approved_at} /></p>
    : <p class="warning">{words.notApproved}</p>;
}

/** Says what will go before it does. */
function Apply({ simulation, busy, onApply, onClose }) {
  const due = simulation.policies.reduce((sum, one) => sum + one.due.items, 0);
  const { approval } = simulation;
  return (
    <Dialog title={approval.approved ? words.apply : words.approve} onClose={onClose}>
      <p>{fill(words.applyText, { count: format.count(due) })}</p>
      {!approval.approved && <p>{fill(words.approveText, { code: approval.code })}</p>}
      <div class="actions">
        <button type="button" class="danger" disabled={busy} onClick={onApply}>
          {approval.approved ? words.apply : words.approve}
        </button>
        <button type="button" onClick={onClose}>{strings.cancel}</button>
      </div>
    </Dialog>
  );
}

function Disposals({ disposals }) {
  return disposals.length === 0 ? <p>{words.noDisposals}</p> : (
    <table>
      <thead>
        <tr><th>{words.disposal}</th><th>{words.when}</th><th>{words.policy}</th><th>{words.items}</th>
          <th>{words.size}</th><th>{words.by}</th><th>{words.reason}</th></tr>
      </thead>
      <tbody>
        {disposals.map((one) => (
          <tr key={one.id}>
            <th scope="row" data-label={words.disposal}><code>{one.id}</code></th>
            <td data-label={words.when}><Time iso={one.at} /></td>
            <td data-label={words.policy}>{one.policy || words.forgotten}</td>
            <td data-label={words.items} class="number">{format.count(one.items)}</td>
            <td data-label={words.size} class="number">{format.bytes(one.bytes)}</td>
            <td data-label={words.by}>{one.by}</td>
            <td data-label={words.reason}>{one.reason}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Locks({ locks }) {
  return (
    <>
      <h2>{words.locks}</h2>
      <Facts of={[
        [words.locksAt, <Time iso={locks.at} />],
        [words.inStep, fill(words.ofPacks, { count: format.count(locks.in_step), total: format.count(locks.packs) })],
        [words.waiting, format.count(locks.waiting)],
        [words.heldPacks, format.count(locks.held)],
        [words.failed, locks.failed > 0 && <span class="bad">{format.count(locks.failed)}: {locks.error}</span>],
      ].filter(([, value]) => value !== false)} />
    </>
  );
}

export function Retention() {
  const session = useSession();
  const list = useLoaded(() => api.get("/retention"), []);
  const [simulation, setSimulation] = useState(null);
  const [applying, setApplying] = useState(false);
  const [simulating, run] = useAction();
  const [busy, deed] = useDeed();
  const simulate = () => run(async () => setSimulation(await api.get("/retention/simulation")));
  const apply = async () => {
    const { code, approved } = simulation.approval;
    await deed(() => api.post("/retention/apply", approved ? {} : { approve: code }), words.applied);
    setApplying(false);
    setSimulation(null);
    list.reload();
  };
  return (
    <>
      <PageTitle actions={list.value?.policies.length > 0 && (
        <button type="button" disabled={simulating} onClick={simulate}>{words.simulate}</button>
      )}>
        {strings.pages.retention}
      </PageTitle>
      <p>{words.intro}</p>
      <Loaded of={list}>
        {({ policies, approval, locks, disposals }) => (
          <>
            {policies.length === 0 ? <p>{words.none}</p> : (
              <>
                <Approval approval={approval} />
                <Policies policies={simulation?.policies || policies} simulated={simulation !== null} />
              </>
            )}
            {simulation && (
              <div role="status">
                <p>{fill(words.uncovered, { count: format.count(simulation.uncovered_items) })}</p>
                {may(session, "administer") && (
                  <button type="button" class="danger" onClick={() => setApplying(true)}>
                    {simulation.approval.approved ? words.apply : words.approve}
                  </button>
                )}
              </div>
            )}
            <h2>{words.disposals}</h2>
            <Disposals disposals={disposals} />
            {locks && <Locks locks={locks} />}
          </>
        )}
      </Loaded>
      {applying && (
        <Apply simulation={simulation} busy={busy} onApply={apply} onClose={() => setApplying(false)} />
      )}
    </>
  );
}

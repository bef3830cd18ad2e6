import { useState } from "preact/hooks";
import { api, part } from "./api.js";
import { Reason } from "./deeds.jsx";
import { Dialog, Loaded, may, PageTitle, Time, useAction, useLoaded, useSession } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.approvals;

function about({ deed, what }) {
  if (deed === "hold_release") {
    return fill(words.holdRelease, { matter: what.matter, id: what.id });
  }
  if (deed === "disposal") {
    return fill(words.disposal, { policies: what.policies.map((one) => `${one.id} (${one.keep})`).join(", ") });
  }
  return what.ref ? fill(words.forgetItem, { ref: what.ref, address: what.address })
    : fill(words.forgetAccount, { source: what.source, address: what.address });
}

function Confirm({ request, busy, onApprove, onClose }) {
  return (
    <Dialog title={words.approveTitle} onClose={onClose}>
      <p>{fill(words.approveText, { what: about(request), name: request.asked_by, reason: request.reason
        || strings.none })}</p>
      <p class="warning">{words.final}</p>
      <div class="actions">
        <button type="button" class="danger" disabled={busy} onClick={onApprove}>{words.approve}</button>
        <button type="button" onClick={onClose}>{strings.cancel}</button>
      </div>
    </Dialog>
  );
}

export function Approvals() {
  const session = useSession();
  const list = useLoaded(() => api.get("/approvals"), [], 15000);
  const [approving, setApproving] = useState(null);
  const [refusing, setRefusing] = useState(null);
  const [busy, run] = useAction();
  const mayApprove = may(session, "approve");
  const own = (one) => one.asked_by === `api:${session.name}`;
  const decide = async (action, done) => {
    await run(action, done);
    setApproving(null);
    setRefusing(null);
    list.reload();
  };
  return (
    <>
      <PageTitle>{strings.pages.approvals}</PageTitle>
      <p>{words.intro}</p>
      <Loaded of={list}>
        {({ approvals }) => (approvals.length === 0 ? <p class="good">{words.empty}</p> : (
          <table>
            <thead>
              <tr><th>{words.what}</th><th>{words.reason}</th><th>{words.askedBy}</th><th>{words.expires}</th>
                <th><span class="unseen">{strings.sources.actions}</span></th></tr>
            </thead>
            <tbody>
              {approvals.map((one) => (
                <tr key={one.id}>
                  <th scope="row" data-label={words.what}>{about(one)} <code>{one.id}</code></th>
                  <td data-label={words.reason}>{one.reason}</td>
                  <td data-label={words.askedBy}>{one.asked_by}, <Time iso={one.asked_at} /></td>
                  <td data-label={words.expires}><Time iso={one.expires_at} /></td>
                  <td>
                    {mayApprove && (
                      <div class="actions">
                        {own(one) ? <span class="help">{words.own}</span> : (
                          <button type="button" aria-label={`${words.approve}: ${about(one)}`}
                            onClick={() => setApproving(one)}>{words.approve}</button>
                        )}
                        <button type="button" aria-label={`${own(one) ? words.takeBack : words.refuse}: ${about(one)}`}
                          onClick={() => setRefusing(one)}>{own(one) ? words.takeBack : words.refuse}</button>
                      </div>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </Loaded>
      {approving && (
        <Confirm request={approving} busy={busy} onClose={() => setApproving(null)}
          onApprove={() => decide(() => api.post(`/approvals/${part(approving.id)}/approve`), words.approved)} />
      )}
      {refusing && (
        <Reason title={own(refusing) ? words.takeBack : words.refuse} text={about(refusing)}
          action={own(refusing) ? words.takeBack : words.refuse} busy={busy} onClose={() => setRefusing(null)}
          onGiven={(reason) => decide(() => api.post(`/approvals/${part(refusing.id)}/refuse`, { reason }),
            words.refused)} />
      )}
    </>
  );
}

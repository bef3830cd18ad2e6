import { useState } from "preact/hooks";
import { api, part } from "./api.js";
import { Dialog, Field, Loaded, PageTitle, Secret, Time, useAction, useLoaded } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.access;

function Add({ onClose }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState("operator");
  const [accounts, setAccounts] = useState("");
  const [made, setMade] = useState(null);
  const [busy, run] = useAction();
  const submit = (event) => {
    event.preventDefault();
    run(async () => setMade(await api.post("/credentials", { name, role,
      accounts: role === "account_holder" ? accounts.split(/\s+/).filter(Boolean) : [] })));
  };
  if (made) {
    return (
      <Dialog title={words.add} onClose={onClose}>
        <p>{fill(words.made, { name: made.name })}</p>
        <Secret label={words.secret} value={made.secret} />
        <button type="button" class="primary" onClick={onClose}>{words.done}</button>
      </Dialog>
    );
  }
  return (
    <Dialog title={words.add} onClose={onClose}>
      <form onSubmit={submit}>
        <Field label={words.name} required>
          {(attributes) => <input {...attributes} value={name} maxLength={100} autocomplete="off"
            onInput={(event) => setName(event.target.value)} />}
        </Field>
        <Field label={words.role}>
          {(attributes) => (
            <select {...attributes} value={role} onChange={(event) => setRole(event.target.value)}>
              {Object.entries(strings.roles).map(([id, text]) => <option key={id} value={id}>{text}</option>)}
            </select>
          )}
        </Field>
        {role === "account_holder" && (
          <Field label={words.accounts} help={words.accountsHelp} required>
            {(attributes) => <textarea {...attributes} rows={3} value={accounts}
              onInput={(event) => setAccounts(event.target.value)} />}
          </Field>
        )}
        <div class="actions">
          <button class="primary" disabled={busy}>{words.submit}</button>
          <button type="button" onClick={onClose}>{strings.cancel}</button>
        </div>
      </form>
    </Dialog>
  );
}

export function Access() {
  const list = useLoaded(() => api.get("/credentials"), []);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState(null);
  const [busy, run] = useAction();
  return (
    <>
      <PageTitle actions={<button type="button" class="primary" onClick={() => setAdding(true)}>{words.add}</button>}>
        {strings.pages.access}
      </PageTitle>
      <p>{words.intro}</p>
      <Loaded of={list}>
        {({ credentials }) => (
          <table>
            <thead>
              <tr><th>{words.name}</th><th>{words.role}</th><th>{words.accounts}</th><th>{words.created}</th><th /></tr>
            </thead>
            <tbody>
              {credentials.map((one) => (
                <tr key={one.name}>
                  <th scope="row" data-label={words.name}>{one.name}</th>
                  <td data-label={words.role}>{strings.roles[one.role]}</td>
                  <td data-label={words.accounts}>{one.accounts.join(", ")}</td>
                  <td data-label={words.created}><Time iso={one.created_at} /></td>
                  <td><button type="button" onClick={() => setRemoving(one)}>{words.remove}</button></td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Loaded>
      {adding && <Add onClose={() => { setAdding(false); list.reload(); }} />}
      {removing && (
        <Dialog title={fill(words.removeTitle, { name: removing.name })} onClose={() => setRemoving(null)}>
          <p>{words.removeText}</p>
          <div class="actions">
            <button type="button" class="danger" disabled={busy} onClick={async () => {
              await run(() => api.remove(`/credentials/${part(removing.name)}`));
              setRemoving(null);
              list.reload();
            }}>{words.remove}</button>
            <button type="button" onClick={() => setRemoving(null)}>{strings.cancel}</button>
          </div>
        </Dialog>
      )}
    </>
  );
}

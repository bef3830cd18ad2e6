import { useState } from "preact/hooks";
import { api, credential } from "./api.js";
import { Alert, Field, PageTitle, Secret } from "./parts.jsx";
import { fill, strings } from "./strings.js";

export function SignIn({ ended, onSignedIn }) {
  const [secret, setSecret] = useState("");
  const [error, setError] = useState(ended ? strings.signIn.ended : "");
  const submit = async (event) => {
    event.preventDefault();
    try {
      const me = await api.get("/me", { secret: secret.trim() });
      credential.set(secret.trim());
      onSignedIn(me);
    } catch (problem) {
      setError(problem.status === 401 ? strings.signIn.wrong : problem.message);
    }
  };
  return (
    <main class="alone">
      <p class="product">{strings.product}</p>
      <PageTitle>{strings.signIn.title}</PageTitle>
      <form onSubmit={submit}>
        <Field label={strings.signIn.secret} help={strings.signIn.help} error={error} required>
          {(attributes) => <input {...attributes} type="password" autocomplete="current-password"
            value={secret} onInput={(event) => setSecret(event.target.value)} />}
        </Field>
        <button class="primary">{strings.signIn.submit}</button>
      </form>
    </main>
  );
}

/** The first credential, by the one-time setup credential. */
export function Setup({ onDone }) {
  const [name, setName] = useState("");
  const [made, setMade] = useState(null);
  const [error, setError] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    try {
      setMade(await api.post("/credentials", { name, role: "administrator" }));
    } catch (problem) {
      setError(problem.message);
    }
  };
  return (
    <main class="alone">
      <p class="product">{strings.product}</p>
      <PageTitle>{strings.setup.title}</PageTitle>
      {made ? (
        <>
          <p>{fill(strings.setup.made, { name: made.name })}</p>
          <Secret label={strings.setup.secret} value={made.secret} />
          <button type="button" class="primary" onClick={onDone}>{strings.setup.next}</button>
        </>
      ) : (
        <form onSubmit={submit}>
          <p>{strings.setup.intro}</p>
          {error && <Alert text={error} />}
          <Field label={strings.setup.name} required>
            {(attributes) => <input {...attributes} value={name} maxLength={100} autocomplete="off"
              onInput={(event) => setName(event.target.value)} />}
          </Field>
          <button class="primary">{strings.setup.submit}</button>
        </form>
      )}
    </main>
  );
}

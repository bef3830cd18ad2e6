import { useEffect, useRef, useState } from "preact/hooks";
import { api, part } from "./api.js";
import { Alert, Field, Loaded, PageTitle, useLoaded, useSession } from "./parts.jsx";
import { chosenAlternative, configOf, SchemaForm } from "./schema_form.jsx";
import { fill, strings } from "./strings.js";

const words = strings.form;

function Checks({ found }) {
  const section = useRef(null);
  useEffect(() => section.current.scrollIntoView({ block: "end" }), [found]);
  return (
    <section aria-label={words.checkTitle} ref={section}>
      <h2>{words.checkTitle}</h2>
      <p role="status" class={found.passed ? "good" : "alert"}>
        {found.passed ? words.checkPassed : words.checkFailed}
      </p>
      <table>
        <thead>
          <tr><th>{words.checkName}</th><th>{words.outcome}</th><th>{words.detail}</th><th>{words.remedy}</th></tr>
        </thead>
        <tbody>
          {found.checks.map((check) => (
            <tr key={check.name}>
              <th scope="row" data-label={words.checkName}>{check.name}</th>
              <td data-label={words.outcome}>
                <span class={`status outcome-${check.outcome}`}>{words.outcomes[check.outcome]}</span>
              </td>
              <td data-label={words.detail}>{check.detail}</td>
              <td data-label={words.remedy}>{check.remedy}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Warnings({ of }) {
  return of.map((one) => <p key={one.pointer + one.message} class="warning">{one.message}. {one.suggestion}</p>);
}

function Form({ providers, known }) {
  const session = useSession();
  const [name, setName] = useState(known?.name || "");
  const [provider, setProvider] = useState(known?.provider
    || (providers.find((one) => one.id === "microsoft365") || providers[0])?.id);
  const [every, setEvery] = useState(known?.schedule.every || "5m");
  const [config, setConfig] = useState(known?.config || {});
  const schema = providers.find((one) => one.id === provider)?.schema || {};
  const secrets = known?.secrets || [];
  const [alternative, setAlternative] = useState(chosenAlternative(schema, config, secrets));
  const [busy, setBusy] = useState("");
  const [errors, setErrors] = useState({});
  const [failure, setFailure] = useState("");
  const [warnings, setWarnings] = useState([]);
  const [found, setFound] = useState(null);

  const body = () => ({ id: known?.id, name: name.trim(), provider,
    schedule: { every: every.trim(), reconcile_every: known?.schedule.reconcile_every },
    config: configOf(schema, config, alternative, secrets) });
  const attempt = async (what, action) => {
    setBusy(what);
    setErrors({});
    setFailure("");
    setFound(null);
    try {
      return await action();
    } catch (problem) {
      const places = {};
      const elsewhere = [];
      for (const one of problem.problems || []) {
        const text = one.suggestion ? `${one.message}: ${one.suggestion}` : one.message;
        places[one.pointer] = text;
        if (!document.getElementsByName(one.pointer.replace(/^\/config/, "")).length) {
          elsewhere.push(`${one.pointer} ${text}`);
        }
      }
      setErrors(places);
      setFailure(elsewhere.length || !problem.problems?.length ? elsewhere.join("; ") || problem.message
        : fill(words.invalid, { count: problem.problems.length }));
      setTimeout(() => document.querySelector("[aria-invalid=true]")?.focus());
      return null;
    } finally {
      setBusy("");
    }
  };
  const check = async () => {
    const answer = await attempt("check", () => api.post("/sources/check", body()));
    if (answer) {
      setFound(answer);
      setWarnings(answer.warnings);
    }
  };
  const save = async (event) => {
    event.preventDefault();
    const saved = await attempt("save", () => (known
      ? api.put(`/sources/${part(known.id)}`, body()) : api.post("/sources", body())));
    if (saved) {
      session.say(fill(words.saved, { name: saved.name }));
      location.hash = `#/sources/${part(saved.id)}`;
    }
  };
  const chosen = (id) => {
    setProvider(id);
    setConfig({});
    setAlternative(0);
    setErrors({});
  };
  const ofConfig = Object.fromEntries(Object.entries(errors).map(([place, text]) => [place.replace(/^\/config/, ""), text]));
  return (
    <>
      <PageTitle>{known ? fill(words.editTitle, { name: known.name }) : words.createTitle}</PageTitle>
      <form class="sheet" onSubmit={save} noValidate={false}>
        {failure && <Alert text={failure} />}
        <Warnings of={warnings} />
        <Field label={words.name} help={words.nameHelp} error={errors["/name"]} required>
          {(attributes) => <input {...attributes} name="/name" value={name} maxLength={200} autocomplete="off"
            onInput={(event) => setName(event.target.value)} />}
        </Field>
        <Field label={words.provider} help={schema.description} error={errors["/provider"]} required>
          {(attributes) => (
            <select {...attributes} name="/provider" value={provider} disabled={Boolean(known)}
              onChange={(event) => chosen(event.target.value)}>
              {providers.map((one) => <option key={one.id} value={one.id}>{one.title}</option>)}
            </select>
          )}
        </Field>
        <SchemaForm schema={schema} config={config} onConfig={setConfig} secrets={secrets} errors={ofConfig}
          alternative={alternative} onAlternative={setAlternative} />
        <Field label={words.every} help={words.everyHelp} error={errors["/schedule/every"]}>
          {(attributes) => <input {...attributes} name="/schedule/every" class="short" value={every}
            onInput={(event) => setEvery(event.target.value)} />}
        </Field>
        <div class="actions">
          <button class="primary" disabled={busy !== ""}>{words.save}</button>
          <button type="button" disabled={busy !== ""} onClick={check}>{busy === "check" ? words.checking : words.check}</button>
          <a class="button" href={known ? `#/sources/${part(known.id)}` : "#/sources"}>{strings.cancel}</a>
        </div>
      </form>
      {found && <Checks found={found} />}
    </>
  );
}

export function SourceForm({ id }) {
  const loaded = useLoaded(async () => {
    const [{ providers }, known] = await Promise.all([api.get("/providers"),
      id && api.get(`/sources/${part(id)}/definition`)]);
    return { providers, known };
  }, [id]);
  return <Loaded of={loaded}>{({ providers, known }) => <Form providers={providers} known={known} />}</Loaded>;
}

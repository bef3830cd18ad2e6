import { createContext } from "preact";
import { useCallback, useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import * as format from "./format.js";
import { fill, strings } from "./strings.js";

/** Who is signed in: {name, role, rights}; and say(text), which people see and screen readers tell. */
export const Session = createContext(null);
export const useSession = () => useContext(Session);

export function may(session, right) {
  return session.rights.includes(right);
}

/** {value, error, reload}; loads when what it depends on changes, and every so many milliseconds. */
export function useLoaded(load, inputs, every = 0) {
  const [state, setState] = useState({});
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(async () => {
    try {
      const value = await latest.current();
      setState({ value });
    } catch (error) {
      if (error.name !== "AbortError") {
        setState((before) => ({ ...before, error }));
      }
    }
  }, []);
  useEffect(() => {
    let current = true;
    setState({});
    latest.current().then((value) => current && setState({ value }),
      (error) => current && error.name !== "AbortError" && setState({ error }));
    const timer = every ? setInterval(reload, every) : 0;
    return () => {
      current = false;
      clearInterval(timer);
    };
  }, inputs);
  return { ...state, reload };
}

export function Loaded({ of, children }) {
  if (of.error && !of.value) {
    return <Alert text={of.error.message} />;
  }
  return of.value ? children(of.value) : <p role="status">{strings.loading}</p>;
}

export function Alert({ text }) {
  return <p class="alert" role="alert">{fill(strings.failed, { detail: text })}</p>;
}

export function Status({ value }) {
  return <span class={`status status-${value}`}>{strings.status[value] || value}</span>;
}

export function Time({ iso, otherwise = strings.never }) {
  return iso ? <time dateTime={iso}>{format.time(iso)}</time> : <>{otherwise}</>;
}

/** A dialog of the browser's own: it keeps the keyboard inside and closes with Escape. */
export function Dialog({ title, onClose, children }) {
  const dialog = useRef(null);
  const id = useId();
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

/** A field with its label, help and what is wrong with it. `children` gets the control's attributes. */
export function Field({ label, help, error, required, children }) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class={error ? "field invalid" : "field"}>
      <label for={id}>
        {label}
        {required && <span class="required"> ({strings.form.required})</span>}
      </label>
      {children({ id, required, "aria-describedby": described || undefined,
        "aria-invalid": error ? "true" : undefined })}
      {help && <p class="help" id={`${id}-help`}>{help}</p>}
      {error && <p class="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}

/** Runs what a button does, tells how it went, and keeps it from being pressed twice. */
export function useAction() {
  const session = useSession();
  const [busy, setBusy] = useState(false);
  const run = async (action, done) => {
    setBusy(true);
    try {
      const result = await action();
      if (done) {
        session.say(done);
      }
      return result;
    } catch (error) {
      session.say(fill(strings.failed, { detail: error.message }), true);
      return undefined;
    } finally {
      setBusy(false);
    }
  };
  return [busy, run];
}

/** A heading that has the keyboard's attention when its page comes. */
export function PageTitle({ children, actions }) {
  const heading = useRef(null);
  const text = Array.isArray(children) ? children.join("") : children;
  useEffect(() => {
    document.title = `${text} – ${strings.product}`;
    heading.current.focus({ preventScroll: true });
  }, [text]);
  return (
    <div class="title">
      <h1 ref={heading} tabIndex={-1}>{children}</h1>
      {actions && <div class="actions">{actions}</div>}
    </div>
  );
}

export function Facts({ of }) {
  return (
    <dl class="facts">
      {of.filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}

/** A secret that is shown this one time. */
export function Secret({ label, value }) {
  return (
    <Field label={label}>
      {(attributes) => <input {...attributes} class="secret" readOnly value={value}
        onFocus={(event) => event.target.select()} />}
    </Field>
  );
}

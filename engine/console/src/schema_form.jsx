// A form made of a plugin's JSON Schema: its titles, help and order (x-order). What is required, what
// the chosen way of signing in needs, and what is named after one of these (client_secret_expires)
// comes first; the rest waits under "More settings".
import { Field } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.form;

function inOrder(properties) {
  return Object.entries(properties || {})
    .sort(([, a], [, b]) => (a["x-order"] ?? 1000) - (b["x-order"] ?? 1000));
}

/** The ways between which the schema lets choose: [["client_secret"], ["certificate"]]. */
export function alternatives(schema) {
  return (schema.oneOf || []).map((one) => one.required || []).filter((names) => names.length);
}

export function chosenAlternative(schema, config, secrets) {
  const found = alternatives(schema).findIndex((names) =>
    names.every((name) => name in config || secrets.includes(`/${name}`)));
  return Math.max(found, 0);
}

function split(schema, alternative) {
  const ways = alternatives(schema);
  const names = [...(schema.required || []), ...(ways[alternative] || [])];
  const others = ways.flat().filter((name) => !names.includes(name));
  const first = ([name]) => names.includes(name) || names.some((one) => name.startsWith(`${one}_`));
  const all = inOrder(schema.properties).filter(([name]) => !others.includes(name));
  return { first: all.filter(first), rest: all.filter((one) => !first(one)), names };
}

function Control({ schema, value, onValue, attributes, kept }) {
  const input = (event) => onValue(event.target.value);
  if (schema.writeOnly) {
    return <input {...attributes} type="password" autocomplete="off" value={value ?? ""} onInput={input}
      placeholder={kept ? "••••••••" : ""} required={attributes.required && !kept} />;
  }
  if (schema.enum) {
    return (
      <select {...attributes} value={value ?? ""} onChange={input}>
        <option value="">
          {schema.default === undefined ? words.unset : fill(words.default, { value: schema.default })}
        </option>
        {schema.enum.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    );
  }
  if (schema.type === "boolean") {
    return (
      <select {...attributes} value={value === undefined ? "" : String(value)}
        onChange={(event) => onValue(event.target.value === "" ? undefined : event.target.value === "true")}>
        <option value="">{words.unset}</option>
        <option value="true">{words.yes}</option>
        <option value="false">{words.no}</option>
      </select>
    );
  }
  if (schema.type === "array") {
    return <textarea {...attributes} rows={3} value={(value || []).join("\n")}
      onInput={(event) => onValue(event.target.value === "" ? undefined : event.target.value.split("\n"))} />;
  }
  if (schema.type === "integer" || schema.type === "number") {
    return <input {...attributes} type="number" min={schema.minimum} max={schema.maximum} value={value ?? ""}
      onInput={(event) => onValue(event.target.value === "" ? undefined : Number(event.target.value))} />;
  }
  return <input {...attributes} type={schema.format === "date" ? "date" : "text"} autocomplete="off"
    spellcheck={false} value={value ?? ""} onInput={input} />;
}

function Property({ name, schema, pointer, required, value, onValue, secrets, errors }) {
  const place = `${pointer}/${name}`;
  if (schema.type === "object" && schema.properties) {
    const object = value || {};
    return (
      <fieldset>
        <legend>{schema.title || name}</legend>
        {schema.description && <p class="help">{schema.description}</p>}
        {errors[place] && <p class="error">{errors[place]}</p>}
        {inOrder(schema.properties).map(([inner, one]) => (
          <Property key={inner} name={inner} schema={one} pointer={place} secrets={secrets} errors={errors}
            required={(schema.required || []).includes(inner)} value={object[inner]}
            onValue={(changed) => onValue({ ...object, [inner]: changed })} />
        ))}
      </fieldset>
    );
  }
  const kept = secrets.includes(place);
  const help = [schema.description, schema.type === "array" && words.list,
    kept && words.keepSecret,
    schema.default !== undefined && !schema.enum && fill(words.default, { value: schema.default })]
    .filter(Boolean).join(" ");
  return (
    <Field label={schema.title || name} help={help} required={required} error={errors[place]}>
      {(attributes) => <Control schema={schema} value={value} onValue={onValue} kept={kept}
        attributes={{ ...attributes, name: place }} />}
    </Field>
  );
}

/** `errors` by pointer ("/tenant_id"); `secrets` are the pointers of those that are kept. */
export function SchemaForm({ schema, config, onConfig, alternative, onAlternative, secrets, errors }) {
  const { first, rest, names } = split(schema, alternative);
  const ways = alternatives(schema);
  const title = (name) => schema.properties[name]?.title || name;
  const property = ([name, one]) => (
    <Property key={name} name={name} schema={one} pointer="" secrets={secrets} errors={errors}
      required={names.includes(name)} value={config[name]}
      onValue={(value) => onConfig({ ...config, [name]: value })} />
  );
  return (
    <>
      {first.map(property)}
      {(rest.length > 0 || ways.length > 1) && (
        <details open={rest.some(([name]) => Object.keys(errors).some((place) => place.startsWith(`/${name}`)))}>
          <summary>{words.advanced}</summary>
          {ways.length > 1 && (
            <Field label={words.method}>
              {(attributes) => (
                <select {...attributes} value={alternative}
                  onChange={(event) => onAlternative(Number(event.target.value))}>
                  {ways.map((one, index) => <option key={index} value={index}>{one.map(title).join(", ")}</option>)}
                </select>
              )}
            </Field>
          )}
          {rest.map(property)}
        </details>
      )}
    </>
  );
}

/** What the form says, as the API takes it: without what was left empty or belongs to another way. */
export function configOf(schema, config, alternative, secrets) {
  const { first, rest } = split(schema, alternative);
  const cleaned = (one, value, pointer) => {
    if (one.type === "object" && one.properties) {
      const result = {};
      for (const [name, inner] of Object.entries(one.properties)) {
        const kept = cleaned(inner, (value || {})[name], `${pointer}/${name}`);
        if (kept !== undefined) {
          result[name] = kept;
        }
      }
      return Object.keys(result).length ? result : undefined;
    }
    if (one.writeOnly && !value) {
      return secrets.includes(pointer) ? { keep: true } : undefined;
    }
    if (Array.isArray(value)) {
      const lines = value.map((line) => line.trim()).filter(Boolean);
      return lines.length ? lines : undefined;
    }
    return typeof value === "string" ? value.trim() || undefined : value;
  };
  const result = {};
  for (const [name, one] of [...first, ...rest]) {
    const value = cleaned(one, config[name], `/${name}`);
    if (value !== undefined) {
      result[name] = value;
    }
  }
  return result;
}

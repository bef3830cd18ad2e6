import { useEffect, useState } from "preact/hooks";
import { api, part, save } from "./api.js";
import * as format from "./format.js";
import { Alert, Dialog, Field, useAction } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.search;

/** The search as the API's exports take it. */
const asked = (search) => ({
  q: search.q, since: search.since, until: search.until, has_attachment: search.has_attachment === "true",
  ...Object.fromEntries(["source", "account", "folder"].filter((name) => search[name])
    .map((name) => [`${name}s`, [search[name]]])),
});

export function Export({ search, onClose }) {
  const [kind, setKind] = useState("eml");
  const [job, setJob] = useState(null);
  const [busy, run] = useAction();
  const begin = (event) => {
    event.preventDefault();
    run(async () => {
      const { id } = await api.post("/exports", { ...asked(search), format: kind });
      setJob(await api.get(`/jobs/${id}`));
    });
  };
  useEffect(() => {
    if (job?.status !== "running") {
      return undefined;
    }
    const timer = setTimeout(() => api.get(`/jobs/${job.id}`).then(setJob, () => setJob({ ...job })), 500);
    return () => clearTimeout(timer);
  }, [job]);
  // What it wrote is mail in the clear: it goes with the dialog.
  const close = () => {
    if (job) {
      api.remove(`/jobs/${part(job.id)}`).catch(() => {});
    }
    onClose();
  };
  const download = () => run(async () =>
    save(await api.bytes(`/jobs/${part(job.id)}/file`), `export-${job.id}.zip`, "application/zip"));
  return (
    <Dialog title={words.exportTitle} onClose={close}>
      {!job && (
        <form onSubmit={begin}>
          <p>{words.exportHelp}</p>
          <Field label={words.format}>
            {(attributes) => (
              <select {...attributes} value={kind} onChange={(event) => setKind(event.target.value)}>
                {Object.entries(words.formats).map(([id, text]) => <option key={id} value={id}>{text}</option>)}
              </select>
            )}
          </Field>
          <div class="actions">
            <button class="primary" disabled={busy}>{words.begin}</button>
            <button type="button" onClick={close}>{strings.cancel}</button>
          </div>
        </form>
      )}
      {job?.status === "running" && (
        <p role="status">
          {fill(words.exporting, { versions: format.count(job.progress.versions), bytes: format.bytes(job.progress.bytes) })}
        </p>
      )}
      {job?.error && <Alert text={job.error.message} />}
      {job?.status === "done" && (
        <>
          <p role="status">
            {fill(words.exported, { items: format.count(job.result.items), bytes: format.bytes(job.result.bytes) })}
            {job.result.exceptions > 0 && ` ${fill(words.exceptions, { count: job.result.exceptions })}`}
          </p>
          <button type="button" class="primary" disabled={busy} onClick={download}>{words.downloadExport}</button>
        </>
      )}
      {job && <button type="button" onClick={close}>{strings.close}</button>}
    </Dialog>
  );
}

// What can't be taken back, and may need a second person.
import { useState } from "preact/hooks";
import { Dialog, Field, useAction, useSession } from "./parts.jsx";
import { fill, strings } from "./strings.js";

const words = strings.deeds;

/** As useAction(), but tells as well where another person has to approve it first. */
export function useDeed() {
  const session = useSession();
  const [busy, run] = useAction();
  const deed = async (action, done) => {
    const result = await run(action);
    if (result) {
      session.say(result.request ? fill(words.asked, { id: result.request.id }) : done);
    }
    return result;
  };
  return [busy, deed];
}

/** Asks for a reason before something is done. */
export function Reason({ title, text, action, busy, onGiven, onClose }) {
  const [reason, setReason] = useState("");
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <form onSubmit={(event) => { event.preventDefault(); onGiven(reason); }}>
        <Field label={words.reason} required>
          {(attributes) => <input {...attributes} value={reason} autocomplete="off"
            onInput={(event) => setReason(event.target.value)} />}
        </Field>
        <div class="actions">
          <button class="danger" disabled={busy || !reason.trim()}>{action}</button>
          <button type="button" onClick={onClose}>{strings.cancel}</button>
        </div>
      </form>
    </Dialog>
  );
}

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Access } from "./access.jsx";
import { api, credential, onSignedOut } from "./api.js";
import { Approvals } from "./approvals.jsx";
import { Audit } from "./audit.jsx";
import { Failures } from "./failures.jsx";
import { Health } from "./health.jsx";
import { Holds } from "./holds.jsx";
import { Message } from "./message.jsx";
import { may, Session } from "./parts.jsx";
import { Retention } from "./retention.jsx";
import { Search } from "./search.jsx";
import { Setup, SignIn } from "./sign_in.jsx";
import { Source } from "./source.jsx";
import { SourceForm } from "./source_form.jsx";
import { Sources } from "./sources.jsx";
import { fill, strings } from "./strings.js";

// In the order of the menu. Addresses are behind the '#', so that one page is all there is to serve.
const PAGES = [
  { name: "sources", right: "observe", show: (rest) => <Sources key={rest} /> },
  { name: "search", right: "read_mail", show: (_, query) => <Search query={query} /> },
  { name: "failures", right: "observe", show: () => <Failures /> },
  { name: "holds", right: "observe", show: () => <Holds /> },
  { name: "retention", right: "observe", show: () => <Retention /> },
  { name: "approvals", right: "observe", show: () => <Approvals /> },
  { name: "health", right: "observe", show: () => <Health /> },
  { name: "audit", right: "audit", show: () => <Audit /> },
  { name: "access", right: "administer", show: () => <Access /> },
];

function parsed() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: new URLSearchParams(query || "") };
}

function useAddress() {
  const [address, setAddress] = useState(parsed);
  useEffect(() => {
    const changed = () => setAddress(parsed());
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return address;
}

function Page({ address, session }) {
  const [page, id, action] = address.path;
  if (page === "items" && id && may(session, "read_mail")) {
    return <Message key={id} reference={id} />;
  }
  if (page === "sources" && may(session, "observe")) {
    if (id === "new" && may(session, "administer")) {
      return <SourceForm key="new" />;
    }
    if (id && action === "edit" && may(session, "administer")) {
      return <SourceForm key={id} id={id} />;
    }
    if (id && id !== "new") {
      return <Source key={id} id={id} />;
    }
  }
  const found = PAGES.find((one) => one.name === page);
  if (!found) {
    return <p>{strings.notFound}</p>;
  }
  if (!may(session, found.right)) {
    return <p>{fill(strings.notAllowed, { role: strings.roles[session.role] })}</p>;
  }
  return found.show("", address.query);
}

/** What just happened: shown for a while, and read out. */
function Notice({ notice }) {
  return (
    <div class="notices">
      <p role="status" class={notice && !notice.bad ? "notice" : ""}>{notice && !notice.bad ? notice.text : ""}</p>
      <p role="alert" class={notice?.bad ? "notice bad" : ""}>{notice?.bad ? notice.text : ""}</p>
    </div>
  );
}

function Main({ session, signOut }) {
  const address = useAddress();
  const main = useRef(null);
  const pages = PAGES.filter((page) => may(session, page.right));
  useEffect(() => {
    if (!address.path.length && pages.length) {
      location.replace(`#/${pages[0].name}`);
    }
  }, [address]);
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current.focus(); }}>
        {strings.skip}
      </a>
      <header>
        <span class="product">{strings.product}</span>
        <nav aria-label={strings.menu}>
          <ul>
            {pages.map((page) => (
              <li key={page.name}>
                <a href={`#/${page.name}`}
                  aria-current={address.path[0] === page.name ? "page" : undefined}>
                  {strings.pages[page.name]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="who">
          <span>{fill(strings.signedInAs, { name: session.name, role: strings.roles[session.role] })}</span>
          <button type="button" class="quiet" onClick={signOut}>{strings.signOut}</button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Page address={address} session={session} />
      </main>
    </>
  );
}

export function App() {
  const [who, setWho] = useState(null);
  const [waiting, setWaiting] = useState(credential.get() !== "");
  const [ended, setEnded] = useState(false);
  const [notice, setNotice] = useState(null);
  const say = useCallback((text, bad = false) => {
    setNotice({ text, bad });
  }, []);
  useEffect(() => {
    const timer = notice && setTimeout(() => setNotice(null), notice.bad ? 15000 : 6000);
    return () => clearTimeout(timer);
  }, [notice]);
  const signOut = () => {
    credential.clear();
    setWho(null);
  };
  useEffect(() => {
    onSignedOut(() => {
      setWho(null);
      setEnded(true);
    });
    if (waiting) {
      api.get("/me").then(setWho, () => {}).finally(() => setWaiting(false));
    }
  }, []);
  let content;
  if (waiting) {
    content = <p role="status">{strings.loading}</p>;
  } else if (!who) {
    content = <SignIn ended={ended} onSignedIn={(me) => { setEnded(false); setWho(me); }} />;
  } else if (who.setup) {
    content = <Setup onDone={signOut} />;
  } else {
    content = <Main session={who} signOut={signOut} />;
  }
  return (
    <Session.Provider value={who && { ...who, say }}>
      {content}
      <Notice notice={notice} />
    </Session.Provider>
  );
}

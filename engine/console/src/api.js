// The public HTTP API, and nothing else. The credential is kept for as long as the tab is open.

const KEY = "openarchiver.credential";

export const credential = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (secret) => sessionStorage.setItem(KEY, secret),
  clear: () => sessionStorage.removeItem(KEY),
};

/** What the API answered instead: problem details (RFC 9457). */
export class Problem extends Error {
  constructor(status, document) {
    super(document?.detail || `HTTP ${status}`);
    this.status = status;
    this.problems = document?.problems || [];
  }
}

let signedOut = () => {};
export const onSignedOut = (listener) => { signedOut = listener; };

function fields(secret) {
  return { Authorization: `Bearer ${secret}`, Accept: "application/json" };
}

async function request(method, path, { body, signal, secret = credential.get() } = {}) {
  const headers = fields(secret);
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const response = await fetch("api/v1" + path, {
    method, headers, signal, cache: "no-store",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) {
    const problem = new Problem(response.status, await response.json().catch(() => null));
    if (response.status === 401 && secret === credential.get()) {
      credential.clear();
      signedOut();
    }
    throw problem;
  }
  return response;
}

export const api = {
  get: async (path, options) => (await request("GET", path, options)).json(),
  post: async (path, body = {}, options) => (await request("POST", path, { ...options, body })).json(),
  put: async (path, body) => (await request("PUT", path, { body })).json(),
  remove: async (path) => (await request("DELETE", path)).json(),
  bytes: async (path, options) => (await request("GET", path, options)).arrayBuffer(),
  text: async (path) => (await request("GET", path)).text(),
};

/** The path with those of the values that say something. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "" && one !== false) {
        query.append(name, String(one));
      }
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const part = encodeURIComponent;

/**
 * Server-sent events, read with fetch: an EventSource can't send a credential. Begins anew when the
 * connection ends, until the signal.
 */
export async function follow(path, signal, take) {
  while (!signal.aborted) {
    try {
      const response = await request("GET", path, { signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let pending = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) {
          break;
        }
        pending += value;
        const events = pending.split("\n\n");
        pending = events.pop();
        for (const event of events) {
          const data = event.split("\n").filter((line) => line.startsWith("data: "))
            .map((line) => line.slice(6)).join("\n");
          if (data) {
            take(JSON.parse(data));
          }
        }
      }
    } catch (error) {
      if (signal.aborted || error.status === 401 || error.status === 403) {
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

/** Hands bytes to the browser as a file. */
export function save(bytes, name, type) {
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

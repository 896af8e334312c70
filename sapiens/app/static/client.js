// Talking to the server this page came from, and to nobody else.

let token = "";

/** What this tab remembers, or null: where a browser lets pages, or frames of other sites, store nothing, its very name throws. */
const memory = (() => {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
})();

/** Read the token that the address carries behind "#", which browsers never send, and take it out of sight. */
export function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (found) {
    setToken(found);
    history.replaceState(null, "", location.pathname);
  }
  token ||= memory?.getItem("token") ?? "";
}

export function setToken(value) {
  token = value;
  memory?.setItem("token", value);
}

/** An answer that is not the one asked for; its message is meant to be read. */
export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server cannot be reached.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({ error: response.statusText }));
  throw new ServerError(response.status, told.hint ? `${told.error} (${told.hint})` : told.error);
}

export const getModels = async () => (await (await ask("v1/models")).json()).models;
export const getTask = async (task) => (await ask(`v1/tasks/${task}`)).json();
export const getExample = async (name) => (await ask(`static/${name}`)).blob();

/**
 * One prediction, kept by the server for a while so that another form of it costs nothing.
 * `form` is a kind of /v1/tasks/{task}, or "json".
 */
export async function predict(task, picture, settings, form, signal, arrays = "all") {
  const body = new FormData();
  body.append("image", picture.blob, picture.name);
  body.append("keep", "true");
  for (const [name, value] of Object.entries(settings)) if (value) body.append(name, value);
  for (;;) {
    try {
      return await ask(`v1/predict/${task}?as=${form}&arrays=${arrays}`, { method: "POST", body, signal });
    } catch (error) {
      if (error.status !== 429) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      signal?.throwIfAborted();
    }
  }
}

/** An array of a JSON answer: {shape, data}, data a typed array or nested lists. */
export function readArray(told) {
  if (told.base64 === undefined) return { shape: told.shape, data: told.data };
  const text = atob(told.base64);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  const kinds = { uint8: Uint8Array, bool: Uint8Array, float32: Float32Array, float64: Float64Array, int32: Int32Array };
  return { shape: told.shape, data: new kinds[told.dtype](bytes.buffer) };
}

/** The values of an npy file of 32-bit floats: a header that ends before a multiple of 64, then the numbers. */
export function readFloats(buffer) {
  const view = new DataView(buffer);
  const header = new TextDecoder("latin1").decode(buffer.slice(10, 10 + view.getUint16(8, true)));
  if (view.getUint8(6) !== 1 || !header.includes("'<f4'") || header.includes("True")) throw new Error("not an array of floats");
  return new Float32Array(buffer, 10 + view.getUint16(8, true));
}

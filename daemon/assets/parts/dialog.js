// Dialogs, and confirmations that say what will be done before it is done.

import { html, useEffect, useId, useRef, useState } from "../html.js";
import { Trouble } from "./basic.js";

/** A modal dialog, which keeps the focus until it is closed. */
export function Dialog({ open, onClose, title, children }) {
  const element = useRef(null);
  const heading = useId();
  useEffect(() => {
    const dialog = element.current;
    if (!dialog) return undefined;
    dialog.showModal();
    return () => dialog.close();
  }, [open]);
  if (!open) return null;
  return html`<dialog ref=${element} aria-labelledby=${heading} onCancel=${(event) => (event.preventDefault(), onClose())}>
    <div class="stack"><h2 id=${heading}>${title}</h2>${children}</div>
  </dialog>`;
}

/**
 * Asks before something is done. `children` says what will be done; `typed` is a word that must be typed. `act` does it, and
 * the dialog stays open with the reason if that fails.
 */
export function Confirm({ open, onClose, title, children, words, typed = null, danger = false, act, disabled = false }) {
  const [text, setText] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    if (busy || disabled) return;
    if (typed && text !== typed) return setError(new Error(`Type ${typed} to confirm.`));
    setBusy(true);
    setError(null);
    try {
      await act();
      setText("");
      onClose();
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  const field = typed && html`<label><span>Type <b>${typed}</b> to confirm</span><input id="confirm-name" autofocus value=${text} autocomplete="off" spellcheck=${false} onInput=${(event) => setText(event.target.value)} /></label>`;
  return html`<${Dialog} open=${open} onClose=${onClose} title=${title}>
    ${children}
    <form onSubmit=${submit}>
      ${field}
      ${error && html`<${Trouble} error=${error} />`}
      <div class="actions">
        <button type="button" onClick=${onClose}>Cancel</button>
        <button id="confirm" class=${danger ? "danger" : "first"} aria-busy=${busy} disabled=${disabled}>${words}</button>
      </div>
    </form>
  <//>`;
}

// Asks for the token.

import { post } from "../api.js";
import { html, useLayoutEffect, useRef, useState } from "../html.js";
import { Trouble } from "../parts/basic.js";

export function SignIn({ begin }) {
  const field = useRef(null);
  const [error, setError] = useState(null);
  // Before the browser paints: what is typed at once must not be lost.
  useLayoutEffect(() => {
    document.title = "Sign in – odoo-backup";
    field.current.focus();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      await post("/session", { token: field.current.value });
      await begin();
    } catch (error) {
      setError(error.status === 401 ? new Error("This token is not valid.") : error);
      field.current?.select();
    }
  };
  return html`<form class="sign-in" onSubmit=${submit}>
    <h1>Sign in</h1>
    <label for="token">Token</label>
    <input id="token" name="token" type="password" autocomplete="current-password" required ref=${field} aria-describedby="token-help" />
    <p class="quiet" id="token-help">The content of the file that <code>token_file</code> names in the configuration.</p>
    ${error && html`<${Trouble} error=${error} />`}
    <div class="actions"><button class="first">Sign in</button></div>
  </form>`;
}

// Signs in, chooses the page by the address, and draws what is around it.

import { ask, get, onRefused } from "./api.js";
import { listen } from "./events.js";
import { html, render, useEffect, useRef, useState } from "./html.js";
import { KeysDialog, useKeys } from "./keys.js";
import { Backup } from "./pages/backup.js";
import { Instance } from "./pages/instance.js";
import { Overview } from "./pages/overview.js";
import { Repositories } from "./pages/repositories.js";
import { Run } from "./pages/run.js";
import { Runs } from "./pages/runs.js";
import { SignIn } from "./pages/sign-in.js";
import { Trouble } from "./parts/basic.js";
import { announce, heard } from "./store.js";
import { to } from "./state.js";
import { isUtc, setUtc, zone } from "./time.js";

const ROUTES = [
  [/^$/, () => html`<${Overview} />`],
  [/^instances\/([^/]+)$/, (name) => html`<${Instance} name=${name} />`],
  [/^instances\/([^/]+)\/backups\/([^/]+)$/, (name, id) => html`<${Backup} name=${name} id=${id} />`],
  [/^runs(?:\?instance=([^&]+))?$/, (instance) => html`<${Runs} instance=${instance} />`],
  [/^runs\/(\d+)$/, (id) => html`<${Run} id=${id} />`],
  [/^repositories$/, () => html`<${Repositories} />`],
];

const address = () => location.hash.replace(/^#\/?/, "");

function page(here) {
  for (const [pattern, make] of ROUTES) {
    const match = pattern.exec(here);
    if (match) return make(...match.slice(1).map((part) => part && decodeURIComponent(part)));
  }
  return html`<h1>This page does not exist</h1><p><a href=${to.overview}>Back to the overview</a></p>`;
}

function useAddress() {
  const [here, setHere] = useState(address());
  useEffect(() => {
    const changed = () => setHere(address());
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return here;
}

/** Draws again every 20 seconds, because ages grow without any event. */
function useTick() {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && setTick((tick) => tick + 1), 20_000);
    return () => clearInterval(timer);
  }, []);
}

/** Asks whether this browser is signed in: `loading`, `out`, `in`, or an error. */
function useSession() {
  const [session, setSession] = useState({ phase: "loading" });
  const begin = async () => {
    try {
      const { required, valid } = await get("/session");
      setSession({ phase: required && !valid ? "out" : "in", required });
    } catch (error) {
      setSession({ phase: "error", error });
      setTimeout(begin, 3000);
    }
  };
  useEffect(() => {
    onRefused(() => setSession({ phase: "out", required: true }));
    begin();
  }, []);
  const leave = async () => {
    await ask("DELETE", "/session").catch(() => {});
    announce("Signed out");
    setSession({ phase: "out", required: true });
  };
  return { ...session, begin, leave };
}

/** Listens to events while signed in; returns what to say of the connection. */
function useStream(session) {
  const [words, setWords] = useState("");
  useEffect(() => {
    if (session.phase !== "in") return setWords("");
    let lost = false;
    const hear = (name, data) => {
      if (name === "stopping") setWords("The daemon is stopping.");
      heard(name, data);
    };
    return listen(hear, (connected) => {
      setWords(connected ? "" : "Connection lost: reconnecting.");
      if (connected && lost) heard("lagged", {});
      lost = !connected;
      // The event stream does not say why it broke; a request does.
      if (!connected) session.begin();
    });
  }, [session.phase]);
  return words;
}

function App() {
  const here = useAddress();
  const session = useSession();
  const connection = useStream(session);
  const [utc, chooseUtc] = useState(isUtc());
  const [help, setHelp] = useState(false);
  const main = useRef(null);
  const first = useRef(true);
  useTick();
  const turnUtc = () => {
    setUtc(!utc);
    chooseUtc(!utc);
  };
  useKeys({ "?": () => setHelp(true), u: turnUtc }, session.phase === "in");
  useEffect(() => {
    if (!first.current) {
      window.scrollTo(0, 0);
      main.current.focus({ preventScroll: true });
    }
    first.current = false;
  }, [here]);
  const isIn = session.phase === "in";
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to main content</a>
    <header class="top">
      <a class="brand" href=${to.overview} aria-label="odoo-backup: overview"><img src="/icon.svg" alt="" width="24" height="24" /><span>odoo-backup</span></a>
      ${isIn && html`<${Pages} here=${here} />`}
      <div class="tools">
        <span id="connection" role="status">${connection}</span>
        <button type="button" id="utc" aria-pressed=${utc} title="Show times in UTC, or in this browser's zone" onClick=${turnUtc}>${utc ? "UTC" : zone()}</button>
        ${isIn && html`<button type="button" class="keys-button" title="Keys" aria-label="Keys" onClick=${() => setHelp(true)}>?</button>`}
        ${isIn && session.required && html`<button type="button" id="sign-out" onClick=${session.leave}>Sign out</button>`}
      </div>
    </header>
    <main id="main" tabindex="-1" ref=${main}>
      ${isIn && html`<div class="page" key=${here}>${page(here)}</div>`}
      ${session.phase === "out" && html`<${SignIn} begin=${session.begin} />`}
      ${session.phase === "error" && html`<h1>The daemon does not respond</h1><${Trouble} error=${session.error} />`}
    </main>
    <${KeysDialog} open=${help} onClose=${() => setHelp(false)} />
  `;
}

function Pages({ here }) {
  const links = [["Overview", to.overview, here === "" || here.startsWith("instances")], ["Runs", to.runs, here.startsWith("runs")], ["Repositories", to.repositories, here === "repositories"]];
  return html`<nav aria-label="Pages">${links.map(([words, href, isHere]) => html`<a href=${href} aria-current=${isHere ? "page" : null}>${words}</a>`)}</nav>`;
}

render(html`<${App} />`, document.getElementById("app"));

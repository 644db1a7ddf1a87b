// Signs in, chooses the page by the address, and keeps it up to date.

import { ask, get, listen } from "./api.js";
import { announce, h, replace } from "./dom.js";
import * as pages from "./pages.js";
import { trouble } from "./parts.js";

const main = document.getElementById("main");
const connection = document.getElementById("connection");
const signOut = document.getElementById("sign-out");

const ROUTES = [
  [/^$/, () => pages.instances()],
  [/^instances\/([^/]+)$/, (name) => pages.instance(name)],
  [/^instances\/([^/]+)\/backups\/([^/]+)$/, (name, id) => pages.backup(name, id)],
  [/^runs$/, () => pages.runs()],
  [/^runs\/(\d+)$/, (id) => pages.run(id)],
];

/** The page that is shown, and the events that concern it. */
let shown = null;
let events = null;
/** Counts page loads: an answer that arrives after the reader left the page is discarded. */
let turn = 0;

async function show({ isNew }) {
  turn += 1;
  const mine = turn;
  const address = location.hash.replace(/^#\/?/, "");
  const found = ROUTES.map(([pattern, page]) => [pattern.exec(address), page]).find(([match]) => match);
  for (const link of document.querySelectorAll("header nav a")) {
    const part = link.getAttribute("href").replace(/^#\/?/, "");
    const here = part === "" ? address === "" || address.startsWith("instances") : address.startsWith(part);
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (!found) throw new Error("This page does not exist.");
    const [match, page] = found;
    const next = await page(...match.slice(1).map(decodeURIComponent));
    if (mine !== turn) return;
    const top = window.scrollY;
    shown = next;
    replace(main, ...next.nodes.flat(Infinity));
    document.title = `${next.title} – odoo-backup`;
    if (isNew) {
      window.scrollTo(0, 0);
      main.focus({ preventScroll: true });
    } else {
      window.scrollTo(0, top);
    }
  } catch (error) {
    if (mine !== turn) return;
    if (error.status === 401) return signIn();
    shown = null;
    replace(main, h("h1", {}, "Request failed"), trouble(error), h("p", {}, h("a", { href: "#/" }, "Back to the instances")));
  }
}

let waiting = null;

/** Reloads the page shortly after, because several events may arrive at once. */
function refresh() {
  waiting ??= setTimeout(() => {
    waiting = null;
    // The reader is typing: a reload would lose the text.
    if (main.contains(document.activeElement) && document.activeElement.matches("input")) return refresh();
    show({ isNew: false });
  }, 400);
}

function hear(event, data) {
  if (event === "stopping") connection.textContent = "The daemon is stopping.";
  shown?.hear?.(event, data);
  if (shown?.concerns(event, data)) refresh();
}

function connect() {
  events?.close();
  let lost = false;
  events = listen("/events", hear, (connected) => {
    connection.textContent = connected ? "" : "Connection lost: reconnecting.";
    if (connected && lost) refresh();
    lost = !connected;
    // The event stream does not say why it broke; a request does.
    if (!connected) get("/session").then((session) => session.required && !session.valid && signIn()).catch(() => {});
  });
}

function signIn() {
  turn += 1;
  shown = null;
  events?.close();
  events = null;
  signOut.hidden = true;
  const token = h("input", { id: "token", name: "token", type: "password", autocomplete: "current-password", required: true, "aria-describedby": "token-help" });
  const failed = h("div", {});
  const submit = async (event) => {
    event.preventDefault();
    failed.replaceChildren();
    try {
      await ask("POST", "/session", { token: token.value });
      begin();
    } catch (error) {
      failed.replaceChildren(error.status === 401 ? h("p", { class: "note bad", role: "alert" }, "This token is not valid.") : trouble(error));
      token.select();
    }
  };
  replace(
    main,
    h(
      "form",
      { class: "card sign-in", submit },
      h("h1", {}, "Sign in"),
      h("label", { for: "token" }, "Token"),
      token,
      h("p", { class: "quiet", id: "token-help" }, "The content of the file that ", h("code", {}, "token_file"), " names in the configuration."),
      failed,
      h("div", { class: "actions" }, h("button", { class: "first" }, "Sign in")),
    ),
  );
  document.title = "Sign in – odoo-backup";
  token.focus();
}

async function begin() {
  try {
    const session = await get("/session");
    if (session.required && !session.valid) return signIn();
    signOut.hidden = !session.required;
  } catch (error) {
    replace(main, h("h1", {}, "The daemon does not respond"), trouble(error));
    setTimeout(begin, 3000);
    return;
  }
  connect();
  show({ isNew: true });
}

signOut.addEventListener("click", async () => {
  await ask("DELETE", "/session").catch(() => {});
  announce("Signed out");
  signIn();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => shown || events ? show({ isNew: true }) : begin());
// Ages grow without any event.
setInterval(() => document.visibilityState === "visible" && shown && !location.hash.startsWith("#/runs") && refresh(), 60_000);
begin();

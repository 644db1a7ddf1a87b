// What the pages show of the daemon: loaded once, and again when an event concerns it.

import { get } from "./api.js";
import { useEffect, useRef, useState } from "./html.js";
import { setClock } from "./time.js";

const listeners = new Set();

/** Passes an event on to whatever is shown. */
export const heard = (name, data) => [...listeners].forEach((listener) => listener(name, data));

/** Says that something changed by what this tab did, for which no event may come. */
export const touched = () => heard("lagged", {});

/** Calls `listener(name, data)` for each event while the component is shown. */
export function useEvents(listener) {
  const latest = useRef(listener);
  latest.current = listener;
  useEffect(() => {
    const call = (name, data) => latest.current(name, data);
    listeners.add(call);
    return () => listeners.delete(call);
  }, []);
}

/** The pause before what changed is loaded again, because several events may arrive at once. */
const PAUSE = 300;

/**
 * Loads an address of the API. Returns `{ data, error, reload }`; old data stays until new data is there. `concerns(name,
 * data)` says whether an event changes it. Nothing is loaded while `address` is null.
 */
export function useResource(address, concerns = () => false) {
  const [state, setState] = useState({ address: null, data: null, error: null });
  const box = useRef({});
  const { current } = box;
  current.load = async () => {
    clearTimeout(current.timer);
    current.timer = null;
    if (!address) return;
    const mine = (current.turn = (current.turn ?? 0) + 1);
    const began = performance.now();
    let next;
    try {
      next = { address, data: await get(address), error: null };
    } catch (error) {
      next = { address, error };
    }
    current.took = performance.now() - began;
    if (mine !== current.turn) return;
    if (address === "/status" && next.data) setClock(next.data.now);
    // An answer that failed does not take away what is shown.
    setState((last) => ({ data: last.address === address ? last.data : null, ...next }));
  };
  const later = () => {
    // Answers that take long are asked for less often.
    current.timer ??= setTimeout(() => current.load(), Math.max(PAUSE, 10 * (current.took ?? 0)));
  };
  useEffect(() => {
    current.load();
    return () => {
      current.turn = (current.turn ?? 0) + 1;
      clearTimeout(current.timer);
      current.timer = null;
    };
  }, [address]);
  useEvents((name, data) => address && (name === "lagged" || concerns(name, data)) && later());
  const isCurrent = state.address === address;
  return { data: isCurrent ? state.data : null, error: isCurrent ? state.error : null, reload: () => current.load() };
}

/** Returns the runs that run, by id, as events tell of them; `initial` is what an answer said. */
export function useLive(initial) {
  const [live, setLive] = useState(new Map());
  useEffect(() => setLive(new Map((initial ?? []).map((run) => [run.id, run]))), [initial]);
  useEvents((name, data) => {
    if (name !== "progress" && name !== "ended") return;
    setLive((last) => {
      const next = new Map(last);
      if (name === "ended") next.delete(data.run.id);
      else next.set(data.run.id, data.run);
      return next;
    });
  });
  return live;
}

/** Returns whether the window is as narrow as a phone. */
export function useNarrow() {
  const query = "(max-width: 44rem)";
  const [narrow, setNarrow] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const changed = () => setNarrow(list.matches);
    list.addEventListener("change", changed);
    return () => list.removeEventListener("change", changed);
  }, []);
  return narrow;
}

/** Announces something to screen readers. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

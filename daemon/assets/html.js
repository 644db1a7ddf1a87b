// The libraries of the page, by the names that its modules use. No other module imports from vendor/.

import { h } from "./vendor/preact.js";
import htm from "./vendor/htm.js";

export { createContext, render } from "./vendor/preact.js";
export { useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";

/** Elements by a tagged template. Text from the server is never interpreted as HTML. */
export const html = htm.bind(h);

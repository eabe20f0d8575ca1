// The token: from the fragment of the URL, which no server and no log ever sees, or typed in. Kept for this tab only.

const key = "siding-token";

/** Takes a token from `#token=…` and wipes it off the address. */
export function tokenOfTab() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    keepToken(given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(key);
}

/** @param {string} token */
export function keepToken(token) {
  sessionStorage.setItem(key, token.trim());
}

export function forgetToken() {
  sessionStorage.removeItem(key);
}

"use strict";

// A link may carry the key behind "#": browsers never send that part to a server. It is
// taken out of the address at once, so that it stays neither in view nor in the history.
(() => {
  const key = decodeURIComponent(location.hash.slice(1));
  if (!key) return;
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("key").value = key;
  document.getElementById("form").requestSubmit();
})();

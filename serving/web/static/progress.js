"use strict";

// While a job is under way its place in the page is read anew; the whole page once it is
// done, or failed.
(() => {
  const EVERY_MS = 2000;

  const look = async () => {
    const here = document.querySelector("[data-progress]");
    const answer = await fetch(location.href);
    const fresh = new DOMParser()
      .parseFromString(await answer.text(), "text/html")
      .querySelector("[data-progress]");
    if (!answer.ok || !fresh) {
      location.reload();
      return;
    }
    here.querySelector("progress").value = fresh.querySelector("progress").value;
    for (const place of ["[role=status]", "span"]) {
      const said = fresh.querySelector(place).textContent;
      const told = here.querySelector(place);
      if (told.textContent !== said) told.textContent = said;
    }
    setTimeout(look, EVERY_MS);
  };
  setTimeout(look, EVERY_MS);
})();

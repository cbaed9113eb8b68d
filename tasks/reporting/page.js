"use strict";
// Filters of the mistakes. They live in the address (#mistakes?kind=missed&type=PER), so that a view can be sent.
(() => {
  const bar = document.getElementById("filters");
  if (!bar) return;
  const field = name => bar.querySelector(`[name="${name}"]`);
  const names = ["kind", "type", "slice", "q"];
  const count = bar.querySelector("output");
  // What the search looks at: the sentence without its labels, and its place.
  const words = node => node.nodeName === "MARK" ? node.firstElementChild.textContent : node.textContent;
  const plain = text => text.toLowerCase().replace(/\s+/g, " ").trim();
  const sentence = card => [...card.querySelector(".versions dd")?.childNodes ?? []].map(words).join("");
  const cards = [...document.querySelectorAll(".mistakes > li")].map(card => ({
    card,
    text: plain(`${card.querySelector(".mistake-head code").textContent} ${sentence(card)}`),
    errors: [...card.querySelectorAll("[data-kind]")].map(error => ({
      error,
      kind: error.dataset.kind,
      types: [error.dataset.gold, error.dataset.predicted],
      slices: error.dataset.slices.split(" "),
    })),
  }));

  const apply = () => {
    const [kind, type] = [field("kind").value, field("type").value];
    const slice = field("slice").selectedOptions[0]?.dataset.slice;
    const sought = plain(field("q").value);
    let shown = 0;
    for (const { card, text, errors } of cards) {
      let fits = false;
      for (const { error, ...own } of errors) {
        const wanted = (!kind || own.kind === kind) && (!type || own.types.includes(type)) &&
          (slice === undefined || own.slices.includes(slice));
        error.classList.toggle("aside", !wanted);
        fits ||= wanted;
      }
      card.hidden = !(fits && text.includes(sought));
      shown += !card.hidden;
    }
    count.value = `${shown.toLocaleString("en")} of ${cards.length.toLocaleString("en")} sentence${cards.length === 1 ? "" : "s"}`;
  };

  const write = () => {
    const chosen = new URLSearchParams(names.filter(name => field(name).value).map(name => [name, field(name).value]));
    history.replaceState(null, "", `${chosen}` ? `#mistakes?${chosen}` : "#mistakes");
    apply();
  };

  const read = () => {
    const [place, query] = location.hash.slice(1).split(/\?(.*)/);
    if (place !== "mistakes" || query === undefined) return;
    const chosen = new URLSearchParams(query);
    for (const name of names) {
      const value = chosen.get(name) ?? "";
      field(name).value = value;
      if (field(name).value !== value) field(name).value = "";  // a link to something that this page does not hold
    }
    apply();
    const title = document.getElementById("mistakes-title");
    title.scrollIntoView();
    title.focus({ preventScroll: true });
  };

  bar.hidden = false;
  bar.addEventListener("input", write);
  bar.querySelector("button").addEventListener("click", () => {
    for (const name of names) field(name).value = "";
    write();
    field("kind").focus();
  });
  addEventListener("hashchange", read);
  read();
})();

// Asks the model while one types and lights up what it found. Text enters the page as text, never as HTML.
"use strict";

const PAUSE = 150; // milliseconds without a key before the model is asked
const COLOURS = 8;
const field = document.getElementById("text");
const lit = document.getElementById("lit");
const list = document.getElementById("found");
const state = document.getElementById("state");
const secret = document.getElementById("secret");
const types = new Map(); // label -> colour, in the order in which labels were met
let timer;
let running = null; // what stops the request under way
let known = { text: "", entities: [] }; // the last answer

const colour = (label) => {
  if (!types.has(label)) types.set(label, types.size % COLOURS);
  return String(types.get(label));
};

const make = (name, text, settings = {}) => {
  const element = document.createElement(name);
  element.textContent = text;
  for (const [key, value] of Object.entries(settings)) element.setAttribute(key, value);
  return element;
};

const say = (words, wrong = false) => {
  state.textContent = words;
  state.classList.toggle("wrong", wrong);
};

// The server counts characters (code points), a browser UTF-16 units: where each character begins.
const units = (text) => {
  const begins = [0];
  for (const character of text) begins.push(begins[begins.length - 1] + character.length);
  return begins;
};

// Entities of the last answer that typing has left whole, moved to where they stand now.
const standing = (text) => {
  const old = known.text;
  const shorter = Math.min(old.length, text.length);
  let head = 0;
  while (head < shorter && old[head] === text[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && old[old.length - 1 - tail] === text[text.length - 1 - tail]) tail += 1;
  const moved = text.length - old.length;
  return known.entities.flatMap((entity) => {
    if (entity.to <= head) return [entity];
    if (entity.from >= old.length - tail) return [{ ...entity, from: entity.from + moved, to: entity.to + moved }];
    return [];
  });
};

const paint = () => {
  const text = field.value;
  const parts = [];
  let last = 0;
  for (const entity of standing(text)) {
    if (entity.from < last) continue; // lies in one that is painted already
    parts.push(text.slice(last, entity.from));
    parts.push(make("mark", text.slice(entity.from, entity.to), { "data-type": colour(entity.type) }));
    last = entity.to;
  }
  // A line break at the end takes no room without something behind it.
  lit.replaceChildren(...parts, `${text.slice(last)}\u200b`);
  if (!CSS.supports("field-sizing", "content")) {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }
};

const percent = (share) => `${(100 * share).toFixed(1)} %`;

const row = (label, share, words) => {
  const item = make("li", "");
  item.append(make("span", words), make("span", label, { class: "label", "data-type": colour(label) }));
  item.append(make("span", percent(share), { class: "share" }));
  return item;
};

const bar = (label, share) => {
  const item = make("li", "");
  item.append(make("span", label, { class: "label", "data-type": colour(label) }), make("span", ""));
  item.append(make("span", percent(share), { class: "share" }));
  const outer = make("div", "", { class: "bar", "data-type": colour(label), "aria-hidden": "true" });
  const inner = make("i", "");
  inner.style.width = `${100 * share}%`; // with the space of percent() it is no CSS
  outer.append(inner);
  item.append(outer);
  return item;
};

const show = (text, result) => {
  const begins = units(text);
  const entities = Array.isArray(result.entities) ? result.entities : [];
  known = {
    text,
    entities: entities
      .map((entity) => ({ ...entity, from: begins[entity.start], to: begins[entity.end] }))
      .sort((a, b) => a.from - b.from || b.to - a.to),
  };
  paint();
  if (Array.isArray(result.entities)) {
    list.replaceChildren(...known.entities.map((entity) => row(entity.type, entity.confidence, entity.text)));
    say(entities.length === 1 ? "1 entity" : `${entities.length} entities`);
  } else if (typeof result.label === "string") {
    const others = { label: "any other label", confidence: 1 - result.confidence };
    list.replaceChildren(...[result, others].map((entry) => bar(entry.label, entry.confidence)));
    say(`${result.label}, ${percent(result.confidence)}`);
  } else if (Array.isArray(result.labels)) {
    list.replaceChildren(...result.labels.map((entry) => bar(entry.label, entry.confidence)));
    say(result.labels.map((entry) => entry.label).join(", ") || "No label");
  } else {
    const found = result.answers ?? [];
    list.replaceChildren(...found.map((entry) => row("answer", entry.confidence, entry.text)));
    say(found.length === 0 ? "No answer" : found.map((entry) => entry.text).join(", "));
  }
};

const clear = (words) => {
  known = { text: "", entities: [] };
  list.replaceChildren();
  paint();
  say(words);
};

const ask = async () => {
  running?.abort();
  const text = field.value.toWellFormed();
  if (text.trim() === "") {
    clear("Answers come as you type.");
    return;
  }
  const own = new AbortController();
  running = own;
  const headers = { "Content-Type": "application/json" };
  if (secret.value) headers["X-API-Key"] = secret.value;
  try {
    const response = await fetch("predict", {
      method: "POST",
      headers,
      body: JSON.stringify({ text }),
      signal: own.signal,
    });
    const body = await response.json();
    if (own.signal.aborted) return;
    if (response.ok) {
      document.getElementById("model").textContent = `${body.task}, version ${body.model_version}`;
      show(text, body.results[0]);
      return;
    }
    if (response.status === 401) document.getElementById("key").hidden = false;
    say(body.error, true);
    const pause = Number(response.headers.get("Retry-After"));
    if (pause > 0) timer = setTimeout(ask, pause * 1000);
  } catch (error) {
    if (error.name !== "AbortError") say("The server does not answer; type on to try again.", true);
  }
};

const soon = () => {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
};

field.addEventListener("input", () => {
  paint();
  soon();
});
secret.addEventListener("input", soon);
document.getElementById("try").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(timer);
  ask();
});

fetch("ready")
  .then((response) => response.json())
  .then((ready) => {
    document.getElementById("model").textContent = `${ready.task}, version ${ready.model_version}`;
    document.getElementById("key").hidden = !ready.needs_key;
    if (field.value) soon(); // what a browser kept over a reload
  })
  .catch(() => say("The server does not answer.", true));

"use strict";

const $ = (id) => document.getElementById(id);
const percent = (value) => `${Math.round(100 * value)} %`;
const SVG = "http://www.w3.org/2000/svg";

let picture = null; // the file that is shown
let photo = null; // what the service read in it
let words = []; // of the photo: {word, polygon, button}
let chosen = null; // the word that was clicked
let running = null; // what aborts the request under way

/* ---- asking the service */

async function ask(options) {
  const headers = sessionStorage.key_of_wordsight ? { Authorization: `Bearer ${sessionStorage.key_of_wordsight}` } : {};
  let answer;
  try {
    const address = `v1/read?${new URLSearchParams({ name: picture.name || "photo", ...options })}`;
    answer = await fetch(address, { method: "POST", body: picture, headers, signal: running.signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer. Is it still running, and is the network there?");
  }
  if (answer.ok) return answer;
  $("key-form").hidden = answer.status !== 401;
  if (answer.status === 401) $("key").focus();
  const said = await answer.json().catch(() => ({}));
  throw new Error(sentence(said.error || `The service answers with status ${answer.status}.`));
}

/** With a capital letter, unless it begins with the name of the file, and a full stop. */
function sentence(text) {
  const begun = picture.name && text.startsWith(picture.name) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  return begun + (begun.endsWith(".") ? "" : ".");
}

/** Does something that takes a while, showing that it does and what came of it. */
async function working(doing, work) {
  if (running) running.abort();
  const mine = (running = new AbortController());
  const start = Date.now();
  const show = () => ($("doing").textContent = `${doing} ${Math.round((Date.now() - start) / 1000)} s`);
  show();
  const clock = setInterval(show, 1000);
  $("progress").hidden = false;
  $("error").textContent = "";
  $("status").textContent = doing;
  try {
    await work();
  } catch (error) {
    if (running === mine) {
      $("status").textContent = error.name === "AbortError" ? "Cancelled" : "";
      if (error.name !== "AbortError") $("error").textContent = error.message;
    }
  } finally {
    clearInterval(clock);
    if (running === mine) {
      running = null;
      $("progress").hidden = true;
    }
  }
}

function read(file) {
  picture = file;
  $("result").hidden = $("save").hidden = true;
  return working("Reading …", async () => {
    const answer = await (await ask({ min_confidence: 0 })).json();
    if (picture === file) show(answer);
  });
}

/* ---- showing what it says */

function show(answer) {
  photo = answer;
  chosen = null;
  URL.revokeObjectURL($("photo").src);
  $("photo").src = URL.createObjectURL(picture);
  $("photo").alt = `The photo ${photo.source}`;
  $("picture").style.aspectRatio = `${photo.width} / ${photo.height}`;
  $("caption").textContent = `${photo.source}, ${photo.width} × ${photo.height} pixels`;
  $("boxes").setAttribute("viewBox", `0 0 ${photo.width} ${photo.height}`);
  $("result").hidden = false;
  showWords();
  $("status").textContent = words.length ? `Read ${words.length} word${words.length === 1 ? "" : "s"}` : "No words found";
}

function showWords() {
  const least = Number($("least").value);
  $("least-shown").textContent = percent(least);
  words = [];
  const lines = [];
  for (const line of photo.lines) {
    const row = document.createElement("p");
    for (const word of line.words.filter((each) => each.confidence >= least)) {
      const entry = { word, button: document.createElement("button"), polygon: document.createElementNS(SVG, "polygon") };
      entry.button.type = "button";
      entry.button.textContent = word.text;
      entry.button.setAttribute("aria-pressed", String(word === chosen));
      entry.polygon.setAttribute("points", word.polygon.map((point) => point.join(",")).join(" "));
      for (const part of [entry.button, entry.polygon]) {
        part.addEventListener("pointerenter", () => point(word));
        part.addEventListener("pointerleave", () => point(chosen));
        part.addEventListener("click", () => choose(word === chosen ? null : word));
      }
      entry.button.addEventListener("focus", () => point(word));
      entry.button.addEventListener("blur", () => point(chosen));
      words.push(entry);
      row.append(entry.button, " ");
    }
    if (row.firstChild) lines.push(row);
  }
  if (!lines.length) lines.push(Object.assign(document.createElement("p"), { className: "hint", textContent: "No words." }));
  $("text").replaceChildren(...lines);
  $("boxes").replaceChildren(...words.map((entry) => entry.polygon));
  $("copy").disabled = !words.length;
  if (!words.some((entry) => entry.word === chosen)) chosen = null;
  point(chosen);
}

function choose(word) {
  chosen = word;
  for (const entry of words) entry.button.setAttribute("aria-pressed", String(entry.word === word));
  point(word);
}

/** Lights up a word in the picture and in the text, and shows its letters. */
function point(word) {
  for (const entry of words) {
    entry.polygon.classList.toggle("on", entry.word === word);
    entry.button.classList.toggle("on", entry.word === word);
  }
  if (word) $("word").replaceChildren(...letters(word));
}

function letters(word) {
  const says = Object.assign(document.createElement("p"), { className: "says", textContent: word.text });
  const sure = Object.assign(document.createElement("p"), {
    className: "hint",
    textContent: `Right with a probability of ${percent(word.confidence)}`,
  });
  const table = document.createElement("table");
  table.createCaption().className = "hidden-text";
  table.caption.textContent = `Letters of ${word.text}`;
  const head = table.createTHead().insertRow();
  for (const title of ["Letter", "Probability", "Or else"]) {
    head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: title }));
  }
  const body = table.createTBody();
  for (const char of word.chars) {
    const row = body.insertRow();
    row.insertCell().textContent = char.text === " " ? "space" : char.text;
    row.insertCell().textContent = percent(char.probability);
    row.insertCell().textContent = char.alternatives
      .filter(([, probability]) => probability >= 0.005)
      .map(([text, probability]) => `${text === "" ? "end" : text === " " ? "space" : text} ${percent(probability)}`)
      .join(", ");
  }
  const box = Object.assign(document.createElement("div"), { className: "letters", tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", `Letters of ${word.text}`);
  box.append(table);
  return [says, sure, box];
}

/* ---- taking it along */

async function copyText() {
  const text = [...$("text").children].map((row) => [...row.children].map((word) => word.textContent).join(" ")).join("\n");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers give pages without https no clipboard, except on this very machine
    const field = Object.assign(document.createElement("textarea"), { value: text });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) {
      $("error").textContent = "The browser does not let this page copy: mark the text and copy it by hand.";
      return;
    }
  }
  $("copy").textContent = $("status").textContent = "Copied";
  setTimeout(() => ($("copy").textContent = "Copy text"), 2000);
}

/** Saves a file: at once, or, where the browser would no longer believe that somebody asked for it, by a link. */
function save(blob, ending) {
  const link = $("save");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(blob);
  link.download = photo.source.replace(/\.[^.]*$/, "") + ending;
  link.textContent = `Save ${link.download}`;
  link.hidden = !navigator.userActivation || navigator.userActivation.isActive;
  if (link.hidden) link.click();
  else link.focus();
  $("status").textContent = link.hidden ? `Saved ${link.download}` : `${link.download} is ready`;
}

/** The photo as the service would answer with this confidence. */
function withoutDoubtful() {
  const least = Number($("least").value);
  const product = (words) => words.reduce((all, word) => all * word.confidence, 1);
  const lines = photo.lines
    .map((line) => ({ ...line, words: line.words.filter((word) => word.confidence >= least) }))
    .filter((line) => line.words.length)
    .map((line) => ({
      ...line,
      text: line.words.map((word) => word.text).join(" "),
      confidence: Number(product(line.words).toFixed(4)),
    }));
  return { ...photo, lines };
}

function saveJson() {
  save(new Blob([JSON.stringify(withoutDoubtful(), null, 1)], { type: "application/json" }), ".json");
}

function saveHocr() {
  return working("Preparing the file …", async () => {
    save(await (await ask({ format: "hocr", min_confidence: $("least").value })).blob(), ".hocr");
  });
}

/* ---- what people do */

for (const id of ["file", "camera"]) {
  $(id).addEventListener("change", () => {
    if ($(id).files.length) read($(id).files[0]);
    $(id).value = ""; // the same file can be chosen again
  });
}

document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files][0];
  if (file) read(file);
});

const carriesFiles = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dragging");
  if (!carriesFiles(event)) return;
  event.preventDefault();
  read(event.dataTransfer.files[0]);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chosen) choose(null);
});

$("photo").addEventListener("error", () => {
  $("photo").alt = "The browser cannot show this kind of picture; the boxes and the text are right all the same.";
});
$("least").addEventListener("input", showWords);
$("cancel").addEventListener("click", () => running && running.abort());
$("copy").addEventListener("click", copyText);
$("json").addEventListener("click", saveJson);
$("hocr").addEventListener("click", saveHocr);
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.key_of_wordsight = $("key").value;
  $("key-form").hidden = true;
  if (picture) read(picture);
});

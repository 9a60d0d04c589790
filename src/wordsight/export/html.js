// A word's outline and its text have the same number; a search marks both.
const same = (node) => node.closest(".wordsight").querySelectorAll(`[data-word="${node.dataset.word}"]`);
for (const [event, on] of [["mouseover", true], ["mouseout", false]])
  document.addEventListener(event, (e) => {
    if (e.target.dataset?.word) for (const node of same(e.target)) node.classList.toggle("on", on);
  });
document.addEventListener("click", (e) => {
  if (e.target.dataset?.word) for (const node of same(e.target)) node.scrollIntoView({block: "nearest"});
});
document.querySelector("form").addEventListener("submit", (e) => e.preventDefault());
document.querySelector("input").addEventListener("input", (e) => {
  const wanted = e.target.value.trim().toLowerCase();
  let found = 0;
  for (const node of document.querySelectorAll("span[data-word]")) {
    const hit = wanted !== "" && node.textContent.toLowerCase().includes(wanted);
    found += hit;
    for (const twin of same(node)) twin.classList.toggle("on", hit);
  }
  document.querySelector("output").textContent = wanted ? `${found} found` : "";
});

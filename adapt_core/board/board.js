"use strict";
// Rows and charts come from the server, escaped there; this script orders, filters and replaces them.

const table = document.getElementById("runs");
const live = document.getElementById("live");
const SECONDS = 2;
let order = null;

async function ask(address) {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function every(action) {
  const round = async () => {
    if (!document.hidden) await action().catch(() => document.body.classList.add("gone"));
    setTimeout(round, SECONDS * 1000);
  };
  setTimeout(round, SECONDS * 1000);
}

function arrange() {
  const words = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = document.getElementById("state").value;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (order) {
    const keyOf = (row) => row.cells[order.column].dataset.key ?? row.cells[order.column].textContent.trim();
    rows.sort((one, other) => {
      const [a, b] = [keyOf(one), keyOf(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const difference = order.numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
      return order.down ? -difference : difference;
    });
    body.append(...rows);
  }
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word)) || (state !== "" && row.dataset.state !== state);
    shown += row.hidden ? 0 : 1;
  }
  document.getElementById("count").textContent = `${shown} of ${rows.length} runs`;
  choose();
}

function chosen() {
  return [...table.querySelectorAll("input:checked")].map((box) => box.value);
}

function choose() {
  const names = chosen();
  const link = document.getElementById("compare");
  link.hidden = names.length < 2;
  link.textContent = `Compare ${names.length} runs`;
  link.href = "/compare?" + names.map((name) => "run=" + encodeURIComponent(name)).join("&");
}

if (table) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head || !event.target.closest("button")) return;
    const down = order !== null && order.column === head.cellIndex && !order.down;
    order = { column: head.cellIndex, numeric: head.dataset.numeric !== undefined, down };
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    arrange();
  });
  document.getElementById("filter").addEventListener("input", arrange);
  document.getElementById("state").addEventListener("change", arrange);
  table.addEventListener("change", choose);
  every(async () => {
    const names = new Set(chosen());
    const focused = document.activeElement?.value;
    table.tBodies[0].innerHTML = (await ask("/runs.json")).html;
    for (const box of table.querySelectorAll("input")) {
      box.checked = names.has(box.value);
      if (box.value === focused) box.focus();
    }
    document.body.classList.remove("gone");
    arrange();
  });
  arrange();
}

if (live) {
  let known = "";
  every(async () => {
    const run = await ask("/live.json?run=" + encodeURIComponent(live.dataset.run));
    if (run.html !== known) live.innerHTML = known = run.html;
    document.body.classList.remove("gone");
  });
}

// The way of the numbers over time, drawn by uPlot from the table below it; without scripts the table alone tells it.

const COLOURS = ["--soft", "--accent", "--t8"];
const DAY = 86400;

/** Draw every curve of the page anew. */
export function draw() {
  for (const place of document.querySelectorAll(".curve")) {
    const rows = [...document.querySelectorAll(`#${place.dataset.of} tbody tr`)].map((row) => [
      Date.parse(row.querySelector("time").dateTime) / 1000,
      ...[...row.querySelectorAll("td[data-value]")].map((cell) => Number(cell.dataset.value)),
    ]);
    if (!rows.length) continue;
    rows.push([Date.now() / 1000, ...rows.at(-1).slice(1)]); // What was counted last holds until now.
    const look = getComputedStyle(document.documentElement);
    const names = [...document.querySelectorAll(`#${place.dataset.of} thead th`)].slice(1).map((one) => one.textContent);
    const number = new Intl.NumberFormat(document.documentElement.lang);
    const axis = { stroke: look.getPropertyValue("--ink"), grid: { stroke: look.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
    const day = new Intl.DateTimeFormat(document.documentElement.lang, { day: "2-digit", month: "2-digit" });
    const hour = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    const short = rows.at(-1)[0] - rows[0][0] < 3 * DAY;
    place.replaceChildren();
    new window.uPlot(
      {
        width: place.clientWidth,
        height: 240,
        scales: { y: { range: (_, __, most) => [0, most || 1] } },
        axes: [
          { ...axis, values: (_, times) => times.map((at) => (short ? hour : day).format(at * 1000)) },
          { ...axis, size: 80, values: (_, counts) => counts.map((count) => number.format(count)) },
        ],
        series: [
          { label: document.querySelector(`#${place.dataset.of} thead th`).textContent, value: (_, at) => (at == null ? "" : `${day.format(at * 1000)} ${hour.format(at * 1000)}`) },
          ...names.map((label, place) => ({
            label, width: 2, stroke: look.getPropertyValue(COLOURS[place]), paths: window.uPlot.paths.stepped({ align: 1 }),
            value: (_, count) => (count == null ? "" : number.format(count)),
          })),
        ],
      },
      rows[0].map((_, column) => rows.map((row) => row[column])),
      place,
    );
  }
}

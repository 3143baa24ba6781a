// Charts that respond. Point at a chart or tap it for a value, or use the arrow keys. Click a name to hide its
// line in all charts. Switch between accuracy and error, log and linear axes. Without this script the figures
// stand as they are: all that it shows is in their attributes data-points, data-series and data-label.
{
  const REACH = 40; // CSS pixels from the pointer to a point
  const hidden = new Set(); // names of lines
  const charts = [...document.querySelectorAll("svg[data-points]")];
  const points = new Map(charts.map((chart) => [chart, JSON.parse(chart.dataset.points)]));
  const visible = (chart) => points.get(chart).filter(([name]) => !hidden.has(name));

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  ring.setAttribute("class", "ring");
  ring.setAttribute("r", 6);

  function clear() {
    tip.hidden = true;
    ring.remove();
  }

  function show(chart, point) {
    const [name, x, y, text] = point;
    ring.setAttribute("cx", x);
    ring.setAttribute("cy", y);
    chart.append(ring);
    const place = new DOMPoint(x, y).matrixTransform(chart.getScreenCTM());
    tip.replaceChildren(Object.assign(document.createElement("strong"), { textContent: name }), text);
    tip.hidden = false;
    const left = Math.min(place.x + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left) + scrollX}px`;
    tip.style.top = `${place.y - tip.offsetHeight - 12 + scrollY}px`;
    chart.dataset.current = visible(chart).indexOf(point);
  }

  function nearest(chart, event) {
    const matrix = chart.getScreenCTM();
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    const distance = ([, x, y]) => Math.hypot(x - at.x, y - at.y) * matrix.a;
    const [first, ...others] = visible(chart);
    if (!first) return null;
    const best = others.reduce((one, other) => (distance(other) < distance(one) ? other : one), first);
    return distance(best) <= REACH ? best : null;
  }

  function point(chart, event) {
    const found = nearest(chart, event);
    found ? show(chart, found) : clear();
  }

  function step(chart, event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") clear();
    const shown = visible(chart);
    if (!by || !shown.length || event.target !== chart) return;
    event.preventDefault();
    const next = Number(chart.dataset.current ?? (by > 0 ? -1 : 0)) + by;
    show(chart, shown[(next + shown.length) % shown.length]);
  }

  function toggle(name) {
    hidden.has(name) ? hidden.delete(name) : hidden.add(name);
    clear();
    for (const part of document.querySelectorAll("svg [data-series], svg [data-label]")) {
      const isHidden = hidden.has(part.dataset.series ?? part.dataset.label);
      if (part.dataset.series !== undefined) part.style.display = isHidden ? "none" : "";
      else part.setAttribute("aria-pressed", !isHidden);
    }
  }

  for (const chart of charts) {
    chart.setAttribute("role", "group"); // its names are buttons now
    chart.setAttribute("tabindex", 0);
    chart.addEventListener("pointermove", (event) => point(chart, event));
    chart.addEventListener("pointerdown", (event) => point(chart, event));
    chart.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && clear());
    chart.addEventListener("keydown", (event) => step(chart, event));
    chart.addEventListener("blur", clear);
    for (const label of chart.querySelectorAll("[data-label]")) {
      label.setAttribute("role", "button");
      label.setAttribute("aria-pressed", true);
      if (label.querySelector("text")) label.setAttribute("tabindex", 0);
      const name = label.dataset.label;
      label.addEventListener("click", () => toggle(name));
      label.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        toggle(name);
      });
    }
  }
  document.addEventListener("pointerdown", (event) => event.target.closest("svg[data-points]") || clear());

  // One bar of switches over figures that show the same runs: one figure is seen, with one of its scales.
  function addSwitches(figures) {
    const state = { figure: figures[0].id, scale: "log" };
    const bar = Object.assign(document.createElement("div"), { className: "switches" });
    const update = () => {
      clear();
      for (const figure of figures) {
        figure.hidden = figure.id !== state.figure;
        for (const view of figure.querySelectorAll(".view")) view.hidden = view.dataset.scale !== state.scale;
      }
      for (const button of bar.querySelectorAll("button"))
        button.setAttribute("aria-pressed", state[button.name] === button.value);
    };
    const add = (name, values, label) => {
      const group = document.createElement("span");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", label);
      for (const value of values) {
        const button = Object.assign(document.createElement("button"), { type: "button", name, value });
        button.textContent = value;
        button.addEventListener("click", () => update((state[name] = value)));
        group.append(button);
      }
      bar.append(group);
    };
    if (figures.length > 1) add("figure", figures.map((figure) => figure.id), "what is drawn");
    add("scale", ["log", "linear"], "axes");
    const box = document.createElement("div");
    figures[0].replaceWith(box);
    box.append(bar, ...figures);
    update();
  }

  const [gain, accuracy, error] = ["gain", "accuracy", "error"].map((name) => document.getElementById(name));
  const scaled = [accuracy, error].filter((figure) => figure?.querySelector(".view[data-scale=linear]"));
  if (gain && scaled.length > 1) addSwitches(scaled);
  else for (const figure of scaled) addSwitches([figure]);
  const more = document.getElementById("more");
  if (more) more.hidden = !more.nextElementSibling.querySelector("figure"); // errors may have been all of it
}

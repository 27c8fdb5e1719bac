"""The page's own script: draws the report's figures with plotly.js in the reader's colors.

It reads the figures from the page and nothing else; it fetches nothing and writes nothing into the page but charts.
"""

from __future__ import annotations

SCRIPT = """\
"use strict";
(() => {
  const charts = [...document.querySelectorAll(".chart")].map((node) => ({
    node, figure: JSON.parse(document.getElementById(node.dataset.figure).textContent),
  }));
  const paper = matchMedia("print");
  const narrow = () => innerWidth <= 640;
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const font = (size, name) => ({ family: color("sans"), size, color: color(name) });

  const axis = (extra) => ({
    gridcolor: color("grid"), linecolor: color("rule"), zeroline: false, tickfont: font(11.5, "soft"),
    fixedrange: true, automargin: true, ...extra,
  });
  const timeAxis = (extra) => axis({
    type: "date", fixedrange: false, showgrid: false, showline: true,
    ticks: "outside", tickcolor: color("rule"), ticklen: 4,
    nticks: narrow() ? 4 : 9, hoverformat: "%Y-%m-%d %H:%M", showspikes: true, spikemode: "across", spikesnap: "cursor",
    spikethickness: 1, spikedash: "solid", spikecolor: color("faint"), ...extra,
  });
  const watermark = (text) => ({
    text, xref: "paper", yref: "paper", x: .5, y: .5, showarrow: false, opacity: .2,
    font: font(narrow() ? 26 : 58, "warn"),
  });
  const edges = (figure) => [figure.time[0], figure.time[figure.time.length - 1]];
  const layout = (figure, extra) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: font(12, "ink"), separators: ".,",
    margin: { l: 8, r: 4, t: 12, b: 8 }, hovermode: "x unified", hoversubplots: "axis", dragmode: "zoom",
    showlegend: false, hoverlabel: { bgcolor: color("panel"), bordercolor: color("rule"), font: font(12, "ink") },
    annotations: figure.watermark ? [watermark(figure.watermark)] : [],
    ...extra,
  });

  const equity = (figure) => ({
    data: [
      { type: "scatter", mode: "lines", name: "Equity", x: figure.time, y: figure.equity,
        line: { color: color("line"), width: 1.6, shape: "linear" },
        hovertemplate: "%{y:,." + figure.decimals + "f} " + figure.currency + "<extra>Equity</extra>" },
      { type: "scatter", mode: "lines", name: "Drawdown", x: figure.time, y: figure.drawdown, yaxis: "y2",
        line: { color: color("drop"), width: 1 }, fill: "tozeroy", fillcolor: color("drop-wash"),
        hovertemplate: "%{y:.2%}<extra>Drawdown</extra>" },
    ],
    layout: layout(figure, {
      xaxis: timeAxis({ anchor: "y2", range: edges(figure) }),
      yaxis: axis({ domain: [.34, 1], tickformat: ",", nticks: 7 }),
      yaxis2: axis({ domain: [0, .27], tickformat: ".1~%", nticks: 4, rangemode: "tozero" }),
      shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: figure.start, y1: figure.start, layer: "below",
        line: { color: color("faint"), width: 1, dash: "dot" } }],
    }),
  });

  // Buys stand below their candle and sells above it, so that neither hides the other or the price.
  const side = (figure, name) => {
    const marks = figure[name];
    const isBuy = name === "buy";
    const edge = isBuy ? figure.low : figure.high;
    return {
      type: "scatter", mode: "markers", name: isBuy ? "Buy" : "Sell",
      x: marks.candle.map((index) => figure.time[index]), y: marks.candle.map((index) => edge[index]),
      customdata: marks.candle.map((_, index) => [marks.quantity[index], marks.price[index],
        marks.fills[index] === 1 ? "" : ` in ${marks.fills[index]} fills`]),
      marker: { symbol: "triangle-up", angle: isBuy ? 0 : 180, standoff: 6, color: color(name),
        size: markSize(figure, null) },
      hovertemplate: "%{customdata[0]:,} at %{customdata[1]:,." + figure.decimals + "f}%{customdata[2]}<extra>"
        + (isBuy ? "Buy" : "Sell") + "</extra>",
    };
  };
  const markSize = (figure, range) => {
    const inside = (index) => range === null || (figure.time[index] >= range[0] && figure.time[index] <= range[1]);
    const count = figure.buy.candle.filter(inside).length + figure.sell.candle.filter(inside).length;
    return count > 900 ? 4 : count > 300 ? 6 : 9;
  };
  const price = (figure) => ({
    data: [
      { type: "candlestick", name: "Price", x: figure.time, open: figure.open, high: figure.high, low: figure.low,
        close: figure.close, increasing: { line: { color: color("up"), width: 1 }, fillcolor: color("up") },
        decreasing: { line: { color: color("down"), width: 1 }, fillcolor: color("down") }, whiskerwidth: 0,
        hovertemplate: ["open", "high", "low", "close"].map((name) => `${name} %{${name}:,.${figure.decimals}f}`)
          .join("<br>") + "<extra></extra>" },
      side(figure, "buy"), side(figure, "sell"),
    ],
    layout: layout(figure, {
      xaxis: timeAxis({ rangeslider: { visible: false }, range: edges(figure) }),
      yaxis: axis({ tickformat: ",", nticks: 7 }),
    }),
  });

  // Zoomed in, what is in view fills the height and markers grow with the room they have.
  const follow = ({ node, figure }) => {
    const [from, to] = node.layout.xaxis.range.map((edge) => (typeof edge === "number" ? edge : Date.parse(utc(edge))));
    const seen = figure.time.flatMap((time, index) => (time >= from && time <= to ? [index] : []));
    if (seen.length === 0) return;
    const lowest = (values) => seen.reduce((least, index) => Math.min(least, values[index]), Infinity);
    const highest = (values) => seen.reduce((most, index) => Math.max(most, values[index]), -Infinity);
    const isPrice = figure.kind === "price";
    const low = lowest(isPrice ? figure.low : figure.equity);
    const high = highest(isPrice ? figure.high : figure.equity);
    const room = (high - low || 1) * .06;
    const change = { "yaxis.range": [low - room, high + room] };
    if (!isPrice) change["yaxis2.range"] = [lowest(figure.drawdown) * 1.06 || -.01, 0];
    const marks = isPrice ? { "marker.size": markSize(figure, [from, to]) } : {};
    Plotly.update(node, marks, change, isPrice ? [1, 2] : []);
  };
  const utc = (text) => text.replace(" ", "T") + (text.length > 10 ? "Z" : "");

  const draw = (chart) => {
    const { data, layout: shape } = { equity, price }[chart.figure.kind](chart.figure);
    return Plotly.react(chart.node, data, shape, { responsive: true, displayModeBar: false, showTips: false });
  };
  const drawAll = () => charts.forEach(draw);
  charts.forEach((chart) => {
    draw(chart);
    chart.node.on("plotly_relayout", (change) => {
      if ("xaxis.range[0]" in change || "xaxis.range" in change || "xaxis.autorange" in change) follow(chart);
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  paper.addEventListener("change", drawAll);
})();
"""

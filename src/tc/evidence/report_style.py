"""How the report's page looks: one sheet for screen, small screen, dark screen and paper."""

from __future__ import annotations

STYLE = """\
:root {
  color-scheme: light dark;
  --paper: #fcfbf8; --panel: #f5f3ed; --ink: #17191c; --soft: #5d6168; --faint: #8b8f96;
  --rule: #dedad0; --strong-rule: #17191c; --accent: #1f4b7a;
  --good: #17694a; --bad: #a8322d; --warn: #8a5a00;
  --good-wash: #e4efe8; --bad-wash: #f7e5e2; --warn-wash: #f8edd4;
  --line: #1f4b7a; --drop: #b4524c; --drop-wash: rgba(180, 82, 76, .16);
  --up: #a9adb3; --down: #565b63; --buy: #0b6fa8; --sell: #c2561a; --grid: #e8e4da; --shade: rgba(30, 28, 20, .16);
  --serif: Charter, "Bitstream Charter", "Iowan Old Style", "Palatino Linotype", Palatino, "Source Serif 4",
    "Liberation Serif", Georgia, serif;
  --sans: -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, "Liberation Sans",
    sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #121416; --panel: #1a1d20; --ink: #e9e7e2; --soft: #a5a8ad; --faint: #7d8187;
    --rule: #2c3034; --strong-rule: #8d9197; --accent: #8db8e6;
    --good: #6cc69a; --bad: #ef8a82; --warn: #e3b45c;
    --good-wash: #18291f; --bad-wash: #351d1c; --warn-wash: #302611;
    --line: #8db8e6; --drop: #e58078; --drop-wash: rgba(229, 128, 120, .18);
    --up: #5f656c; --down: #9ba1a8; --buy: #57b6ee; --sell: #f39a5b; --grid: #24282b; --shade: rgba(0, 0, 0, .6);
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.55 var(--sans); font-variant-numeric: tabular-nums lining-nums;
}
.page { max-width: 1120px; margin: 0 auto; padding: 44px 32px 72px; }
h1, h2, h3, p, dl, dd, ul, pre, figure { margin: 0; padding: 0; }
h1 { font: 500 44px/1.1 var(--serif); letter-spacing: -.012em; overflow-wrap: anywhere; }
h2 { font: 500 25px/1.2 var(--serif); letter-spacing: -.005em; }
h3 { font: 600 13px/1.4 var(--sans); color: var(--ink); overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--rule); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
code { font: .88em/1.5 var(--mono); overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

.kicker { display: flex; justify-content: space-between; gap: 16px; padding-bottom: 9px; margin-bottom: 34px;
  border-bottom: 1px solid var(--strong-rule); font-size: 12.5px; color: var(--soft); }
.kicker b { color: var(--ink); font-weight: 600; letter-spacing: .01em; }
.lede { max-width: 44em; margin-top: 12px; font: 400 18.5px/1.5 var(--serif); color: var(--soft); }
.verdict { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 10px; margin-top: 22px; }
.verdict p { color: var(--soft); overflow-wrap: anywhere; }
.badge { padding: 2px 10px 3px; border-radius: 3px; font-size: 13px; font-weight: 600; white-space: nowrap;
  background: var(--panel); color: var(--ink); }
.badge.good { background: var(--good-wash); color: var(--good); }
.badge.bad { background: var(--bad-wash); color: var(--bad); }
.badge.warn { background: var(--warn-wash); color: var(--warn); }
.loud { margin-top: 22px; padding: 14px 18px; border: 2px solid var(--warn); background: var(--warn-wash);
  color: var(--warn); font-weight: 600; font-size: 16px; overflow-wrap: anywhere; }
.loud.bad { border-color: var(--bad); background: var(--bad-wash); color: var(--bad); }

.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 0; margin-top: 34px;
  border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); }
.headline div { padding: 15px 16px 15px 0; }
.headline dt { font-size: 12.5px; color: var(--soft); }
.headline dd.value { margin-top: 3px; font: 500 23px/1.25 var(--serif); }
.headline dd.value small { font: 400 13px/1 var(--sans); color: var(--soft); }
.headline dd.note { margin-top: 3px; font-size: 12.5px; line-height: 1.4; color: var(--soft); }
.contents { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-top: 18px; font-size: 13px; color: var(--soft); }

section { margin-top: 58px; scroll-margin-top: 16px; }
section > h2 { padding-bottom: 9px; margin-bottom: 20px; border-bottom: 1px solid var(--strong-rule); }
section > * + * { margin-top: 26px; }
section > h2 + * { margin-top: 0; }
section > p { max-width: 46em; }
.bullets { list-style: none; max-width: 50em; }
.bullets li { position: relative; padding-left: 18px; }
.bullets li + li { margin-top: 8px; }
.bullets li::before { content: "\\2013"; position: absolute; left: 0; color: var(--faint); }
pre { padding: 13px 16px; background: var(--panel); font: 13.5px/1.5 var(--mono); overflow-x: auto; }

figure .title { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 20px; margin-bottom: 4px; }
.synthetic h3 { color: var(--warn); }
.legend i { font-style: normal; font-size: 11px; }
.legend .buy { color: var(--buy); } .legend .sell { color: var(--sell); }
.hint, .legend { font-size: 12.5px; color: var(--faint); }
.legend { margin-left: auto; color: var(--soft); word-spacing: .1em; }
.chart { width: 100%; height: var(--height); }
.chart .modebar { display: none; }
figcaption { margin-top: 6px; font-size: 12.5px; color: var(--soft); max-width: 76em; }

.scroll { overflow-x: auto; background:
    linear-gradient(to right, var(--paper) 30%, transparent) 0 0 / 36px 100%,
    linear-gradient(to left, var(--paper) 30%, transparent) 100% 0 / 36px 100%,
    linear-gradient(to right, var(--shade), transparent) 0 0 / 12px 100%,
    linear-gradient(to left, var(--shade), transparent) 100% 0 / 12px 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll; }
table.even { table-layout: fixed; min-width: 860px; }
table.even th, table.even td { padding-right: 4px; }
table { width: 100%; border-collapse: collapse; font-size: 13.5px; line-height: 1.45; }
caption { caption-side: top; text-align: left; padding: 0 0 7px; font-weight: 600; font-size: 13px; }
th, td { padding: 6px 18px 6px 0; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
th { font-weight: 400; font-size: 12.5px; color: var(--soft); white-space: nowrap; vertical-align: bottom; }
th:last-child, td:last-child { padding-right: 2px; }
.number { text-align: right; white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums lining-nums; }
td { overflow-wrap: break-word; }
td.short { white-space: nowrap; }
.note { margin-top: 8px; font-size: 12.5px; color: var(--soft); }
tbody tr:hover { background: var(--panel); }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 30px 44px; }
.pairs h3 { padding-bottom: 7px; }
.pairs .row { display: flex; justify-content: space-between; gap: 20px; padding: 5px 0;
  border-bottom: 1px solid var(--rule); font-size: 13.5px; }
.pairs .row:first-of-type { border-top: 1px solid var(--rule); }
.pairs dt { color: var(--soft); flex: none; max-width: 55%; }
.pairs dd { text-align: right; overflow-wrap: anywhere; min-width: 0; }
.pairs small { display: block; color: var(--faint); font-size: 12px; line-height: 1.35; }
.pairs.wide .row { justify-content: flex-start; }
.pairs.wide dt { width: 200px; }
.pairs.wide dd { text-align: left; }
.good-text { color: var(--good); } .bad-text { color: var(--bad); } .warn-text { color: var(--warn); }
footer { margin-top: 64px; padding-top: 12px; border-top: 1px solid var(--rule); font-size: 12.5px;
  color: var(--faint); }

@media (max-width: 640px) {
  .page { padding: 22px 18px 48px; }
  .kicker { margin-bottom: 24px; }
  h1 { font-size: 33px; }
  .lede { font-size: 17px; }
  .verdict p { flex-basis: 100%; }
  .headline { grid-template-columns: 1fr 1fr; }
  .headline div { padding: 12px 10px 12px 0; }
  .headline dd.value { font-size: 19px; }
  .headline dd.value small { font-size: 11.5px; }
  section { margin-top: 44px; }
  .legend i { font-style: normal; font-size: 11px; }
.legend .buy { color: var(--buy); } .legend .sell { color: var(--sell); }
.hint { display: none; }
  .chart { height: calc(var(--height) * .8); }
  .pairs.wide .row { display: block; }
  .pairs.wide dt { width: auto; max-width: none; }
}
@media print {
  @page { margin: 16mm 14mm; }
  body { font-size: 10pt; background: #fff; }
  .page { max-width: none; padding: 0; }
  .contents, .hint { display: none; }
  section { margin-top: 30px; }
  figure, .columns > *, tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; }
  table.even { min-width: 0; font-size: 7pt; }
  th, td { padding-right: 8px; }
  .badge, .loud, pre { print-color-adjust: exact; }
}
"""

"""Page: how the HTML report looks, in the dark and in the light."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #d0d7de; --dim: #57606a;
  --served: #0a69c2; --refused: #c4320a; --failed: #7d4cc4; --taken: #7fb2e5; --limit: #9a3412;
  --flight: #86b8a0; --mark: #b08800; --link: #0a58ca; --warning: #7a5c00; --note: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --faint: #30363d;
  --dim: #9da7b1; --served: #58a6ff; --refused: #ff7b54; --failed: #c297ff; --taken: #2f5d8c;
  --limit: #ffa657; --flight: #2e6b52; --mark: #e3b341; --link: #79b8ff; --warning: #e3b341;
  --note: #9da7b1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1100px; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); } a:focus-visible, summary:focus-visible, .wide:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
section { border-top: 1px solid var(--faint); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--faint);
  vertical-align: top; }
td:nth-child(n+3):nth-child(-n+5), th:nth-child(n+3):nth-child(-n+5) { text-align: right;
  white-space: nowrap; overflow-wrap: normal; }
.wide { overflow-x: auto; }
ul { padding-left: 1.1rem; } li { margin: .4rem 0; } details p { margin: .2rem 0 .2rem 1rem; }
summary { color: var(--dim); cursor: pointer; width: fit-content; }
.error { color: var(--refused); font-weight: 600; }
.warning { color: var(--warning); font-weight: 600; }
.note, .accepted { color: var(--note); }
p.note { color: var(--ink); border-left: 4px solid var(--mark); padding-left: .6rem; }
figure { margin: 1rem 0; } figcaption { color: var(--dim); }
svg { display: block; width: 100%; min-width: 680px; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--dim); }
svg path { fill: none; } path.served { stroke: var(--served); } path.refused {
  stroke: var(--refused); } path.failed { stroke: var(--failed); } path.delay {
  stroke: var(--served); } rect.served { fill: var(--served); } rect.refused {
  fill: var(--refused); } path.axis, path.row { stroke: var(--faint); stroke-width: .5; }
path.base { stroke: var(--dim); } svg path.taken { fill: var(--taken); } svg path.flight {
  fill: var(--flight); } path.limit { stroke: var(--limit); stroke-width: 1.5;
  stroke-dasharray: 6 3; }
.mark { opacity: 0; } .mark:target { opacity: 1; } .mark path { stroke: var(--mark);
  stroke-width: 1.5; stroke-opacity: .8; } svg .mark text { fill: var(--mark); font-weight: 700; }
.legend { margin: 1rem 0 0; } .key { display: inline-block; width: 1.1em; height: .7em;
  margin-left: .8em; } .key.served { background: var(--served); } .key.refused {
  background: var(--refused); } .key.failed { background: var(--failed); } .key.limit { height: 0;
  border-top: 2px dashed var(--limit); vertical-align: middle; }
@media print { .mark { display: none; } }
"""

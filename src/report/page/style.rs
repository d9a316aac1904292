//! How the page looks. Two sets of colours, each with enough contrast; the hues are Paul Tol's, told apart by the
//! colour-blind, and nothing is said by colour alone.

pub const STYLE: &str = r#"
:root {
  --paper: #fbfbf9; --card: #ffffff; --ink: #1c1c1a; --quiet: #595954; --line: #d9d8d2;
  --accent: #2f6690; --accent-soft: #c9dcea; --good: #1d6b35; --bad: #a12a1d;
  --c0: #4477aa; --c1: #cc6677; --c2: #228833; --c3: #b58900; --c4: #3aa6c9; --c5: #aa3377;
  --c6: #117a65; --c7: #a0522d; --c8: #6a51a3; --c9: #77885a; --c10: #2d3a66;
  --c11: #d9813f; --none: #8a8a83;
  --heat: 47, 102, 144;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #151614; --card: #1e1f1d; --ink: #ececea; --quiet: #a9a9a1; --line: #3a3b37;
    --accent: #7fb4dc; --accent-soft: #2c4759; --good: #7ccf8f; --bad: #f0978a;
    --c0: #77aadd; --c1: #ee8899; --c2: #66bb77; --c3: #d9b84a; --c4: #77d0ea; --c5: #dd77b5;
    --c6: #55bba5; --c7: #d8956b; --c8: #a994dd; --c9: #aabb88; --c10: #d3d0ef;
    --c11: #ffcfa3; --none: #8f8f88;
    --heat: 127, 180, 220;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .35rem; }
p { margin: .35rem 0; max-width: 46rem; }
a { color: var(--accent); }
.quiet, figcaption { color: var(--quiet); font-size: .875rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; }
nav a { display: inline-block; padding: .3rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .75rem; }
.tiles dt { color: var(--quiet); font-size: .8rem; }
.tiles dd { margin: 0; font-size: 1.3rem; font-weight: 600; white-space: nowrap; }
figure { margin: 0; }
figcaption { margin-top: .35rem; max-width: 46rem; }
.scroll { overflow-x: auto; margin: .35rem 0 1rem; -webkit-overflow-scrolling: touch; }
.scroll:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; font-size: .9rem; min-width: 100%; }
th, td { padding: .35rem .55rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; font-size: .8rem; vertical-align: bottom; white-space: normal; }
th[scope=row] { text-align: left; font-weight: 600; position: sticky; left: 0; background: var(--paper); max-width: 10.5rem; white-space: normal; }
thead th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
td.text, th.text { text-align: left; white-space: normal; min-width: 9rem; }
td .bar { display: block; height: .45rem; margin-top: .2rem; min-width: 4.5rem; background: var(--line); border-radius: .2rem; overflow: hidden; }
td .bar i { display: block; height: 100%; background: var(--accent); }
.yes { color: var(--good); } .no { color: var(--bad); font-weight: 600; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .75rem; }
.curve { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .6rem; min-width: 0; }
.curve b { display: block; font-weight: 600; overflow-wrap: anywhere; line-height: 1.25; }
.curve .now { font-size: 1.15rem; }
.curve svg { display: block; width: 100%; height: 3.5rem; margin: .3rem 0 .15rem; }
.curve path.area { fill: var(--accent-soft); } .curve path.line { fill: none; stroke: var(--accent); stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
.ends { display: flex; justify-content: space-between; gap: .5rem; color: var(--quiet); font-size: .72rem; }
.sankey, .heads { display: grid; grid-template-columns: 9rem 1fr 9rem; gap: .5rem; max-width: 52rem; }
.sankey svg { display: block; width: 100%; height: 100%; }
.sankey path { opacity: .5; } .sankey path:hover { opacity: .85; }
.sankey .side { position: relative; }
.sankey .side div { position: absolute; left: 0; right: 0; line-height: 1.15; font-size: .85rem; }
.sankey .side b { display: block; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.sankey .side span { color: var(--quiet); font-size: .78rem; white-space: nowrap; }
.sankey .from { text-align: right; }
.heads { color: var(--quiet); font-size: .8rem; margin: .25rem 0; } .heads :first-child { text-align: right; }
.stay { position: relative; display: block; height: .8rem; min-width: 8rem; margin-top: .25rem; background: linear-gradient(var(--line), var(--line)) center / 100% 1px no-repeat; }
.stay i { position: absolute; left: 0; top: .1rem; height: .6rem; background: var(--accent-soft); border-radius: 0 .2rem .2rem 0; }
.stay i + i { background: var(--accent); }
.heat td { min-width: 3.2rem; }
.heat td.cell { background: rgba(var(--heat), var(--a)); color: #000; } .heat td.day { color: #fff; } .heat small { display: block; font-size: .78rem; }
@media screen and (prefers-color-scheme: dark) { .heat td.cell { color: #fff; } .heat td.night { color: #000; } }
.shares { display: block; width: 100%; height: 12rem; border-radius: .4rem; } .shares path { stroke: var(--paper); stroke-width: 1; vector-effect: non-scaling-stroke; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: .5rem 0; list-style: none; font-size: .85rem; }
.legend i { display: inline-block; width: .8rem; height: .8rem; margin-right: .35rem; border-radius: .15rem; vertical-align: -.05rem; }
details { margin: .5rem 0; } summary { cursor: pointer; color: var(--accent); padding: .3rem 0; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 0 1.5rem; }
.pairs details { margin: .1rem 0; } .pairs details[open] { grid-column: 1 / -1; min-width: 0; }
.targets { display: grid; gap: .6rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); padding: 0; margin: .5rem 0; list-style: none; }
.targets li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .55rem .7rem; min-width: 0; }
.targets .head { display: flex; justify-content: space-between; gap: .5rem; font-weight: 600; }
.targets .parts { display: grid; grid-template-columns: auto 1fr auto; gap: .1rem .5rem; align-items: center; font-size: .8rem; color: var(--quiet); margin: .3rem 0; }
.targets .parts .bar { height: .45rem; background: var(--line); border-radius: .2rem; overflow: hidden; }
.targets .parts .bar i { display: block; height: 100%; background: var(--accent); }
.targets ul { margin: .35rem 0 0; padding: 0; list-style: none; font-size: .85rem; }
.targets ul li { background: none; border: 0; padding: .05rem 0; }
.notes div { margin: .5rem 0; max-width: 46rem; } .notes dt { font-weight: 600; } .notes dd { margin: 0; color: var(--quiet); }
@media (max-width: 30rem) {
  body { padding: .75rem; }
  th, td { padding: .3rem .4rem; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles dd { font-size: 1.1rem; }
  .curves { grid-template-columns: 1fr 1fr; gap: .5rem; }
  th[scope=row] { max-width: 7.5rem; }
  .sankey, .heads { grid-template-columns: 6.4rem 1fr 6.4rem; gap: .35rem; }
  .sankey .side b { display: inline; white-space: normal; }
  .sankey .side div { font-size: .8rem; line-height: 1.05; }
  .shares { height: 9rem; }
}
/* A table that goes on beyond the edge fades there; its last column has room to come out of the fade. */
@media screen and (max-width: 48rem) {
  .scroll { -webkit-mask-image: linear-gradient(to left, transparent, #000 1.4rem); mask-image: linear-gradient(to left, transparent, #000 1.4rem); }
  .scroll th:last-child, .scroll td:last-child { padding-right: 1.5rem; }
}
@media print {
  :root { --paper: #fff; --card: #fff; --ink: #000; --quiet: #444; --line: #bbb; --accent: #2f6690; --accent-soft: #c9dcea; --good: #1d6b35; --bad: #a12a1d; --heat: 47, 102, 144; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav, summary { display: none; }
  .scroll { overflow: visible; } th[scope=row], thead th:first-child { position: static; }
  figure, tr, .curve, .targets li { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .heat td.cell, .bar i, .stay i, .sankey path, .shares path, .legend i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"#;

export const style = `
:root {
  color-scheme: light dark;
  --paper: #f6f5f2; --card: #fff; --ink: #1c2128; --soft: #667085; --line: #e3e1dc;
  --accent: #0f5c5c; --on-accent: #fff; --good: #18794e; --bad: #b42318; --wait: #9a6700;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1d2126; --ink: #e8e8e4; --soft: #98a2b3; --line: #2f353c;
    --accent: #5cc2b8; --on-accent: #0b1f1e; --good: #5fcf97; --bad: #f58a80; --wait: #e0b64d;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif;
}
header { background: var(--card); border-bottom: 1px solid var(--line); }
.bar { max-width: 1200px; margin: 0 auto; padding: 0 20px; }
.bar .brand {
  display: inline-block; padding: 14px 0 6px; font-weight: 650; color: var(--ink);
  text-decoration: none;
}
.bar .brand small { font-weight: 400; color: var(--soft); margin-left: 8px; }
nav { display: flex; gap: 4px; overflow-x: auto; margin: 0 -8px; }
nav a {
  padding: 6px 8px 10px; color: var(--soft); text-decoration: none; white-space: nowrap;
  border-bottom: 2px solid transparent;
}
nav a[aria-current] { color: var(--ink); border-color: var(--accent); }
main { max-width: 1200px; margin: 0 auto; padding: 28px 20px 64px; }
main.narrow, .bar.narrow { max-width: 560px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 16px; margin: 28px 0 8px; }
p { margin: 8px 0; }
a { color: var(--accent); }
.lead { color: var(--soft); margin: 0 0 20px; }
.card {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 20px;
  margin: 16px 0;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; }
.tile {
  display: block; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; text-decoration: none; color: var(--soft);
}
.tile b { display: block; font-size: 26px; line-height: 1.2; color: var(--ink); font-weight: 600; }
table {
  width: 100%; border-collapse: collapse; background: var(--card); border-radius: 10px;
  box-shadow: 0 0 0 1px var(--line); overflow: hidden;
}
th, td { text-align: left; vertical-align: top; padding: 11px 14px; }
th { font-size: 12px; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--line); }
tr + tr td { border-top: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .mono {
  font: 12px/1.5 ui-monospace, 'SF Mono', Menlo, 'DejaVu Sans Mono', monospace;
  overflow-wrap: anywhere;
}
.soft { color: var(--soft); }
.small { font-size: 13px; }
.tag {
  display: inline-block; padding: 1px 9px; border-radius: 99px; font-size: 12.5px;
  border: 1px solid currentColor; color: var(--soft); white-space: nowrap;
}
.tag.good { color: var(--good); } .tag.bad { color: var(--bad); } .tag.wait { color: var(--wait); }
form { display: inline-flex; gap: 6px; flex-wrap: wrap; align-items: end; margin: 0; }
form.stack { display: grid; gap: 14px; }
.actions { display: flex; gap: 8px; flex-wrap: wrap; }
label { display: grid; gap: 4px; font-size: 13px; color: var(--soft); }
input, select {
  font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--line);
  border-radius: 7px; padding: 6px 10px; width: 100%; min-width: 0; height: 36px;
}
td button, td input { font-size: 14px; padding: 4px 11px; height: 32px; }
.actions input { width: 84px; } .actions label input { width: auto; }
button {
  font: inherit; padding: 6px 14px; border-radius: 7px; border: 1px solid var(--line);
  background: var(--card); color: var(--ink); cursor: pointer;
}
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:hover { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 18px; margin: 12px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: inherit; }
iframe { width: 100%; height: 480px; border: 1px solid var(--line); border-radius: 7px;
  background: #fff; }
.total { display: flex; justify-content: space-between; font-size: 20px; font-weight: 600; }
.empty { color: var(--soft); padding: 32px 0; text-align: center; }
@media (max-width: 640px) {
  main { padding: 20px 14px 48px; }
  .bar { padding: 0 14px; }
  nav { flex-wrap: wrap; } nav a { padding: 4px 8px 6px; }
  thead, td:empty { display: none; }
  table, tbody, tr, td:not(:empty) { display: block; width: 100%; }
  td, td.number { text-align: left; padding: 3px 14px; }
  td:first-child { padding-top: 12px; } td:last-child { padding-bottom: 14px; }
  tr + tr td { border: 0; } tr + tr { border-top: 1px solid var(--line); }
  td[data-label]::before {
    content: attr(data-label); display: inline-block; min-width: 84px; color: var(--soft);
    font-size: 12.5px;
  }
  td[data-label='']::before { content: none; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 10px; }
}
`

/** How the pages look that people see without signing in, in light and in dark. */
export const pageStyle = `
:root { color-scheme: light dark; --ink: #1d2b36; --soft: #55636e; --paper: #ffffff;
  --ground: #f4f6f8; --line: #d5dce2; --edge: #75848f; --accent: #0f4c5c; --on: #ffffff;
  --wrong: #a3150f; --wrong-ground: #fdf1f0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf1; --soft: #a9b6c0; --paper: #18222b;
  --ground: #0f161c; --line: #33424e; --edge: #8796a3; --accent: #7fc4d6; --on: #0f161c;
  --wrong: #ff9d94; --wrong-ground: #2b1a1c; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 40rem; margin: 2rem auto; padding: 1.5rem 1.75rem; background: var(--paper);
  border: 1px solid var(--line); border-top: 4px solid var(--accent); border-radius: 8px;
  overflow-wrap: anywhere; }
header p { margin: 0; color: var(--soft); }
a { color: var(--accent); }
h1 { margin: .25rem 0 1rem; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
.button, button { display: inline-block; padding: .7rem 1.2rem; border: 0; border-radius: 6px;
  background: var(--accent); color: var(--on); font: inherit; text-decoration: none;
  cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.note { color: var(--soft); }
fieldset { margin: 2rem 0 0; padding: 0; border: 0; min-width: 0; }
legend { padding: 0; margin-bottom: .75rem; font-size: 1.1rem; font-weight: 700; }
.field { margin: 0 0 1.1rem; }
.field label { display: block; font-weight: 600; }
.field label span { color: var(--soft); font-weight: 400; }
.hint, .fault { display: block; margin: .1rem 0 .3rem; font-size: .925rem; }
.hint { color: var(--soft); }
.fault { color: var(--wrong); font-weight: 600; }
input, select, textarea { width: 100%; margin-top: .2rem; padding: .55rem .65rem; font: inherit;
  color: inherit; background: var(--paper); border: 1px solid var(--edge); border-radius: 6px; }
textarea { min-height: 7rem; resize: vertical; }
[aria-invalid=true] { border: 2px solid var(--wrong); }
.problem { margin: 1rem 0; padding: .75rem 1rem; border: 1px solid var(--wrong);
  border-left-width: 6px; border-radius: 6px; background: var(--wrong-ground); }
.problem h2 { margin: 0; color: var(--wrong); }
.problem p { margin: .25rem 0 0; }
.problem ul { margin: .5rem 0 0; padding-left: 1.2rem; }
.problem a { color: var(--wrong); }
details { margin-top: 1.5rem; }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { main { margin: 0; border-width: 4px 0 0; border-radius: 0;
  padding: 1.25rem; } }
`

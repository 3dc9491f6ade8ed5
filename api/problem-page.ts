/** A refusal, for a person who opened a link or sent a form. */
import type { ProblemDocument } from './errors.ts'
import { html, pageAnswer } from './html.ts'
import { pageStyle } from './page-style.ts'
import type { Answer } from './route.ts'

export function problemPage({ title, detail, code, request_id: id }: ProblemDocument): Answer {
  const what = `${detail.charAt(0).toUpperCase()}${detail.slice(1)}`
  const advice =
    code === 'not_found'
      ? html`<p>Open the link of your mail again, whole: mail programs break long addresses.</p>`
      : null
  const body = html`<main>
<h1>${title}</h1>
<p>${what}${/[.?!]$/.test(what) ? null : '.'}</p>
${advice}
<p class="note">If you write to us about it, name this number: ${id}.</p>
</main>`
  return pageAnswer({ title, style: pageStyle, body })
}

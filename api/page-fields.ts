/** Fields of forms on our pages: what is asked, what was written, and what is wrong with it. */
import type { FieldProblem } from '../domain/errors.ts'
import { html, type Markup } from './html.ts'

export interface PageField {
  /** In the form that is sent, and of the element. */
  name: string
  /** Where refusals of the API say that it is, like `/company/name`. */
  pointer: string
  label: string
  kind: 'text' | 'email' | 'area' | 'choice'
  optional?: boolean
  /** What it belongs to says already that it is optional. */
  unmarked?: boolean
  hint?: string
  /** What a browser may fill in by itself, and which keys a phone shows. */
  autocomplete?: string
  inputMode?: string
  options?: { value: string; label: string }[]
  /** What is said of a value that does not fit. */
  advice?: string
  most?: number
}

/** What is wrong, by the name of the field. */
export type Faults = Map<string, string>

const attribute = (name: string, value: string | number | undefined) =>
  value === undefined ? null : html` ${name}="${value}"`

function describedBy({ name, hint }: PageField, fault: string | undefined): Markup | null {
  const ids = [...(hint ? [`${name}.hint`] : []), ...(fault ? [`${name}.fault`] : [])]
  return ids.length > 0 ? attribute('aria-describedby', ids.join(' ')) : null
}

function control(field: PageField, value: string, fault: string | undefined): Markup {
  const { name, kind, most } = field
  const common = html` id="${name}" name="${name}"${field.optional ? null : html` required`}${
    fault ? html` aria-invalid="true"` : null
  }${describedBy(field, fault)}${attribute('autocomplete', field.autocomplete)}${attribute(
    'maxlength',
    most,
  )}`
  if (kind === 'area') return html`<textarea${common}>${value}</textarea>`
  if (kind !== 'choice') {
    const mode = attribute('inputmode', field.inputMode)
    return html`<input type="${kind}"${common}${mode} value="${value}">`
  }
  const options = [{ value: '', label: 'Please choose' }, ...(field.options ?? [])].map(
    (option) => {
      const chosen = option.value === value ? html` selected` : null
      return html`<option value="${option.value}"${chosen}>${option.label}</option>
`
    },
  )
  return html`<select${common}>
${options}</select>`
}

/** A field with its label, and beside it what is wrong with what was written. */
export function fieldMarkup(field: PageField, value: string, faults: Faults): Markup {
  const { name, label, hint } = field
  const optional = field.optional && !field.unmarked
  const fault = faults.get(name)
  return html`<div class="field">
<label for="${name}">${label}${optional ? html` <span>(optional)</span>` : null}</label>
${hint ? html`<span class="hint" id="${name}.hint">${hint}</span>` : null}
${fault ? html`<span class="fault" id="${name}.fault">${fault}</span>` : null}
${control(field, value, fault)}
</div>
`
}

/** What is said first of a form that was not taken; it has the focus, so that it is read out. */
export function problemMarkup(text: string, fields: PageField[], faults: Faults): Markup {
  const wrong = fields.filter(({ name }) => faults.has(name))
  const lines = wrong.map(
    ({ name, label }) => html`<li><a href="#${name}">${label}</a>: ${faults.get(name) ?? ''}</li>
`,
  )
  return html`<div class="problem" role="alert" tabindex="-1" autofocus>
<h2>It was not sent</h2>
<p>${text}</p>
${lines.length > 0 ? html`<ul>${lines}</ul>` : null}
</div>
`
}

/** What a person reads instead of what programs read. */
function inWords({ code, detail }: FieldProblem, { kind, advice }: PageField): string {
  if (code === 'missing') return kind === 'choice' ? 'Please choose one.' : 'Please fill this in.'
  const longest = /<=\s*(\d+) characters/.exec(detail)?.[1]
  if (longest) return `Write at most ${longest} characters.`
  if (code === 'invalid' && advice) return advice
  return `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`
}

const isAt = ({ pointer }: PageField, problem: FieldProblem) =>
  problem.pointer === pointer || problem.pointer.startsWith(`${pointer}/`)

/** Which fields are wrong, and what no field of the page stands for. */
export function faultsOf(fields: PageField[], problems: FieldProblem[]) {
  const faults: Faults = new Map()
  const others: FieldProblem[] = []
  for (const problem of problems) {
    const field = fields.find((one) => isAt(one, problem))
    if (!field) others.push(problem)
    else if (!faults.has(field.name)) faults.set(field.name, inWords(problem, field))
  }
  return { faults, others }
}

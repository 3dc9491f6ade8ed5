/** The page that an invitation to apply leads to: the form, filled in as far as it is known. */

export const applyBody = `<main>
<h1>Apply as a partner</h1>
<p id="invited" hidden></p>
<noscript><p>This form needs JavaScript. Programs use POST /v1/applications.</p></noscript>
<form id="form" hidden></form>
<p id="answer" role="status"></p>
</main>
<script src="/apply.js"></script>`

/** The fields stand in one list, so that what the programme asks is asked like all others. */
export const applyScript = `const token = new URLSearchParams(location.search).get('token')
const form = document.getElementById('form')
const answer = document.getElementById('answer')
const words = (name) => name.replaceAll('_', ' ')

function field(name, label, { type = 'text', required = true, options, value }) {
  const line = document.createElement('p')
  const input = document.createElement(options ? 'select' : type === 'area' ? 'textarea' : 'input')
  if (!options && type !== 'area') input.type = type
  for (const option of options ?? []) input.add(new Option(words(option), option))
  Object.assign(input, { id: name, name, required: required && type !== 'checkbox' })
  if (type === 'number') input.step = 'any'
  if (value) input.value = value
  const caption = document.createElement('label')
  caption.htmlFor = name
  caption.textContent = label + (required ? '' : ' (if you like)')
  line.append(caption, input)
  form.append(line)
}

const kinds = { text: 'text', number: 'number', yes_no: 'checkbox' }

function draw(asked) {
  const { invitation } = asked
  const known = invitation?.contact ?? {}
  field('company.name', 'Company', {})
  field('company.country', 'Country code, like US', {})
  field('company.website', 'Website', { type: 'url', value: 'https://' })
  field('company.registration_number', 'Registration number', { required: false })
  field('contact.name', 'Your name', { value: known.name })
  field('contact.email', 'Your e-mail address', { type: 'email', value: known.email })
  field('type', 'What you are', { options: asked.types, value: invitation?.type })
  field('level', 'Level', { options: asked.levels, value: invitation?.level })
  for (const { name, label, kind, required, options } of asked.custom_fields) {
    field('custom.' + name, label, { type: kinds[kind], required, options })
  }
  field('message', 'Message', { type: 'area', required: false })
  const send = document.createElement('button')
  send.textContent = 'Send the application'
  form.append(send)
  form.hidden = false
  if (!invitation) return
  const invited = document.getElementById('invited')
  invited.textContent = (invitation.inviter ?? asked.programme) + ' invites you.' +
    (invitation.message ? ' ' + invitation.message : '')
  invited.hidden = false
}

function filled() {
  const body = token ? { invitation: token } : {}
  for (const input of form.elements) {
    const value = input.type === 'checkbox' ? input.checked
      : input.type === 'number' ? input.valueAsNumber : input.value.trim()
    if (!input.name || value === '' || Number.isNaN(value)) continue
    const [group, name] = input.name.split('.')
    if (name) body[group] = { ...body[group], [name]: value }
    else body[group] = value
  }
  return body
}

async function send(path, request) {
  const response = await fetch(path, request)
  const body = await response.json()
  if (response.ok) return body
  const faults = (body.errors ?? []).map(({ pointer, detail }) => pointer.slice(1) + ': ' + detail)
  throw new Error([body.detail, ...faults].join('\\n'))
}

const tell = (error) => { answer.textContent = error.message }

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  try {
    const { status_url } = await send('/v1/applications', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(filled()),
    })
    location.assign(status_url)
  } catch (error) {
    tell(error)
    button.disabled = false
  }
})

const query = token ? '?token=' + encodeURIComponent(token) : ''
send('/v1/application-form' + query).then(draw, tell)`

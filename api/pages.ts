/** The few pages of the API: its documentation, and the page an invitation leads to. */
import { createReadStream } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Router from '@koa/router'
import { internal, meanings } from './errors.ts'

const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))

const mediaTypes = new Map([
  ['swagger-ui.css', 'text/css; charset=utf-8'],
  ['swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
])

const page = (title: string, body: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>${body}</body>
</html>
`

const style = `body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1d2b36; }
main { max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
main button { font: inherit; padding: .6rem 1.2rem; border: 0; border-radius: 6px;
  background: #0f4c5c; color: #fff; cursor: pointer; }
main pre { padding: 1rem; background: #f4f6f8; border-radius: 6px; overflow: auto; }
main table { border-collapse: collapse; }
main td { text-align: left; padding: .3rem .8rem .3rem 0; }
`

const docsBody = `<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/docs.js"></script>`

const docsScript = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true,
  tryItOutEnabled: true, persistAuthorization: false })`

const inviteBody = `<main>
<h1>Take up your access</h1>
<p>The button makes you a member and shows your first API key. It works once.</p>
<button id="accept">Take it up</button>
<pre id="answer" hidden></pre>
</main>
<script src="/invite.js"></script>`

const inviteScript = `const token = new URLSearchParams(location.search).get('token')
const answer = document.getElementById('answer')
document.getElementById('accept').addEventListener('click', async (event) => {
  event.target.disabled = true
  const response = await fetch('/v1/invitations/accept', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  const body = await response.json()
  answer.hidden = false
  answer.textContent = response.ok
    ? 'Your API key, shown only now:\\n\\n' + body.api_key
    : body.detail
})`

function errorsBody(): string {
  const rows = Object.entries({ ...meanings, internal }).map(
    ([code, { status, title }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${title}</td></tr>`,
  )
  return `<main><h1>Error codes</h1><table>${rows.join('')}</table></main>`
}

/** Swagger UI sets styles on elements; everything else on our pages comes from files. */
const contentPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; " +
  "base-uri 'none'"

/** @param description gives the OpenAPI document; it is asked once, when it is first needed. */
export function pageRouter(description: () => unknown): Router {
  const router = new Router()
  const text = (path: string, type: string, content: () => string) =>
    router.get(path, (context) => {
      context.set('Content-Security-Policy', contentPolicy)
      context.type = type
      context.body = content()
    })
  text('/docs', 'text/html; charset=utf-8', () => page('Tributary API', docsBody))
  text('/docs/errors', 'text/html; charset=utf-8', () => page('Error codes', errorsBody()))
  text('/docs/page.css', 'text/css; charset=utf-8', () => style)
  text('/docs/docs.js', 'text/javascript; charset=utf-8', () => docsScript)
  text('/invite', 'text/html; charset=utf-8', () => page('Take up your access', inviteBody))
  text('/invite.js', 'text/javascript; charset=utf-8', () => inviteScript)
  let document: string | undefined
  text('/openapi.json', 'application/json; charset=utf-8', () => {
    document ??= JSON.stringify(description())
    return document
  })
  router.get('/docs/:file', (context, next) => {
    const type = mediaTypes.get(context.params.file ?? '')
    if (!type) return next()
    context.type = type
    context.body = createReadStream(join(swagger, context.params.file ?? ''))
    return undefined
  })
  return router
}

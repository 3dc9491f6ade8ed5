/** What we say to DocuSign, and what our stand-in answers, beside the vendor's own description. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import { startReceiver } from '../sandbox/kit.ts'
import type { Exchange } from './recorder.ts'
import { recordedStory } from './story.ts'

interface Operation {
  parameters: { name: string; in: string; schema?: { $ref: string } }[]
  responses: Record<string, { schema?: { $ref?: string } }>
}

interface Specification {
  basePath: string
  paths: Record<string, Record<string, Operation>>
  definitions: Record<string, { properties?: Record<string, unknown> }>
}

const vendor = join(import.meta.dirname, 'vendor', 'docusign')
const sdkModels = join(dirname(createRequire(import.meta.url).resolve('docusign-esign')), 'model')
const readVendor = (file: string) => JSON.parse(readFileSync(join(vendor, file), 'utf8'))
const specification: Specification = readVendor('esignature-v2.1.json')

/** What the vendor's SDK of today knows of a definition: it is younger than the description. */
function knownToSdk(definition: string, property: string): boolean {
  const model = definition.charAt(0).toUpperCase() + definition.slice(1)
  const file = join(sdkModels, `${model}.js`)
  return existsSync(file) && readFileSync(file, 'utf8').includes(`hasOwnProperty('${property}')`)
}

/** The description names some definitions that it does not have. */
const missing = new Set(
  [...JSON.stringify(specification).matchAll(/"#\/definitions\/([^"]+)"/g)]
    .map(([, name = '']) => name)
    .filter((name) => !(name in specification.definitions)),
)

/** Closed, so that a field which DocuSign does not know is found as well as a wrong type. */
const closed = Object.fromEntries(
  Object.entries(specification.definitions).map(([name, definition]) => [
    name,
    definition.properties ? { ...definition, additionalProperties: false } : definition,
  ]),
)
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
const unknown = Object.fromEntries([...missing].map((name) => [name, {}]))
ajv.addSchema({ $id: 'docusign', definitions: { ...closed, ...unknown } })

function problemsOf(reference: string, body: unknown): string[] {
  const validate = ajv.getSchema(`docusign${reference}`)
  if (!validate) throw new Error(`the description has no ${reference}`)
  if (validate(body)) return []
  return (validate.errors ?? [])
    .filter(({ keyword, params, schemaPath }) => {
      const definition = /definitions\/(\w+)/.exec(schemaPath)?.[1] ?? reference.split('/').at(-1)
      const extra = keyword === 'additionalProperties' && params.additionalProperty
      return !(extra && knownToSdk(definition ?? '', extra))
    })
    .map(({ instancePath, params, message }) => {
      const extra = params.additionalProperty ? `/${params.additionalProperty}` : ''
      return `${instancePath}${extra} ${message}`
    })
}

/** The operation behind a request, as the description names it. */
function operationOf({ method, path }: Exchange) {
  const own = path.replace(specification.basePath, '')
  // Fixed paths stand before those with parameters.
  const templates = Object.entries(specification.paths).sort(
    ([a], [b]) => a.split('{').length - b.split('{').length,
  )
  for (const [template, operations] of templates) {
    const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`)
    const operation = operations[method.toLowerCase()]
    if (operation && pattern.test(own)) return { name: `${method} ${template}`, operation }
  }
  return undefined
}

const isRest = ({ path }: Exchange) => path.startsWith('/restapi/')
const json = (body: Buffer): unknown => JSON.parse(body.toString('utf8'))

let exchanges: Exchange[]
beforeAll(async () => {
  exchanges = (await recordedStory()).filter(isRest)
})

describe('DocuSign', () => {
  it('describes every operation that we ask for', () => {
    const unknown = exchanges.filter((exchange) => !operationOf(exchange))
    expect(unknown.map(({ method, path }) => `${method} ${path}`)).toEqual([])
    const asked = new Set(exchanges.map((exchange) => operationOf(exchange)?.name))
    expect(asked).toContain('POST /v2.1/accounts/{accountId}/envelopes')
    expect(asked).toContain('GET /v2.1/accounts/{accountId}/envelopes/{envelopeId}')
  })

  it('knows every field that we send, and its type', () => {
    const problems = exchanges.flatMap((exchange) => {
      const found = operationOf(exchange)
      const reference = found?.operation.parameters.find((one) => one.in === 'body')?.schema?.$ref
      if (!reference || exchange.request.body.length === 0) return []
      return problemsOf(reference, json(exchange.request.body)).map(
        (problem) => `${found?.name}: ${problem}`,
      )
    })
    expect([...new Set(problems)]).toEqual([])
  })

  it('knows every query that we ask with', () => {
    const problems = exchanges.flatMap((exchange) => {
      const found = operationOf(exchange)
      const known = found?.operation.parameters.filter((one) => one.in === 'query') ?? []
      const names = new Set(known.map(({ name }) => name))
      return [...exchange.query.keys()].filter((name) => !names.has(name))
    })
    expect([...new Set(problems)]).toEqual([])
  })

  it('would answer with the fields and types of our stand-in, and its status', () => {
    const problems = exchanges.flatMap((exchange) => {
      const { status, headers, body } = exchange.response
      const found = operationOf(exchange)
      const answer = found?.operation.responses[String(status)]
      if (!answer) return [`${found?.name}: no answer ${status}`]
      const reference = answer.schema?.$ref
      if (!reference || !String(headers['content-type']).includes('json')) return []
      return problemsOf(reference, json(body)).map((problem) => `${found?.name}: ${problem}`)
    })
    expect([...new Set(problems)]).toEqual([])
  })

  it('sends events of the shape that Connect describes', async () => {
    const sample: unknown = readVendor('connect.schema-v2.json')
    const receiver = await startReceiver()
    const { startKit } = await import('../sandbox/kit.ts')
    const kit = await startKit()
    try {
      const { docusignFor } = await import('../integrations/kit.ts')
      const docusign = docusignFor(kit.sandbox)
      const id = await docusign.sendAgreement({
        transactionId: '0199e0c0-0000-7000-8000-000000000001',
        documentName: 'Agreement',
        paper: { pdf: Buffer.from('%PDF-1.4\n%%EOF') },
        embeddedAs: null,
        signer: { name: 'Ada', email: 'ada@acme.example' },
        subject: 'Agreement',
        reference: { name: 'application', id: 'app_1' },
        webhookUrl: `${receiver.url}/connect`,
      })
      await kit.post(`/envelopes/${id}/sign`)
      const [message] = await receiver.wait(({ body }) => body.includes('envelope-completed'))
      const strange = strangeKeys(JSON.parse(message?.body ?? '{}'), sample, '')
      // The sample leaves out what every envelope has by the description.
      const { envelope } = specification.definitions
      const known = (place: string) =>
        (place.split(/[/ ]/).at(3) ?? '') in (envelope?.properties ?? {})
      expect(strange.filter((place) => !known(place))).toEqual([])
    } finally {
      await kit.stop()
      await receiver.close()
    }
  })
})

/** Keys of a message that the sample has not, and values of another type. */
function strangeKeys(value: unknown, sample: unknown, place: string): string[] {
  if (Array.isArray(value)) {
    const [first] = Array.isArray(sample) ? sample : []
    return value.flatMap((entry) => strangeKeys(entry, first ?? {}, `${place}/*`))
  }
  if (value === null || typeof value !== 'object') {
    const same = sample === null || sample === undefined || typeof sample === typeof value
    return same ? [] : [`${place} is ${typeof value}, not ${typeof sample}`]
  }
  if (sample === null || typeof sample !== 'object') return [`${place} is an object`]
  return Object.entries(value).flatMap(([key, entry]) =>
    key in sample
      ? strangeKeys(entry, (sample as Record<string, unknown>)[key], `${place}/${key}`)
      : [`${place}/${key} is unknown`],
  )
}

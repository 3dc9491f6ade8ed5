import type Stripe from 'stripe'
import { type Kit, problemOf, startKit } from './kit.ts'

let kit: Kit
let sessions: Stripe['identity']['verificationSessions']
beforeAll(async () => {
  kit = await startKit()
  sessions = kit.stripe.identity.verificationSessions
})
afterAll(() => kit.stop())

const open = () =>
  sessions.create({
    type: 'document',
    client_reference_id: 'app_7',
    options: { document: { require_matching_selfie: true } },
    return_url: 'http://127.0.0.1:1/back',
    metadata: { application: 'app_7' },
  })

const told = async (id: string) => {
  const { data } = await kit.stripe.events.list({ limit: 100 })
  return data
    .filter(({ data: { object } }) => 'id' in object && object.id === id)
    .map(({ type }) => type.replace('identity.verification_session.', ''))
    .reverse()
}

describe('a session for a person', () => {
  test('has a page and a secret while the person has something to do', async () => {
    const made = await open()
    expect(made).toMatchObject({ status: 'requires_input', redaction: null, last_error: null })
    expect([made.url, made.client_secret]).toEqual([
      expect.stringContaining(`/identity/${made.id}`),
      expect.stringContaining('_secret_'),
    ])
    const answer = await fetch(made.url ?? '', {
      method: 'POST',
      body: new URLSearchParams({ result: 'verify' }),
      redirect: 'manual',
    })
    expect([answer.status, answer.headers.get('location')]).toEqual([
      303,
      'http://127.0.0.1:1/back',
    ])
    const done = await sessions.retrieve(made.id)
    expect(done).toMatchObject({ status: 'verified', url: null, client_secret: null })
    expect(await told(made.id)).toEqual(['created', 'processing', 'verified'])
  })

  test('asks again after a try that failed, and says why by a code', async () => {
    const { id } = await open()
    await kit.post(`/verification_sessions/${id}/fail`, { error: 'document_expired' })
    const failed = await sessions.retrieve(id)
    expect(failed).toMatchObject({
      status: 'requires_input',
      last_error: { code: 'document_expired' },
    })
    const report = await kit.stripe.identity.verificationReports.retrieve(
      String(failed.last_verification_report),
    )
    expect(report).toMatchObject({
      verification_session: id,
      document: { status: 'unverified', error: { code: 'document_expired' } },
    })
  })

  test('is canceled only while it waits for the person', async () => {
    const { id } = await open()
    await kit.post(`/verification_sessions/${id}/verify`, {})
    expect(await problemOf(sessions.cancel(id))).toMatchObject({ statusCode: 400 })
    const other = await open()
    expect((await sessions.cancel(other.id)).status).toBe('canceled')
  })

  test('is redacted once, in two steps, and forgets whose it was', async () => {
    const { id } = await open()
    await kit.post(`/verification_sessions/${id}/verify`, {})
    expect((await sessions.redact(id)).redaction).toEqual({ status: 'processing' })
    expect(await problemOf(sessions.redact(id))).toMatchObject({ statusCode: 400 })
    await kit.post(`/verification_sessions/${id}/finish_redaction`, {})
    expect(await sessions.retrieve(id)).toMatchObject({
      redaction: { status: 'redacted' },
      metadata: {},
    })
    expect((await told(id)).at(-1)).toBe('redacted')
  })

  test('is shown to scripts without its secret', async () => {
    await open()
    const answer = await fetch(`${kit.sandbox.url}/_sandbox/verification_sessions`)
    expect(await answer.text()).not.toContain('_secret_')
  })
})

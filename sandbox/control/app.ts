import Router from '@koa/router'
import type { Context } from 'koa'
import type { Certificate } from '../certificate.ts'
import { DocusignProblem } from '../docusign/errors.ts'
import { certificateFor } from '../edge.ts'
import { faultKinds, vendors } from '../fault-kinds.ts'
import { HttpProblem, readBody } from '../http.ts'
import { readEndpoints, WrongUse } from '../options.ts'
import { StripeProblem } from '../stripe/errors.ts'
import { listParty } from '../watchman/app.ts'
import { entityTypes } from '../watchman/wire.ts'
import type { Actions } from './actions.ts'
import {
  anything,
  type Fields,
  type Input,
  need,
  oneOf,
  readInput,
  share,
  whole,
  words,
  yesNo,
} from './input.ts'
import { type Parts, viewEnvelope, viewInvoice, views } from './views.ts'

const bodyLimitBytes = 1_000_000

export interface ControlParts extends Parts {
  actions: Actions
  certificate: Certificate
}

export function controlRouter(parts: ControlParts): Router {
  const router = new Router({ prefix: '/_sandbox' })
  for (const [name, view] of Object.entries(views)) {
    router.get(`/${name}`, (ctx) => answer(ctx, async () => ({ data: view(parts) })))
  }
  const on = <F extends Fields>(
    path: string,
    fields: F,
    act: (input: Input<F>, id: string) => object,
  ): void =>
    void router.post(path, (ctx: Context) =>
      answer(ctx, async () => {
        const input = readInput(fields, await readJson(ctx))
        return act(input, String(ctx.params.id ?? ''))
      }),
    )
  envelopeControls(on, parts)
  verificationControls(on, parts)
  moneyControls(on, parts)
  machineControls(on, parts)
  domainControls(on, parts)
  router.get('/clock', (ctx) => answer(ctx, async () => clockView(parts)))
  router.get('/settings', (ctx) => answer(ctx, async () => settingsView(parts)))
  router.delete('/faults', (ctx) =>
    answer(ctx, async () => {
      parts.actions.disarm()
      return { data: [] }
    }),
  )
  router.all(/^\/_sandbox(\/|$)/, (ctx) =>
    answer(ctx, async () => {
      throw new HttpProblem(404, `there is no control ${ctx.method} ${ctx.path}`)
    }),
  )
  return router
}

type On = <F extends Fields>(
  path: string,
  fields: F,
  act: (input: Input<F>, id: string) => object,
) => void

function envelopeControls(on: On, { actions, polling }: ControlParts): void {
  on('/envelopes/:id/sign', {}, (_, id) => viewEnvelope(actions.signEnvelope(id), polling))
  on('/envelopes/:id/decline', { reason: words }, ({ reason }, id) =>
    viewEnvelope(actions.declineEnvelope(id, reason ?? 'Declined in the sandbox.'), polling),
  )
  on('/envelopes/:id/expire', {}, (_, id) => viewEnvelope(actions.expireEnvelope(id), polling))
}

function verificationControls(on: On, { actions }: ControlParts): void {
  const result = oneOf(['pass', 'fail'])
  on('/accounts/:id/kyc', { result, final: yesNo }, (input, id) =>
    actions.decideKyc(id, {
      result: need(input.result, 'result', result.expected),
      final: input.final,
    }),
  )
  const status = oneOf(['eventually_due', 'currently_due', 'past_due'])
  on('/accounts/:id/requirements', { status, deadline: words }, (input, id) =>
    actions.askAgain(id, {
      status: need(input.status, 'status', status.expected),
      deadline: input.deadline,
    }),
  )
  const sessions = '/verification_sessions/:id'
  on(`${sessions}/verify`, {}, (_, id) => actions.decideIdentity(id, { result: 'verify' }))
  on(`${sessions}/fail`, { error: words }, ({ error }, id) =>
    actions.decideIdentity(id, { result: 'fail', error }),
  )
  on(`${sessions}/finish_redaction`, {}, (_, id) => actions.finishRedaction(id))
}

function moneyControls(on: On, { actions }: ControlParts): void {
  on('/invoices/:id/pay', { amount: whole() }, ({ amount }, id) =>
    viewInvoice(actions.payInvoice(id, amount)),
  )
  on('/invoices/:id/fail', {}, (_, id) => viewInvoice(actions.failInvoice(id)))
  on(
    '/charges/:id/refund',
    { amount: whole(), fail: yesNo, fail_after_ms: whole(0) },
    (input, id) => actions.refundCharge(id, input),
  )
  on('/charges/:id/dispute', { amount: whole() }, ({ amount }, id) =>
    actions.disputeCharge(id, amount),
  )
  const outcome = oneOf(['won', 'lost'])
  on('/disputes/:id/close', { outcome }, (input, id) =>
    actions.closeDispute(id, need(input.outcome, 'outcome', outcome.expected)),
  )
  on('/accounts/:id/payouts', { currency: words }, ({ currency }, id) =>
    actions.payOutAccount(id, currency ?? 'usd'),
  )
  on('/accounts/:id/bank', { currency: words }, ({ currency }, id) =>
    actions.changeBank(id, currency),
  )
  on('/payouts/:id/pay', {}, (_, id) => actions.endPayout(id, { status: 'paid' }))
  on('/payouts/:id/fail', { code: words }, ({ code }, id) =>
    actions.endPayout(id, { status: 'failed', code }),
  )
  on('/refunds/:id/fail', {}, (_, id) => actions.failRefund(id))
  on('/subscriptions/:id/renew', {}, (_, id) => actions.renewSubscription(id))
  const amount = whole(0)
  on('/balance', { amount, currency: words, account: words }, (input) =>
    actions.setBalance({
      owner: input.account ?? 'platform',
      amount: need(input.amount, 'amount', amount.expected),
      currency: need(input.currency, 'currency', 'a currency code'),
    }),
  )
}

function machineControls(on: On, parts: ControlParts): void {
  const { actions, deps, queue } = parts
  on('/clock', { now: anything }, ({ now }) => {
    actions.setClock(readNow(now))
    return clockView(parts)
  })
  const vendor = oneOf(vendors)
  const kind = oneOf(faultKinds)
  on(
    '/faults',
    { vendor, kind, rate: share, count: whole(), path: words, ms: whole(0), stored: yesNo },
    (input) =>
      actions.arm({
        ...input,
        vendor: need(input.vendor, 'vendor', vendor.expected),
        kind: need(input.kind, 'kind', kind.expected),
      }),
  )
  const type = oneOf(entityTypes)
  on('/listed-parties', { name: words, type, list: words, program: words }, (input) =>
    listParty(deps, {
      name: need(input.name, 'name', words.expected),
      type: need(input.type, 'type', type.expected),
      list: input.list,
      program: input.program,
    }),
  )
  on('/settings', { stripe_endpoints: anything }, ({ stripe_endpoints }) => {
    const wanted = need(stripe_endpoints, 'stripe_endpoints', 'a list of endpoints')
    const endpoints = readEndpoints(wanted)
    deps.store.write('control: settings', (tx) =>
      tx.put('settings', { id: 'stripe_endpoints', endpoints }),
    )
    queue.wake()
    return settingsView(parts)
  })
  on('/autopilot', { sign: yesNo, kyc: oneOf(['pass', 'fail']) }, ({ sign = false, kyc }) => {
    const setting = { id: 'autopilot' as const, sign, kyc: kyc ?? null }
    return deps.store.write('control: autopilot', (tx) => tx.put('settings', setting))
  })
  on('/docusign/consent', { granted: yesNo }, ({ granted }) => {
    const wanted = need(granted, 'granted', yesNo.expected)
    actions.setConsent(wanted)
    return { granted: wanted }
  })
}

/** The public DNS and the certificates of the edge; `value: null` takes a record away. */
function domainControls(on: On, { deps, certificate }: ControlParts): void {
  const type = oneOf(['A', 'CNAME', 'TXT', 'SERVFAIL'])
  on('/dns', { name: words, type, value: anything }, (input) => {
    const name = need(input.name, 'name', 'a name').toLowerCase()
    const kind = need(input.type, 'type', type.expected)
    const id = `${kind} ${name}`
    return deps.store.write('control: dns', (tx) => {
      const before = tx.get('dns_records', id)?.values ?? []
      if (input.value !== null) {
        const value = String(input.value ?? '')
        // A name has one other name, and as many addresses and texts as somebody writes.
        const values = kind === 'TXT' || kind === 'A' ? [...before, value] : [value]
        return tx.put('dns_records', { id, name, type: kind, values })
      }
      tx.drop('dns_records', id)
      return { id, name, type: kind, values: [] }
    })
  })
  on('/certificates', { name: words, days: whole(-365) }, async (input) => {
    const name = need(input.name, 'name', 'a domain')
    const { days = 90 } = input
    const made = await certificateFor(certificate, { name, days, now: new Date() })
    deps.store.write('control: certificates', (tx) => tx.put('edge_certificates', made))
    return { id: made.id, not_after: made.not_after }
  })
}

function readNow(now: unknown): Date | null {
  if (now === null) return null
  const given = need(now, 'now', 'an ISO time or null')
  const isIso = typeof given === 'string' && /^\d{4}-\d{2}-\d{2}/.test(given)
  const date = new Date(isIso ? given : Number.NaN)
  if (!Number.isNaN(date.getTime())) return date
  throw new HttpProblem(400, `now is ${JSON.stringify(now)}, expected an ISO time or null`)
}

function clockView({ deps }: ControlParts): object {
  return { now: deps.clock.now().toISOString(), offset_ms: deps.clock.offsetMs() }
}

/** Without the secrets: this is shown to whoever asks. */
function settingsView({ deps }: ControlParts): object {
  const { endpoints = [] } = deps.store.get('settings', 'stripe_endpoints') ?? {}
  return { stripe_endpoints: endpoints.map(({ id, url, payload }) => ({ id, url, payload })) }
}

async function readJson(ctx: Context): Promise<unknown> {
  const text = (await readBody(ctx, bodyLimitBytes)).toString('utf8')
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new HttpProblem(400, 'the body is not JSON, expected a JSON object')
  }
}

async function answer(ctx: Context, act: () => Promise<object>): Promise<void> {
  try {
    ctx.body = await act()
  } catch (error) {
    const problem = controlProblem(error)
    if (problem === null) throw error
    ctx.status = problem.status
    ctx.body = { error: { message: problem.message } }
  }
}

/** What the vendors' rules refuse is a conflict with the present state. */
export function controlProblem(error: unknown): { status: number; message: string } | null {
  if (error instanceof HttpProblem) return error
  if (error instanceof StripeProblem) {
    return { status: error.executed ? 409 : 400, message: error.message }
  }
  if (error instanceof DocusignProblem) return { status: 409, message: error.message }
  if (error instanceof WrongUse) return { status: 400, message: error.message }
  return null
}

/** In which currencies partners are paid: the rates for that, and what rails carry at the least. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { findPayoutCurrency, listRates, type RateRow, recordRate } from '../db/fx-rates.ts'
import { findPartner } from '../db/partners.ts'
import { getProgramme } from '../db/programmes.ts'
import { type Floor, listFloors, recordFloor } from '../db/settlement/floors.ts'
import { markPayoutCurrency } from '../db/settlement/rates.ts'
import { currencyCodes } from '../domain/currencies.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  instantAnswer,
  instantField,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

const tag = 'Payouts'
const currencyField = z.enum(currencyCodes)
const decimal = /^(0|[1-9]\d{0,9})(\.\d{1,10})?$/
const wanted = 'expected a decimal above 0 like "0.92341"'

const rateForm = z
  .strictObject({
    base: currencyField,
    quote: currencyField,
    /** One whole unit of the base in whole units of the quote. */
    rate: z
      .string()
      .regex(decimal, wanted)
      .refine((rate) => /[1-9]/.test(rate), wanted),
    as_of: instantField,
    source: text(200),
  })
  .refine(({ base, quote }) => base !== quote, {
    path: ['quote'],
    message: 'expected another currency than the base',
  })
const rateAnswer = z.object({
  base: currencyAnswer,
  quote: currencyAnswer,
  rate: z.string(),
  as_of: instantAnswer,
  source: z.string(),
  recorded_at: instantAnswer,
})
const floorFields = {
  /** `*` is every country. */
  country: z.string().regex(/^([A-Z]{2}|[*])$/, 'expected a country like DE, or *'),
  currency: currencyField,
  minimum: minorAmount.min(1),
}
const floorForm = z.strictObject(floorFields)
const floorAnswer = z.object(floorFields)
const currencyForm = z.strictObject({ currency: currencyField.nullable() })
const payoutCurrencyAnswer = z.object({
  partner: idAnswer('partner'),
  /** Null where it is that of the programme. */
  currency: currencyAnswer.nullable(),
})

const noPartner = 'there is no such partner'

export function payoutCurrencyRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/fx-rates',
      tag,
      summary: 'List exchange rates',
      access: 'payouts.rates.read',
      query: z.strictObject({
        ...pageQuery,
        base: currencyField.optional(),
        quote: currencyField.optional(),
      }),
      answers: { 200: { description: 'Entered last first', schema: listAnswer(rateAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { base, quote } = query
        const page = await listRates(db, { ...pageRequest(query), base, quote })
        return { status: 200, body: presentPage(page, presentRate) }
      },
    }),
    route({
      method: 'PUT',
      path: '/v1/fx-rates',
      tag,
      summary: 'Enter an exchange rate',
      description:
        'A statement converts what it pays once, with the newest rate at or before the end of ' +
        'its period. A rate never changes; the same again changes nothing.',
      access: 'payouts.rates',
      effect: 'transaction',
      body: rateForm,
      answers: { 200: { description: 'Entered', schema: rateAnswer } },
      refusals: ['invalid_request', 'conflict'],
      handle: async ({ db, body }) => {
        const { as_of: asOf, ...rate } = body
        const row = await inTransaction(db, (trx) => recordRate(trx, { ...rate, asOf }))
        return { status: 200, body: presentRate(row) }
      },
    }),
    ...floorRoutes(),
    ...ofPartner(),
  ]
}

function floorRoutes(): Route[] {
  const path = '/v1/payout-floors'
  return [
    route({
      method: 'GET',
      path,
      tag,
      summary: 'List what rails carry at the least',
      access: 'payouts.rates.read',
      answers: {
        200: {
          description: 'By country of the partner and currency of the payout',
          schema: z.object({ data: z.array(floorAnswer) }),
        },
      },
      refusals: [],
      handle: async ({ db }) => {
        const floors = await listFloors(db)
        return { status: 200, body: { data: floors.map(presentFloor) } }
      },
    }),
    route({
      method: 'PUT',
      path,
      tag,
      summary: 'Set what a rail carries at the least',
      description:
        'Of a country and of all countries the higher one holds, above every minimum. What is ' +
        'below is carried; 1 carries nothing over.',
      access: 'payouts.rates',
      effect: 'transaction',
      body: floorForm,
      answers: { 200: { description: 'Set', schema: floorAnswer } },
      refusals: ['invalid_request'],
      handle: async ({ db, body }) => {
        const { minimum, ...place } = body
        const floor = { ...place, minimumMinor: BigInt(minimum) }
        await inTransaction(db, (trx) => recordFloor(trx, floor))
        return { status: 200, body: presentFloor(floor) }
      },
    }),
  ]
}

const presentFloor = ({ minimumMinor, ...place }: Floor) => ({
  ...place,
  minimum: wireAmount(minimumMinor),
})

function ofPartner(): Route[] {
  const path = '/v1/partners/:id/payout-currency'
  const answers = { 200: { description: 'The currency', schema: payoutCurrencyAnswer } }
  return [
    route({
      method: 'GET',
      path,
      tag,
      summary: 'Read in which currency a partner is paid',
      access: 'payouts.read',
      answers,
      refusals: ['not_found'],
      handle: async (call) => present(call, await partnerOf(call)),
    }),
    route({
      method: 'PUT',
      path,
      tag,
      summary: 'Set in which currency a partner is paid',
      description:
        'Null is the currency of the programme. It holds for statements that are drafted from ' +
        'now on; their period needs a rate (`PUT /v1/fx-rates`), for which a run waits.',
      access: 'payouts.rates',
      effect: 'transaction',
      body: currencyForm,
      answers,
      refusals: ['not_found', 'invalid_request'],
      handle: setCurrency,
    }),
  ]
}

async function partnerOf({ db, params }: Pick<Call, 'db' | 'params'>): Promise<string> {
  const id = pathId('partner', params.id, noPartner)
  found(await findPartner(db, id), noPartner)
  return id
}

async function present({ db }: Pick<Call, 'db'>, partnerId: string) {
  const currency = await findPayoutCurrency(db, partnerId)
  return { status: 200, body: { partner: outwardId('partner', partnerId), currency } }
}

async function setCurrency(call: Call<unknown, z.output<typeof currencyForm>>) {
  const { db, body } = call
  const partnerId = await partnerOf(call)
  if (body.currency === (await getProgramme(db)).currency) {
    const detail = 'expected null for the currency of the programme'
    throw new DomainError('invalid_request', `body: ${detail}`, {
      fields: [{ pointer: '/currency', code: 'invalid', detail }],
    })
  }
  await inTransaction(db, (trx) => markPayoutCurrency(trx, partnerId, body.currency))
  return present(call, partnerId)
}

function presentRate({ base, quote, rate, asOf, source, recordedAt }: RateRow) {
  return {
    ...{ base, quote, rate, source },
    as_of: asOf.toISOString(),
    recorded_at: recordedAt.toISOString(),
  }
}

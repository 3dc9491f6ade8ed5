/**
 * Outward ids: a prefix that names the kind, then the UUIDv7 of the database in 26 characters of
 * Crockford's base 32 (the TypeID format). Inside, ids are plain UUIDs; api, vendor metadata and
 * workflow ids carry the outward form.
 */

const prefixes = {
  accrual: 'acc',
  adjustment: 'adj',
  agreement: 'agr',
  agreementTerms: 'trm',
  apiKey: 'key',
  application: 'app',
  applicationInvitation: 'apv',
  approval: 'apr',
  auditEvent: 'aud',
  bankPayout: 'bpo',
  certificate: 'crt',
  clawback: 'clw',
  closingAccrual: 'cla',
  course: 'crs',
  customer: 'cus',
  enrolment: 'enr',
  featurePackage: 'pkg',
  invitation: 'inv',
  lineDispute: 'ldp',
  link: 'lnk',
  manualTask: 'mtk',
  member: 'mem',
  memberInvitation: 'miv',
  partner: 'prt',
  partnerMove: 'mov',
  partnerReserve: 'rsv',
  passkey: 'psk',
  payment: 'pmt',
  payout: 'pay',
  payoutException: 'pex',
  reconBreak: 'brk',
  screening: 'scr',
  selfBillingAgreement: 'sba',
  selfBillingDocument: 'sbd',
  session: 'ses',
  settlementHold: 'shd',
  settlementRun: 'run',
  statement: 'stm',
  subscription: 'sub',
  taxForm: 'txf',
  tenant: 'ten',
  tenantDomain: 'dom',
  territory: 'ter',
  territoryConflict: 'tcf',
  tierChange: 'tch',
  tierReview: 'trv',
} as const

export type IdKind = keyof typeof prefixes

export const idKinds = Object.keys(prefixes) as IdKind[]

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
const bodyLength = 26

/** `outwardId('partner', '0199…')` is `prt_` and 26 characters. */
export function outwardId(kind: IdKind, uuid: string): string {
  let value = BigInt(`0x${uuid.replaceAll('-', '')}`)
  let body = ''
  for (let i = 0; i < bodyLength; i++) {
    body = alphabet.charAt(Number(value & 31n)) + body
    value >>= 5n
  }
  return `${prefixes[kind]}_${body}`
}

/** The UUID behind an outward id, or undefined when the text is no id of this kind. */
export function uuidOf(kind: IdKind, id: string): string | undefined {
  const prefix = `${prefixes[kind]}_`
  const body = id.slice(prefix.length)
  if (!id.startsWith(prefix) || body.length !== bodyLength || body.charAt(0) > '7') return undefined
  let value = 0n
  for (const character of body) {
    const digit = alphabet.indexOf(character)
    if (digit < 0) return undefined
    value = (value << 5n) | BigInt(digit)
  }
  const hex = value.toString(16).padStart(32, '0')
  const groups = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...groups, hex.slice(20)].join('-')
}

/** A pattern that outward ids of this kind match; used by schemas and documentation. */
export function idPattern(kind: IdKind): RegExp {
  return new RegExp(`^${prefixes[kind]}_[0-7][${alphabet}]{25}$`)
}

/** The kind that an outward id names by its prefix, or undefined. */
export function kindOf(id: string): IdKind | undefined {
  return idKinds.find((kind) => uuidOf(kind, id) !== undefined)
}

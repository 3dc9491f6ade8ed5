import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, refused } from './errors.ts'
import { emit } from './events.ts'
import { page, paging } from './lists.ts'
import {
  bool,
  clearable,
  group,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  range,
  text,
  within,
} from './params.ts'
import type { EventType, SessionRecord, VerificationReport, VerificationSession } from './wire.ts'

const documents = ['driving_license', 'id_card', 'passport'] as const
const statuses = ['canceled', 'processing', 'requires_input', 'verified'] as const

export const identityEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/identity/verification_sessions',
    params: {
      type: oneOf(['document', 'id_number'] as const),
      client_reference_id: text(),
      metadata: metadata(),
      options: group({
        document: clearable(
          group({
            allowed_types: list(oneOf(documents)),
            require_id_number: bool(),
            require_live_capture: bool(),
            require_matching_selfie: bool(),
          }),
        ),
      }),
      provided_details: group({ email: text(), phone: text() }),
      related_person: group({ account: text(), person: text() }),
      return_url: text(),
    },
    run(work, { params }) {
      if (params.type === undefined) {
        throw invalid('Missing required param: type.', { code: 'parameter_missing', param: 'type' })
      }
      const id = newId('vs')
      const session = work.tx.put('verification_sessions', {
        ...blank(work, id),
        type: params.type,
        client_reference_id: params.client_reference_id ?? null,
        metadata: mergeMetadata({}, params.metadata),
        options: { [params.type]: defined(params.options?.document ?? {}) },
        return_url: params.return_url ?? null,
      })
      tell(work, 'created', session)
      return present(work, session)
    },
  }),
  endpoint({
    on: 'GET /v1/identity/verification_sessions',
    params: {
      ...paging,
      client_reference_id: text(),
      created: range(),
      status: oneOf(statuses),
    },
    run(work, { params }) {
      const { client_reference_id: wanted, created, status } = params
      const rows = work.tx.all('verification_sessions').filter((one) => {
        if (wanted !== undefined && one.client_reference_id !== wanted) return false
        if (status !== undefined && one.status !== status) return false
        return within(one.created, created)
      })
      const shown = rows.map((one) => present(work, one))
      return page('/v1/identity/verification_sessions', shown, params)
    },
  }),
  endpoint({
    on: 'GET /v1/identity/verification_sessions/:id',
    params: {},
    run(work, call) {
      const session = work.tx.get('verification_sessions', idIn(call))
      return present(work, found(session, 'verificationsession', call))
    },
  }),
  endpoint({
    on: 'POST /v1/identity/verification_sessions/:id/cancel',
    params: {},
    run(work, call) {
      const old = found(work.tx.get('verification_sessions', idIn(call)), 'session', call)
      if (old.status !== 'requires_input' || old.redaction) throw cannot('cancel', old)
      const session = work.tx.put('verification_sessions', { ...old, status: 'canceled' })
      tell(work, 'canceled', session)
      return present(work, session)
    },
  }),
  endpoint({
    on: 'POST /v1/identity/verification_sessions/:id/redact',
    params: {},
    run(work, call) {
      const old = found(work.tx.get('verification_sessions', idIn(call)), 'session', call)
      if (old.status === 'processing' || old.redaction) throw cannot('redact', old)
      const redaction = { status: 'processing' as const }
      return present(work, work.tx.put('verification_sessions', { ...old, redaction }))
    },
  }),
  endpoint({
    on: 'GET /v1/identity/verification_reports',
    params: { ...paging, verification_session: text(), client_reference_id: text() },
    run(work, { params }) {
      const rows = work.tx.all('verification_reports').filter((one) => {
        const { verification_session: session } = params
        return session === undefined || one.verification_session === session
      })
      return page('/v1/identity/verification_reports', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/identity/verification_reports/:id',
    params: {},
    run: (work, call) => {
      const report = work.tx.get('verification_reports', idIn(call))
      return found(report, 'verificationreport', call)
    },
  }),
]

function blank(work: Work, id: string): SessionRecord {
  return {
    id,
    object: 'identity.verification_session',
    client_reference_id: null,
    client_secret: `${id}_secret_${randomText(24)}`,
    created: work.seconds,
    last_error: null,
    last_verification_report: null,
    livemode: false,
    metadata: {},
    options: {},
    redaction: null,
    related_customer: null,
    related_customer_account: null,
    status: 'requires_input',
    type: 'document',
    url: null,
    return_url: null,
  }
}

/** The page and the secret are there only while the person has something to do. */
function present(work: Work, { return_url: _, ...session }: SessionRecord): VerificationSession {
  const open = session.status === 'requires_input' && session.redaction === null
  return {
    ...session,
    client_secret: open ? session.client_secret : null,
    url: open ? `${work.deps.url()}/identity/${session.id}` : null,
  }
}

type Happening = 'canceled' | 'created' | 'processing' | 'redacted' | 'requires_input' | 'verified'

function tell(work: Work, what: Happening, session: SessionRecord): void {
  const type: EventType = `identity.verification_session.${what}`
  // Events carry no secrets.
  emit(work, type, { ...present(work, session), client_secret: null, url: null })
}

function cannot(what: string, { id, status, redaction }: VerificationSession) {
  const state = redaction ? `${status}, redaction ${redaction.status}` : status
  return refused(`You cannot ${what} the VerificationSession ${id}: it is ${state}.`)
}

type Failure = NonNullable<NonNullable<VerificationSession['last_error']>['code']>

const ofDocuments = [
  'document_unverified_other',
  'document_expired',
  'document_type_not_supported',
] as const
const failures: Failure[] = [...ofDocuments, 'selfie_face_mismatch']

export interface IdentityOutcome {
  result: 'verify' | 'fail'
  /** Any of the vendor's codes; the next one of a few where none is given. */
  error?: string | undefined
}

/** The person handed in its document, and the vendor looked at it. */
export function decideIdentity(
  work: Work,
  old: SessionRecord,
  { result, error }: IdentityOutcome,
): SessionRecord {
  if (old.status !== 'requires_input' || old.redaction) throw cannot('submit', old)
  tell(work, 'processing', work.tx.put('verification_sessions', { ...old, status: 'processing' }))
  const earlier = work.tx.all('verification_reports').filter(({ verification_session: one }) => {
    return one === old.id
  })
  const code = failureOf(error, earlier.length)
  const report = reportOf(work, old, result === 'verify' ? null : code)
  const session = work.tx.put('verification_sessions', {
    ...old,
    last_verification_report: report.id,
    ...(result === 'verify'
      ? { status: 'verified', last_error: null }
      : { last_error: { code, reason: 'The sandbox was told so.' } }),
  })
  tell(work, result === 'verify' ? 'verified' : 'requires_input', session)
  return session
}

function failureOf(asked: string | undefined, earlier: number): Failure {
  const wanted = asked ?? failures[earlier % failures.length]
  const code = failures.find((one) => one === wanted)
  if (code) return code
  throw invalid(`error is ${wanted}, expected one of ${failures.join(', ')}`)
}

function reportOf(work: Work, session: SessionRecord, code: Failure | null): VerificationReport {
  const mistake = ofDocuments.find((one) => one === code)
  return work.tx.put('verification_reports', {
    id: newId('vr'),
    object: 'identity.verification_report',
    client_reference_id: session.client_reference_id,
    created: work.seconds,
    livemode: false,
    type: session.type,
    verification_session: session.id,
    document: {
      address: null,
      error: mistake === undefined ? null : { code: mistake, reason: 'The sandbox was told so.' },
      files: null,
      first_name: null,
      issued_date: null,
      issuing_country: null,
      last_name: null,
      status: mistake === undefined ? 'verified' : 'unverified',
      type: null,
    },
  })
}

/** The vendor forgets for good what it found; the link to our side goes with it. */
export function finishRedaction(work: Work, old: SessionRecord): SessionRecord {
  if (old.redaction?.status !== 'processing') throw cannot('finish the redaction of', old)
  const session = work.tx.put('verification_sessions', {
    ...old,
    metadata: {},
    redaction: { status: 'redacted' },
  })
  tell(work, 'redacted', session)
  return session
}

function defined<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const pairs = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(pairs) as { [K in keyof T]?: Exclude<T[K], undefined> }
}

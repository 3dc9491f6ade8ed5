/** A domain of a tenant's own, from the claim to its certificate. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow'
import { type DomainInput, lookAtDomain } from './contract.ts'
import { mail, once, patient, quick } from './steps.ts'
import { happensInTime } from './waiting.ts'

type Outcome = 'proven' | 'taken' | 'active' | 'ended' | 'expired' | 'failing'

interface Search {
  /** What it came to, by patience or by somebody who wanted a look now. */
  found: Outcome | null
  lookNow: () => Promise<Outcome | 'pending'>
}

/**
 * Waits for the proof in the DNS, then for the certificate at the edge. The looking is one step
 * that is repeated ever more seldom, so that a week of it is no longer history than a minute.
 */
export async function domainVerification(input: DomainInput): Promise<Outcome> {
  const { domainId } = input
  const desk: { search: Search | null } = { search: null }
  setHandler(lookAtDomain, async () => {
    const { search } = desk
    if (!search) return { state: 'done' }
    // Servers that do not answer have said nothing.
    const seen = await search.lookNow().catch(() => 'pending' as const)
    if (seen !== 'pending') search.found ??= seen
    return { state: seen }
  })
  setCurrentDetails('Waiting for the TXT record that proves the domain')
  const proof: Search = { found: null, lookNow: () => once.lookForProof({ domainId }) }
  desk.search = proof
  const proven = await search(input, proof, {
    step: () => patient.awaitProof({ domainId }),
    remind: (number) => mail.mailDomain({ domainId, kind: 'reminder', occurrence: String(number) }),
  })
  const outcome = proven === 'proven' ? await certify(input, desk) : await giveUp(input, proven)
  desk.search = null
  await condition(allHandlersFinished)
  return outcome
}

/** Nobody proved it in time, somebody else did before, or nobody wants it any more. */
async function giveUp({ domainId }: DomainInput, found: Outcome | null): Promise<Outcome> {
  if (found === 'ended') return 'ended'
  setCurrentDetails('The domain was not proven in time')
  if (found === null) await quick.expireDomain({ domainId })
  await mail.mailDomain({ domainId, kind: 'expired', occurrence: '1' })
  return found ?? 'expired'
}

async function certify(input: DomainInput, desk: { search: Search | null }): Promise<Outcome> {
  const { domainId } = input
  setCurrentDetails('Proven; waiting until it leads to us and has its certificate')
  const lookNow = () => once.lookForCertificate({ domainId })
  const certificate: Search = { found: null, lookNow }
  desk.search = certificate
  const found = await search({ ...input, reminders: [] }, certificate, {
    step: () => patient.awaitCertificate({ domainId }),
    remind: async () => {},
  })
  if (found === 'active') {
    await mail.mailDomain({ domainId, kind: 'active', occurrence: '1' })
    return 'active'
  }
  if (found === 'ended') return 'ended'
  await quick.markDomainFailing({ domainId })
  return 'failing'
}

/** @returns null when the time is over. */
async function search(
  { reminders, expiry }: DomainInput,
  wanted: Search,
  how: { step: () => Promise<Outcome>; remind: (number: number) => Promise<void> },
): Promise<Outcome | null> {
  const scope = new CancellationScope()
  let failure: unknown
  const looking = scope
    .run(async () => {
      const seen = await how.step()
      wanted.found ??= seen
    })
    .catch((error) => {
      // Called back, because it was over in another way.
      if (!isCancellation(error)) failure = error
    })
  await happensInTime({
    since: Date.now(),
    until: () => wanted.found !== null || failure !== undefined,
    reminders,
    expiry,
    remind: how.remind,
  })
  scope.cancel()
  await looking
  if (failure !== undefined) throw failure
  return wanted.found
}

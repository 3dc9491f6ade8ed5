/** What the programme's own rules say of an application, and whom it resembles. */
import type { Trx } from '../../db/database.ts'
import {
  type ApplicationRow,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { findTwins, recordTwins } from '../../db/onboarding/twins.ts'
import type { Programme } from '../../db/programmes.ts'
import { domainOf } from '../../domain/companies.ts'
import { type ApplicationFacts, firstFit } from '../../domain/pre-screen.ts'

const sayings = {
  reject: 'a rule of the programme rejects it',
  review: 'a rule of the programme asks for a look',
}

/** What rules of the programme look at. */
export function factsOf(application: ApplicationRow): ApplicationFacts {
  const { country, type, level, contactEmail, expectedVolumeMinor } = application
  return {
    country,
    type,
    level,
    emailDomain: domainOf(contactEmail),
    expectedVolume: expectedVolumeMinor,
  }
}

/**
 * Looks for twins, and for the first rule that fits. Both stay between us: the applicant reads
 * nothing of a twin or of a flag, and of a rejection only its reason, in the mail.
 * @returns whether a rule rejects the application, which then has no further step.
 */
export async function preScreen(
  trx: Trx,
  application: ApplicationRow,
  { deadlines, onboarding }: Programme,
): Promise<boolean> {
  const { id } = application
  const rule = firstFit(onboarding.preScreen, factsOf(application))
  const twins = await findTwins(trx, application, deadlines.reapplication)
  await recordTwins(trx, id, twins)
  if (twins.length > 0) {
    await recordTimeline(trx, id, {
      key: 'twins_found',
      stage: 'screening',
      actor: 'system',
      what: `resembles other applications: ${twins.length}`,
      internal: true,
    })
  }
  if (!rule) return false
  await markApplication(trx, id, {
    stage: 'screening',
    nextActor: 'system',
    preScreen: rule.outcome,
    preScreenReason: rule.reason,
  })
  await recordTimeline(trx, id, {
    key: 'pre_screened',
    stage: 'screening',
    actor: 'system',
    what: sayings[rule.outcome],
    internal: true,
  })
  return rule.outcome === 'reject'
}

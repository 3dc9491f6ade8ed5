/** What those who decide read of an application beside what the applicant reads. */
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import { type ApplicationRow, findAnswers, listContacts } from '../../db/onboarding/applications.ts'
import { listTwins } from '../../db/onboarding/twins.ts'
import { outwardId } from '../../domain/ids.ts'
import { contactRoles, twinReasons } from '../../domain/onboarding.ts'
import { currencyAnswer, idAnswer, minorAmount } from '../validate.ts'

const person = { name: z.string(), email: z.string() }

/** The form, for those who decide. */
const detailsAnswer = z.object({
  country: z.string(),
  website: z.string(),
  legal_name: z.string().nullable(),
  registration_number: z.string().nullable(),
  contact: z.object(person),
  contacts: z.array(z.object({ ...person, role: z.enum(contactRoles) })),
  territories: z.array(z.string()),
  expected_volume: z.object({ amount: minorAmount, currency: currencyAnswer }).nullable(),
  custom: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  message: z.string().nullable(),
  reapplies: idAnswer('application').nullable(),
  invitation: idAnswer('applicationInvitation').nullable(),
})

/** Members of the answer, none of which the applicant gets. */
export const decisionFacts = {
  details: detailsAnswer.optional(),
  duplicates: z
    .array(
      z.object({
        application: idAnswer('application').nullable(),
        partner: idAnswer('partner').nullable(),
        reason: z.enum(twinReasons),
      }),
    )
    .optional()
    .meta({ description: 'For those who decide. What they may not see has neither id.' }),
  pre_screen: z
    .object({ outcome: z.enum(['reject', 'review']), reason: z.string() })
    .nullable()
    .optional(),
}

const answersSchema = detailsAnswer.shape.custom

export async function presentForDecision(db: Db, row: ApplicationRow) {
  const [contacts, answers, twins] = [
    await listContacts(db, row.id),
    await findAnswers(db, row.id),
    await listTwins(db, row.id),
  ]
  const { expectedVolumeMinor: volume, expectedVolumeCurrency: currency } = row
  return {
    details: {
      country: row.country,
      website: row.website,
      legal_name: row.legalName,
      registration_number: row.registrationNumber,
      contact: { name: row.contactName, email: row.contactEmail },
      contacts: contacts.map(({ name, email, role }) => ({ name, email, role })),
      territories: row.territoryCodes,
      expected_volume: volume === null ? null : { amount: Number(volume), currency },
      custom: answersSchema.parse(JSON.parse(answers?.custom ?? '{}')),
      message: answers?.message || null,
      reapplies: row.reappliesId && outwardId('application', row.reappliesId),
      invitation: row.invitationId && outwardId('applicationInvitation', row.invitationId),
    },
    duplicates: twins.map(({ applicationId, partnerId, reason }) => ({
      application: applicationId && outwardId('application', applicationId),
      partner: partnerId && outwardId('partner', partnerId),
      reason,
    })),
    pre_screen: row.preScreen && { outcome: row.preScreen, reason: row.preScreenReason ?? '' },
  }
}

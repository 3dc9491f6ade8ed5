/** What a programme sets to write the invoices of its partners. */
import type { SelfBillingSettings } from '../../db/programme-settings.ts'

export const selfBillingTerms: SelfBillingSettings = {
  legalName: 'Platform GmbH',
  address: 'Hafenstraße 1, 20457 Hamburg',
  country: 'DE',
  vatId: 'DE111111111',
  numberFormat: 'SB-{series}-{number}',
  agreementVersion: '2026-01',
  agreementText: 'The platform writes the invoices of the partner, which writes none itself.',
  agreementDays: 365,
}

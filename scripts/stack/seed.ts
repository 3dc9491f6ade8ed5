/** The two partners that `npm run dev` starts with, brought in like any other. */
import type { Progress } from '../launch/progress.ts'
import { createStory } from '../story/client.ts'
import { onboardPartner, payPlatformFee } from '../story/partners.ts'
import { type StackKeys, writeKeys } from './programme.ts'
import type { Stack } from './stack.ts'

/** Old enough for any month that a person wants to play. */
const effectiveFrom = '2020-01-01T00:00:00.000Z'

/** A master reseller and a reseller below it; what an interrupted start left undone is finished. */
export async function seedPartners(
  stack: Pick<Stack, 'urls' | 'keys'>,
  directory: string,
  progress: Progress,
): Promise<StackKeys> {
  const { keys, urls } = stack
  if (keys.master_reseller && keys.reseller) return keys
  const step = progress.step('partners', 'a master reseller and a reseller to start with')
  const story = createStory(urls)
  const owner = keys.super_admin ?? ''
  const master = await onboardPartner(
    story,
    {
      name: 'First Master Reseller',
      level: 'master_reseller',
      type: 'distributor',
      email: 'owner@first-master.example',
    },
    { approver: owner, reason: 'part of the set-up', effectiveFrom },
  )
  await payPlatformFee(story, master.partner)
  step.update('the master reseller is active', 0.5)
  const reseller = await onboardPartner(
    story,
    {
      name: 'First Reseller',
      level: 'reseller',
      type: 'value_added_reseller',
      email: 'owner@first-reseller.example',
      parent: master.partner,
    },
    { approver: master.key, reason: 'part of the set-up', effectiveFrom },
  )
  await payPlatformFee(story, reseller.partner)
  const seeded = { ...keys, master_reseller: master.key, reseller: reseller.key }
  writeKeys(directory, seeded)
  step.done('both active')
  return seeded
}

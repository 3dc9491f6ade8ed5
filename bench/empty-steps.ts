/** A process that only asks for steps, one after the other: the least that so many steps cost. */
import { proxyActivities } from '@temporalio/workflow'

const { nothing } = proxyActivities<{ nothing(): Promise<void> }>({
  startToCloseTimeout: '30 seconds',
})

export async function emptySteps(count: number): Promise<void> {
  for (let step = 0; step < count; step++) await nothing()
}

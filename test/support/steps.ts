/** The steps of processes, called one by one as a worker would, on real parts. */
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import type { ActivityDeps } from '../../activities/deps.ts'
import { type Activities, createActivities } from '../../activities/index.ts'
import { activityDependencies } from '../../worker/dependencies.ts'
import { type Product, startProduct } from './product.ts'

export interface Steps extends Product {
  steps: Activities
  deps: ActivityDeps
  /** Arms a fault of the sandbox. */
  fault(fault: {
    vendor: 'stripe' | 'docusign' | 'watchman'
    kind: string
    [more: string]: unknown
  }): Promise<void>
}

/** Each call has a context of its own, like each attempt of a worker. */
export function asSteps(deps: ActivityDeps): Activities {
  const wrapped = Object.entries(createActivities(deps)).map(([name, activity]) => [
    name,
    (input: unknown) =>
      new MockActivityEnvironment(undefined, { logger: new DefaultLogger('ERROR') }).run(
        activity as (input: unknown) => Promise<unknown>,
        input,
      ),
  ])
  return Object.fromEntries(wrapped) as Activities
}

export async function startSteps(): Promise<Steps> {
  const product = await startProduct()
  const { deps, close } = activityDependencies(product.config, {
    client: product.temporal,
    vault: product.sealing.vault,
    onDatabaseError: () => {},
  })
  return {
    ...product,
    deps,
    steps: asSteps(deps),
    async fault(fault) {
      await product.story.sandbox('/faults', fault)
    },
    async stop() {
      await close()
      await product.stop()
    },
  }
}

/** The stable type of the failure that a step ended with. */
export async function failureOf(step: Promise<unknown>): Promise<string | undefined> {
  try {
    await step
  } catch (error) {
    return (error as { type?: string }).type
  }
  throw new Error('the step did not fail')
}

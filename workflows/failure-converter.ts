/** Messages and stacks of failures travel as payloads, so that they are sealed like those. */
import { DefaultFailureConverter } from '@temporalio/common'

export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true })

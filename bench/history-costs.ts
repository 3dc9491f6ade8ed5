/** What a process cost the engine, counted from its history. */

export interface Cost {
  events: number
  /** What the engine's makers charge for; repeated attempts of a step are in no history. */
  actions: number
  activities: number
}

interface History {
  events?: ({ eventType?: number | null } & object)[] | null
}

/** Each event that stands for an action, by the attributes that it has; a child counts twice. */
const charged: Record<string, number> = {
  workflowExecutionStartedEventAttributes: 1,
  activityTaskScheduledEventAttributes: 1,
  timerStartedEventAttributes: 1,
  workflowExecutionSignaledEventAttributes: 1,
  workflowExecutionUpdateAcceptedEventAttributes: 1,
  upsertWorkflowSearchAttributesEventAttributes: 1,
  startChildWorkflowExecutionInitiatedEventAttributes: 1,
}

const has = (event: object, attributes: string) =>
  (event as Record<string, unknown>)[attributes] != null

export function costOf({ events }: History): Cost {
  const all = events ?? []
  const count = (attributes: string) => all.filter((event) => has(event, attributes)).length
  return {
    events: all.length,
    actions: Object.entries(charged).reduce(
      (sum, [attributes, weight]) => sum + weight * count(attributes),
      0,
    ),
    activities: count('activityTaskScheduledEventAttributes'),
  }
}

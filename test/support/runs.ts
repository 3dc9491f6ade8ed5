/** How many random cases a property tries: jest-nightly.config.mjs asks for many more. */
const asked = (name: string): unknown => Reflect.get(globalThis, name)

export const propertyRuns = Number(asked('propertyRuns') ?? 5_000)

/** Each plays a whole scenario on a database. */
export const modelRuns = Number(asked('modelRuns') ?? 40)

/** The same scenarios each time; others each night. */
export const modelSeed = asked('modelRuns') === undefined ? 20_261_121 : null

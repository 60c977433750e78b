// Decides the cases of a file, one JSON object a line, with @cloud-copilot/iam-simulate; writes one answer a line.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const named = (documents) => documents.map((policy, index) => ({ name: `policy ${index}`, policy }))
const levels = (documents) =>
  documents.map((policy, index) => ({ orgIdentifier: `level ${index}`, policies: named([policy]) }))

for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const asked = JSON.parse(line)
  const found = await runSimulation(
    {
      request: {
        principal: asked.principal,
        action: asked.action,
        resource: { resource: asked.resource, accountId: asked.owner },
        contextVariables: asked.context
      },
      identityPolicies: named(asked.identity),
      permissionBoundaryPolicies: asked.boundary ? named([asked.boundary]) : undefined,
      sessionPolicy: asked.session ?? undefined,
      resourcePolicy: asked.of_resource ?? undefined,
      serviceControlPolicies: levels(asked.service_control),
      resourceControlPolicies: levels(asked.resource_control)
    },
    { simulationMode: 'Strict' }
  )
  const result = found.resultType === 'single' ? found.result : found.results?.[0]
  const answer =
    found.resultType === 'error'
      ? { error: found.errors }
      : { result: found.overallResult, ignored: result?.ignoredContextKeys ?? [] }
  console.log(JSON.stringify(answer))
}

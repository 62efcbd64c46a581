import { setTimeout as sleep } from 'node:timers/promises'

export const dynamic = 'force-dynamic'

export async function GET () {
  await sleep(500)
  return new Response('hello\n', { headers: { 'X-Deploy': process.env.ZDD_DEPLOY ?? '0' } })
}

// It tells with which deploy it came. Nothing in it knows of zdd.

export async function POST (request) {
  return new Response(await request.text(), { headers: { 'X-Deploy': process.env.ZDD_DEPLOY ?? '0' } })
}

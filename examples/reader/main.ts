// Prints the routing table whenever it has changed. May be started before its writer. End it with Ctrl-C.
import { setTimeout } from 'node:timers/promises';
import { openReader, StoreError } from 'vitrine';
import type { Routing } from '../writer/main.ts';

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

const reader = openReader<Routing>('routing');
console.log(`reading from ${reader.location}`);

let printed = 0;
while (!stop.signal.aborted) {
  const routing = newest();
  if (routing !== undefined && reader.version !== printed) {
    printed = reader.version;
    const { host } = routing.routes['/search']!;
    console.log(`version ${printed}: ${routing.canaryPercent} % to the canary, /search goes to ${host}`);
  }
  await setTimeout(10, undefined, { signal: stop.signal }).catch(() => {});
}

reader.close();
console.log('closed');

function newest(): Routing | undefined {
  try {
    return reader.current();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'NOT_PUBLISHED') return undefined;
    throw error;
  }
}

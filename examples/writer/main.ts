// Publishes a routing table that changes every second. End it with Ctrl-C; started again, it goes on counting.
import { setTimeout } from 'node:timers/promises';
import { openWriter } from 'vitrine';

export interface Routing {
  readonly canaryPercent: number;
  readonly routes: Readonly<Record<string, { readonly host: string; readonly timeoutMs: number }>>;
}

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort());

const writer = openWriter<Routing>('routing');
console.log(`publishing to ${writer.location}`);

while (!stop.signal.aborted) {
  const canaryPercent = (5 * (writer.version + 1)) % 105;
  const version = writer.publish({
    canaryPercent,
    routes: {
      '/cart': { host: 'cart.internal', timeoutMs: 250 },
      '/search': { host: canaryPercent < 50 ? 'search-1.internal' : 'search-2.internal', timeoutMs: 800 },
    },
  });
  console.log(`published version ${version}: ${canaryPercent} % to the canary`);
  await setTimeout(1000, undefined, { signal: stop.signal }).catch(() => {});
}

// The last version stays for readers and for the next writer; writer.destroy() would remove the files.
writer.close();
console.log('closed');

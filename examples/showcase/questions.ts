import type { CompatData } from '@mdn/browser-compat-data';
import type { View } from 'vitrine';
import { chromeHas, digest, type Path, walk } from './compat-data.ts';
import { durationMs, memory, nanosecondsPerCall, sink } from './measure.ts';

/** What a process does with the data, whether that lies in shared memory or in its own heap. */
export const questions = (get: () => View<CompatData>) => ({
  /** The newest value, and one field deep in it. */
  nestedFieldNs: (): number =>
    nanosecondsPerCall(() => get().api['fetch']?.__compat?.support.chrome, 100_000),

  /** Features all over the data, each asked for once. In nanoseconds each. */
  lookUpNs(paths: readonly Path[]): number {
    const ms = durationMs(() => {
      for (const path of paths) sink.last = chromeHas(get(), path);
    });
    return (ms * 1e6) / paths.length;
  },

  /** Every object there is. */
  visitMs: (): number => durationMs(() => walk(get(), (value) => (sink.last = value))),

  digest: (): string => digest(get()),
  memory,
});

export type Questions = ReturnType<typeof questions>;

import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Milliseconds on a clock that all processes of the machine share (CLOCK_MONOTONIC). */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** How long one call takes. */
export function durationMs(run: () => unknown): number {
  const startMs = nowMs();
  run();
  return nowMs() - startMs;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Where the results of timed calls go, so that no compiler can leave the calls out. */
export const sink: { last: unknown } = { last: undefined };

/** Nanoseconds a call, from the median of several batches; the loop around it is included. */
export function nanosecondsPerCall(run: () => unknown, callsPerBatch: number): number {
  const batches = Array.from({ length: 11 }, () => {
    let last: unknown;
    const ms = durationMs(() => {
      for (let i = 0; i < callsPerBatch; i += 1) last = run();
    });
    sink.last = last;
    return (ms * 1e6) / callsPerBatch;
  });
  return median(batches);
}

/** The memory of this process as the kernel counts it, in bytes. */
export interface Memory {
  /** Proportional set size: its own pages, and of each page that n processes share the nth part. */
  readonly pss: number;
  /** The part of it that lies in shared memory. */
  readonly sharedPss: number;
}

/** The memory of this process when what it does not need any more is gone. */
export async function memory(): Promise<Memory> {
  let settled = readMemory();
  for (;;) {
    collectGarbage();
    // V8 gives pages back to the kernel on other threads.
    await setTimeout(20);
    const now = readMemory();
    if (now.pss > settled.pss - 500_000) return now;
    settled = now;
  }
}

function readMemory(): Memory {
  const text = readFileSync('/proc/self/smaps_rollup', 'latin1');
  const field = (name: string): number =>
    1024 * Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
  return { pss: field('Pss'), sharedPss: field('Pss_Shmem') };
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Twice: what finalizers let go of in the first run falls in the second.
  collect();
  collect();
}
